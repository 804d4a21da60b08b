//! Stores usage rows, with what has to be kept of their dates and names.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::names::Names;
use super::outcomes::Written;
use super::runs::uncount;
use crate::usage::{CustomerOutcome, Row as _};

/// Stores the usage rows of a batch in the spelling of the ledger.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    names: &mut Names,
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
    macro_rules! column {
        ($of:expr) => {
            rows.iter().map($of).collect::<Vec<_>>()
        };
    }
    macro_rules! attribute {
        ($field:ident) => {
            column!(|row| row.4.attributes().$field.as_deref())
        };
    }
    let written = sqlx::query_file!(
        "src/store/upsert_usage.sql",
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
        now,
        run_id
    )
    .fetch_all(&mut *connection)
    .await?;
    let dates: BTreeSet<(NaiveDate, Uuid)> =
        rows.iter().map(|row| (row.0.date_naive(), row.1)).collect();
    record_dates(connection, run_id, &dates, now).await?;
    let written = written.into_iter().map(|row| {
        (
            row.customer_id,
            (uncount(row.inserted), uncount(row.updated)),
        )
    });
    Ok(written.collect())
}

/// Notes of which customers and processed dates the ledger has rows now, and how far the run has come.
async fn record_dates(
    connection: &mut PgConnection,
    run_id: i64,
    dates: &BTreeSet<(NaiveDate, Uuid)>,
    now: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    let (days, customers): (Vec<NaiveDate>, Vec<Uuid>) = dates.iter().copied().unzip();
    sqlx::query!(
        "
        with incoming as (
            select date, id
            from unnest($1::date[], $2::uuid[]) as t (date, id)
        ),

        dated as (
            insert into ledger_date (processed_date, first_seen_at)
            select distinct date, $3::timestamptz
            from incoming
            on conflict do nothing
        ),

        newest as (
            update sync_run as r
            set newest_processed_date = i.date
            from (select max(date) as date from incoming) as i
            where r.run_id = $4
                and r.asked_date is null
                and (r.newest_processed_date is null or r.newest_processed_date < i.date)
        )

        insert into customer_date (processed_date, customer_id, run_id)
        select date, id, $4
        from incoming
        on conflict do nothing
        ",
        &days,
        &customers,
        now,
        run_id
    )
    .execute(connection)
    .await
    .map(drop)
}
