//! What became of one customer in a run.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Collection, CustomerId, DeploymentRow, FailureReason, UsageRow};

/// A customer on a run's list, with what the partner's list of customers says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The tenant id.
    pub id: CustomerId,
    /// Known where the list of customers was asked for.
    pub name: Option<String>,
    /// Known where the list of customers was asked for.
    pub domain: Option<String>,
}

/// What became of one customer.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomerOutcome {
    /// Who.
    pub customer: Customer,
    /// What to store; empty where nothing came or it was not asked for.
    pub usage: Collection<UsageRow>,
    /// The same for the other dataset.
    pub deployment: Collection<DeploymentRow>,
    /// Why not all that was asked for is there to be stored.
    pub failure: Option<Failure>,
    /// The last answer's status.
    pub http_status: Option<u16>,
    /// HTTP tries.
    pub attempts: u32,
    /// When the outcome was known.
    pub finished_at: DateTime<Utc>,
}

impl CustomerOutcome {
    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> CustomerId {
        self.customer.id
    }

    /// Rows and rejections to store.
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

    /// Items that the API sent.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.usage.received + self.deployment.received
    }

    /// Items that could not become rows.
    #[must_use]
    pub fn rejected(&self) -> u64 {
        (self.usage.rejections.len() + self.deployment.rejections.len()) as u64
    }
}

/// Why not all of a customer was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The class, for queries.
    pub reason: FailureReason,
    /// The API's own code, such as `900329`.
    pub code: Option<String>,
    /// The failure in words, without secrets.
    pub detail: String,
}

/// What became of the items that the API sent.
/// `received` is the sum of the others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RowCounts {
    /// Items that the API sent.
    pub received: u64,
    /// Rows that were new.
    pub inserted: u64,
    /// Rows that came again with other figures.
    pub updated: u64,
    /// Rows that came again as they were.
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

impl std::ops::AddAssign for TrafficCounts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.retries += other.retries;
        self.throttled += other.throttled;
    }
}

/// Calls to the API, those to the sign-in service left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TrafficCounts {
    /// HTTP requests sent.
    pub requests: u64,
    /// Those among them that repeated an earlier one.
    pub retries: u64,
    /// Answers with status 429.
    pub throttled: u64,
}
