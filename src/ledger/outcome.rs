//! The outcome of one customer in a run, and the counts of a run.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use super::{Collection, Customer, CustomerId, DeploymentRow, FailureReason, UsageRow};

/// The outcome of one customer in a run.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerOutcome {
    /// The customer.
    pub customer: Customer,
    /// The usage to store; empty if none was received or requested.
    pub usage: Collection<UsageRow>,
    /// The deployment to store; empty if none was received or requested.
    pub deployment: Collection<DeploymentRow>,
    /// Why a requested dataset is missing, if one is.
    pub failure: Option<Failure>,
    /// The HTTP status of the last answer.
    pub http_status: Option<u16>,
    /// HTTP requests sent, retries included.
    pub attempts: u32,
    /// When the outcome was known.
    pub finished_at: DateTime<Utc>,
}

impl CustomerOutcome {
    /// The customer's id.
    #[must_use]
    pub fn id(&self) -> CustomerId {
        self.customer.id
    }

    /// The number of rows and rejections to store.
    #[must_use]
    pub fn row_count(&self) -> usize {
        let Self {
            usage, deployment, ..
        } = self;
        usage.rows.len()
            + usage.rejections.len()
            + deployment.rows.len()
            + deployment.rejections.len()
    }

    /// The number of items that the API sent.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.usage.received + self.deployment.received
    }

    /// The number of items that could not become rows.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        (self.usage.rejections.len() + self.deployment.rejections.len()) as u64
    }
}

/// Why not everything requested of a customer was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class of failure, for queries.
    pub reason: FailureReason,
    /// The API's own code, such as `900329`.
    pub code: Option<String>,
    /// The failure in words, without secrets.
    pub detail: String,
    /// The call that failed; none if no request was sent, or if it was not one call that failed.
    pub call: Option<CallIds>,
}

/// The ids that were sent with a call, by which Microsoft's support finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallIds {
    /// The same for all attempts of the call: the header `MS-RequestId`.
    pub request: Uuid,
    /// The header `MS-CorrelationId`.
    pub correlation: Uuid,
}

/// The items that the API sent, by result. `received` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// Items that the API sent.
    pub received: u64,
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that were stored already, with different values.
    pub updated: u64,
    /// Rows that were stored already, with the same values.
    pub unchanged: u64,
    /// Items that could not become rows.
    pub rejected: u64,
}

impl std::ops::AddAssign for RowCounts {
    fn add_assign(&mut self, other: Self) {
        self.received += other.received;
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
    }
}

/// Requests to the API, without those to the sign-in service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TrafficCounts {
    /// HTTP requests sent.
    pub requests: u64,
    /// Requests that were retries.
    pub retries: u64,
    /// Answers with status 429.
    pub throttled: u64,
}

impl std::ops::AddAssign for TrafficCounts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.retries += other.retries;
        self.throttled += other.throttled;
    }
}
