//! Stores usage rows, with what has to be kept of their dates and names.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::digest::{Days, Spelt, digests};
use super::months::{self, Sets};
use super::names::Names;
use super::outcomes::Written;
use super::partitions::Partitions;
use super::runs::uncount;
use crate::usage::{CustomerOutcome, Row as _};

/// Stores the usage rows of a batch in the spelling of the ledger.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    names: &mut Names,
    partitions: &mut Partitions,
    sets: &mut Sets,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    now: DateTime<Utc>,
) -> Result<Written, sqlx::Error> {
    let rows = || {
        outcomes
            .iter()
            .flat_map(|outcome| outcome.usage.rows.iter().map(|row| (outcome.id(), row)))
    };
    if rows().next().is_none() {
        return Ok(Written::new());
    }
    names
        .learn(
            connection,
            rows().flat_map(|(_, row)| [&row.key.product_name, &row.key.workload_name]),
        )
        .await?;
    names
        .record_ids(connection, run_id, rows().map(|(_, row)| row))
        .await?;
    let mut rows: Vec<_> = rows()
        .map(|(id, row)| {
            let product = names.spelling(&row.key.product_name);
            let workload = names.spelling(&row.key.workload_name);
            (
                row.key.processed_date_time,
                id.as_uuid(),
                product,
                workload,
                row,
            )
        })
        .collect();
    // In the order of the primary key, so that its pages are visited once each.
    rows.sort_by(|a, b| (a.0, a.1, a.2, a.3).cmp(&(b.0, b.1, b.2, b.3)));
    let mut times: Vec<DateTime<Utc>> = rows.iter().map(|row| row.0).collect();
    times.dedup();
    partitions.cover(connection, &times).await?;
    let newest = times.last().map(DateTime::date_naive);
    let mut days = digests(&rows);
    let known = known_dates(connection, &rows, &times).await?;
    days.retain(|(_, customer), day| {
        let same = |time: &DateTime<Utc>| {
            let stored = known.get(&(*time, *customer));
            stored.is_some_and(|stored| stored.as_deref() == Some(day.digest.as_ref()))
        };
        !day.times.iter().all(same)
    });
    rows.retain(|row| days.contains_key(&(row.0.date_naive(), row.1)));
    let (compared, fresh): (Vec<_>, Vec<_>) = rows
        .into_iter()
        .partition(|row| known.contains_key(&(row.0, row.1)));
    let mut written = Written::new();
    insert(connection, run_id, &fresh, now).await?;
    for row in &fresh {
        written.entry(row.1).or_default().0 += 1;
    }
    for (customer, inserted, updated) in update(connection, run_id, &compared, &times, now).await? {
        let sums = written.entry(customer).or_default();
        sums.0 += inserted;
        sums.1 += updated;
    }
    record_dates(connection, run_id, &days, newest, now).await?;
    let changed = compared
        .iter()
        .filter(|row| written.contains_key(&row.1))
        .map(|row| (months::month(row.0), row.1))
        .collect();
    months::note(connection, sets, run_id, &fresh, changed, now).await?;
    Ok(written)
}

/// The columns of rows, one array each, as both statements take them.
macro_rules! query_with_rows {
    ($file:literal, $rows:expr $(, $more:expr)*) => {{
        macro_rules! column {
            ($of:expr) => {
                $rows.iter().map($of).collect::<Vec<_>>()
            };
        }
        macro_rules! attribute {
            ($field:ident) => {
                column!(|row| row.4.attributes().$field.as_deref())
            };
        }
        sqlx::query_file!(
            $file,
            &column!(|row| row.1),
            &column!(|row| row.2) as _,
            &column!(|row| row.3) as _,
            &column!(|row| row.0),
            &attribute!(customer_name) as _,
            &attribute!(product_id) as _,
            &column!(|row| row.4.workload_code.as_deref()) as _,
            &attribute!(service_name) as _,
            &attribute!(service_code) as _,
            &attribute!(channel) as _,
            &column!(|row| row.4.licenses_active),
            &column!(|row| row.4.licenses_qualified),
            &column!(|row| row.4.usage_percent) as _,
            $($more),*
        )
    }};
}

/// The customers and dates of `rows` that the ledger has rows of already, with the digest of the day's rows as they last
/// came.
async fn known_dates(
    connection: &mut PgConnection,
    rows: &[Spelt<'_>],
    times: &[DateTime<Utc>],
) -> Result<HashMap<(DateTime<Utc>, Uuid), Option<Vec<u8>>>, sqlx::Error> {
    let mut pairs: Vec<_> = rows.iter().map(|row| (row.0, row.1)).collect();
    pairs.dedup();
    let (dates, customers): (Vec<DateTime<Utc>>, Vec<Uuid>) = pairs.into_iter().unzip();
    let known = sqlx::query!(
        r#"
        select d as "date!", c as "customer!", digest
        from unnest($1::timestamptz[], $2::uuid[]) as p (d, c)
        -- Limit and offset keep these looks into an index for each, whatever the planner believes of young tables.
        cross join lateral (
            select
            from license_usage
            where processed_date_time = p.d
                and customer_id = p.c
                -- Constants to the planner, which then leaves the partitions of other dates alone.
                and processed_date_time = any($3::timestamptz[])
            limit 1
        ) as k
        left join lateral (
            select digest
            from customer_date
            where processed_date = (p.d at time zone 'UTC')::date
                and customer_id = p.c
            offset 0
        ) as t on true
        "#,
        &dates,
        &customers,
        times
    )
    .fetch_all(connection)
    .await?;
    Ok(known
        .into_iter()
        .map(|row| ((row.date, row.customer), row.digest))
        .collect())
}

async fn insert(
    connection: &mut PgConnection,
    run_id: i64,
    rows: &[Spelt<'_>],
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    query_with_rows!("src/store/insert_usage.sql", rows, now, run_id)
        .execute(connection)
        .await
        .map(drop)
}

/// Returns how many rows of each customer were new and how many had changed.
async fn update(
    connection: &mut PgConnection,
    run_id: i64,
    rows: &[Spelt<'_>],
    times: &[DateTime<Utc>],
    now: DateTime<Utc>,
) -> Result<Vec<(Uuid, u64, u64)>, sqlx::Error> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let written = query_with_rows!("src/store/upsert_usage.sql", rows, now, run_id, times)
        .fetch_all(connection)
        .await?;
    let written = written
        .into_iter()
        .map(|row| (row.customer_id, uncount(row.inserted), uncount(row.updated)));
    Ok(written.collect())
}

/// Notes of which customers and processed dates the ledger has rows now, and how far the run has come.
async fn record_dates(
    connection: &mut PgConnection,
    run_id: i64,
    days: &Days,
    newest: Option<NaiveDate>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (dates, customers): (Vec<NaiveDate>, Vec<Uuid>) = days.keys().copied().unzip();
    let digests: Vec<&[u8]> = days.values().map(|day| day.digest.as_ref()).collect();
    sqlx::query!(
        "
        with incoming as (
            select date, id, digest
            from unnest($1::date[], $2::uuid[], $6::bytea[]) as t (date, id, digest)
        ),

        dated as (
            insert into ledger_date (processed_date, first_seen_at)
            select distinct date, $3::timestamptz
            from incoming
            on conflict do nothing
        ),

        newest as (
            update sync_run as r
            set newest_processed_date = $5
            where r.run_id = $4
                and r.asked_date is null
                and (r.newest_processed_date is null or r.newest_processed_date < $5)
        )

        insert into customer_date (processed_date, customer_id, run_id, digest)
        select date, id, $4, digest
        from incoming
        on conflict (processed_date, customer_id) do update set digest = excluded.digest
        ",
        &dates,
        &customers,
        now,
        run_id,
        newest,
        &digests as _
    )
    .execute(connection)
    .await
    .map(drop)
}
