//! Stores what became of customers: rows, rejections and outcomes, several customers in one transaction,
//! each whole or not at all.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::payload::storable;
use super::runs::{RunLock, count, uncount};
use super::{StoreError, bounded};
use crate::usage::{Collection, CustomerId, CustomerOutcome, RowCounts};

impl RunLock {
    /// Stores all of `outcomes` or none. No customer may be among them twice.
    /// Returns what became of the rows, in the order of `outcomes`.
    ///
    /// # Errors
    /// When Postgres is away or refuses; nothing is stored then, unless the connection broke while it was being
    /// committed: see [`RunLock::load_recorded`].
    pub async fn record(
        &mut self,
        run_id: i64,
        outcomes: &[CustomerOutcome],
        now: DateTime<Utc>,
    ) -> Result<Vec<RowCounts>, StoreError> {
        bounded("storing customers", async {
            let mut transaction = self.connection.begin().await?;
            upsert_customers(&mut transaction, outcomes, now).await?;
            let written = upsert_usage(&mut transaction, run_id, outcomes, now).await?;
            let counts: Vec<RowCounts> = outcomes
                .iter()
                .map(|outcome| row_counts(outcome, &written))
                .collect();
            insert_rejections(&mut transaction, run_id, outcomes, now).await?;
            insert_outcomes(&mut transaction, run_id, outcomes, &counts).await?;
            transaction.commit().await?;
            Ok(counts)
        })
        .await
    }

    /// Which of `customers` the run has recorded already, with their counts. Asked after a connection broke, when
    /// nobody knows whether the last transaction was committed.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn load_recorded(
        &mut self,
        run_id: i64,
        customers: &[CustomerId],
    ) -> Result<HashMap<CustomerId, RowCounts>, StoreError> {
        let ids: Vec<Uuid> = customers.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query!(
            "
            select customer_id, rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected
            from sync_customer
            where run_id = $1
                and customer_id = any($2)
            ",
            run_id,
            &ids
        );
        let rows = bounded(
            "looking customers up",
            query.fetch_all(&mut self.connection),
        )
        .await?;
        let recorded = rows.into_iter().map(|row| {
            let counts = RowCounts {
                received: uncount(row.rows_received),
                inserted: uncount(row.rows_inserted),
                updated: uncount(row.rows_updated),
                unchanged: uncount(row.rows_unchanged),
                rejected: uncount(row.rows_rejected),
            };
            (CustomerId::from(row.customer_id), counts)
        });
        Ok(recorded.collect())
    }
}

/// The successful ones among the outcomes.
fn collections(
    outcomes: &[CustomerOutcome],
) -> impl Iterator<Item = (CustomerId, &Collection)> + Clone {
    outcomes.iter().filter_map(|outcome| {
        let collection = outcome.result.as_ref().ok()?;
        Some((outcome.customer.id, collection))
    })
}

fn row_counts(outcome: &CustomerOutcome, written: &HashMap<Uuid, (u64, u64)>) -> RowCounts {
    let Ok(collection) = &outcome.result else {
        return RowCounts::default();
    };
    let id = outcome.customer.id.as_uuid();
    let (inserted, updated) = written.get(&id).copied().unwrap_or_default();
    let rejected = collection.rejections.len() as u64;
    RowCounts {
        received: collection.received,
        inserted,
        updated,
        unchanged: collection.received - inserted - updated - rejected,
        rejected,
    }
}

async fn upsert_customers(
    connection: &mut PgConnection,
    outcomes: &[CustomerOutcome],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let mut sorted: Vec<&CustomerOutcome> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| outcome.customer.id);
    let ids: Vec<Uuid> = sorted.iter().map(|o| o.customer.id.as_uuid()).collect();
    let names: Vec<Option<&str>> = sorted.iter().map(|o| newest_name(o)).collect();
    let domains: Vec<Option<&str>> = sorted
        .iter()
        .map(|o| o.customer.domain.as_deref())
        .collect();
    sqlx::query!(
        "
        insert into customer as c (customer_id, customer_name, domain, first_seen_at, last_seen_at)
        select id, name, domain, $4, $4
        from unnest($1::uuid[], $2::varchar[], $3::varchar[]) as t (id, name, domain)
        on conflict (customer_id) do update
        set customer_name = coalesce(excluded.customer_name, c.customer_name),
            domain = coalesce(excluded.domain, c.domain),
            last_seen_at = greatest(excluded.last_seen_at, c.last_seen_at)
        ",
        &ids,
        &names as _,
        &domains as _,
        now
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The list of customers knows the name best; else the newest row that has one.
fn newest_name(outcome: &CustomerOutcome) -> Option<&str> {
    outcome.customer.name.as_deref().or_else(|| {
        let rows = &outcome.result.as_ref().ok()?.rows;
        rows.iter()
            .rev()
            .find_map(|row| row.customer_name.as_deref())
    })
}

/// Returns how many rows of each customer were inserted and updated.
async fn upsert_usage(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    now: DateTime<Utc>,
) -> Result<HashMap<Uuid, (u64, u64)>, sqlx::Error> {
    let mut rows: Vec<_> = collections(outcomes)
        .flat_map(|(id, collection)| collection.rows.iter().map(move |row| (id, row)))
        .collect();
    if rows.is_empty() {
        return Ok(HashMap::new());
    }
    // In the order of the primary key, so that its pages are visited once each.
    rows.sort_by(|(a_id, a), (b_id, b)| {
        let date = |row: &crate::usage::UsageRow| row.key.processed_date_time;
        (date(a), a_id, &a.key).cmp(&(date(b), b_id, &b.key))
    });
    macro_rules! column {
        ($of:expr) => {
            rows.iter().map($of).collect::<Vec<_>>()
        };
    }
    let written = sqlx::query_file!(
        "src/store/upsert_usage.sql",
        &column!(|(id, _)| id.as_uuid()),
        &column!(|(_, row)| row.key.product_name.as_str()) as _,
        &column!(|(_, row)| row.key.workload_name.as_str()) as _,
        &column!(|(_, row)| row.key.processed_date_time),
        &column!(|(_, row)| row.customer_name.as_deref()) as _,
        &column!(|(_, row)| row.product_id.as_deref()) as _,
        &column!(|(_, row)| row.workload_code.as_deref()) as _,
        &column!(|(_, row)| row.service_name.as_deref()) as _,
        &column!(|(_, row)| row.service_code.as_deref()) as _,
        &column!(|(_, row)| row.channel.as_deref()) as _,
        &column!(|(_, row)| row.licenses_active),
        &column!(|(_, row)| row.licenses_qualified),
        &column!(|(_, row)| row.usage_percent) as _,
        now,
        run_id
    )
    .fetch_all(connection)
    .await?;
    let written = written.into_iter().map(|row| {
        (
            row.customer_id,
            (uncount(row.inserted), uncount(row.updated)),
        )
    });
    Ok(written.collect())
}

async fn insert_rejections(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let rejections = || {
        collections(outcomes)
            .flat_map(|(id, collection)| collection.rejections.iter().map(move |r| (id, r)))
    };
    if rejections().next().is_none() {
        return Ok(());
    }
    let ids: Vec<Uuid> = rejections().map(|(id, _)| id.as_uuid()).collect();
    let reasons: Vec<&str> = rejections().map(|(_, r)| r.reason.as_str()).collect();
    let details: Vec<&str> = rejections().map(|(_, r)| r.detail.as_str()).collect();
    let payloads: Vec<String> = rejections()
        .map(|(_, r)| storable(&r.payload).get().to_owned())
        .collect();
    sqlx::query!(
        "
        insert into rejected_row (run_id, customer_id, reason, detail, payload, rejected_at)
        select $1, id, reason, detail, payload::jsonb, $6
        from unnest($2::uuid[], $3::varchar[], $4::text[], $5::text[]) as t (id, reason, detail, payload)
        ",
        run_id,
        &ids,
        &reasons as _,
        &details as _,
        &payloads,
        now
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn insert_outcomes(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    counts: &[RowCounts],
) -> Result<(), sqlx::Error> {
    macro_rules! column {
        ($of:expr) => {
            outcomes.iter().map($of).collect::<Vec<_>>()
        };
    }
    macro_rules! counted {
        ($field:ident) => {
            counts.iter().map(|c| count(c.$field)).collect::<Vec<_>>()
        };
    }
    let failure = |outcome: &CustomerOutcome| outcome.result.as_ref().err().cloned();
    sqlx::query!(
        "
        insert into sync_customer (
            run_id, customer_id, outcome, reason, detail, http_status, attempts, finished_at,
            rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected
        )
        select
            $1, id, case when reason is null then 'succeeded' else 'failed' end, reason, detail, status, attempts, finished_at,
            received, inserted, updated, unchanged, rejected
        from unnest(
            $2::uuid[], $3::varchar[], $4::text[], $5::integer[], $6::integer[], $7::timestamptz[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[]
        ) as t (
            id, reason, detail, status, attempts, finished_at, received, inserted, updated, unchanged, rejected
        )
        ",
        run_id,
        &column!(|o| o.customer.id.as_uuid()),
        &column!(|o| failure(o).map(|f| f.reason.as_str())) as _,
        &column!(|o| match &o.result {
            Ok(collection) => collection.note.clone(),
            Err(failure) => Some(failure.detail.replace('\0', "\u{fffd}")),
        }) as _,
        &column!(|o| o.http_status.map(i32::from)) as _,
        &column!(|o| i32::try_from(o.attempts).unwrap_or(i32::MAX)),
        &column!(|o| o.finished_at),
        &counted!(received),
        &counted!(inserted),
        &counted!(updated),
        &counted!(unchanged),
        &counted!(rejected)
    )
    .execute(connection)
    .await
    .map(drop)
}
