//! Keeps `license_usage_month` up to date: the newest row of each series in each month, which the
//! views of newest and monthly rows read.
//!
//! A day's run rarely has to read the ledger for it. A customer's rows usually arrive with the
//! texts of the day before and replace that day's rows. In every other case the customer's month is
//! collected from the ledger again.

mod plan;
mod series_sets;

use std::collections::BTreeMap;
use std::iter::repeat_n;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgBindIterExt as _;
use uuid::Uuid;

use super::copy::{CopyIn, RepeatedValue, Varchar};
use super::digest::{ByCustomer, CustomerDateRows, column};
use super::written::Stamp;
use plan::{FirstRows, MonthKey, RefreshPlan, StoredMonth, StoredMonths};
pub(in crate::store) use series_sets::SeriesSets;

/// Updates the months of these rows. Call it after the rows were stored, in the same transaction.
/// `fresh` are customers and dates that had no rows before, `changed` those of which stored rows
/// may have changed.
pub(super) async fn refresh(
    connection: &mut PgConnection,
    series_sets: &mut SeriesSets,
    fresh: &[&CustomerDateRows<'_>],
    changed: &[&CustomerDateRows<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let mut plan = RefreshPlan::new(fresh, changed);
    let stored = load(connection, plan.incoming.keys()).await?;
    plan.decide(&stored);
    let first = plan.first.iter().map(|first| first.rows);
    series_sets.learn(connection, first).await?;
    insert(connection, series_sets, &plan.first, stamp).await?;
    if !replace(connection, &plan.next, stamp).await? {
        // Another writer has just rewritten one of these months.
        plan.collect_next();
    }
    demote(connection, &plan.demoted).await?;
    collect(connection, &plan).await
}

/// The stored rows of these months, and all months of the same customers that have newest rows.
async fn load(
    connection: &mut PgConnection,
    keys: impl Iterator<Item = &MonthKey>,
) -> Result<StoredMonths, sqlx::Error> {
    let wanted = ByCustomer::new(keys.map(|key| (key.customer, key.month)));
    let mut stored = StoredMonths::new();
    if wanted.customers.is_empty() {
        return Ok(stored);
    }
    let rows = sqlx::query!(
        r#"
        select
            k.month as "month!",
            k.customer_id as "customer_id!",
            k.newest as "newest!",
            k.texts,
            (select max(d) from unnest(k.processed_date_times) as d) as last
        from (
            select
                customer_id,
                unnest(($2::text[])[width_bucket(customer_id, $1)]::date[]) as month
            from customer
            where customer_id = any($1)
        ) as i
        -- "offset" makes this one index scan per month, whatever the planner's statistics say.
        cross join lateral (
            select
                month,
                customer_id,
                newest,
                texts,
                processed_date_times
            from license_usage_month
            where month = i.month
                and customer_id = i.customer_id
            union all
            select
                month,
                customer_id,
                newest,
                texts,
                processed_date_times
            from license_usage_month
            where newest
                and customer_id = i.customer_id
                and month <> i.month
            offset 0
        ) as k
        "#,
        &wanted.customers,
        &wanted.values
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let of_customer = stored.entry(row.customer_id).or_default();
        of_customer.push(StoredMonth {
            month: row.month,
            newest: row.newest,
            texts_hash: row.texts,
            last: row.last,
        });
    }
    Ok(stored)
}

/// For each row of each date the position of the date in `dates`: statements take flat arrays and
/// group them by it.
fn numbers(dates: &[&CustomerDateRows<'_>]) -> Vec<i32> {
    (0..)
        .zip(dates)
        .flat_map(|(number, date)| repeat_n(number, date.rows.len()))
        .collect()
}

/// Stores customers' first rows of a month.
async fn insert(
    connection: &mut PgConnection,
    series_sets: &SeriesSets,
    first: &[FirstRows<'_>],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if first.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(
        connection,
        "
        copy license_usage_month (
            month, customer_id, newest, texts, set_id, customer_names, processed_date_times,
            licenses_active, licenses_qualified, usage_percents, first_synced_ats,
            last_changed_ats, run_ids, are_newest, are_month_end, first_dates
        )
        from stdin (format binary)
        ",
    )
    .await?;
    let mut stamps = RepeatedValue::new(stamp.now);
    let mut runs = RepeatedValue::new(stamp.run_id);
    let mut are_month_end = RepeatedValue::new(true);
    for FirstRows { rows: date, newest } in first {
        let key = MonthKey::of(date);
        let count = date.rows.len();
        let usage = || date.rows.iter().map(|row| row.usage);
        let names = usage().map(|row| Varchar(row.attributes.customer_name.as_deref()));
        let row = copy.row().await?;
        row.put(key.month)?;
        row.put(key.customer)?;
        row.put(*newest)?;
        row.put(date.texts_hash)?;
        row.put(series_sets.id(date))?;
        row.put(names.bind_iter())?;
        row.put(repeat_n(date.at, count).bind_iter())?;
        row.put(usage().map(|row| row.licenses_active).bind_iter())?;
        row.put(usage().map(|row| row.licenses_qualified).bind_iter())?;
        row.put(usage().map(|row| row.usage_percent).bind_iter())?;
        stamps.put(row, count)?;
        stamps.put(row, count)?;
        runs.put(row, count)?;
        row.put(repeat_n(*newest, count).bind_iter())?;
        are_month_end.put(row, count)?;
        row.put(repeat_n(date.at.date_naive(), count).bind_iter())?;
    }
    copy.finish().await.map(drop)
}

/// Replaces the rows of months by those of a later date. Returns whether all months were there.
async fn replace(
    connection: &mut PgConnection,
    next: &[&CustomerDateRows<'_>],
    stamp: Stamp,
) -> Result<bool, sqlx::Error> {
    if next.is_empty() {
        return Ok(true);
    }
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) = next
        .iter()
        .map(|date| MonthKey::of(date))
        .map(|key| (key.month, key.customer))
        .unzip();
    let replaced = sqlx::query_file!(
        "src/store/batch/sql/replace_month_rows.sql",
        &(0..i32::try_from(next.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        &months,
        &customers,
        &numbers(next),
        &column(next, |row| row.at),
        &column(next, |row| row.usage.licenses_active),
        &column(next, |row| row.usage.licenses_qualified),
        &column(next, |row| row.usage.usage_percent) as _,
        stamp.now,
        stamp.run_id
    )
    .execute(connection)
    .await?;
    Ok(replaced.rows_affected() == next.len() as u64)
}

/// Marks the rows of months as no longer the newest of their series.
async fn demote(connection: &mut PgConnection, months: &[MonthKey]) -> Result<(), sqlx::Error> {
    if months.is_empty() {
        return Ok(());
    }
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) =
        months.iter().map(|key| (key.month, key.customer)).unzip();
    sqlx::query!(
        "
        update license_usage_month as m
        set newest = false,
            are_newest = array_fill(false, array[cardinality(m.are_newest)])
        from unnest($1::date[], $2::uuid[]) as i (month, customer_id)
        where m.month = i.month
            and m.customer_id = i.customer_id
        ",
        &months,
        &customers
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Collects months from the ledger.
async fn collect(connection: &mut PgConnection, plan: &RefreshPlan<'_>) -> Result<(), sqlx::Error> {
    let mut customers_of = BTreeMap::<NaiveDate, Vec<Uuid>>::new();
    for key in &plan.collected {
        customers_of
            .entry(key.month)
            .or_default()
            .push(key.customer);
    }
    for (month, customers) in customers_of {
        sqlx::query!(
            r#"select collect_license_usage_months($1, array[$2::date], false) as "done: ()""#,
            &customers,
            month
        )
        .execute(&mut *connection)
        .await?;
    }
    let incoming: Vec<(MonthKey, &CustomerDateRows<'_>)> = plan
        .collected
        .iter()
        .filter_map(|key| plan.incoming.get(key).map(|date| (*key, *date)))
        .collect();
    if incoming.is_empty() {
        return Ok(());
    }
    let months: Vec<NaiveDate> = incoming.iter().map(|(key, _)| key.month).collect();
    let customers: Vec<Uuid> = incoming.iter().map(|(key, _)| key.customer).collect();
    let texts: Vec<i64> = incoming.iter().map(|(_, date)| date.texts_hash).collect();
    let times: Vec<DateTime<Utc>> = incoming.iter().map(|(_, date)| date.at).collect();
    // If all of the month's rows are those of the incoming date, the next date's rows can replace
    // them without another look at the ledger.
    sqlx::query!(
        "
        update license_usage_month as m
        set texts = i.texts
        from
            unnest($1::date[], $2::uuid[], $3::bigint[], $4::timestamptz[])
                as i (month, customer_id, texts, at)
        where m.month = i.month
            and m.customer_id = i.customer_id
            and i.at = all(m.processed_date_times)
        ",
        &months,
        &customers,
        &texts,
        &times
    )
    .execute(connection)
    .await
    .map(drop)
}
