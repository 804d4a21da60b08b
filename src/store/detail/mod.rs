//! What the pages beside the front page show. Each table has one query, whose text the page shows
//! to those who want to ask it themselves.

mod customers;
mod query;
mod runs;

pub(crate) use customers::{CustomerFilter, CustomerLine, CustomerList, CustomerState};
pub(crate) use query::{PAGE_ROWS, TableQuery};
pub(crate) use runs::{FailureLine, RejectionLine, RunDetail, RunLine, RunList};
