//! The list of customers.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use super::query::{TableQuery, contains};
use crate::ledger::CustomerId;
use crate::store::CustomersByState;
use crate::store::pool::from_db;

/// A state of `customer_freshness`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CustomerState {
    Failing,
    Stale,
    Ended,
    NeverHadUsage,
    Active,
    Gone,
}

impl CustomerState {
    /// The worst first.
    pub(crate) const ALL: [Self; 6] = [
        Self::Failing,
        Self::Stale,
        Self::Ended,
        Self::NeverHadUsage,
        Self::Active,
        Self::Gone,
    ];

    /// The name in the view.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Stale => "stale",
            Self::Ended => "ended",
            Self::NeverHadUsage => "never_had_usage",
            Self::Active => "active",
            Self::Gone => "gone",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Which customers are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CustomerFilter {
    /// A part of the name, the domain or the GUID; empty for all.
    pub(crate) search: String,
    pub(crate) state: Option<CustomerState>,
}

/// A row of the list.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct CustomerLine {
    pub(crate) customer_name: Option<String>,
    #[sqlx(try_from = "uuid::Uuid")]
    pub(crate) customer_id: CustomerId,
    pub(crate) domain: Option<String>,
    pub(crate) state: String,
    pub(crate) state_reason: Option<String>,
    pub(crate) last_processed_date: Option<NaiveDate>,
    pub(crate) age_days: Option<i32>,
    pub(crate) last_success_at: Option<DateTime<Utc>>,
}

/// A page of the list.
#[derive(Debug, Clone)]
pub(crate) struct CustomerList {
    pub(crate) rows: Vec<CustomerLine>,
    /// How many of each state the search finds.
    pub(crate) found: CustomersByState,
}

impl CustomerFilter {
    /// The list, the worst first.
    pub(crate) fn query(&self) -> TableQuery {
        let mut conditions = self.conditions();
        if let Some(state) = self.state {
            conditions.push(format!("state = '{}'", state.as_str()));
        }
        let order = CustomerState::ALL.map(|state| format!("'{}'", state.as_str()));
        let mut text = String::from(
            "select customer_name, customer_id, domain, state, state_reason,\n    \
             last_processed_date, age_days, last_success_at\nfrom customer_freshness",
        );
        push_where(&mut text, &conditions);
        let _infallible = write!(
            text,
            "\norder by array_position(array[{}], state::text),\n    \
             last_processed_date nulls first, customer_name, customer_id",
            order.join(", ")
        );
        TableQuery::new(text)
    }

    /// One page of it, with how many there are.
    pub(crate) async fn load(
        &self,
        connection: &mut PgConnection,
        page: u32,
    ) -> Result<CustomerList, sqlx::Error> {
        let mut text = String::from("select state, count(*) from customer_freshness");
        push_where(&mut text, &self.conditions());
        text.push_str("\ngroup by state");
        let counted: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(text))
            .persistent(false)
            .fetch_all(&mut *connection)
            .await?;
        let count = |state: CustomerState| {
            let mut counted = counted.iter();
            let found = counted.find(|(name, _)| name == state.as_str());
            found.map_or(0, |(_, count)| from_db(*count))
        };
        Ok(CustomerList {
            rows: self.query().page(connection, page).await?,
            found: CustomersByState {
                active: count(CustomerState::Active),
                stale: count(CustomerState::Stale),
                failing: count(CustomerState::Failing),
                ended: count(CustomerState::Ended),
                never_had_usage: count(CustomerState::NeverHadUsage),
                gone: count(CustomerState::Gone),
            },
        })
    }

    fn conditions(&self) -> Vec<String> {
        if self.search.is_empty() {
            return Vec::new();
        }
        let columns = ["customer_name", "domain", "customer_id::text"];
        let columns = columns.map(|column| contains(column, &self.search));
        vec![format!(
            "(\n        {}\n    )",
            columns.join("\n        or ")
        )]
    }
}

fn push_where(text: &mut String, conditions: &[String]) {
    if !conditions.is_empty() {
        let _infallible = write!(text, "\nwhere {}", conditions.join("\n    and "));
    }
}
