//! The beginning of a run, in one transaction under the run lease: whether its tick has been done,
//! which run it goes on with, and its record.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::pool::bounded;
use super::lease::RunLease;
use super::records::NewRun;

/// What became of the attempt to begin a run.
#[derive(Debug)]
pub enum Begun {
    /// It is on record.
    Run {
        /// Its id.
        run_id: i64,
        /// The unfinished run that it resumes.
        resumes: Option<i64>,
    },
    /// There is nothing to do: a run for this tick, or a later one, has ended.
    TickDone(TickDone),
}

/// The run that has done a tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TickDone {
    /// Its id.
    pub run_id: i64,
    /// How it ended.
    pub outcome: String,
    /// The host that did it.
    pub host: Option<String>,
    /// The tick that it was for.
    pub tick: Option<DateTime<Utc>>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

impl fmt::Display for TickDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            run_id, outcome, ..
        } = self;
        write!(f, "run {run_id} of host ")?;
        f.write_str(self.host.as_deref().unwrap_or("unknown"))?;
        if let Some(tick) = self.tick {
            let tick = tick.to_rfc3339_opts(SecondsFormat::Secs, true);
            write!(f, " for the tick of {tick}")?;
        }
        write!(f, ", {outcome}")
    }
}

impl RunLease {
    /// Records that a run begins, unless its tick has been done by a run that succeeded at least
    /// for some customers, or that failed on the same `host`: what failed here may work elsewhere.
    /// A run for a tick whose newest run was interrupted goes on with that run, and so does one
    /// that `goes_on` with the newest of all runs, if that was interrupted in doing the same.
    ///
    /// Where nothing is new about a customer, its last success is read from the newest two runs.
    /// Beginning a run makes the older of these the third newest, so the successes that only it has
    /// are copied to `customer` first.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub async fn begin_run(
        &mut self,
        run: &NewRun,
        host: &str,
        goes_on: bool,
    ) -> Result<Begun, StoreError> {
        const OPERATION: &str = "recording the run";
        let (mut transaction, _) = self.begin(OPERATION).await?;
        let begun = Box::pin(async {
            if let Some(done) = tick_done(&mut transaction, run, host).await? {
                transaction.rollback().await?;
                return Ok(Begun::TickDone(done));
            }
            let mut resumes = run.resumes;
            if resumes.is_none() {
                resumes = interrupted(&mut transaction, run, goes_on).await?;
            }
            keep_successes(&mut transaction).await?;
            let run_id = insert(&mut transaction, run, host, resumes).await?;
            transaction.commit().await?;
            Ok(Begun::Run { run_id, resumes })
        });
        bounded(OPERATION, begun).await
    }
}

async fn tick_done(
    connection: &mut PgConnection,
    run: &NewRun,
    host: &str,
) -> Result<Option<TickDone>, sqlx::Error> {
    let Some(tick) = run.tick else {
        return Ok(None);
    };
    // A later tick that is still to come was done by a host whose clock was ahead.
    sqlx::query_as!(
        TickDone,
        "
        select run_id, outcome, host, tick, finished_at
        from sync_run
        where tick between $1 and $3
            and whole_list
            and asked_date is null
            and (
                outcome in ('succeeded', 'partial')
                or (outcome = 'failed' and host = $2)
            )
        order by run_id desc
        limit 1
        ",
        tick,
        host,
        run.started_at
    )
    .fetch_optional(connection)
    .await
}

/// The interrupted run that this one goes on with.
async fn interrupted(
    connection: &mut PgConnection,
    run: &NewRun,
    goes_on: bool,
) -> Result<Option<i64>, sqlx::Error> {
    let only = only(run);
    sqlx::query_scalar!(
        r#"
        select coalesce(resumes, run_id) as "run_id!"
        from (
            select *
            from sync_run
            where $1
                or (tick = $2 and source = $3 and whole_list and asked_date is null)
            order by run_id desc
            limit 1
        ) as newest
        where outcome = 'interrupted'
            and source = $3
            and only_customers is not distinct from $4
            and asked_date is not distinct from $5
            and date_from is not distinct from $6
            and date_to is not distinct from $7
        "#,
        goes_on,
        run.tick,
        run.source,
        only.as_deref(),
        run.dated.map(|dated| dated.asked),
        run.dated.map(|dated| dated.from),
        run.dated.map(|dated| dated.to)
    )
    .fetch_optional(connection)
    .await
}

async fn keep_successes(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "
        with runs as (
            select max(run_id) as last, min(run_id) as before
            from (select run_id from sync_run order by run_id desc limit 2) as newest
        )

        update customer as c
        set last_seen_at = greatest(c.last_seen_at, b.finished_at),
            last_success_at = b.finished_at
        from runs as r
        inner join sync_customer as b on b.run_id = r.before
        left join sync_customer as l on l.run_id = r.last and l.customer_id = b.customer_id
        where c.customer_id = b.customer_id
            and r.before < r.last
            and (l.run_id is null or l.outcome = 'failed')
            and b.outcome = 'succeeded'
            and b.finished_at > c.last_success_at
        "
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn insert(
    connection: &mut PgConnection,
    run: &NewRun,
    host: &str,
    resumes: Option<i64>,
) -> Result<i64, sqlx::Error> {
    let only = only(run);
    sqlx::query_scalar!(
        "
        insert into sync_run (
            kind, source, whole_list, only_customers, asked_date, date_from, date_to, resumes,
            tick, host, started_at, outcome, newest_processed_date
        )
        select
            $1, $2, $3, $4, $5, $6, $7, $8,
            $9, $10, $11, 'running', coalesce($5, max(processed_date))
        from service_date
        where dataset = 'usage'
        returning run_id
        ",
        run.kind.as_str(),
        run.source,
        only.is_none(),
        only.as_deref(),
        run.dated.map(|dated| dated.asked),
        run.dated.map(|dated| dated.from),
        run.dated.map(|dated| dated.to),
        resumes,
        run.tick,
        host,
        run.started_at
    )
    .fetch_one(connection)
    .await
}

/// The customers that the run is restricted to, as they are recorded: in order, so that two runs
/// for the same ones compare equal. None: the whole list.
fn only(run: &NewRun) -> Option<Vec<Uuid>> {
    let mut only: Vec<Uuid> = run.only.iter().map(|id| id.as_uuid()).collect();
    only.sort_unstable();
    (!only.is_empty()).then_some(only)
}
