//! The daemon: waits for the database, catches up, and runs at every tick until it is stopped.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

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
use crate::status::{StatusInputs, serve};
use crate::store::{Reader, RunKind};
use crate::sync::{DatabaseRetry, Progress, Report, Request, RunError, Syncer};

use super::DATABASE_MAX_INTERVAL;
use super::consent_watch::{CHECK_INTERVAL, ConsentWatch};

/// How often the daemon checks whether Partner Center makes a run wait, to show that to the service
/// manager.
const PAUSE_INTERVAL: Duration = Duration::from_secs(1);

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
    // Before the wait for the database, which the service manager would take for a failed start.
    notify_ready("Waiting for the database");
    // Before that wait, too, so that a tick that comes meanwhile is not lost.
    let mut ticker = Ticker::new(schedule.clone(), Arc::clone(&clock));
    if let Some(address) = config.status.listen {
        let inputs = StatusInputs {
            reader: Reader::new(syncer.store.clone()),
            schedule,
            next_run: ticker.next_tick(),
            upgrade: syncer.upgrade.subscribe(),
            clock: Arc::clone(&clock),
            client: Arc::clone(&syncer.client),
            consent: ConsentFile::of(&config.auth),
            hosts: config.status.hosts.clone(),
        };
        lifecycle
            .tasks
            .spawn(serve(address, inputs, shutdown.graceful.clone()));
    }
    let mut has_ticked = false;
    let prepare = Box::pin(daemon.prepare(config.schedule.run_on_start, shutdown));
    let ended = match while_ticking(&mut ticker, prepare, |_| has_ticked = true).await {
        Ok(start) => {
            if let Some(finish) = start.last_finish {
                ticker.mark_done(finish);
            }
            if start.is_due {
                ticker.mark_done(clock.now());
            }
            let due = if start.is_due {
                Some(RunKind::Startup)
            } else {
                has_ticked.then_some(RunKind::Schedule)
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

/// Does `work`. Hands a tick that comes meanwhile to `on_tick`, and keeps watching the clock.
async fn while_ticking<T>(
    ticker: &mut Ticker,
    work: impl Future<Output = T>,
    mut on_tick: impl FnMut(DateTime<Utc>),
) -> T {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            tick = ticker.tick() => on_tick(tick),
        }
    }
}

/// What the daemon has found out before its first run.
struct Start {
    /// A run is due at once.
    is_due: bool,
    /// When the last run over the whole list ended, by the machine's clock at that time.
    last_finish: Option<DateTime<Utc>>,
}

struct Daemon {
    consent: ConsentWatch,
    syncer: Arc<Syncer>,
    schedule: Schedule,
    database_retry: DatabaseRetry,
}

impl Daemon {
    /// Waits for the database, signs in, and finds out whether a run is due at once.
    async fn prepare(&self, when: RunOnStart, shutdown: &Shutdown) -> Result<Start, RunError> {
        self.syncer
            .migrate(self.database_retry.at_start, shutdown)
            .await?;
        self.syncer
            .recover(self.database_retry.at_start, shutdown)
            .await?;
        // A dead token should show now, and not at the first tick, which may be a day away.
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
        // A ledger without a run has missed all ticks. A run that ended in the future was recorded
        // by a wrong clock, and must not keep the daemon idle until then.
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
                    // The clock was set. The ticker holds the sender, so that this never fails.
                    _ = next.changed() => self.say_when_next(&mut next),
                    () = tokio::time::sleep(CHECK_INTERVAL) => self.consent.warn_daily(),
                }
            }
            due = Some(RunKind::Schedule);
        }
    }

    /// Does one run. A tick that comes meanwhile is left out: the run under way fetches the same.
    async fn run(
        &self,
        kind: RunKind,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let request = Request::new(kind, self.database_retry);
        let (progress, _unwatched) = watch::channel(Progress::default());
        let run = Box::pin(self.syncer.run(&request, shutdown, &progress));
        let run = while_ticking(ticker, run, |tick| {
            warn!(%tick, "A tick came while a run was under way and is left out");
        });
        let ended = tokio::select! {
            ended = run => ended,
            never = self.notify_of_pauses() => match never {},
        };
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

    /// Tells the service manager that a run is under way, and while Partner Center makes it wait.
    async fn notify_of_pauses(&self) -> Infallible {
        let mut told = None;
        loop {
            let until = self.syncer.client.throttle().paused_until;
            let until = until.map(|until| self.schedule.in_zone(until));
            if told.as_ref() != Some(&until) {
                match &until {
                    None => notify_status("A run is under way"),
                    Some(until) => notify_status(&format!(
                        "A run is under way, paused by Partner Center until {until}"
                    )),
                }
                told = Some(until);
            }
            tokio::time::sleep(PAUSE_INTERVAL).await;
        }
    }

    /// Records the consent after a sign-in, unless the program is stopping.
    async fn record_consent(&self, shutdown: &Shutdown) {
        tokio::select! {
            biased;
            () = shutdown.graceful.cancelled() => {}
            () = self.consent.record() => {}
        }
    }

    /// Gives the error back if the next run may succeed.
    ///
    /// # Errors
    /// With the same error, if the program was stopped or a person has to act first: an operator
    /// notices a service that has ended, but not failures that only its log shows.
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
