//! The rows of both datasets, and what tells one from another.

use std::hash::Hash;

use chrono::{DateTime, Utc};
use compact_str::CompactString;

use super::Name;

/// A row of a collection.
pub trait Row: PartialEq {
    /// Unique within a customer's collection.
    type Key: Eq + Hash;

    /// The row's.
    fn key(&self) -> &Self::Key;

    /// When the service processed the figures, to the microsecond.
    fn processed_date_time(&self) -> DateTime<Utc>;

    /// What both datasets say of a row.
    fn attributes(&self) -> &Attributes;
}

/// What describes a row, beside its key and figures. All of it may be missing.
///
/// Most of these texts are so short that they need no memory of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The customer's name at that time.
    pub customer_name: Option<CompactString>,
    /// Source "commercial" only. A GUID is in lower case.
    pub product_id: Option<CompactString>,
    /// For example `o365` or `crm`; a name for people in source "commercial".
    pub service_name: Option<CompactString>,
    /// Source "commercial" only.
    pub service_code: Option<CompactString>,
    /// For example `reseller`.
    pub channel: Option<CompactString>,
}

/// What tells one usage row of a customer from another. Ordered as the ledger's primary key is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// When the service processed the figures, to the microsecond.
    pub processed_date_time: DateTime<Utc>,
    /// The product.
    pub product_name: Name,
    /// The workload within the product.
    pub workload_name: Name,
}

/// One customer's seats of one product and workload, as processed at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct UsageRow {
    /// Unique within a customer's collection.
    pub key: UsageKey,
    /// Seats whose user was active within the last 28 days. Never negative.
    pub licenses_active: i64,
    /// Seats that entitle to the workload. Never negative.
    pub licenses_qualified: i64,
    /// As the API gives it: 0 to 100 and, rightly, beyond.
    pub usage_percent: Option<f64>,
    /// Source "commercial" only.
    pub workload_code: Option<CompactString>,
    /// Everything else.
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

/// What tells one deployment row of a customer from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeploymentKey {
    /// When the service processed the figures, to the microsecond.
    pub processed_date_time: DateTime<Utc>,
    /// The product.
    pub product_name: Name,
}

/// One customer's sold and deployed seats of one product, as processed at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentRow {
    /// Unique within a customer's collection.
    pub key: DeploymentKey,
    /// Seats assigned to a user. Never negative.
    pub licenses_deployed: i64,
    /// Seats sold. Never negative.
    pub licenses_sold: i64,
    /// As the API gives it.
    pub deployment_percent: Option<f64>,
    /// Everything else.
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
