//! Seatledger keeps the licence-usage history of a Microsoft CSP partner's customers in Postgres.
//!
//! # Modules
//! An arrow points to what a module uses. All of them run downwards.
//!
//! ```text
//! main
//!  └─► app            one file per command: daemon, backfill, check, grants, login, …
//!       ├─► cli            the command line          telemetry   log, traces
//!       ├─► config         what the operator wrote
//!       ├─► lifecycle      signals, tracked tasks, exit codes
//!       ├─► schedule       when a run is due
//!       ├─► notify         tells a dead man's switch and a webhook how runs end
//!       ├─► status         the status address: JSON, metrics and pages
//!       │    └─► pages         renders pages and reports as HTML
//!       │         └─► standing     how things stand: the verdict, and what to do
//!       └─► sync           one run
//!            ├─► partner_center   everything Microsoft: client, session, endpoints, throttle, auth
//!            └─► store            everything Postgres: leases, batches, what is read back
//!                 └─► ledger           the shared vocabulary: customer, row, rejection, outcome
//!
//! used by any of them: metrics, retry, shutdown, watchdog, clock, consent, text, tls, causes,
//! printable, span
//! ```
//!
//! - Types of the wire do not leave [`partner_center`], and SQL does not leave [`store`]. What they
//!   exchange is in [`ledger`], which knows neither HTTP nor SQL.
//! - [`retry`] says when to try again and what a failure asks of the run, [`shutdown`] has the two
//!   degrees of stopping and how long each step of a stop may take, and [`watchdog`] the pulse by
//!   which a program that is stuck is noticed.
//!
//! # One run
//! A run is a value, the client opens a session, the ledger takes batches:
//!
//! ```text
//!   Request ──► Syncer::run ──► Run { session, recorder, shutdown, … }        sync/run
//!                                │
//!   1 begin      LedgerAccess ───┼──► run lease, sync_run: running            sync/ledger
//!                                │      ▲ waits while another run holds the lease,
//!                                │      │ or the database is away
//!   2 sign in    Session ────────┼──► a token, before the first customer      partner_center
//!                                │
//!   3 list       ids ∪ file ∪ partner's list − excluded                       sync/customer_list
//!                                │    order by: not up to date first, then the longest ago
//!                                ▼
//!                   RunCustomer, RunCustomer, RunCustomer, …
//!                                │
//!   4 fetch      ┌───────────────┴────────────────┐
//!                ▼ source "customer"              ▼ source "commercial"
//!          Workers: one customer each       PartnerWide: whole collections,   sync/per_customer
//!          Session::fetch_usage, …          then buckets of customers         sync/partner_wide
//!                │ throttle: rate, pauses         │
//!                └───────────────┬────────────────┘
//!                                ▼ channel of CustomerOutcome, bounded
//!   5 store      Recorder: batches ──► one transaction each                   sync/batches
//!                │                  └─ refused: its customers one by one
//!                ▼                                                            store/batch
//!              Tally ──► judge: go on, begin no further customer, or end      sync/tally
//!                                ▲                                            sync/early_end
//!                                └─ API silent · all refused alike · token refused
//!
//!   6 end        Report ──► log, sync_run: succeeded, partial, failed,        sync/report
//!                           interrupted; lease given back
//!
//!   graceful stop: no further customer is begun, those under way finish
//!   forced stop:   calls are dropped; what was fetched is stored, and the end recorded,
//!                  each within a bound (shutdown::waits)
//! ```

pub mod app;
mod causes;
mod cli;
pub mod clock;
pub mod config;
pub mod consent;
pub mod ledger;
pub mod lifecycle;
pub mod metrics;
mod notify;
mod pages;
pub mod partner_center;
mod printable;
pub mod retry;
pub mod schedule;
pub mod shutdown;
mod span;
mod standing;
mod status;
pub mod store;
pub mod sync;
mod telemetry;
mod text;
mod tls;
pub mod watchdog;
