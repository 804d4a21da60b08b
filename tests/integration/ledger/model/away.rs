//! Steps of a run in which its host is struck, and how a host that was struck comes back: it has
//! lost the lease, says so, and writes nothing more.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgPool;
use tokio::sync::oneshot;

use super::process::{Batch, End, Superseded};
use super::runs::Ledger;
use super::strikes::{Blow, Moment, Strike};
use crate::support::{Link, Lost, PATIENCE, until};

/// A step of a run, which is one transaction.
#[derive(Clone)]
pub(super) enum Step {
    Record(i64, Batch, DateTime<Utc>),
    End(i64, Arc<End>),
}

/// The result of a step that a host may not get while it is struck.
type Pending = oneshot::Receiver<Result<(), Superseded>>;

/// How a step ended.
pub(super) struct Struck {
    /// Whether the transaction was committed.
    pub(super) is_done: bool,
    /// The host that was struck, unless it goes on itself.
    pub(super) away: Option<Away>,
}

/// A host that was struck.
pub(super) struct Away {
    host: usize,
    step: Step,
    is_done: bool,
    /// None if it was killed.
    pending: Option<Pending>,
    /// Its sessions at the server.
    sessions: Vec<(i32, DateTime<Utc>)>,
    /// The link of a machine that is gone. Its end would tell the server.
    _link: Option<Link>,
    pub(super) returns_early: bool,
}

impl Ledger {
    fn begin_step(&self, step: &Step) -> Pending {
        let host = &self.hosts[self.turn];
        match step.clone() {
            Step::Record(_, batch, now) => {
                host.begin(async move |process| process.record(&batch, now).await)
            }
            Step::End(_, end) => host.begin(async move |process| process.end(&end).await),
        }
    }

    /// Has the host do a step, and strikes it meanwhile.
    ///
    /// # Errors
    /// When the step fails though nobody has taken over.
    pub(super) async fn step(
        &mut self,
        step: Step,
        strike: Option<Strike>,
    ) -> Result<Struck, String> {
        let Some(strike) = strike else {
            done(self.begin_step(&step)).await?;
            return Ok(Struck {
                is_done: true,
                away: None,
            });
        };
        let table = match (strike.moment, &step) {
            (Moment::InBatch(_, table), Step::Record(..)) => Some(table),
            (Moment::InEnd, Step::End(..)) => Some("sync_run"),
            _ => None,
        };
        let sessions = self.sessions().await;
        let (mut pending, mut is_done, mut holder) = (None, true, None);
        if let Some(table) = table {
            let mut transaction = self.pool.begin().await.unwrap();
            let lock = format!("lock table {table} in share mode");
            sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
                .execute(&mut *transaction)
                .await
                .unwrap();
            let mut begun = self.begin_step(&step);
            // Not every batch has rows for the table.
            is_done = until_waiting_or(&self.pool, &mut begun).await?;
            pending = (!is_done).then_some(begun);
            holder = Some(transaction);
        } else if matches!(strike.moment, Moment::Commit(_) | Moment::CommitOfEnd) {
            self.hosts[self.turn].link.lose(Lost::FROM_COMMIT);
            pending = Some(self.begin_step(&step));
            self.hosts[self.turn].link.commit_sent().await;
            self.committed(&step).await;
        } else {
            done(self.begin_step(&step)).await?;
        }
        let link = self.blow(strike.blow, &sessions).await;
        if let Some(holder) = holder {
            holder.rollback().await.unwrap();
        }
        let away = match strike.blow {
            Blow::Disconnect => {
                if let Some(pending) = pending {
                    done(pending).await?;
                }
                is_done = true;
                None
            }
            Blow::Kill | Blow::Vanish | Blow::Freeze | Blow::Cut(_) => Some(Away {
                host: self.turn,
                step,
                is_done,
                pending: matches!(strike.blow, Blow::Freeze | Blow::Cut(_))
                    .then_some(pending)
                    .flatten(),
                sessions,
                _link: link,
                returns_early: strike.returns_early,
            }),
        };
        Ok(Struck { is_done, away })
    }

    /// Strikes the host whose turn it is.
    async fn blow(&mut self, blow: Blow, sessions: &[(i32, DateTime<Utc>)]) -> Option<Link> {
        match blow {
            Blow::Kill => drop(self.replace_host().await),
            Blow::Vanish => {
                self.hosts[self.turn].link.lose(Lost::BOTH);
                return Some(self.replace_host().await.into_link());
            }
            Blow::Freeze => self.hosts[self.turn].freeze().await,
            Blow::Cut(lost) => self.hosts[self.turn].link.lose(lost),
            Blow::Disconnect => {
                self.hosts[self.turn].link.break_connections();
                self.hosts[self.turn].link.mend();
                self.end_sessions(sessions).await;
            }
        }
        None
    }

    /// The sessions of the process that has the run lease.
    async fn sessions(&self) -> Vec<(i32, DateTime<Utc>)> {
        sqlx::query_as(
            "select pid, started_at from lease,
                 lateral (
                     values (keeper_pid, keeper_started_at), (writer_pid, writer_started_at)
                 ) as session (pid, started_at)
             where name = 'run' and pid is not null",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap()
    }

    /// Ends sessions on the server.
    async fn end_sessions(&self, sessions: &[(i32, DateTime<Utc>)]) {
        for (pid, started_at) in sessions {
            sqlx::query(
                "select pg_terminate_backend(pid) from pg_stat_activity
                 where pid = $1 and backend_start = $2",
            )
            .bind(pid)
            .bind(started_at)
            .execute(&self.pool)
            .await
            .unwrap();
        }
    }

    /// Waits until a transaction is committed whose answer is lost.
    async fn committed(&self, step: &Step) {
        let (run_id, customers) = match step {
            Step::Record(run_id, batch, _) => {
                (run_id, batch.iter().map(|o| o.id().as_uuid()).collect())
            }
            Step::End(run_id, _) => (run_id, Vec::new()),
        };
        until("the transaction is committed", async || {
            let committed: bool = sqlx::query_scalar(
                "select case when $2 = '{}'
                     then exists (
                         select from sync_run where run_id = $1 and outcome <> 'running'
                     )
                     else exists (
                         select from sync_customer where run_id = $1 and customer_id = any($2)
                     )
                 end",
            )
            .bind(run_id)
            .bind(&customers)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            committed.then_some(())
        })
        .await;
    }

    /// Waits until the server has ended the sessions of a host that was struck: another has taken
    /// over, and nothing that the first has sent may still take effect.
    pub(super) async fn sessions_ended(&self, away: &Away) {
        let (pids, starts): (Vec<i32>, Vec<DateTime<Utc>>) = away.sessions.iter().copied().unzip();
        until(
            "the sessions of the host that was struck have ended",
            async || {
                let left: i64 = sqlx::query_scalar(
                    "select count(*)
                 from pg_stat_activity as a
                 inner join unnest($1::integer[], $2::timestamptz[]) as s (pid, started_at)
                     on a.pid = s.pid and a.backend_start = s.started_at",
                )
                .bind(&pids)
                .bind(&starts)
                .fetch_one(&self.pool)
                .await
                .unwrap();
                (left == 0).then_some(())
            },
        )
        .await;
    }

    /// Lets a host go on that was struck. Another has the lease now, or has had it.
    ///
    /// # Errors
    /// When it writes, or does not notice that it has lost the lease.
    pub(super) async fn bring_back(&mut self, away: Away) -> Result<(), String> {
        let turn = std::mem::replace(&mut self.turn, away.host);
        let host = &mut self.hosts[self.turn];
        host.thaw();
        host.link.mend();
        if let Some(pending) = away.pending {
            match pending.await.expect("the host lives") {
                // The answer to its last commit has arrived after all.
                Ok(()) if away.is_done => {}
                Ok(()) => return Err("a host wrote after another had taken over".to_owned()),
                Err(Superseded) => {}
            }
        }
        let late = self.begin_step(&away.step).await.expect("the host lives");
        let host = &self.hosts[self.turn];
        self.turn = turn;
        if late.is_ok() {
            return Err("a host goes on writing after another has taken over".to_owned());
        }
        let noticed = host.does(async |process| {
            process.notices().await;
            process.give_up().await;
        });
        tokio::time::timeout(PATIENCE, noticed)
            .await
            .map_err(|_| "a host does not notice that it has lost its lease".to_owned())
    }
}

/// # Errors
/// When a step fails though nobody has taken over.
async fn done(pending: Pending) -> Result<(), String> {
    let done = pending.await.expect("the host lives");
    done.map_err(|Superseded| "a host that nobody has followed was superseded".to_owned())
}

/// Waits until a session waits for a lock, or `pending` is done. Returns whether it is.
async fn until_waiting_or(pool: &PgPool, pending: &mut Pending) -> Result<bool, String> {
    let waiting = until("the run waits for the table", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(pool)
        .await
        .unwrap();
        (waiting > 0).then_some(())
    });
    tokio::select! {
        () = waiting => Ok(false),
        done = pending => {
            let done = done.expect("the host lives");
            done.map(|()| true).map_err(|error| format!("{error:?} before any strike"))
        }
    }
}
