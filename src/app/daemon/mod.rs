//! The daemon: waits for the database, and while it leads catches up and runs at every tick, until
//! it is stopped. Of several daemons on one ledger one leads, and the others stand by.

mod due;
mod reload;
mod standby;
mod start;
mod status_address;

use std::pin::pin;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{Config, RunOnStart, Sources};
use crate::lifecycle::{Exit, Lifecycle, notify_ended, notify_status};
use crate::notify::Notifier;
use crate::partner_center::ConsentFile;
use crate::retry::Remedy;
use crate::schedule::{Schedule, Ticker};
use crate::shutdown::Shutdown;
use crate::status::{Leader, StatusParts};
use crate::store::{Downloads, Instance, LeaseTimes, PageReader};
use crate::sync::{DatabaseRetry, Progress, Report, Request, RunError, Syncer};

use super::DATABASE_MAX_INTERVAL;
use super::consent_watch::{CHECK_INTERVAL, ConsentWatch};
use super::run_status::tell_of_run;
use due::{Due, Outset};
use reload::Reloads;
use standby::Lead;
use status_address::StatusAddress;

/// What lasts over reloads of the configuration.
struct Lasting<'a> {
    lifecycle: &'a Lifecycle,
    reloads: Reloads,
    status: StatusAddress<'a>,
    /// Since when a daemon with another configuration has watched the ticks; none at the start.
    watched_since: Option<DateTime<Utc>>,
}

pub(super) async fn run(
    config: Config,
    sources: &Sources,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let host = Instance::of_process().host;
    let mut lasting = Lasting {
        lifecycle,
        reloads: Reloads::new(sources, &config.log, &clock)
            .context("signals cannot be listened to")?,
        status: StatusAddress::new(lifecycle, Arc::clone(&clock), host),
        watched_since: None,
    };
    let mut config = config;
    loop {
        let began = clock.now();
        let serving = serve_with(&config, Arc::clone(&clock), &mut lasting);
        match Box::pin(serving).await? {
            Some(next) => config = next,
            None => return Ok(Exit::Success),
        }
        // A reload is no start, and loses no tick.
        lasting.watched_since.get_or_insert(began);
    }
}

/// Serves with one configuration, and returns the one to go on with; none after a stop.
async fn serve_with(
    config: &Config,
    clock: Arc<dyn Clock>,
    lasting: &mut Lasting<'_>,
) -> anyhow::Result<Option<Config>> {
    let lifecycle = lasting.lifecycle;
    let syncer = super::syncer(config, config.retry, Arc::clone(&clock), lifecycle)?;
    let schedule = config.schedule.schedule.clone();
    let shutdown = &lifecycle.shutdown.child();
    let forever = config
        .retry
        .with_max_interval(DATABASE_MAX_INTERVAL)
        .unbounded();
    let host = &syncer.keeper.instance().host;
    let daemon = Daemon {
        notifier: Notifier::new(
            &config.notify,
            host,
            &clock,
            &lifecycle.tasks,
            &lifecycle.metrics,
        ),
        consent: ConsentWatch::new(config, &syncer),
        syncer: Arc::clone(&syncer),
        schedule: schedule.clone(),
        run_on_start: config.schedule.run_on_start,
        database_retry: DatabaseRetry {
            at_start: forever,
            in_run: forever,
        },
        leader: lasting.status.leader.clone(),
        progress: lasting.status.progress.clone(),
        is_running: watch::Sender::new(false),
    };
    // Before the wait for the database, so that a tick that comes meanwhile is not lost.
    let mut ticker = Ticker::new(schedule.clone(), Arc::clone(&clock));
    let parts = StatusParts {
        store: syncer.store.clone(),
        reader: PageReader::new(syncer.store.clone()),
        downloads: Downloads::new(syncer.store.clone()),
        schedule,
        next_run: ticker.next_tick(),
        upgrade: syncer.upgrade.subscribe(),
        client: Arc::clone(&syncer.client),
        consent: ConsentFile::of(&config.auth),
        path_prefix: config.status.path_prefix.clone(),
        has_pages: config.status.has_pages,
        hosts: config.status.hosts.clone(),
    };
    lasting.status.serve(config.status.listen, parts);
    let mut next = None;
    let ended = {
        let mut serving = pin!(daemon.serve(lasting.watched_since, &mut ticker, shutdown));
        tokio::select! {
            // A run that ends because of a stop lets no new configuration in.
            biased;
            ended = &mut serving => ended,
            config = lasting.reloads.next(daemon.is_running.subscribe()) => {
                next = Some(config);
                shutdown.graceful.cancel();
                serving.await
            }
        }
    };
    ticker.stop().await;
    if let Err(error) = &ended {
        daemon.notifier.could_not_run(error);
        daemon.consent.record_refusal(error).await;
    }
    daemon.notifier.finish(shutdown).await;
    syncer.store.close().await;
    match ended {
        Ok(()) | Err(RunError::Stopped) => {
            let next = next.filter(|_| !lifecycle.shutdown.graceful.is_cancelled());
            if next.is_none() {
                info!("Stopped");
                notify_ended("Stopped");
            }
            Ok(next)
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

/// Waits for the renewal that tells whether with the right to write the lead is lost, too.
async fn still_leads(lost: &CancellationToken, shutdown: &Shutdown) -> Result<bool, RunError> {
    let renewal = tokio::time::timeout(LeaseTimes::default().lasts, lost.cancelled());
    let renewal = shutdown.unless_graceful(renewal).await;
    Ok(renewal.map_err(|_| RunError::Stopped)?.is_err())
}

struct Daemon {
    notifier: Notifier,
    consent: ConsentWatch,
    syncer: Arc<Syncer>,
    schedule: Schedule,
    run_on_start: RunOnStart,
    database_retry: DatabaseRetry,
    /// The daemon that does the ticks, as it was last seen.
    leader: watch::Sender<Option<Leader>>,
    /// How far the run under way is; none between runs.
    progress: watch::Sender<Option<watch::Receiver<Progress>>>,
    is_running: watch::Sender<bool>,
}

impl Daemon {
    /// The name of this host.
    fn host(&self) -> &str {
        &self.syncer.keeper.instance().host
    }

    /// Leads and stands by in turn, until the program is stopped or a person has to act.
    /// `watched_since` is since when a daemon with another configuration has done so.
    async fn serve(
        &self,
        watched_since: Option<DateTime<Utc>>,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let mut outset = Outset {
            run_on_start: self.run_on_start,
            is_start: watched_since.is_none(),
            watched_since: watched_since.unwrap_or_else(|| self.syncer.clock.now()),
        };
        self.start(ticker, shutdown).await?;
        loop {
            let Lead { lease, other_since } = self.stand_by(ticker, shutdown).await?;
            if let Some(since) = other_since {
                outset.is_start = false;
                outset.watched_since = outset.watched_since.min(since);
            }
            let led = Box::pin(self.lead(outset, lease.lost(), ticker, shutdown)).await;
            if let Err(error) = led {
                // Otherwise another daemon would have to wait until the lease expires.
                lease.resign().await;
                return Err(error);
            }
            // Another daemon leads.
            outset.is_start = false;
        }
    }

    /// Catches up, and then runs at every tick, until the lease is `lost`.
    ///
    /// # Errors
    /// When the program was asked to stop, or a person has to act first.
    async fn lead(
        &self,
        outset: Outset,
        lost: &CancellationToken,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let mut due = tokio::select! {
            biased;
            () = lost.cancelled() => return Ok(()),
            due = Box::pin(self.catch_up(outset, ticker, shutdown)) => due?,
        };
        let mut next = ticker.next_tick();
        loop {
            if let Some(run) = due.take() {
                self.is_running.send_replace(true);
                due = self.run(run, ticker, shutdown).await?;
                self.is_running.send_replace(false);
                if due.is_some() && still_leads(lost, shutdown).await? {
                    continue;
                }
            }
            self.consent.warn_daily();
            if !lost.is_cancelled() && !shutdown.graceful.is_cancelled() {
                self.say_when_next(&mut next);
            }
            due = loop {
                tokio::select! {
                    biased;
                    () = shutdown.graceful.cancelled() => return Err(RunError::Stopped),
                    () = lost.cancelled() => return Ok(()),
                    tick = ticker.tick() => break Some(Due::at(tick)),
                    // The clock was set. The ticker holds the sender, so that this never fails.
                    _ = next.changed() => self.say_when_next(&mut next),
                    () = shutdown.pulse.sleep(CHECK_INTERVAL) => self.consent.warn_daily(),
                }
            };
        }
    }

    /// Closes the records of runs that were cut off, and finds out which run is due at once.
    async fn catch_up(
        &self,
        outset: Outset,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<Option<Due>, RunError> {
        let retry = self.database_retry.at_start;
        let mut came = None;
        let asking = Box::pin(async {
            self.syncer.recover(retry, shutdown).await?;
            let now = self.syncer.clock.now();
            let last = self.syncer.last_finish(now, retry, shutdown).await?;
            // A run that ended in the future was recorded by a wrong clock, and must not keep the
            // daemon idle until then.
            let due = outset.due(&self.schedule, now, last.not_ahead);
            Ok::<_, RunError>((due, last.newest))
        });
        let (due, last_finish) = while_ticking(ticker, asking, |tick| came = Some(tick)).await?;
        if let Some(finish) = last_finish {
            ticker.mark_done(finish);
        }
        if due.is_some() {
            ticker.mark_done(self.syncer.clock.now());
        }
        Ok(due.or(came.map(Due::at)))
    }

    /// Does one run. A tick that comes meanwhile is left out: the run under way fetches the same.
    /// Returns what is due then: the same run if another took the ledger from it, as a `--backfill`
    /// may while this machine stands still; and if another did the run, a tick that came meanwhile.
    async fn run(
        &self,
        due: Due,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<Option<Due>, RunError> {
        let request = Request {
            tick: due.tick,
            ..Request::new(due.kind, self.database_retry)
        };
        let (progress, watched) = watch::channel(Progress::default());
        self.progress.send_replace(Some(watched.clone()));
        let run = Box::pin(self.syncer.run(&request, shutdown, &progress));
        let mut came = None;
        let run = while_ticking(ticker, run, |tick| {
            warn!(%tick, "A tick came while a run was under way and is left out");
            came = Some(tick);
        });
        let client = &self.syncer.client;
        let telling = tell_of_run(client, &self.schedule, due.kind, watched.clone());
        let ended = tokio::select! {
            ended = run => ended,
            never = telling => match never {},
            never = self.notifier.follow(due.kind, watched) => match never {},
        };
        self.progress.send_replace(None);
        if let Ok(report) = &ended {
            self.notifier.ended(due.kind, report);
        }
        self.record_consent(shutdown).await;
        self.consent.warn();
        let failed = match ended {
            Ok(Report { fatal: None, .. }) => return Ok(None),
            Err(RunError::TickDone(done)) => {
                info!("Nothing to do for this tick: {done}");
                return Ok(came.map(Due::at));
            }
            Ok(Report {
                fatal: Some(error), ..
            }) => Self::survivable(error)?,
            Err(error) => {
                let error = Self::survivable(error)?;
                self.notifier.could_not_run(&error);
                error
            }
        };
        let error = with_causes(&failed);
        error!(error, "The run could not go on: {error}");
        Ok(matches!(failed, RunError::Superseded(_)).then_some(due))
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
