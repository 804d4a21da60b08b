//! The ledger's database, and the only SQL. Makes no HTTP call, does not sleep and does not retry:
//! a [`StoreError`] says whether the caller should. Only the [`Keeper`] of leases renews them by
//! itself. [`Store`] opens connections and reads; [`RunLease`] is the one connection that a run
//! writes through.

mod attention;
mod batch;
mod connect;
mod consent;
mod customers;
mod detail;
mod error;
mod export;
mod figures;
mod grants;
mod holders;
mod lease;
mod locale;
mod migrate;
mod overview;
mod pool;
mod probe;
mod read;
mod readers;
mod resume;
mod run;
mod support;
mod transaction;
mod verify;

pub use attention::{Attention, NeedyCustomer};
pub use consent::{HostConsent, SignInRefusal};
pub use customers::{DueCustomer, PartnerListDiff};
pub(crate) use detail::{
    CoverageDay, CustomerDetail, CustomerFacts, CustomerFilter, CustomerLine, CustomerState,
    CustomerTable, CustomersShown, DetailDays, FailureLine, HeldProduct, LedgerDates, PAGE_ROWS,
    ProductSeats, RejectionLine, RunDetail, RunLine, RunList, TableQuery, WorkloadUse,
    knows_customer, load_customer_detail, load_ledger_dates,
};
pub use error::{Cause, StoreError};
pub(crate) use export::Exportable;
#[cfg(feature = "parquet")]
pub(crate) use export::{ExportColumn, Values};
pub use figures::{
    DayPoint, Figures, MonthPoint, Mover, ProductEvent, ProductEventKind, RenameSuspect,
    ServiceDay, ServiceStrip, Tile, Tiles, WasteLine, WasteTotal, WorkloadLine,
};
pub(crate) use figures::{FrontTable, ProductLine, ProductList};
pub use grants::{Granted, Revoked};
pub use holders::{Holder, OtherRun};
pub use lease::{
    Attempt, Instance, Keeper, Lease, LeaseName, LeaseRecord, LeaseState, LeaseTimes, Loss,
    Previous,
};
pub use locale::conflicting_locale;
pub use migrate::migrations::Migrations;
pub use overview::{CustomersByState, LedgerFigures, Overview};
pub use pool::{PoolConnections, Store};
pub use probe::ProbedPart;
pub use read::{Experience, LastFinish, RunRecord};
pub(crate) use readers::{Download, Downloads, FileFormat, Reader};
pub use readers::{PageReader, PageWork};
pub use resume::Unfinished;
pub use run::{
    Begun, DatedPass, DayTotals, FinishedRun, NewRun, RunAttempt, RunKind, RunLease, RunOutcome,
    TickDone,
};
pub(crate) use verify::{BothSides, ComparedRow};
