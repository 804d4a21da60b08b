//! Keeps the dates among which the newest row of each of a customer's series is: of all time, and of each month.
//!
//! A date takes the place of an earlier one that has the very same set of series, which is what happens day by day and
//! asks for no look at a row. Where the set has changed, the date is added, and those that are needed no more are found
//! by reading the rows of a few dates of that customer.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

/// A customer, and the month whose newest rows are meant; none: all time.
type Span = (Option<NaiveDate>, Uuid);

/// Each date, with a number that stands for the set of series that it has; none where that is not known.
type Dates = BTreeMap<DateTime<Utc>, Option<i64>>;

/// A date at which rows of a customer were inserted.
pub(super) struct Inserted {
    pub(super) customer: Uuid,
    pub(super) at: DateTime<Utc>,
    /// Stands for the set of series that the date has; none where it had rows before.
    pub(super) series: Option<i64>,
}

/// To be called after the rows were inserted, in the same transaction.
pub(super) async fn note(
    connection: &mut PgConnection,
    inserted: &[Inserted],
) -> Result<(), sqlx::Error> {
    if inserted.is_empty() {
        return Ok(());
    }
    let mut news = BTreeMap::<Span, Vec<&Inserted>>::new();
    for one in inserted {
        let month = one.at.date_naive().with_day(1);
        for span in [month, None] {
            news.entry((span, one.customer)).or_default().push(one);
        }
    }
    let kept = load(connection, news.keys()).await?;
    let mut changed = BTreeMap::new();
    let mut doubtful = BTreeMap::new();
    for (span, news) in news {
        let mut dates = kept.get(&span).cloned().unwrap_or_default();
        let mut added = false;
        for one in &news {
            added |= add(&mut dates, one);
        }
        if added && kept.contains_key(&span) {
            doubtful.insert(span, dates);
        } else if kept.get(&span) != Some(&dates) {
            changed.insert(span, dates);
        }
    }
    changed.extend(needed(connection, doubtful).await?);
    save(connection, &changed).await
}

/// Returns whether there is a date more now.
fn add(dates: &mut Dates, one: &Inserted) -> bool {
    if let Some(series) = dates.get_mut(&one.at) {
        *series = (*series).filter(|series| one.series == Some(*series));
        return false;
    }
    let same = one.series.and_then(|new| {
        let mut dates = dates.iter();
        dates.find_map(|(at, series)| (*series == Some(new)).then_some(*at))
    });
    match same {
        Some(later) if later > one.at => false,
        Some(earlier) => {
            dates.remove(&earlier);
            dates.insert(one.at, one.series);
            false
        }
        None => {
            dates.insert(one.at, one.series);
            true
        }
    }
}

async fn load(
    connection: &mut PgConnection,
    spans: impl Iterator<Item = &Span>,
) -> Result<BTreeMap<Span, Dates>, sqlx::Error> {
    let (months, customers): (Vec<Option<NaiveDate>>, Vec<Uuid>) = spans.copied().unzip();
    let rows = sqlx::query!(
        r#"
        select s.month, s.customer_id as "customer_id!", n.dates as "dates!", n.series as "series!: Vec<Option<i64>>"
        from unnest($1::date[], $2::uuid[]) as s (month, customer_id)
        -- The offset keeps this a look into the index for each.
        cross join lateral (
            select dates, series
            from license_usage_newest
            where month = coalesce(s.month, 'infinity')
                and customer_id = s.customer_id
            offset 0
        ) as n
        "#,
        &months as _,
        &customers
    )
    .fetch_all(connection)
    .await?;
    let kept = rows.into_iter().map(|row| {
        let dates = row.dates.into_iter().zip(row.series).collect();
        ((row.month, row.customer_id), dates)
    });
    Ok(kept.collect())
}

/// Leaves the dates that are the newest of some series.
async fn needed(
    connection: &mut PgConnection,
    mut spans: BTreeMap<Span, Dates>,
) -> Result<BTreeMap<Span, Dates>, sqlx::Error> {
    if spans.is_empty() {
        return Ok(spans);
    }
    let (mut numbers, mut customers, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (number, ((_, customer), dates)) in (0_i64..).zip(&spans) {
        for at in dates.keys() {
            numbers.push(number);
            customers.push(*customer);
            times.push(*at);
        }
    }
    let rows = sqlx::query!(
        r#"
        select number as "number!", newest as "newest!"
        from (
            select s.number, max(u.processed_date_time) as newest
            from unnest($1::bigint[], $2::uuid[], $3::timestamptz[]) as s (number, customer_id, at)
            cross join lateral (
                select processed_date_time, product_name, workload_name
                from license_usage
                where processed_date_time = s.at
                    and customer_id = s.customer_id
                    -- Constants to the planner, which then leaves the partitions of other dates alone.
                    and processed_date_time = any($3)
                offset 0
            ) as u
            group by s.number, u.product_name, u.workload_name
        ) as series
        group by number, newest
        "#,
        &numbers,
        &customers,
        &times
    )
    .fetch_all(connection)
    .await?;
    let mut newest = BTreeMap::<i64, Vec<DateTime<Utc>>>::new();
    for row in rows {
        newest.entry(row.number).or_default().push(row.newest);
    }
    for (number, dates) in (0_i64..).zip(spans.values_mut()) {
        let newest = newest.remove(&number).unwrap_or_default();
        dates.retain(|at, _| newest.contains(at));
    }
    Ok(spans)
}

async fn save(
    connection: &mut PgConnection,
    spans: &BTreeMap<Span, Dates>,
) -> Result<(), sqlx::Error> {
    if spans.is_empty() {
        return Ok(());
    }
    let (months, customers): (Vec<Option<NaiveDate>>, Vec<Uuid>) = spans.keys().copied().unzip();
    // Postgres has no arrays of arrays of different lengths: each span has a slice of one long array.
    let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
    let (mut times, mut series) = (Vec::new(), Vec::new());
    for dates in spans.values() {
        firsts.push(i32::try_from(times.len() + 1).unwrap_or(i32::MAX));
        times.extend(dates.keys().copied());
        series.extend(dates.values().copied());
        lasts.push(i32::try_from(times.len()).unwrap_or(i32::MAX));
    }
    sqlx::query!(
        "
        insert into license_usage_newest (month, customer_id, dates, series)
        select coalesce(month, 'infinity'), customer_id, ($5::timestamptz[])[first:last], ($6::bigint[])[first:last]
        from unnest($1::date[], $2::uuid[], $3::integer[], $4::integer[]) as s (month, customer_id, first, last)
        on conflict (month, customer_id) do update
        set dates = excluded.dates,
            series = excluded.series
        ",
        &months as _,
        &customers,
        &firsts,
        &lasts,
        &times,
        &series as _
    )
    .execute(connection)
    .await
    .map(drop)
}
