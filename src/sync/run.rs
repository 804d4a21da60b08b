//! One run, from the run lease to the record of its end.

use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::watch;
use tracing::field::Empty;
use tracing::{Instrument as _, error, info, info_span, trace_span, warn};

use super::Syncer;
use super::batches::Recorder;
use super::customer_list::{self, RunCustomer};
use super::error::RunError;
use super::ledger::{self, Ledger, LedgerAccess};
use super::partner_wide::PartnerWide;
use super::per_customer::Workers;
use super::report::{Phase, Progress, Report, enter};
use super::request::{Mode, Request};
use super::tally::Tally;
use crate::causes::with_causes;
use crate::ledger::{Customer, CustomerId, Dataset, Source};
use crate::metrics::{Metrics, Part};
use crate::partner_center::{ApiError, Session};
use crate::shutdown::{Shutdown, waits};
use crate::span::counted;
use crate::store::{Lease, Loss, NewRun, PartnerListDiff, RunOutcome};

/// One run: what it is asked to do, its session with the API, where its outcomes go, and how it is
/// stopped.
struct Run<'a> {
    syncer: &'a Arc<Syncer>,
    request: Request,
    session: Arc<Session>,
    recorder: Recorder<'a>,
    shutdown: &'a Shutdown,
    started_at: DateTime<Utc>,
}

impl Syncer {
    /// Does one run and records it. A run that could not go on is a report too, with the reason in
    /// `fatal`.
    ///
    /// # Errors
    /// When the run could not even be recorded as begun, or the program was stopped before it
    /// began.
    pub async fn run(
        self: &Arc<Self>,
        request: &Request,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, RunError> {
        let mut run = Run {
            syncer: self,
            request: request.clone(),
            session: Arc::new(self.client.begin_session()),
            recorder: Recorder {
                ledger: None,
                tally: Tally::new(request.dated.map(|dated| dated.asked)),
                progress,
                clock: Arc::clone(&self.clock),
                metrics: self.metrics.clone(),
            },
            shutdown,
            started_at: self.clock.now(),
        };
        progress.send_modify(|progress| {
            *progress = Progress {
                dates: progress.dates,
                ..Progress::default()
            };
        });
        if request.mode == Mode::Store {
            run.begin().await.inspect_err(|error| {
                if !matches!(error, RunError::Stopped | RunError::TickDone(_)) {
                    self.metrics.error_stands(Part::Run);
                }
            })?;
        }
        let _counted = self.metrics.begin_run();
        let span = info_span!(
            "sync.run",
            run.id = run.id(),
            run.kind = request.kind.as_str(),
            run.outcome = Empty,
            customers.total = Empty,
            customers.failed = Empty,
            rows.received = Empty,
            rows.inserted = Empty,
            rows.updated = Empty,
            rows.rejected = Empty,
            otel.status_code = Empty,
        );
        let lease = run.recorder.ledger.as_ref().map(Ledger::lease);
        let reported = async {
            let ended = tokio::select! {
                ended = Box::pin(run.fetch_all()) => ended,
                () = last_moment(shutdown) => Err(RunError::Stopped),
                loss = lost(lease) => Err(RunError::Superseded(Box::new(loss))),
            };
            run.end(ended).await
        }
        .instrument(span.clone())
        .await?;
        reported.record_in(&span);
        Ok(reported)
    }
}

/// Completes [`waits::STORE_FETCHED`] after a forced stop. Until then, what was fetched is still
/// stored.
async fn last_moment(shutdown: &Shutdown) {
    shutdown.forced.cancelled().await;
    tokio::time::sleep(waits::STORE_FETCHED).await;
}

/// Completes when another process has taken over. What is still to be fetched, it fetches.
async fn lost(lease: Option<Arc<Lease>>) -> Loss {
    match lease {
        Some(lease) => ledger::lost(&lease).await,
        None => std::future::pending().await,
    }
}

impl Run<'_> {
    /// Takes the run lease and records that the run begins.
    async fn begin(&mut self) -> Result<(), RunError> {
        let syncer = self.syncer;
        let access = LedgerAccess {
            store: &syncer.store,
            keeper: &syncer.keeper,
            clock: &syncer.clock,
            retry: self.request.database_retry,
            shutdown: self.shutdown,
        };
        let run = NewRun {
            kind: self.request.kind,
            source: syncer.source.as_str(),
            only: self.request.only.clone(),
            dated: self.request.dated,
            resumes: self.request.resumes,
            tick: self.request.tick,
            started_at: self.started_at,
        };
        let ledger = access.begin(&run, self.recorder.progress).await?;
        // It may go on with a run that was cut off.
        self.request.resumes = ledger.resumes();
        self.recorder.ledger = Some(ledger);
        // It may have waited for another run.
        self.started_at = syncer.clock.now();
        Ok(())
    }

    /// None for a dry run.
    fn id(&self) -> Option<i64> {
        self.recorder.ledger.as_ref().map(Ledger::run_id)
    }

    /// Makes up the list, fetches the customers on it and stores them.
    async fn fetch_all(&mut self) -> Result<(), RunError> {
        let syncer = self.syncer;
        if let Some(ledger) = &mut self.recorder.ledger {
            ledger
                .admit_locale(&syncer.locale, syncer.allow_locale_change)
                .await?;
        }
        enter(self.recorder.progress, Phase::SigningIn);
        // A grant that is no longer valid fails here once, and not at each customer.
        self.session.sign_in(self.shutdown).await?;
        enter(self.recorder.progress, Phase::Listing);
        let list = self.list().instrument(trace_span!("sync.list")).await?;
        let list = Arc::new(list);
        self.fetch(Arc::clone(&list)).await?;
        self.recorder.record_lost(&list).await
    }

    /// The customers of the run, in the order in which they are due.
    async fn list(&mut self) -> Result<Vec<RunCustomer>, RunError> {
        let listed = self.partner_list().await?;
        let (settings, request) = (&self.syncer.customers, &self.request);
        let list = customer_list::resolve(settings, &request.only, request.kind, listed)?;
        let Some(ledger) = &mut self.recorder.ledger else {
            return Ok(list);
        };
        let ids: Vec<CustomerId> = list.iter().map(|customer| customer.id).collect();
        let due = ledger.load_due(&ids).await?;
        // The API may no longer have figures of a past date.
        let expects_usage =
            request.dated.is_none() && self.syncer.datasets.contains(&Dataset::Usage);
        Ok(customer_list::in_order(list, &due, expects_usage))
    }

    /// The partner's own list, if the run needs it. It is compared with the ledger each time that
    /// it is fetched.
    async fn partner_list(&mut self) -> Result<Option<Vec<Customer>>, RunError> {
        let known = &self.request.partner_list;
        if let Some(listed) = known.get() {
            return Ok(Some(listed.clone()));
        }
        if !self.syncer.customers.discover || !self.request.only.is_empty() {
            return Ok(None);
        }
        let listed = customer_list::discover(&self.session, self.shutdown).await?;
        // Stored for the passes that follow. In any other run it would be in memory twice.
        if self.request.dated.is_some() {
            known.get_or_init(|| listed.clone());
        }
        self.record_partner_list(&listed).await?;
        Ok(Some(listed))
    }

    async fn record_partner_list(&mut self, listed: &[Customer]) -> Result<(), RunError> {
        let Some(ledger) = &mut self.recorder.ledger else {
            return Ok(());
        };
        let excluded = &self.syncer.customers.exclude;
        match ledger.record_partner_list(listed, excluded).await? {
            PartnerListDiff::Changed { gone, returned } => {
                for id in gone {
                    warn!(
                        customer.id = %id,
                        "Customer {id} is no longer on the partner's list; its history is kept"
                    );
                }
                for id in returned {
                    info!(customer.id = %id, "Customer {id} is on the partner's list again");
                }
            }
            PartnerListDiff::Shrunk { known, left } => {
                let note = format!(
                    "the partner's list names only {left} of the {known} customers that it named \
                     before; this is taken for a fault of the list, so nobody was marked as gone. \
                     If they have really left: update customer set gone_since = now() where \
                     gone_since is null and listed_at < (select max(listed_at) from customer)"
                );
                error!(known, left, "The partner's list has shrunk: {note}");
                self.recorder.tally.notes.push(note);
            }
        }
        Ok(())
    }

    /// Fetches the customers of a list and stores them.
    async fn fetch(&mut self, list: Arc<Vec<RunCustomer>>) -> Result<(), RunError> {
        let total = list.len();
        self.recorder.begin(total as u64).await?;
        info!(
            customers = total,
            "Run begun: {}",
            counted(total as u64, "customer")
        );
        match self.syncer.source {
            Source::Customer => {
                let workers = Workers::new(self.syncer, &self.session, list, self.shutdown);
                workers.run(&mut self.recorder).await?;
            }
            Source::Commercial => {
                let partner_wide = PartnerWide {
                    syncer: self.syncer,
                    session: &self.session,
                    request: &self.request,
                    shutdown: self.shutdown,
                };
                Box::pin(partner_wide.run(list, &mut self.recorder)).await?;
            }
        }
        let tally = &self.recorder.tally;
        if !tally.is_complete() {
            return Err(RunError::Stopped);
        }
        tally
            .judge_end()
            .map_or(Ok(()), |error| Err(ApiError::from(error).into()))
    }

    /// Concludes the run: the report, in the log and in the record.
    async fn end(self, ended: Result<(), RunError>) -> Result<Report, RunError> {
        let Self {
            syncer,
            session,
            recorder,
            shutdown,
            ..
        } = self;
        let Recorder {
            ledger,
            mut tally,
            progress,
            ..
        } = recorder;
        enter(progress, Phase::Ending);
        let mut notes = tally.conclude(ended.is_err());
        notes.extend(session.clock_skew().map(|skew| skew.to_string()));
        for note in &notes {
            error!("{note}");
        }
        tally.notes.extend(notes);
        let run_id = ledger.as_ref().map(Ledger::run_id);
        let is_stopping = shutdown.graceful.is_cancelled();
        let report = Report {
            run_id,
            first_run_id: run_id,
            outcome: outcome(&tally, ended.as_ref().err(), is_stopping),
            started_at: self.started_at,
            // The clock may have been set back meanwhile.
            finished_at: syncer.clock.now().max(self.started_at),
            customers: tally.customers,
            rows: tally.rows,
            http: session.traffic(),
            ended_early: ended.is_err(),
            learned_rate: syncer.client.learned_rate(),
            rows_of_date: tally.rows_of_date,
            dates: None,
            notes: tally.notes,
            failures: tally.failures,
            fatal: ended
                .err()
                .filter(|error| !matches!(error, RunError::Stopped)),
        };
        report.log();
        count_end(&syncer.metrics, report.outcome);
        if let Some(ledger) = ledger {
            let next_date = self.request.dated.and_then(|dated| dated.next);
            record_end(ledger, &report, is_stopping, next_date).await?;
        }
        Ok(report)
    }
}

/// How a run ended; `error` is why it could not go on.
fn outcome(tally: &Tally, error: Option<&RunError>, is_stopping: bool) -> RunOutcome {
    match error {
        None => tally.outcome(),
        Some(RunError::Stopped) if is_stopping => RunOutcome::Interrupted,
        Some(RunError::Superseded(_) | RunError::Unrecorded) => RunOutcome::Interrupted,
        Some(RunError::EarlyEnd(_)) if tally.customers.succeeded > 0 => RunOutcome::Partial,
        Some(_) => RunOutcome::Failed,
    }
}

async fn record_end(
    ledger: Ledger,
    report: &Report,
    is_stopping: bool,
    next_date: Option<NaiveDate>,
) -> Result<(), RunError> {
    // It is another's to record.
    if let Some(RunError::Superseded(_) | RunError::Unrecorded) = report.fatal {
        return Ok(());
    }
    let record = report.to_record();
    // A database that was away for too long is not waited for as long again.
    let is_away = matches!(report.fatal, Some(RunError::Store(_)));
    let recorded = if is_stopping || is_away {
        ledger.finish_within(&record, waits::RECORD_END).await
    } else {
        ledger.finish(&record, next_date).await
    };
    match recorded {
        // The next start finds the run unfinished and marks it as interrupted.
        Err(RunError::Stopped) => {
            warn!("The end of the run could not be recorded");
            Ok(())
        }
        // The report already says why the run could not go on.
        Err(error) if report.fatal.is_some() => {
            let error = with_causes(&error);
            warn!(error, "The end of the run could not be recorded");
            Ok(())
        }
        recorded => recorded,
    }
}

fn count_end(metrics: &Metrics, outcome: RunOutcome) {
    metrics.count_run(outcome.as_str());
    match outcome {
        RunOutcome::Succeeded | RunOutcome::Partial => metrics.error_is_over(Part::Run),
        RunOutcome::Failed => metrics.error_stands(Part::Run),
        RunOutcome::Interrupted => {}
    }
}

#[cfg(test)]
mod tests;
