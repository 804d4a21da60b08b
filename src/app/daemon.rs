//! The daemon: waits for the database, catches up, and runs at every tick until it is stopped.

use std::sync::Arc;

use tokio::sync::watch;
use tracing::{error, info, warn};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{Config, RunOnStart};
use crate::lifecycle::{Exit, Lifecycle, notify_ready, notify_status};
use crate::partner_center::ConsentFile;
use crate::retry::{Remedy, Stop};
use crate::schedule::{Schedule, Ticker};
use crate::status::{Status, serve};
use crate::store::RunKind;
use crate::sync::{Mode, Patience, Progress, Report, Request, RunError, Syncer};

use super::DATABASE_MAX_INTERVAL;
use super::consent::{ConsentWatch, LOOK_INTERVAL};

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let syncer = super::syncer(config, Arc::clone(&clock), lifecycle)?;
    let schedule = config.schedule.schedule.clone();
    let stop = &lifecycle.stop;
    let forever = config
        .retry
        .with_max_interval(DATABASE_MAX_INTERVAL)
        .unbounded();
    let daemon = Daemon {
        consent: ConsentWatch::new(config, syncer.store.clone(), Arc::clone(&clock)),
        syncer: Arc::clone(&syncer),
        schedule: schedule.clone(),
        patience: Patience {
            at_start: forever,
            in_run: forever,
        },
    };
    // Before the database, which may take its time: it is waited for, and that is no failed start.
    notify_ready("Waiting for the database");
    if let Some(address) = config.status.listen {
        let status = Status {
            store: syncer.store.clone(),
            schedule: schedule.clone(),
            clock: Arc::clone(&clock),
            consent: ConsentFile::of(&config.auth),
        };
        lifecycle
            .tasks
            .spawn(serve(address, status, stop.soon.clone()));
    }
    // Before the database too: a tick that comes while it is waited for is not lost.
    let mut ticker = Ticker::new(schedule, clock);
    let ended = match daemon.prepare(config.schedule.run_on_start, stop).await {
        Ok(due) => daemon.serve(due, &mut ticker, stop).await,
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

struct Daemon {
    consent: ConsentWatch,
    syncer: Arc<Syncer>,
    schedule: Schedule,
    patience: Patience,
}

impl Daemon {
    /// Makes sure of the database and the sign-in. Returns the run that is due at once, if there is one.
    async fn prepare(&self, when: RunOnStart, stop: &Stop) -> Result<Option<RunKind>, RunError> {
        self.syncer.migrate(self.patience.at_start, stop).await?;
        self.syncer.recover(self.patience.at_start, stop).await?;
        // A dead token shows now and not at the first tick, which may be a day away.
        if let Err(error) = self.syncer.client.sign_in(stop).await {
            let error = Self::survivable(error.into())?;
            let error = with_causes(&error);
            error!(
                error,
                "Signing in failed and is tried again at the next run: {error}"
            );
        }
        self.record_consent(stop).await;
        let due = match when {
            RunOnStart::Always => true,
            RunOnStart::Never => false,
            RunOnStart::IfMissed => self.missed_a_tick(stop).await?,
        };
        Ok(due.then_some(RunKind::Startup))
    }

    /// Whether a tick passed since the last finished run; a ledger without any run has missed all of them.
    async fn missed_a_tick(&self, stop: &Stop) -> Result<bool, RunError> {
        let last = self
            .syncer
            .last_finish(self.patience.at_start, stop)
            .await?;
        let now = self.syncer.clock.now();
        Ok(last.is_none_or(|last| self.schedule.ticks_between(last, now)))
    }

    async fn serve(
        &self,
        mut due: Option<RunKind>,
        ticker: &mut Ticker,
        stop: &Stop,
    ) -> Result<(), RunError> {
        loop {
            if let Some(kind) = due.take() {
                self.run(kind, ticker, stop).await?;
            }
            self.consent.warn_daily();
            self.say_when_next(ticker);
            let tick = loop {
                tokio::select! {
                    biased;
                    () = stop.soon.cancelled() => return Ok(()),
                    tick = ticker.tick() => break tick,
                    () = tokio::time::sleep(LOOK_INTERVAL) => self.consent.warn_daily(),
                }
            };
            match tick {
                Ok(_) => due = Some(RunKind::Schedule),
                Err(error) => error!(%error, "The next tick could not be set"),
            }
        }
    }

    /// One run. A tick that comes meanwhile is left out: the run under way fetches what it would fetch.
    async fn run(&self, kind: RunKind, ticker: &mut Ticker, stop: &Stop) -> Result<(), RunError> {
        notify_status("A run is under way");
        let request = Request {
            kind,
            only: Vec::new(),
            listed: Arc::default(),
            dated: None,
            resumes: None,
            mode: Mode::Store,
            patience: self.patience,
        };
        let (progress, _unwatched) = watch::channel(Progress::default());
        let mut run = Box::pin(self.syncer.run(&request, stop, &progress));
        let ended = loop {
            tokio::select! {
                ended = &mut run => break ended,
                tick = ticker.tick() => match tick {
                    Ok(tick) => warn!(%tick, "A tick came while a run was under way and is left out"),
                    Err(error) => error!(%error, "The next tick could not be set"),
                },
            }
        };
        self.record_consent(stop).await;
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
    async fn record_consent(&self, stop: &Stop) {
        tokio::select! {
            biased;
            () = stop.soon.cancelled() => {}
            () = self.consent.record() => {}
        }
    }

    /// Gives the error back if the next run may fare better, and fails with it if a person has to act first:
    /// a service that has ended is noticed, one that fails every day in its log is not.
    fn survivable(error: RunError) -> Result<RunError, RunError> {
        match (&error, error.remedy()) {
            (RunError::Stopped, _) | (_, Remedy::Person | Remedy::Configuration) => Err(error),
            (_, Remedy::Time) => Ok(error),
        }
    }

    fn say_when_next(&self, ticker: &Ticker) {
        if let Some(next) = ticker.next_tick() {
            let next = self.schedule.in_zone(next);
            info!(next_run = next, "Waiting for the next run at {next}");
            notify_status(&format!("The next run is due at {next}"));
        } else {
            warn!("The schedule names no further run");
        }
    }
}
