//! The customers that need a person, for `status`.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;

use super::error::StoreError;
use super::pool::{Store, from_db};
use crate::ledger::CustomerId;

/// The customers that need a person. Those that have ended, are gone or never had usage do not: the
/// figures say so themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Attention {
    /// How many there are.
    pub total: u64,
    /// Some of them, those first that have been so for longest.
    pub shown: Vec<NeedyCustomer>,
}

/// A customer that needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NeedyCustomer {
    /// Its GUID.
    pub customer_id: CustomerId,
    /// Its name, once the API gave one.
    pub customer_name: Option<String>,
    /// Its state in `customer_freshness`: `failing`, or `stale` if runs no longer fetch it.
    pub state: String,
    /// Why fetching it last failed, as in `sync_customer.reason`; none if it is stale.
    pub reason: Option<String>,
    /// The reason with its detail, in the words of `customer_freshness.state_reason`.
    pub detail: Option<String>,
    /// When it was last fetched and stored; or first on a list, if it never was.
    pub since: DateTime<Utc>,
    /// Whether it was ever fetched and stored.
    pub was_ever_fetched: bool,
}

impl Store {
    /// At most `limit` customers that need a person, with the number of all.
    ///
    /// # Errors
    /// When Postgres is away or refuses, for example because there are no tables yet.
    pub async fn load_attention(&self, limit: i64) -> Result<Attention, StoreError> {
        self.read(
            "reading which customers need a person",
            async |connection| select_attention(connection, limit).await,
        )
        .await
    }
}

/// As [`Store::load_attention`], within a transaction.
pub(super) async fn select_attention(
    connection: &mut PgConnection,
    limit: i64,
) -> Result<Attention, sqlx::Error> {
    // A customer that a run has not fetched for 14 days before its end is no longer on the list,
    // though nobody has said that it is gone.
    let rows = sqlx::query!(
        r#"
        select
            f.customer_id as "customer_id!",
            f.customer_name,
            f.state as "state!",
            case when f.state = 'failing' then f.last_failure_reason end as reason,
            f.state_reason,
            coalesce(f.last_success_at, c.first_seen_at) as "since!",
            f.last_success_at is not null as "was_ever_fetched!",
            count(*) over () as "total!"
        from customer_freshness as f
        inner join customer as c on c.customer_id = f.customer_id
        where f.state = 'failing'
            or (
                f.state = 'stale'
                and f.last_success_at < (
                    select finished_at
                    from sync_run
                    where whole_list
                        and asked_date is null
                        and outcome in ('succeeded', 'partial')
                    order by run_id desc
                    limit 1
                ) - interval '14 days'
            )
        order by coalesce(f.last_success_at, c.first_seen_at), f.customer_id
        limit $1
        "#,
        limit
    )
    .fetch_all(connection)
    .await?;
    let total = rows.first().map_or(0, |row| from_db(row.total));
    let shown = rows.into_iter().map(|row| NeedyCustomer {
        customer_id: row.customer_id.into(),
        customer_name: row.customer_name,
        state: row.state,
        reason: row.reason,
        detail: row.state_reason,
        since: row.since,
        was_ever_fetched: row.was_ever_fetched,
    });
    Ok(Attention {
        total,
        shown: shown.collect(),
    })
}
