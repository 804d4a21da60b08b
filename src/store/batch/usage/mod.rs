//! Stores usage rows, and keeps up to date what the ledger keeps beside them.

mod collections;
mod stale_days;

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::pool::from_db;
use super::copy::CopyIn;
use super::digest::{self, ByCustomer, CustomerDateRows, LedgerRow, column};
use super::names::{NameCache, NewName};
use super::newest::{self, SeriesSets};
use super::partitions::Partitions;
use super::written::{Stamp, Written, WrittenRows};
use crate::ledger::{CustomerOutcome, Name};
use stale_days::StaleDays;

/// The digest stored for a customer and processed date; none where the rows have none.
type StoredDigests = HashMap<(DateTime<Utc>, Uuid), Option<Vec<u8>>>;

/// What a run remembers of the usage that it has stored.
#[derive(Debug, Default)]
pub(super) struct UsageCache {
    pub(super) partitions: Partitions,
    series_sets: SeriesSets,
    stale_days: StaleDays,
}

impl UsageCache {
    pub(super) fn forget_marked_days(&mut self) {
        self.stale_days = StaleDays::default();
    }
}

/// Stores the usage rows of a batch, which are ordered as [`spell`] orders them.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    cache: &mut UsageCache,
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
    let stored = load_digests(connection, &dates, &times).await?;
    let is_stored = |date: &CustomerDateRows<'_>| {
        let digest = stored.get(&(date.at, date.customer));
        digest.is_some_and(|digest| digest.as_deref() == Some(date.digest.as_ref()))
    };
    let (mut known, mut fresh): (Vec<&CustomerDateRows<'_>>, Vec<_>) = dates
        .iter()
        .filter(|date| !is_stored(date))
        .partition(|date| stored.contains_key(&(date.at, date.customer)));
    // In the order of the primary key, so that each page of its index is visited once.
    known.sort_by_key(|date| (date.at, date.customer));
    fresh.sort_by_key(|date| (date.at, date.customer));
    insert(connection, &mut cache.partitions, &fresh, stamp).await?;
    for date in &fresh {
        let inserted = date.rows.len() as u64;
        let updated = 0;
        written.add(date.customer, WrittenRows { inserted, updated });
    }
    for (customer, rows) in update(connection, &known, &times, stamp).await? {
        written.add(customer, rows);
    }
    cache.stale_days.mark(connection, &fresh).await?;
    collections::insert(connection, &fresh, newest, stamp).await?;
    collections::update(connection, &known).await?;
    known.retain(|date| written.of(date.customer) != WrittenRows::default());
    newest::refresh(connection, &mut cache.series_sets, &fresh, &known, stamp).await?;
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
    names.learn(connection, of_rows, NewName::Stored).await
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
                seen_at: outcome.finished_at,
            });
        }
        rows[first..].sort_by_key(|row| (row.at, row.product, row.workload));
    }
    (rows, are_names_known)
}

/// The customers and dates among `dates` that the ledger has rows of, with the digest of the rows
/// as they last arrived. `times` are the distinct dates.
async fn load_digests(
    connection: &mut PgConnection,
    dates: &[CustomerDateRows<'_>],
    times: &[DateTime<Utc>],
) -> Result<StoredDigests, sqlx::Error> {
    let wanted = ByCustomer::new(dates.iter().map(|date| (date.customer, date.at)));
    let stored = sqlx::query!(
        r#"
        select
            p.date as "date!",
            p.customer_id as "customer!",
            t.digest
        from (
            select
                customer_id,
                unnest(($2::text[])[width_bucket(customer_id, $1)]::timestamptz[]) as date
            from customer
            where customer_id = any($1)
        ) as p
        -- "limit" keeps the planner from joining whole tables, which it prefers while a partition
        -- is young and without statistics: one index scan per date and customer.
        cross join lateral (
            select
            from license_usage
            where processed_date_time = p.date
                and customer_id = p.customer_id
                -- Known when the plan is made, so that it opens the partitions of these dates only.
                and processed_date_time = any($3::timestamptz[])
            limit 1
        ) as k
        left join lateral (
            select digest
            from license_usage_collection
            where processed_date_time = p.date
                and customer_id = p.customer_id
            limit 1
        ) as t on true
        "#,
        &wanted.customers,
        &wanted.values,
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
    partitions: &mut Partitions,
    fresh: &[&CustomerDateRows<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let dates = fresh.iter().map(|date| date.at).collect();
    partitions.cover(connection, &dates).await?;
    for dates in fresh.chunk_by(|a, b| partitions.name(a.at) == partitions.name(b.at)) {
        let partition = partitions.name(dates[0].at);
        copy(connection, partition, dates, stamp).await?;
    }
    Ok(())
}

/// Stores rows in a partition.
async fn copy(
    connection: &mut PgConnection,
    partition: &str,
    dates: &[&CustomerDateRows<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let statement = format!(
        "
        copy {partition} (
            processed_date_time, customer_id, product_name, workload_name, customer_name,
            product_id, workload_code, service_name, service_code, channel, licenses_active,
            licenses_qualified, usage_percent, first_synced_at, last_changed_at, run_id
        )
        from stdin (format binary)
        "
    );
    let mut copy = CopyIn::begin(connection, &statement).await?;
    for LedgerRow {
        at,
        customer,
        product,
        workload,
        usage,
        ..
    } in dates.iter().flat_map(|date| date.rows)
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
    let wanted = ByCustomer::new(known.iter().map(|date| (date.customer, date.at)));
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
        times,
        &wanted.customers,
        &wanted.values
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
