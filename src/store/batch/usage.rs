//! Stores usage rows, and records which customers and dates the ledger has rows of.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::pool::from_db;
use super::copy::CopyIn;
use super::digest::{self, CustomerDateRows, CustomerDay, LedgerRow, column};
use super::names::NameCache;
use super::newest::{self, SeriesSets};
use super::partitions::Partitions;
use super::written::{Stamp, Written, WrittenRows};
use crate::ledger::{CustomerOutcome, Name};

/// The digest stored for a customer and processed date; none where the rows have none.
type StoredDigests = HashMap<(DateTime<Utc>, Uuid), Option<Vec<u8>>>;

/// Stores the usage rows of a batch, which are ordered as [`spell`] orders them.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    partitions: &mut Partitions,
    series_sets: &mut SeriesSets,
    rows: &[LedgerRow<'_>],
    stamp: Stamp,
) -> Result<Written, sqlx::Error> {
    let mut written = Written::default();
    let dates = digest::by_date(rows);
    let times: BTreeSet<DateTime<Utc>> = dates.iter().map(|date| date.at).collect();
    let Some(newest) = times.last().map(DateTime::date_naive) else {
        return Ok(written);
    };
    let times: Vec<DateTime<Utc>> = times.into_iter().collect();
    partitions.cover(connection, &times).await?;
    let stored = load_digests(connection, &dates, &times).await?;
    let is_stored = |date: &CustomerDateRows<'_>, day: &CustomerDay<'_>| {
        let digest = stored.get(&(date.at, date.customer));
        digest.is_some_and(|digest| digest.as_deref() == Some(day.digest.as_ref()))
    };
    let days: Vec<CustomerDay<'_>> = digest::by_day(&dates)
        .filter(|day| !day.dates.iter().all(|date| is_stored(date, day)))
        .collect();
    let (mut known, mut fresh): (Vec<&CustomerDateRows<'_>>, Vec<_>) = days
        .iter()
        .flat_map(|day| day.dates)
        .partition(|date| stored.contains_key(&(date.at, date.customer)));
    // In the order of the primary key, so that each page of its index is visited once.
    known.sort_by_key(|date| (date.at, date.customer));
    fresh.sort_by_key(|date| (date.at, date.customer));
    insert(connection, &fresh, stamp).await?;
    for date in &fresh {
        let inserted = date.rows.len() as u64;
        let updated = 0;
        written.add(date.customer, WrittenRows { inserted, updated });
    }
    for (customer, rows) in update(connection, &known, &times, stamp).await? {
        written.add(customer, rows);
    }
    record_dates(connection, &days, newest, stamp).await?;
    known.retain(|date| written.of(date.customer) != WrittenRows::default());
    newest::refresh(connection, series_sets, &fresh, &known, stamp).await?;
    Ok(written)
}

/// Looks up the ledger's spelling of the names of a batch.
pub(super) async fn learn_names(
    connection: &mut PgConnection,
    names: &mut NameCache,
    outcomes: &[CustomerOutcome],
) -> Result<(), sqlx::Error> {
    let rows = outcomes.iter().flat_map(|outcome| &outcome.usage.rows);
    let of_rows = rows.flat_map(|row| {
        let product = (&row.key.product_name, row.attributes.product());
        [product, (&row.key.workload_name, None)]
    });
    names.learn(connection, of_rows).await
}

/// The usage rows of a batch with the ledger's spelling of their names, by customer and then by
/// primary key; and whether the ledger's spelling of every name is known.
pub(super) fn spell<'a>(
    names: &'a NameCache,
    outcomes: &'a [CustomerOutcome],
) -> (Vec<LedgerRow<'a>>, bool) {
    let mut outcomes: Vec<&CustomerOutcome> = outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.id());
    let mut are_names_known = true;
    let mut rows = Vec::with_capacity(outcomes.iter().map(|o| o.usage.rows.len()).sum());
    for outcome in outcomes {
        let customer = outcome.id().as_uuid();
        let first = rows.len();
        for usage in &outcome.usage.rows {
            let mut spelling = |name: &'a Name, product: Option<&str>| {
                let known = names.known(name, product);
                are_names_known &= known.is_some();
                known.unwrap_or(name.as_str())
            };
            rows.push(LedgerRow {
                at: usage.key.processed_date_time,
                customer,
                product: spelling(&usage.key.product_name, usage.attributes.product()),
                workload: spelling(&usage.key.workload_name, None),
                usage,
            });
        }
        rows[first..].sort_by_key(|row| (row.at, row.product, row.workload));
    }
    (rows, are_names_known)
}

/// The customers and dates among `dates` that the ledger has rows of, with the digest of the day's
/// rows as they last arrived. `times` are the distinct dates.
async fn load_digests(
    connection: &mut PgConnection,
    dates: &[CustomerDateRows<'_>],
    times: &[DateTime<Utc>],
) -> Result<StoredDigests, sqlx::Error> {
    let (moments, customers): (Vec<DateTime<Utc>>, Vec<Uuid>) =
        dates.iter().map(|date| (date.at, date.customer)).unzip();
    let stored = sqlx::query!(
        r#"
        select
            d as "date!",
            c as "customer!",
            digest
        from unnest($1::timestamptz[], $2::uuid[]) as p (d, c)
        -- "limit" and "offset" keep the planner from joining whole tables, which it prefers while
        -- a partition is young and without statistics: one index scan per date and customer.
        cross join lateral (
            select
            from license_usage
            where processed_date_time = p.d
                and customer_id = p.c
                -- Known when the plan is made, so that it opens the partitions of these dates only.
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
        &moments,
        &customers,
        times
    )
    .fetch_all(connection)
    .await?;
    Ok(stored
        .into_iter()
        .map(|row| ((row.date, row.customer), row.digest))
        .collect())
}

/// Stores rows of customers and dates that the ledger has no rows of. If another writer inserts the
/// same rows meanwhile, the primary key refuses the batch, and its customers, which are then stored
/// one by one, find those rows.
async fn insert(
    connection: &mut PgConnection,
    fresh: &[&CustomerDateRows<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(
        connection,
        "
        copy license_usage (
            processed_date_time, customer_id, product_name, workload_name, customer_name,
            product_id, workload_code, service_name, service_code, channel, licenses_active,
            licenses_qualified, usage_percent, first_synced_at, last_changed_at, run_id
        )
        from stdin (format binary)
        ",
    )
    .await?;
    for LedgerRow {
        at,
        customer,
        product,
        workload,
        usage,
    } in fresh.iter().flat_map(|date| date.rows)
    {
        let attributes = &usage.attributes;
        let row = copy.row().await?;
        row.put(*at)?;
        row.put(*customer)?;
        row.put(*product)?;
        row.put(*workload)?;
        row.put(attributes.customer_name.as_deref())?;
        row.put(attributes.product_id.as_deref())?;
        row.put(usage.workload_code.as_deref())?;
        row.put(attributes.service_name.as_deref())?;
        row.put(attributes.service_code.as_deref())?;
        row.put(attributes.channel.as_deref())?;
        row.put(usage.licenses_active)?;
        row.put(usage.licenses_qualified)?;
        row.put(usage.usage_percent)?;
        row.put(stamp.now)?;
        row.put(stamp.now)?;
        row.put(stamp.run_id)?;
    }
    copy.finish().await.map(drop)
}

/// Compares rows of customers and dates that the ledger has rows of, and writes those that differ.
/// Returns the customers of which it wrote rows.
async fn update(
    connection: &mut PgConnection,
    known: &[&CustomerDateRows<'_>],
    times: &[DateTime<Utc>],
    stamp: Stamp,
) -> Result<Vec<(Uuid, WrittenRows)>, sqlx::Error> {
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let written = sqlx::query_file!(
        "src/store/batch/sql/upsert_usage.sql",
        &column(known, |row| row.customer),
        &column(known, |row| row.product) as _,
        &column(known, |row| row.workload) as _,
        &column(known, |row| row.at),
        &column(known, |row| row.usage.attributes.customer_name.as_deref()) as _,
        &column(known, |row| row.usage.attributes.product_id.as_deref()) as _,
        &column(known, |row| row.usage.workload_code.as_deref()) as _,
        &column(known, |row| row.usage.attributes.service_name.as_deref()) as _,
        &column(known, |row| row.usage.attributes.service_code.as_deref()) as _,
        &column(known, |row| row.usage.attributes.channel.as_deref()) as _,
        &column(known, |row| row.usage.licenses_active),
        &column(known, |row| row.usage.licenses_qualified),
        &column(known, |row| row.usage.usage_percent) as _,
        stamp.now,
        stamp.run_id,
        times
    )
    .fetch_all(connection)
    .await?;
    let written = written.into_iter().map(|row| {
        let inserted = from_db(row.inserted);
        let updated = from_db(row.updated);
        (row.customer_id, WrittenRows { inserted, updated })
    });
    Ok(written.collect())
}

/// Records which customers and days the ledger has rows of now, their digests, and the newest day
/// that the run has received.
async fn record_dates(
    connection: &mut PgConnection,
    days: &[CustomerDay<'_>],
    newest: NaiveDate,
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let (dates, customers): (Vec<NaiveDate>, Vec<Uuid>) = days
        .iter()
        .filter_map(|day| day.dates.first())
        .map(|date| (date.at.date_naive(), date.customer))
        .unzip();
    let digests: Vec<&[u8]> = days.iter().map(|day| day.digest.as_ref()).collect();
    sqlx::query!(
        "
        with incoming as (
            select
                date,
                customer_id,
                digest
            from unnest($1::date[], $2::uuid[], $3::bytea[]) as t (date, customer_id, digest)
        ),

        dates as (
            insert into ledger_date (processed_date, first_seen_at)
            select distinct
                date,
                $4::timestamptz
            from incoming
            on conflict do nothing
        ),

        progress as (
            update sync_run as r
            set newest_processed_date = $6
            where r.run_id = $5
                and r.asked_date is null
                and (r.newest_processed_date is null or r.newest_processed_date < $6)
        )

        insert into customer_date (processed_date, customer_id, run_id, digest)
        select
            date,
            customer_id,
            $5,
            digest
        from incoming
        on conflict (processed_date, customer_id) do update
        set digest = excluded.digest
        ",
        &dates,
        &customers,
        &digests as _,
        stamp.now,
        stamp.run_id,
        newest
    )
    .execute(connection)
    .await
    .map(drop)
}
