//! Stores usage rows, with what has to be kept of their dates and names.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::from_db;
use super::copy::CopyIn;
use super::digest::{self, Dated, Day, Spelt};
use super::names::Names;
use super::newest::{self, SeriesSets};
use super::partitions::Partitions;
use super::written::{Stamp, Written};
use crate::ledger::{CustomerOutcome, Name, Row as _};

/// Finds out how the ledger spells the names of a batch.
pub(super) async fn learn_names(
    connection: &mut PgConnection,
    names: &mut Names,
    outcomes: &[CustomerOutcome],
) -> Result<(), sqlx::Error> {
    let rows = outcomes.iter().flat_map(|outcome| &outcome.usage.rows);
    let of_rows = rows.flat_map(|row| [&row.key.product_name, &row.key.workload_name]);
    names.learn(connection, of_rows).await
}

/// The usage rows of a batch in the spelling of the ledger: in the order of customers, and of each
/// customer's in that of the primary key; and whether the ledger's spelling of all names is known.
pub(super) fn spell<'a>(
    names: &'a Names,
    outcomes: &'a [CustomerOutcome],
) -> (Vec<Spelt<'a>>, bool) {
    let mut outcomes: Vec<&CustomerOutcome> = outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| outcome.id());
    let mut are_known = true;
    let mut spelt = Vec::with_capacity(outcomes.iter().map(|o| o.usage.rows.len()).sum());
    for outcome in outcomes {
        let first = spelt.len();
        for row in &outcome.usage.rows {
            let mut spelling = |name: &'a Name| {
                let known = names.known(name);
                are_known &= known.is_some();
                known.unwrap_or(name.as_str())
            };
            let product = spelling(&row.key.product_name);
            let workload = spelling(&row.key.workload_name);
            let at = row.key.processed_date_time;
            spelt.push((at, outcome.id().as_uuid(), product, workload, row));
        }
        spelt[first..].sort_by(|a, b| (a.0, a.2, a.3).cmp(&(b.0, b.2, b.3)));
    }
    (spelt, are_known)
}

/// Stores the usage rows of a batch.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    partitions: &mut Partitions,
    sets: &mut SeriesSets,
    dated: &[Dated<'_>],
    stamp: Stamp,
) -> Result<Written, sqlx::Error> {
    if dated.is_empty() {
        return Ok(Written::new());
    }
    let mut days: Vec<Day<'_>> = digest::days(dated).collect();
    let times: BTreeSet<DateTime<Utc>> = dated.iter().map(|one| one.at).collect();
    let times: Vec<DateTime<Utc>> = times.into_iter().collect();
    partitions.cover(connection, &times).await?;
    let newest = times.last().map(DateTime::date_naive);
    let known = known_dates(connection, dated, &times).await?;
    days.retain(|day| {
        let is_stored = |one: &Dated<'_>| {
            let stored = known.get(&(one.at, one.customer));
            stored.is_some_and(|stored| stored.as_deref() == Some(day.digest.as_ref()))
        };
        !day.dates.iter().all(is_stored)
    });
    let (mut compared, mut fresh): (Vec<&Dated<'_>>, Vec<_>) = days
        .iter()
        .flat_map(|day| day.dates)
        .partition(|one| known.contains_key(&(one.at, one.customer)));
    // In the order of the primary key, so that its pages are visited once each.
    compared.sort_by_key(|one| (one.at, one.customer));
    fresh.sort_by_key(|one| (one.at, one.customer));
    let mut written = Written::new();
    insert(connection, &fresh, stamp).await?;
    for one in &fresh {
        written.entry(one.customer).or_default().0 += one.rows.len() as u64;
    }
    for (customer, inserted, updated) in update(connection, &compared, &times, stamp).await? {
        let sums = written.entry(customer).or_default();
        sums.0 += inserted;
        sums.1 += updated;
    }
    record_dates(connection, &days, newest, stamp).await?;
    let changed = compared
        .iter()
        .filter(|one| written.contains_key(&one.customer))
        .map(|one| (newest::month(one.at), one.customer))
        .collect();
    newest::note(connection, sets, &fresh, changed, stamp).await?;
    Ok(written)
}

/// The customers and dates among `dated` that the ledger has rows of already, with the digest of
/// the day's rows as they last came.
async fn known_dates(
    connection: &mut PgConnection,
    dated: &[Dated<'_>],
    times: &[DateTime<Utc>],
) -> Result<HashMap<(DateTime<Utc>, Uuid), Option<Vec<u8>>>, sqlx::Error> {
    let (moments, customers): (Vec<DateTime<Utc>>, Vec<Uuid>) =
        dated.iter().map(|one| (one.at, one.customer)).unzip();
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
        &moments,
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

/// Stores rows of customers and dates that the ledger has no row of yet. Should a person write the
/// same at this moment, it is refused, and what is done again finds the person's.
async fn insert(
    connection: &mut PgConnection,
    fresh: &[&Dated<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(
        connection,
        "
        copy license_usage (
            processed_date_time, customer_id, product_name, workload_name, customer_name, product_id, workload_code,
            service_name, service_code, channel, licenses_active, licenses_qualified, usage_percent, first_synced_at,
            last_changed_at, run_id
        )
        from stdin (format binary)
        ",
    )
    .await?;
    for (at, customer, product, workload, usage) in fresh.iter().flat_map(|one| one.rows) {
        let attributes = usage.attributes();
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

/// Returns how many rows of each customer were new and how many had changed.
async fn update(
    connection: &mut PgConnection,
    compared: &[&Dated<'_>],
    times: &[DateTime<Utc>],
    stamp: Stamp,
) -> Result<Vec<(Uuid, u64, u64)>, sqlx::Error> {
    if compared.is_empty() {
        return Ok(Vec::new());
    }
    macro_rules! column {
        ($of:expr) => {
            compared
                .iter()
                .flat_map(|one| one.rows)
                .map($of)
                .collect::<Vec<_>>()
        };
    }
    macro_rules! attribute {
        ($field:ident) => {
            column!(|row| row.4.attributes().$field.as_deref())
        };
    }
    let written = sqlx::query_file!(
        "src/store/batch/sql/upsert_usage.sql",
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
        stamp.now,
        stamp.run_id,
        times
    )
    .fetch_all(connection)
    .await?;
    let written = written
        .into_iter()
        .map(|row| (row.customer_id, from_db(row.inserted), from_db(row.updated)));
    Ok(written.collect())
}

/// Notes of which customers and processed dates the ledger has rows now, and how far the run has
/// come.
async fn record_dates(
    connection: &mut PgConnection,
    days: &[Day<'_>],
    newest: Option<NaiveDate>,
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let (dates, customers): (Vec<NaiveDate>, Vec<Uuid>) = days
        .iter()
        .filter_map(|day| day.dates.first())
        .map(|one| (one.at.date_naive(), one.customer))
        .unzip();
    let digests: Vec<&[u8]> = days.iter().map(|day| day.digest.as_ref()).collect();
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
        stamp.now,
        stamp.run_id,
        newest,
        &digests as _
    )
    .execute(connection)
    .await
    .map(drop)
}
