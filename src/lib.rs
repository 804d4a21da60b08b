//! Seatledger keeps the licence-usage history of a Microsoft CSP partner's customers in Postgres.
//!
//! The way through the rooms, from the door inwards:
//!
//! - [`app`] builds the parts and hands them to each other; `cli` is the command line, [`config`]
//!   what the operator wrote, `telemetry` the log, [`lifecycle`] signals and exit codes, `progress`
//!   the bar on a terminal.
//! - [`schedule`] says when a run is due, and [`sync`] does one: it walks over the customers, asks
//!   [`partner_center`] for each one's usage, and hands what comes to [`store`].
//! - `status` serves what the store knows over HTTP.
//! - [`consent`] says how old a person's sign-in is and how long it lasts.
//! - [`ledger`] holds the words that all of them share: customers, rows, rejections, outcomes.
//!   [`retry`] says when to try again, [`clock`] what time it is, `text` reads files that a person
//!   saved, `tls` says what is wrong with a certificate, and `causes` puts an error and its causes
//!   on one line.
//!
//! Arrows run one way: `app` → `schedule`, `sync`, `status`, `lifecycle` → `partner_center`,
//! `store` → `ledger`, `consent`, `retry`, `clock`, `text`, `tls`.

pub mod app;
mod causes;
mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod ledger;
pub mod lifecycle;
pub mod partner_center;
mod printable;
mod progress;
pub mod retry;
pub mod schedule;
pub mod shutdown;
mod status;
pub mod store;
pub mod sync;
mod telemetry;
mod text;
mod tls;
