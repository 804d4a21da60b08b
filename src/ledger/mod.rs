//! Our words for what the ledger keeps: customers, rows, rejections, and why a customer failed.
//! Pure, and the only language the other rooms share: nothing here knows HTTP, JSON or SQL.

mod collection;
mod name;
mod outcome;
mod row;
pub(crate) mod written;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use uuid::Uuid;

pub use collection::Collection;
pub use name::Name;
pub use outcome::{Customer, CustomerOutcome, Failure, RowCounts, TrafficCounts};
pub use row::{Attributes, DeploymentKey, DeploymentRow, Row, UsageKey, UsageRow};

/// The ledger begins here: the service did not exist before.
pub const EARLIEST: DateTime<Utc> = DateTime::from_timestamp(946_684_800, 0)
    .expect("the first second of the year 2000 is a valid timestamp");

/// A processed date further ahead than this is a mistake, not another time zone.
pub const LATEST_AHEAD: TimeDelta = TimeDelta::days(2);

/// A customer's tenant id. Two spellings of one GUID are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CustomerId(Uuid);

impl CustomerId {
    /// As Postgres and the log know it.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for CustomerId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for CustomerId {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| NotAGuid)
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID such as 4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04")]
pub struct NotAGuid;

/// Which of the API's two families of collections is asked. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// One collection per customer, of the newest processed date only.
    Customer,
    /// The partner-wide one that supersedes it, by processed date.
    Commercial,
}

impl Source {
    /// The name in the table and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Commercial => "commercial",
        }
    }
}

/// What is fetched of a customer. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataset {
    /// Active and qualified seats per product and workload.
    Usage,
    /// Deployed and sold seats per product.
    Deployment,
}

impl Dataset {
    /// The name in the table and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Deployment => "deployment",
        }
    }
}

/// The ledger's text columns hold this many characters.
pub const MAX_TEXT_CHARS: usize = 512;

/// A btree entry of Postgres holds 2,704 bytes at most. What the two key texts may take of it
/// together.
pub const MAX_KEY_BYTES: usize = 2_600;

/// So much is kept of an item that could not become a row: more explains nothing more.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// An item that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The class of fault.
    pub reason: RejectionReason,
    /// The field, and what is wrong with it.
    pub detail: String,
    /// The item as it came: JSON text, without a token that it echoes, and cut off a little beyond
    /// [`MAX_PAYLOAD_BYTES`].
    pub payload: String,
}

/// Why an item could not become a row. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionReason {
    /// A key field or a count is missing, null or blank.
    MissingField,
    /// A field cannot be read as what it should be.
    InvalidValue,
    /// A date before 2000 or over two days ahead.
    OutOfRange,
    /// A later item of the collection has the same key and other figures.
    DuplicateKey,
    /// The item says that it is another customer's.
    WrongCustomer,
    /// Postgres could not keep the text.
    NotStorable,
}

impl RejectionReason {
    /// The name in the table.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingField => "missing_field",
            Self::InvalidValue => "invalid_value",
            Self::OutOfRange => "out_of_range",
            Self::DuplicateKey => "duplicate_key",
            Self::WrongCustomer => "wrong_customer",
            Self::NotStorable => "not_storable",
        }
    }
}

/// Why nothing of a customer's collection was stored in a run. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// 401, also with a renewed token.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 429 for as long as the retries lasted.
    Throttled,
    /// 5xx for as long as the retries lasted.
    ServerError,
    /// No whole answer in time, or 408.
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// An answer that is no usage collection.
    InvalidResponse,
    /// More bytes than `partner_center.max_response_bytes`.
    ResponseTooLarge,
    /// Postgres refused the rows.
    Database,
    /// The program was stopped while the customer was under way.
    Interrupted,
    /// Any other status, such as 400.
    Other,
}

impl FailureReason {
    /// The name in the table and in the summary.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Timeout => "timeout",
            Self::Connection => "connection",
            Self::InvalidResponse => "invalid_response",
            Self::ResponseTooLarge => "response_too_large",
            Self::Database => "database",
            Self::Interrupted => "interrupted",
            Self::Other => "other",
        }
    }
}
