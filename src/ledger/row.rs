//! The rows of both datasets, their keys, and the bounds on their values.

use std::hash::Hash;

use chrono::{DateTime, TimeDelta, Utc};
use compact_str::CompactString;

use super::Name;

/// Earlier processed dates are rejected: the service did not exist before.
pub const EARLIEST: DateTime<Utc> = DateTime::from_timestamp(946_684_800, 0)
    .expect("the first second of the year 2000 is a valid timestamp");

/// A processed date further ahead of the present than this is rejected: no time zone or clock
/// difference explains it.
pub const LATEST_AHEAD: TimeDelta = TimeDelta::days(2);

/// Characters that a text column of the ledger holds. Longer texts are rejected.
pub const MAX_TEXT_CHARS: usize = 512;

/// Bytes that the texts of a key may take together. A btree entry of Postgres holds at most 2,704
/// bytes, and a longer key would make the insert fail.
pub const MAX_KEY_BYTES: usize = 2_600;

/// A row of a collection.
pub trait Row: PartialEq {
    /// Unique within a customer's collection, together with the product's id.
    type Key: Eq + Hash;

    /// The row's key.
    fn key(&self) -> &Self::Key;

    /// When the service processed the figures, to the microsecond.
    fn processed_date_time(&self) -> DateTime<Utc>;

    /// The columns that both datasets have.
    fn attributes(&self) -> &Attributes;
}

/// The descriptive columns of a row, all of them optional.
///
/// Most of these texts are short enough for `CompactString` to store them without an allocation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The customer's name when the figures were processed.
    pub customer_name: Option<CompactString>,
    /// Source "commercial" only. A GUID is in lower case.
    pub product_id: Option<CompactString>,
    /// For example `o365` or `crm`; in source "commercial" a display name.
    pub service_name: Option<CompactString>,
    /// Source "commercial" only.
    pub service_code: Option<CompactString>,
    /// For example `reseller`.
    pub channel: Option<CompactString>,
}

impl Attributes {
    /// The product's id, unless it is blank.
    #[must_use]
    pub fn product(&self) -> Option<&str> {
        let id = self.product_id.as_deref();
        id.filter(|id| !id.trim().is_empty())
    }
}

/// The key of a usage row within a customer, unless two products have one name. Ordered like the
/// ledger's primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// When the service processed the figures, to the microsecond.
    pub processed_date_time: DateTime<Utc>,
    /// The product.
    pub product_name: Name,
    /// The workload within the product.
    pub workload_name: Name,
}

/// A customer's seats of one product and workload on one processed date.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow {
    /// Unique within a customer's collection, together with the product's id.
    pub key: UsageKey,
    /// Seats whose user was active within the last 28 days. Never negative.
    pub licenses_active: i64,
    /// Seats that entitle to the workload. Never negative.
    pub licenses_qualified: i64,
    /// As the API sends it: 0 to 100, and more where more users are active than seats are sold.
    pub usage_percent: Option<f64>,
    /// Source "commercial" only.
    pub workload_code: Option<CompactString>,
    /// The descriptive columns.
    pub attributes: Attributes,
}

impl Row for UsageRow {
    type Key = UsageKey;

    fn key(&self) -> &UsageKey {
        &self.key
    }

    fn processed_date_time(&self) -> DateTime<Utc> {
        self.key.processed_date_time
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}

/// The key of a deployment row within a customer, unless two products have one name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentKey {
    /// When the service processed the figures, to the microsecond.
    pub processed_date_time: DateTime<Utc>,
    /// The product.
    pub product_name: Name,
}

/// A customer's sold and deployed seats of one product on one processed date.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentRow {
    /// Unique within a customer's collection, together with the product's id.
    pub key: DeploymentKey,
    /// Seats assigned to a user. Never negative.
    pub licenses_deployed: i64,
    /// Seats sold. Never negative.
    pub licenses_sold: i64,
    /// As the API sends it.
    pub deployment_percent: Option<f64>,
    /// The descriptive columns.
    pub attributes: Attributes,
}

impl Row for DeploymentRow {
    type Key = DeploymentKey;

    fn key(&self) -> &DeploymentKey {
        &self.key
    }

    fn processed_date_time(&self) -> DateTime<Utc> {
        self.key.processed_date_time
    }

    fn attributes(&self) -> &Attributes {
        &self.attributes
    }
}
