//! The daemon: waits for the database, catches up, and runs at every tick until it is stopped.

use std::pin::pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{Config, RunOnStart};
use crate::lifecycle::{Exit, Lifecycle, notify_ready, notify_status};
use crate::partner_center::ConsentFile;
use crate::retry::Remedy;
use crate::schedule::{Schedule, Ticker};
use crate::shutdown::Shutdown;
use crate::status::{Status, serve};
use crate::store::{Reader, RunKind};
use crate::sync::{DatabaseRetry, Progress, Report, Request, RunError, Syncer};

use super::DATABASE_MAX_INTERVAL;
use super::consent_watch::{CHECK_INTERVAL, ConsentWatch};

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let syncer = super::syncer(config, config.retry, Arc::clone(&clock), lifecycle)?;
    let schedule = config.schedule.schedule.clone();
    let shutdown = &lifecycle.shutdown;
    let forever = config
        .retry
        .with_max_interval(DATABASE_MAX_INTERVAL)
        .unbounded();
    let daemon = Daemon {
        consent: ConsentWatch::new(config, syncer.store.clone(), Arc::clone(&clock)),
        syncer: Arc::clone(&syncer),
        schedule: schedule.clone(),
        database_retry: DatabaseRetry {
            at_start: forever,
            in_run: forever,
        },
    };
    // Before the database, which may take its time: it is waited for, and that is no failed start.
    notify_ready("Waiting for the database");
    // Before the database too: a tick that comes while it is waited for is not lost.
    let mut ticker = Ticker::new(schedule.clone(), Arc::clone(&clock));
    if let Some(address) = config.status.listen {
        let status = Status {
            reader: Reader::new(syncer.store.clone()),
            schedule,
            next_run: ticker.next_tick(),
            clock: Arc::clone(&clock),
            consent: ConsentFile::of(&config.auth),
            hosts: config.status.hosts.clone(),
        };
        lifecycle
            .tasks
            .spawn(serve(address, status, shutdown.graceful.clone()));
    }
    let mut came = false;
    let prepare = Box::pin(daemon.prepare(config.schedule.run_on_start, shutdown));
    let ended = match while_ticking(&mut ticker, prepare, |_| came = true).await {
        Ok(start) => {
            if let Some(finish) = start.last_finish {
                ticker.take_as_had(finish);
            }
            if start.is_due {
                ticker.take_as_had(clock.now());
            }
            let due = if start.is_due {
                Some(RunKind::Startup)
            } else {
                came.then_some(RunKind::Schedule)
            };
            daemon.serve(due, &mut ticker, shutdown).await
        }
        Err(error) => Err(error),
    };
    ticker.stop().await;
    syncer.store.close().await;
    match ended {
        Ok(()) | Err(RunError::Stopped) => {
            info!("Stopped");
            Ok(Exit::Success)
        }
        Err(error) => Err(error.into()),
    }
}

/// Does `work`. A tick that comes meanwhile is told to `came`, and a clock that is set is noticed.
async fn while_ticking<T>(
    ticker: &mut Ticker,
    work: impl Future<Output = T>,
    mut came: impl FnMut(DateTime<Utc>),
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            tick = ticker.tick() => came(tick),
        }
    }
}

/// What the daemon knows once the database is there.
struct Start {
    /// Whether a run is due at once.
    is_due: bool,
    /// When the last run over the whole list ended, by the clock of that time.
    last_finish: Option<DateTime<Utc>>,
}

struct Daemon {
    consent: ConsentWatch,
    syncer: Arc<Syncer>,
    schedule: Schedule,
    database_retry: DatabaseRetry,
}

impl Daemon {
    /// Makes sure of the database and the sign-in, and finds out whether a run is due at once.
    async fn prepare(&self, when: RunOnStart, shutdown: &Shutdown) -> Result<Start, RunError> {
        self.syncer
            .migrate(self.database_retry.at_start, shutdown)
            .await?;
        self.syncer
            .recover(self.database_retry.at_start, shutdown)
            .await?;
        // A dead token shows now and not at the first tick, which may be a day away.
        if let Err(error) = self.syncer.client.begin_session().sign_in(shutdown).await {
            let error = Self::survivable(error.into())?;
            let error = with_causes(&error);
            error!(
                error,
                "Signing in failed and is tried again at the next run: {error}"
            );
        }
        self.syncer.client.reach(shutdown).await?;
        self.record_consent(shutdown).await;
        let now = self.syncer.clock.now();
        let last = self
            .syncer
            .last_finish(now, self.database_retry.at_start, shutdown)
            .await?;
        // A ledger without any run has missed all ticks. A run that ended in the future ended by a
        // clock that was wrong, and must not keep the daemon quiet until then.
        let missed = last
            .not_ahead
            .is_none_or(|last| self.schedule.ticks_between(last, now));
        Ok(Start {
            is_due: match when {
                RunOnStart::Always => true,
                RunOnStart::Never => false,
                RunOnStart::IfMissed => missed,
            },
            last_finish: last.newest,
        })
    }

    async fn serve(
        &self,
        mut due: Option<RunKind>,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let mut next = ticker.next_tick();
        loop {
            if let Some(kind) = due.take() {
                self.run(kind, ticker, shutdown).await?;
            }
            self.consent.warn_daily();
            self.say_when_next(&mut next);
            loop {
                tokio::select! {
                    biased;
                    () = shutdown.graceful.cancelled() => return Ok(()),
                    _ = ticker.tick() => break,
                    // The clock was set. The ticker holds the sender, so that there is one.
                    _ = next.changed() => self.say_when_next(&mut next),
                    () = tokio::time::sleep(CHECK_INTERVAL) => self.consent.warn_daily(),
                }
            }
            due = Some(RunKind::Schedule);
        }
    }

    /// One run. A tick that comes meanwhile is left out: the run under way fetches what it would
    /// fetch.
    async fn run(
        &self,
        kind: RunKind,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        notify_status("A run is under way");
        let request = Request::new(kind, self.database_retry);
        let (progress, _unwatched) = watch::channel(Progress::default());
        let run = Box::pin(self.syncer.run(&request, shutdown, &progress));
        let ended = while_ticking(ticker, run, |tick| {
            warn!(%tick, "A tick came while a run was under way and is left out");
        })
        .await;
        self.record_consent(shutdown).await;
        self.consent.warn();
        let failed = match ended {
            Ok(Report { fatal: None, .. }) => return Ok(()),
            Ok(Report {
                fatal: Some(error), ..
            })
            | Err(error) => Self::survivable(error)?,
        };
        let error = with_causes(&failed);
        error!(error, "The run could not go on: {error}");
        Ok(())
    }

    /// After a sign-in. A stop does not wait for it.
    async fn record_consent(&self, shutdown: &Shutdown) {
        tokio::select! {
            biased;
            () = shutdown.graceful.cancelled() => {}
            () = self.consent.record() => {}
        }
    }

    /// Gives the error back if the next run may fare better, and fails with it if a person has to
    /// act first: a service that has ended is noticed, one that fails every day in its log is
    /// not.
    fn survivable(error: RunError) -> Result<RunError, RunError> {
        match (&error, error.remedy()) {
            (RunError::Stopped, _) | (_, Remedy::Person | Remedy::Configuration) => Err(error),
            (_, Remedy::Time) => Ok(error),
        }
    }

    fn say_when_next(&self, next: &mut watch::Receiver<Option<DateTime<Utc>>>) {
        let next = *next.borrow_and_update();
        if let Some(next) = next {
            let next = self.schedule.in_zone(next);
            info!(next_run = next, "Waiting for the next run at {next}");
            notify_status(&format!("The next run is due at {next}"));
        } else {
            warn!("The schedule names no further run");
        }
    }
}
