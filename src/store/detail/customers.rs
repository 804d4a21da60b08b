//! The list of customers.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection};

use super::query::{TableQuery, contains, limit};
use crate::ledger::CustomerId;
use crate::store::CustomersByState;

const SELECT: &str = "\
select customer_name, customer_id, domain, state, state_reason,
    last_processed_date, age_days, last_success_at
from customer_freshness";

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
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct CustomerLine {
    pub(crate) customer_name: Option<String>,
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
pub(crate) struct CustomersShown {
    pub(crate) rows: Vec<CustomerLine>,
    /// How many of each state the search finds.
    pub(crate) found: CustomersByState,
}

impl CustomerFilter {
    /// The list, the worst first.
    pub(crate) fn query(&self) -> TableQuery {
        let mut conditions = self.conditions();
        conditions.extend(self.of_state());
        let text = format!("{}{}\n{}", SELECT, where_clause(&conditions), order());
        TableQuery::new(text)
    }

    /// One page of it, with how many there are. The view takes a second for 50,000 customers, so
    /// that one statement reads it once for both.
    pub(crate) async fn load(
        &self,
        connection: &mut PgConnection,
        page: u32,
    ) -> Result<CustomersShown, sqlx::Error> {
        let of_state = where_clause(&self.of_state().into_iter().collect::<Vec<_>>());
        let text = format!(
            "with found as materialized ({SELECT}{})
            select
                (
                    select coalesce(json_object_agg(state, customers), '{{}}')
                    from (select state, count(*) as customers from found group by state) as s
                ),
                (
                    select coalesce(json_agg(p), '[]')
                    from (select * from found {of_state} {} {}) as p
                )",
            where_clause(&self.conditions()),
            order(),
            limit(page),
        );
        let read = sqlx::query_as::<_, (Json<HashMap<String, u64>>, Json<Vec<CustomerLine>>)>(
            AssertSqlSafe(text),
        );
        let (Json(found), Json(rows)) = read.persistent(false).fetch_one(connection).await?;
        let count = |state: CustomerState| found.get(state.as_str()).copied().unwrap_or_default();
        Ok(CustomersShown {
            rows,
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

    fn of_state(&self) -> Option<String> {
        let state = self.state?;
        Some(format!("state = '{}'", state.as_str()))
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

fn where_clause(conditions: &[String]) -> String {
    if conditions.is_empty() {
        return String::new();
    }
    format!("\nwhere {}", conditions.join("\n    and "))
}

fn order() -> String {
    let states = CustomerState::ALL.map(|state| format!("'{}'", state.as_str()));
    format!(
        "order by array_position(array[{}], state::text),\n    \
         last_processed_date nulls first, customer_name, customer_id",
        states.join(", ")
    )
}
