//! Runs, done by the hosts of a history at moments that the test chooses. Where the history says
//! so, a run is cut off, or its host is struck and the other one goes on.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Duration, NaiveDate, TimeZone as _, Utc};
use seatledger::ledger::{Customer, CustomerId, CustomerOutcome, RowCounts, Source, TrafficCounts};
use seatledger::store::{Begun, DatedPass, FinishedRun, NewRun, RunKind, RunOutcome};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use uuid::Uuid;

use super::away::{Away, Step, Struck};
use super::hosts::Host;
use super::process::{Batch, End};
use super::sql;
use super::strikes::{Blow, Moment, Strike};
use crate::support::{Database, try_until};

/// The ledger of one history, and the hosts that do its runs.
pub(super) struct Ledger {
    pub(super) pool: PgPool,
    pub(super) hosts: [Host; 2],
    /// The host that does the next run.
    pub(super) turn: usize,
    now: DateTime<Utc>,
    database: Database,
}

/// What a run is to do.
pub(super) struct RunPlan {
    pub(super) source: Source,
    pub(super) dated: Option<DatedPass>,
    /// The partner's list, if the run fetches it.
    pub(super) listed: Option<Vec<Customer>>,
    pub(super) batches: Vec<Vec<CustomerOutcome>>,
    /// Where it is cut off. The run that follows is another one.
    pub(super) cut: Option<Moment>,
    /// Whether it was stopped, so that its end computes no totals of days.
    pub(super) is_interrupted: bool,
    /// What befalls its hosts, one after the other.
    pub(super) strikes: Vec<Strike>,
}

/// The moments that a run records. They are chosen before it begins, so that they do not depend on
/// how many hosts it takes.
#[derive(Debug, Clone)]
struct Times {
    interrupted: DateTime<Utc>,
    begun: DateTime<Utc>,
    listed: DateTime<Utc>,
    batches: Vec<DateTime<Utc>>,
    ended: DateTime<Utc>,
}

/// What a host has to do in a run.
struct Share {
    run_id: i64,
    batches: Vec<(Batch, DateTime<Utc>)>,
    end: Arc<End>,
}

impl Ledger {
    pub(super) async fn new() -> Self {
        let database = Database::migrated().await;
        let url = database.url();
        let ledger = Self {
            pool: database.pool(),
            hosts: [
                Host::start("web1", &url).await,
                Host::start("web2", &url).await,
            ],
            turn: 0,
            now: Utc.with_ymd_and_hms(2025, 3, 1, 0, 0, 0).unwrap(),
            database,
        };
        ledger.execute(&sql("schema")).await;
        ledger
    }

    pub(super) async fn execute(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Executes a statement of another writer. If it would store a row twice, nothing happens.
    pub(super) async fn write(&self, sql: &str) {
        let mut connection = self.pool.acquire().await.unwrap();
        let written = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut *connection)
            .await;
        if let Err(error) = written {
            let database = error.as_database_error();
            let is_double = database.is_some_and(sqlx::error::DatabaseError::is_unique_violation);
            assert!(is_double, "{sql}: {error}");
            let rollback = sqlx::raw_sql("rollback").execute(&mut *connection);
            rollback.await.unwrap();
        }
    }

    /// Sets the clock to this day at least, as runs of that day see it.
    pub(super) fn begin_day(&mut self, day: NaiveDate) {
        self.now = self.now.max(day.and_hms_opt(4, 0, 0).unwrap().and_utc());
    }

    /// The next moment.
    pub(super) fn tick(&mut self) -> DateTime<Utc> {
        self.now += Duration::seconds(7);
        self.now
    }

    /// Replaces the host whose turn it is, as when its machine is started again. Returns the host
    /// that was killed.
    pub(super) async fn replace_host(&mut self) -> Host {
        let name = ["web1", "web2"][self.turn];
        let host = Host::start(name, &self.database.url()).await;
        std::mem::replace(&mut self.hosts[self.turn], host)
    }

    /// Does a run, to its end or to where it is cut off. `stored` is called after each batch.
    ///
    /// # Errors
    /// With what should not have happened.
    pub(super) async fn run(
        &mut self,
        plan: RunPlan,
        mut stored: impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<(), String> {
        let times = Times {
            interrupted: self.tick(),
            begun: self.tick(),
            listed: self.tick(),
            batches: plan.batches.iter().map(|_| self.tick()).collect(),
            ended: self.tick(),
        };
        let cut = plan.cut.map(|moment| Strike {
            moment,
            blow: Blow::Kill,
            returns_early: false,
        });
        let mut strikes = plan.strikes.iter().copied().chain(cut);
        let mut runs = Vec::new();
        let mut away: Option<Away> = None;
        loop {
            let strike = strikes.next();
            let begun = self.begin(&plan, &times, runs.first().copied()).await?;
            if let Some(struck) = &away {
                self.sessions_ended(struck).await;
            }
            if let Some(struck) = away.take_if(|away| away.returns_early || strike.is_some()) {
                self.bring_back(struck).await?;
            }
            let Begun::Run { run_id, resumes } = begun else {
                break;
            };
            let share = self.share(&plan, &times, (run_id, resumes), &runs).await?;
            runs.push(run_id);
            let Some(struck) = self.work(share, strike, &mut stored).await? else {
                break;
            };
            away = Some(struck);
            if plan.cut.is_some() {
                break;
            }
            self.turn = 1 - self.turn;
        }
        if let Some(struck) = away {
            self.bring_back(struck).await?;
        }
        self.one_writer_at_a_time().await
    }

    /// Begins the run, or goes on with its first part, as soon as the ledger is free.
    ///
    /// # Errors
    /// When it does not become free.
    async fn begin(
        &self,
        plan: &RunPlan,
        times: &Times,
        first: Option<i64>,
    ) -> Result<Begun, String> {
        let is_dated = plan.dated.is_some();
        let new = Arc::new(NewRun {
            kind: if is_dated {
                RunKind::Backfill
            } else {
                RunKind::Schedule
            },
            source: plan.source.as_str(),
            only: Vec::new(),
            dated: plan.dated,
            // As with --resume: it is for no tick that would tell which run to go on with.
            resumes: first.filter(|_| is_dated),
            tick: (!is_dated).then_some(times.begun),
            started_at: times.begun,
        });
        let interrupted = times.interrupted;
        let host = &self.hosts[self.turn];
        let begun = try_until(async || {
            let new = Arc::clone(&new);
            host.does(async move |process| process.begin(&new, interrupted).await)
                .await
        });
        let Some(begun) = begun.await else {
            let lease = "select to_json(l)::text from lease as l where name = 'run'";
            let lease: String = sqlx::query_scalar(lease)
                .fetch_one(&self.pool)
                .await
                .unwrap();
            return Err(format!("the ledger does not become free: {lease}"));
        };
        Ok(begun)
    }

    /// What is left to do of a run.
    async fn share(
        &self,
        plan: &RunPlan,
        times: &Times,
        (run_id, resumes): (i64, Option<i64>),
        before: &[i64],
    ) -> Result<Share, String> {
        let customers: Arc<Vec<CustomerId>> = Arc::new(
            plan.batches
                .iter()
                .flatten()
                .map(CustomerOutcome::id)
                .collect(),
        );
        let (all, listed, now) = (Arc::clone(&customers), plan.listed.clone(), times.listed);
        let due = self.hosts[self.turn]
            .does(async move |process| {
                let listed = listed.as_deref();
                process.list(listed, (&all, resumes), now).await
            })
            .await
            .map_err(|error| format!("{error:?} at the list"))?;
        let stored: Vec<Uuid> = sqlx::query_scalar(
            "select customer_id from sync_customer
             where run_id = any($1) and outcome = 'succeeded'",
        )
        .bind(before)
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let is_left = |id: &CustomerId| !stored.contains(&id.as_uuid());
        let left: HashSet<CustomerId> = customers.iter().copied().filter(is_left).collect();
        if due != left {
            return Err(format!(
                "a run that goes on with {before:?} asks for {due:?}, and {left:?} are left"
            ));
        }
        let mut batches = Vec::new();
        for (batch, now) in plan.batches.iter().zip(&times.batches) {
            let is_due = |outcome: &&CustomerOutcome| due.contains(&outcome.id());
            let batch: Vec<CustomerOutcome> = batch.iter().filter(is_due).cloned().collect();
            if !batch.is_empty() {
                batches.push((Arc::new(batch), *now));
            }
        }
        let end = Arc::new(plan.end(&batches, times.ended));
        Ok(Share {
            run_id,
            batches,
            end,
        })
    }

    /// Does what is left of a run, up to its end or to a strike. Returns the host that was struck,
    /// unless it goes on itself.
    async fn work(
        &mut self,
        share: Share,
        strike: Option<Strike>,
        stored: &mut impl AsyncFnMut() -> Result<(), String>,
    ) -> Result<Option<Away>, String> {
        let Share {
            run_id,
            batches,
            end,
        } = share;
        let last = batches.len().checked_sub(1);
        for (number, (batch, now)) in batches.iter().enumerate() {
            let strike = strike.filter(|strike| match strike.moment {
                Moment::InBatch(at, _) | Moment::Commit(at) | Moment::After(at) => {
                    last.map(|last| at.min(last)) == Some(number)
                }
                Moment::InEnd | Moment::CommitOfEnd => false,
            });
            let step = Step::Record(run_id, Arc::clone(batch), *now);
            let Struck { is_done, away } = self.step(step, strike).await?;
            if is_done {
                self.see_batch(run_id, batch).await;
                stored().await?;
            }
            if away.is_some() {
                return Ok(away);
            }
        }
        let strike = strike.filter(|strike| {
            last.is_none() || matches!(strike.moment, Moment::InEnd | Moment::CommitOfEnd)
        });
        let struck = self.step(Step::End(run_id, end), strike).await?;
        Ok(struck.away)
    }

    /// # Errors
    /// With the transactions of runs that had lost the lease.
    async fn one_writer_at_a_time(&self) -> Result<(), String> {
        let written: Vec<String> = sqlx::query_scalar(&*sql("late_writes").leak())
            .fetch_all(&self.pool)
            .await
            .unwrap();
        if written.is_empty() {
            return Ok(());
        }
        Err(format!(
            "a run wrote while another had the lease:\n{}",
            written.join("\n")
        ))
    }

    /// Deletes the database. Dropping it would block the thread, and Postgres does not delete a
    /// database before the runs of other histories have sent the rows of their COPY.
    pub(super) async fn delete(self) {
        self.database.delete().await;
    }
}

impl RunPlan {
    /// The end of a run that has had these batches left.
    fn end(&self, batches: &[(Batch, DateTime<Utc>)], finished_at: DateTime<Utc>) -> End {
        let outcomes = || batches.iter().flat_map(|(batch, _)| &**batch);
        let total = outcomes().count() as u64;
        let failed = outcomes()
            .filter(|outcome| outcome.failure.is_some())
            .count() as u64;
        End {
            record: FinishedRun {
                outcome: match failed {
                    _ if self.is_interrupted => RunOutcome::Interrupted,
                    0 => RunOutcome::Succeeded,
                    all if all == total => RunOutcome::Failed,
                    _ => RunOutcome::Partial,
                },
                detail: None,
                ended_early: false,
                learned_rate: None,
                finished_at,
                customers_total: total,
                customers_succeeded: total - failed,
                customers_failed: failed,
                rows: RowCounts::default(),
                http: TrafficCounts::default(),
            },
            next_date: self.dated.and_then(|pass| pass.next),
            has_totals: !self.is_interrupted,
        }
    }
}
