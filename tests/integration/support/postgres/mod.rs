//! The ledger's database: a database for each test, servers, standbys and poolers of a test's own,
//! and what others do to it while the program works.

mod citus;
mod database;
mod hold;
mod lease;
mod link;
mod pooler;
mod server;
mod standby;
mod upgrade;

pub(crate) use citus::is_used as is_distributed;
pub(crate) use database::Database;
pub(crate) use lease::{begin, lease_run};
pub(crate) use link::{Link, Lost};
pub(crate) use pooler::Pooler;
pub(crate) use server::{Server, server_with_tls};
pub(crate) use standby::Replicated;
pub(crate) use upgrade::LATER;
