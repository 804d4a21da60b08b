//! Keeps the newest row of each series in each month, which the views of newest rows read.
//!
//! What happens day by day needs no look at the ledger: a customer's rows come with the texts of
//! the day before, and take the place of that day's. Whatever else happens, the customer's month is
//! collected anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Datelike as _, NaiveDate, Utc};
use sqlx::PgConnection;
use sqlx::postgres::PgBindIterExt as _;
use uuid::Uuid;

use super::copy::{CopyIn, Repeated, Varchar};
use super::digest::Dated;
use super::written::Stamp;
use crate::ledger::Row as _;

/// A month and a customer.
type Key = (NaiveDate, Uuid);

/// What is known of a customer's month.
struct Kept {
    /// Whether it has rows that are the newest of their series in all of the ledger.
    newest: bool,
    texts: Option<i64>,
    last: Option<DateTime<Utc>>,
}

/// The ids of sets of series, so that each is looked up once a run.
#[derive(Debug, Default)]
pub(super) struct SeriesSets {
    ids: HashMap<i64, i64>,
}

/// Where the rows that came go.
#[derive(Default)]
struct Plan<'a> {
    /// A customer's first rows of a month; with whether they are the newest of all.
    first: Vec<(Key, &'a Dated<'a>, bool)>,
    /// In place of an earlier date's.
    next: Vec<(Key, &'a Dated<'a>)>,
    /// Months whose rows all have successors now.
    surpassed: Vec<Key>,
    /// To be collected from the ledger.
    collected: BTreeSet<Key>,
}

/// To be called after the rows were stored, in the same transaction. `fresh` are rows of customers
/// and dates that had none; in `changed` are the months of customers that had some.
pub(super) async fn note(
    connection: &mut PgConnection,
    sets: &mut SeriesSets,
    fresh: &[&Dated<'_>],
    changed: BTreeSet<Key>,
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let mut incoming = BTreeMap::<Key, &Dated<'_>>::new();
    let mut keys_of = HashMap::<Uuid, Vec<Key>>::new();
    let mut plan = Plan {
        collected: changed,
        ..Plan::default()
    };
    for one in fresh {
        let key = (month(one.at), one.customer);
        keys_of.entry(one.customer).or_default().push(key);
        incoming.insert(key, one);
    }
    // Of several dates at once the ledger has to say which row is whose successor.
    let several = keys_of.into_values().filter(|keys| keys.len() > 1);
    plan.collected.extend(several.flatten());
    incoming.retain(|key, _| !plan.collected.contains(key));
    let kept = load(connection, incoming.keys()).await?;
    for (key, incoming) in &incoming {
        let of_customer = kept.get(&key.1).map_or(&[][..], Vec::as_slice);
        plan.place(*key, incoming, of_customer);
    }
    sets.learn(connection, &plan.first).await?;
    insert(connection, sets, &plan.first, stamp).await?;
    if !replace(connection, &plan.next, stamp).await? {
        // Somebody else has just written to one of them.
        plan.collected.extend(plan.next.iter().map(|next| next.0));
    }
    surpass(connection, &plan.surpassed).await?;
    collect(connection, &plan.collected, &incoming).await
}

impl<'a> Plan<'a> {
    fn place(&mut self, key: Key, incoming: &'a Dated<'a>, kept: &[(NaiveDate, Kept)]) {
        let same_texts = |kept: &Kept| kept.texts == Some(incoming.texts);
        if let Some((_, kept)) = kept.iter().find(|(month, _)| *month == key.0) {
            if same_texts(kept) && kept.last.is_some_and(|last| last < incoming.at) {
                self.next.push((key, incoming));
            } else {
                self.collected.insert(key);
            }
            return;
        }
        let others = || kept.iter().filter(|(_, kept)| kept.newest);
        if others().any(|(_, kept)| !same_texts(kept)) {
            self.collected.insert(key);
            return;
        }
        // All others have the very same series: the last of them counts.
        let newest = others().all(|(month, _)| *month < key.0);
        if newest {
            self.surpassed
                .extend(others().map(|(month, _)| (*month, key.1)));
        }
        self.first.push((key, incoming, newest));
    }
}

/// The first day of the month, UTC.
pub(super) fn month(at: DateTime<Utc>) -> NaiveDate {
    let date = at.date_naive();
    date.with_day(1).unwrap_or(date)
}

/// What is known of these months, and of all months of these customers that have newest rows.
async fn load(
    connection: &mut PgConnection,
    keys: impl Iterator<Item = &Key>,
) -> Result<HashMap<Uuid, Vec<(NaiveDate, Kept)>>, sqlx::Error> {
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) = keys.copied().unzip();
    let rows = sqlx::query!(
        r#"
        select
            k.month as "month!",
            k.customer_id as "customer_id!",
            k.newest as "newest!",
            k.texts,
            (select max(d) from unnest(k.processed_date_times) as d) as last
        from unnest($1::date[], $2::uuid[]) as i (month, customer_id)
        -- The offset keeps these looks into an index for each.
        cross join lateral (
            select month, customer_id, newest, texts, processed_date_times
            from license_usage_month
            where month = i.month
                and customer_id = i.customer_id
            union all
            select month, customer_id, newest, texts, processed_date_times
            from license_usage_month
            where newest
                and customer_id = i.customer_id
                and month <> i.month
            offset 0
        ) as k
        "#,
        &months,
        &customers
    )
    .fetch_all(connection)
    .await?;
    let mut kept = HashMap::<Uuid, Vec<(NaiveDate, Kept)>>::new();
    for row in rows {
        kept.entry(row.customer_id).or_default().push((
            row.month,
            Kept {
                newest: row.newest,
                texts: row.texts,
                last: row.last,
            },
        ));
    }
    Ok(kept)
}

/// One array per column, of all rows of all of `$of`, with the number of the month that each
/// belongs to.
macro_rules! column {
    ($of:expr, |$row:ident| $value:expr) => {
        $of.iter()
            .flat_map(|one| one.1.rows.iter().map(|$row| $value))
            .collect::<Vec<_>>()
    };
}

/// The number of the month that each row belongs to.
fn numbers<'a>(incoming: impl Iterator<Item = &'a Dated<'a>>) -> Vec<i32> {
    (0..)
        .zip(incoming)
        .flat_map(|(number, incoming)| incoming.rows.iter().map(move |_| number))
        .collect()
}

impl SeriesSets {
    async fn learn(
        &mut self,
        connection: &mut PgConnection,
        first: &[(Key, &Dated<'_>, bool)],
    ) -> Result<(), sqlx::Error> {
        let unknown: BTreeMap<i64, &Dated<'_>> = first
            .iter()
            .filter(|one| !self.ids.contains_key(&one.1.series))
            .map(|one| (one.1.series, one.1))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let unknown: Vec<(i64, &Dated<'_>)> = unknown.into_iter().collect();
        let ids = sqlx::query_file!(
            "src/store/batch/sql/insert_series_sets.sql",
            &numbers(unknown.iter().map(|one| one.1)),
            &column!(unknown, |row| row.2) as _,
            &column!(unknown, |row| row.3) as _,
            &column!(unknown, |row| row.4.attributes().product_id.as_deref()) as _,
            &column!(unknown, |row| row.4.workload_code.as_deref()) as _,
            &column!(unknown, |row| row.4.attributes().service_name.as_deref()) as _,
            &column!(unknown, |row| row.4.attributes().service_code.as_deref()) as _,
            &column!(unknown, |row| row.4.attributes().channel.as_deref()) as _
        )
        .fetch_all(connection)
        .await?;
        for row in ids {
            let number = usize::try_from(row.number).unwrap_or(usize::MAX);
            if let Some((series, _)) = unknown.get(number) {
                self.ids.insert(*series, row.set_id);
            }
        }
        Ok(())
    }
}

/// Stores customers' first rows of a month.
async fn insert(
    connection: &mut PgConnection,
    sets: &SeriesSets,
    first: &[(Key, &Dated<'_>, bool)],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if first.is_empty() {
        return Ok(());
    }
    let mut copy = CopyIn::begin(
        connection,
        "
        copy license_usage_month (
            month, customer_id, newest, texts, set_id, customer_names, processed_date_times, licenses_active,
            licenses_qualified, usage_percents, first_synced_ats, last_changed_ats, run_ids, are_newest
        )
        from stdin (format binary)
        ",
    )
    .await?;
    let (mut stamps, mut runs) = (Repeated::new(stamp.now), Repeated::new(stamp.run_id));
    for ((month, customer), incoming, newest) in first {
        let rows = incoming.rows;
        let each = || rows.iter().map(|row| row.4);
        let names = each().map(|row| Varchar(row.attributes().customer_name.as_deref()));
        let row = copy.row().await?;
        row.put(*month)?;
        row.put(*customer)?;
        row.put(*newest)?;
        row.put(incoming.texts)?;
        row.put(sets.ids.get(&incoming.series).copied())?;
        row.put(names.bind_iter())?;
        row.put(rows.iter().map(|row| row.0).bind_iter())?;
        row.put(each().map(|row| row.licenses_active).bind_iter())?;
        row.put(each().map(|row| row.licenses_qualified).bind_iter())?;
        row.put(each().map(|row| row.usage_percent).bind_iter())?;
        stamps.put(row, rows.len())?;
        stamps.put(row, rows.len())?;
        runs.put(row, rows.len())?;
        row.put(rows.iter().map(|_| *newest).bind_iter())?;
    }
    copy.finish().await.map(drop)
}

/// Returns whether all of them were there.
async fn replace(
    connection: &mut PgConnection,
    next: &[(Key, &Dated<'_>)],
    stamp: Stamp,
) -> Result<bool, sqlx::Error> {
    if next.is_empty() {
        return Ok(true);
    }
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) = next.iter().map(|one| one.0).unzip();
    let replaced = sqlx::query_file!(
        "src/store/batch/sql/replace_month_rows.sql",
        &(0..i32::try_from(next.len()).unwrap_or(i32::MAX)).collect::<Vec<_>>(),
        &months,
        &customers,
        &numbers(next.iter().map(|one| one.1)),
        &column!(next, |row| row.0),
        &column!(next, |row| row.4.licenses_active),
        &column!(next, |row| row.4.licenses_qualified),
        &column!(next, |row| row.4.usage_percent) as _,
        stamp.now,
        stamp.run_id
    )
    .execute(connection)
    .await?;
    Ok(replaced.rows_affected() == u64::try_from(next.len()).unwrap_or(u64::MAX))
}

async fn surpass(connection: &mut PgConnection, months: &[Key]) -> Result<(), sqlx::Error> {
    if months.is_empty() {
        return Ok(());
    }
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) = months.iter().copied().unzip();
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

async fn collect(
    connection: &mut PgConnection,
    keys: &BTreeSet<Key>,
    incoming: &BTreeMap<Key, &Dated<'_>>,
) -> Result<(), sqlx::Error> {
    let mut customers_of = BTreeMap::<NaiveDate, Vec<Uuid>>::new();
    for (month, customer) in keys {
        customers_of.entry(*month).or_default().push(*customer);
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
    let known: Vec<_> = keys
        .iter()
        .filter_map(|key| incoming.get(key).map(|incoming| (*key, incoming)))
        .collect();
    if known.is_empty() {
        return Ok(());
    }
    let (months, customers): (Vec<NaiveDate>, Vec<Uuid>) = known.iter().map(|one| one.0).unzip();
    let texts: Vec<i64> = known.iter().map(|one| one.1.texts).collect();
    let times: Vec<DateTime<Utc>> = known.iter().map(|one| one.1.at).collect();
    // Where the date that came has all series of the month, the next day's rows can take the place
    // of its rows.
    sqlx::query!(
        "
        update license_usage_month as m
        set texts = i.texts
        from unnest($1::date[], $2::uuid[], $3::bigint[], $4::timestamptz[]) as i (month, customer_id, texts, at)
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
