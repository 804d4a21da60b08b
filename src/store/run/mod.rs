//! A run as the ledger has it: how it begins, the lease and the connection with which it writes,
//! the records that it leaves, and what its end leaves to readers.

mod begin;
mod end;
mod lease;
mod records;

pub use begin::{Begun, TickDone};
pub use end::DayTotals;
pub use lease::{RunAttempt, RunLease};
pub use records::{DatedPass, FinishedRun, NewRun, RunKind, RunOutcome};
