//! What a history has left in the tables, without what differs where another host has finished a
//! run: the numbers of runs, and how often a customer was asked for that had failed.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

/// Rows of a difference that are shown.
const SHOWN: usize = 6;

/// The tables, with the columns that are left out: numbers that count up, and what a run writes
/// later if the run after the next one is not the same.
const TABLES: [(&str, &[&str]); 16] = [
    ("license_usage", &[]),
    ("license_deployment", &[]),
    ("license_usage_collection", &[]),
    ("license_usage_latest", &[]),
    ("license_usage_monthly", &[]),
    ("license_usage_day_total", &[]),
    ("service_date", &[]),
    ("stale_day", &[]),
    ("restatement", &["restatement_id"]),
    ("series_name", &[]),
    ("name_history", &[]),
    ("customer", &["last_seen_at", "last_success_at"]),
    ("customer_success", &[]),
    ("rejected_row", &["rejected_row_id"]),
    ("product_alias", &[]),
    ("product_note", &[]),
];

/// The runs, with a number that those share that finish each other.
const RUNS: &str = "
    with run as (
        select *, dense_rank() over (order by first_run_id) as number
        from (
            select *,
                min(run_id) over (
                    partition by tick, case when tick is null then coalesce(resumes, run_id) end
                ) as first_run_id
            from sync_run
        ) as r
    )
";

/// The rows of each table as text, in order.
pub(super) struct EndState(BTreeMap<&'static str, Vec<String>>);

pub(super) async fn end_state(pool: &PgPool) -> EndState {
    // A run that lost its connection at its end leaves them to the next run.
    let refresh = "select count(refresh_license_usage_day_total(date)) from stale_day";
    sqlx::query(refresh).execute(pool).await.unwrap();
    let mut state = BTreeMap::new();
    for (table, left_out) in TABLES {
        let columns = left_out.join(",");
        let rows = format!(
            "{RUNS}
             select (
                 to_jsonb(t) - '{{{columns}}}'::text[]
                 || case when to_jsonb(t) ? 'run_id' then jsonb_build_object('run_id', (
                     select number from run where run_id = (to_jsonb(t) ->> 'run_id')::bigint
                 )) else '{{}}' end
             )::text
             from {table} as t
             order by 1"
        );
        state.insert(table, texts(pool, &rows).await);
    }
    let outcomes = format!(
        "{RUNS}
         select distinct on (r.number, c.customer_id)
             concat_ws(' ', r.number, c.customer_id, c.outcome, c.reason, c.finished_at)
         from sync_customer as c
         inner join run as r using (run_id)
         order by r.number, c.customer_id, r.run_id desc"
    );
    state.insert("sync_customer", texts(pool, &outcomes).await);
    let ends = format!(
        "{RUNS}
         select distinct on (number)
             concat_ws(' ', number, kind, source, asked_date, tick, outcome = 'interrupted')
         from run
         order by number, run_id desc"
    );
    state.insert("sync_run", texts(pool, &ends).await);
    EndState(state)
}

async fn texts(pool: &PgPool, sql: &str) -> Vec<String> {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_all(pool)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

impl EndState {
    /// The first difference from what is left where nothing has befallen a host.
    pub(super) fn difference(&self, undisturbed: &Self) -> Option<String> {
        self.0.iter().find_map(|(table, rows)| {
            let others = &undisturbed.0[table];
            (rows != others).then(|| {
                format!(
                    "{table} has {} rows, and {} if nothing befalls a host\nonly here: {:#?}\n\
                     only there: {:#?}",
                    rows.len(),
                    others.len(),
                    only(rows, others),
                    only(others, rows)
                )
            })
        })
    }
}

/// The first rows that are in one table only.
fn only<'a>(rows: &'a [String], others: &[String]) -> Vec<&'a String> {
    let only = rows.iter().filter(|row| !others.contains(row));
    only.take(SHOWN).collect()
}
