//! The vocabulary of the ledger: customers, rows, rejections, and why a customer failed. Pure, and
//! shared by all other modules: nothing here knows HTTP, JSON or SQL.

mod collection;
mod customer;
mod name;
mod outcome;
mod reason;
mod row;

pub(crate) use collection::none_usable;
pub use collection::{Collection, Dataset, MAX_PAYLOAD_BYTES, Rejection, Source};
pub use customer::{Customer, CustomerHistory, CustomerId, NotAGuid};
pub(crate) use customer::{is_example_guid, parse_guid_leniently};
pub use name::Name;
pub use outcome::{CallIds, CustomerOutcome, Failure, RowCounts, TrafficCounts};
pub use reason::{FailureReason, RejectionReason};
pub use row::{
    Attributes, DeploymentKey, DeploymentRow, EARLIEST, LATEST_AHEAD, MAX_KEY_BYTES,
    MAX_TEXT_CHARS, Row, UsageKey, UsageRow,
};
