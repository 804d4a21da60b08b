//! `seatledger --backfill`: one run now, or one for each of several dates.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::MultiProgress;
use tokio::sync::watch;

use crate::causes::with_causes;
use crate::cli::Backfill;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::notify::Notifier;
use crate::printable::printable;
use crate::store::{RunKind, RunOutcome, Store};
use crate::sync::{DatabaseRetry, Dates, Mode, Progress, Report, Request, RunError, Syncer};

use super::consent_watch::ConsentWatch;
use super::run_status::tell_of_run;
use super::{START_RETRY, complain, database_retry_of_a_person, print, progress, say, syncer};

/// How long the summary waits for the customers' names. A database that does not answer must not
/// hold it up.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn run(
    arguments: &Backfill,
    config: &Config,
    clock: Arc<dyn Clock>,
    bars: MultiProgress,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let retry = config.retry.with_likely_permanent(START_RETRY);
    let syncer = syncer(config, retry, Arc::clone(&clock), lifecycle)?;
    let consent = ConsentWatch::new(config, &syncer);
    let database_retry = database_retry_of_a_person(config.retry);
    let mode = if arguments.dry_run {
        Mode::DryRun
    } else {
        Mode::Store
    };
    let host = &syncer.keeper.instance().host;
    // Whoever names customers watches, and their end says nothing of the others.
    let told =
        Some(&config.notify).filter(|_| mode == Mode::Store && arguments.customer.is_empty());
    let told = told.cloned().unwrap_or_default();
    let notifier = Notifier::new(&told, host, &clock, &lifecycle.tasks, &lifecycle.metrics);
    let (progress, watched) = watch::channel(Progress::default());
    let followed = watched.clone();
    let drawing = lifecycle.tasks.spawn(progress::draw(
        bars,
        watched,
        Arc::clone(&syncer.client),
        Arc::clone(&clock),
    ));
    let run = async {
        if mode == Mode::Store {
            syncer
                .migrate(database_retry.at_start, &lifecycle.shutdown)
                .await?;
        }
        let Some((request, dates)) = asked(arguments, &syncer, mode, database_retry).await? else {
            return Ok(None);
        };
        let report = match dates {
            Some(dates) => {
                let runs = syncer.run_dates(&request, dates, &lifecycle.shutdown, &progress);
                Box::pin(runs).await
            }
            None => Box::pin(syncer.run(&request, &lifecycle.shutdown, &progress)).await,
        };
        report.map(Some)
    };
    let telling = tell_of_run(
        &syncer.client,
        &config.schedule.schedule,
        RunKind::Backfill,
        followed.clone(),
    );
    let mut ran = tokio::select! {
        ran = Box::pin(run) => ran,
        never = telling => match never {},
        never = notifier.follow(RunKind::Backfill, followed) => match never {},
    };
    drop(progress);
    match &ran {
        Ok(Some(report)) => notifier.ended(RunKind::Backfill, report),
        Ok(None) => {}
        Err(error) => notifier.could_not_run(error),
    }
    // The bar must be gone before the summary is printed.
    let _drawn = drawing.await;
    if mode == Mode::Store && !lifecycle.shutdown.graceful.is_cancelled() {
        consent.record().await;
        let fatal = match &ran {
            Ok(report) => report.as_ref().and_then(|report| report.fatal.as_ref()),
            Err(error) => Some(error),
        };
        if let Some(fatal) = fatal {
            consent.record_refusal(fatal).await;
        }
    }
    consent.warn();
    if let Ok(Some(report)) = &mut ran {
        name_failures(report, &syncer.store).await;
    }
    syncer.store.close().await;
    let exit = summarise(ran, arguments, &*clock, lifecycle);
    notifier.finish(&lifecycle.shutdown).await;
    exit
}

/// Prints the summary, and what a person should know beside it.
fn summarise(
    ran: Result<Option<Report>, RunError>,
    arguments: &Backfill,
    clock: &dyn Clock,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    match ran {
        Ok(None) => {
            complain("there is nothing to resume: the last --backfill came to its end");
            if arguments.json {
                print_report(&Report::nothing(clock.now()), true)?;
            }
            Ok(Exit::Success)
        }
        Ok(Some(report)) => {
            print_report(&report, arguments.json)?;
            if let Some(fatal) = &report.fatal {
                complain(&with_causes(fatal));
            }
            Ok(exit_of(&report, lifecycle))
        }
        Err(error) => Err(error.into()),
    }
}

/// The run or the dates that the arguments ask for. None if there is nothing to resume.
async fn asked(
    arguments: &Backfill,
    syncer: &Syncer,
    mode: Mode,
    database_retry: DatabaseRetry,
) -> Result<Option<(Request, Option<Dates>)>, RunError> {
    let mut request = Request {
        only: arguments.customer.clone(),
        mode,
        ..Request::new(RunKind::Backfill, database_retry)
    };
    let mut dates = arguments.from.zip(arguments.to);
    if arguments.resume {
        let source = syncer.source.as_str();
        let Some(unfinished) = syncer.store.load_unfinished(source).await? else {
            return Ok(None);
        };
        request.only = unfinished.only;
        dates = unfinished.dates;
        // A date that was cut off is fetched again as a whole: it is one collection for all
        // customers.
        request.resumes = dates.is_none().then_some(unfinished.run_id);
    }
    let dates = dates.map(|(from, to)| Dates {
        from,
        to,
        force: arguments.force,
    });
    Ok(Some((request, dates)))
}

fn exit_of(report: &Report, lifecycle: &Lifecycle) -> Exit {
    match (report.outcome, lifecycle.stopped_by()) {
        (RunOutcome::Interrupted, Some(signal)) => signal,
        (outcome, _) => match (&report.fatal, outcome) {
            // It ran, and the customers that it did not reach are on record as failed.
            (Some(RunError::EarlyEnd(_)), _) => Exit::SomeFailed,
            (Some(fatal), _) => fatal.remedy().into(),
            (None, RunOutcome::Succeeded) => Exit::Success,
            (None, RunOutcome::Partial | RunOutcome::Failed | RunOutcome::Interrupted) => {
                Exit::SomeFailed
            }
        },
    }
}

fn print_report(report: &Report, json: bool) -> anyhow::Result<()> {
    if json {
        let summary = serde_json::to_string(report).context("the summary cannot be written")?;
        say(&summary)
    } else {
        print(&report.to_string())
    }
}

/// Adds the names of the customers that failed, if standard output is a terminal. Anything else may
/// be a log, which must not have names.
async fn name_failures(report: &mut Report, store: &Store) {
    if !io::stdout().is_terminal() {
        for failure in &mut report.failures {
            failure.customer_name = None;
        }
        return;
    }
    let shown = report.examples();
    let ids: Vec<_> = shown.iter().map(|failure| failure.customer_id).collect();
    if ids.is_empty() {
        return;
    }
    // Without names the summary is still of use.
    let known = tokio::time::timeout(NAMES_TIMEOUT, store.load_customer_names(&ids)).await;
    let known = known.map(Result::unwrap_or_default).unwrap_or_default();
    for failure in &mut report.failures {
        let listed = failure.customer_name.take();
        let name = listed.or_else(|| known.get(&failure.customer_id).cloned());
        failure.customer_name = name.map(|name| printable(&name));
    }
}
