//! What the pages beside the front page show. Each table has one query, whose text the page shows
//! to those who want to ask it themselves.

mod customer;
mod customers;
mod query;
mod runs;

pub(crate) use customer::{
    CoverageDay, CustomerDetail, CustomerFacts, CustomerTable, DetailDays, HeldProduct,
    LedgerDates, ProductSeats, Renamed, WorkloadUse, knows_customer, load_customer_detail,
    load_ledger_dates, load_renamed,
};
pub(crate) use customers::{CustomerFilter, CustomerLine, CustomerState, CustomersShown};
pub(crate) use query::{PAGE_ROWS, TableQuery};
pub(super) use query::{array, literal};
pub(crate) use runs::{FailureLine, RejectionLine, RunDetail, RunLine, RunList};
