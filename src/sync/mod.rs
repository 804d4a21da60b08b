//! One run: who, in what order, how many at once, and what happens on failure.
//! Many workers fetch, one writer stores. A customer's failure is its own; what would fail every
//! customer ends the run.

mod alike;
mod begin;
mod commercial;
mod customer_list;
mod customers;
mod dated;
mod end;
mod list;
mod locks;
mod patience;
mod report;
mod tally;
mod walk;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, error, info, info_span, warn};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::ledger::{Collection, Customer, CustomerId, Dataset, Failure, FailureReason, Source};
use crate::partner_center::{ApiError, Client, Session};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{
    DatedPass, LastFinish, RunKind, RunLock, Store, StoreError, conflicting_locale,
};
use end::{log_end, outcome};
use patience::insist;
use tally::Tally;
use writer::{Ledger, Sink};

pub use customers::CustomersError;
pub use dated::{Dates, DatesProgress};
pub use locks::tell_of_locks;
pub use patience::Patience;
pub use report::{CustomerCounts, FailedCustomer, Halt, Report, RunError};

/// Outcomes fetched and not yet stored.
const UNSTORED_OUTCOMES: usize = 256;

/// How long the end of a run that was stopped may take to record.
const LAST_WORD: Duration = Duration::from_secs(3);

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// How far the dated backfill is that the run belongs to.
    pub dates: Option<DatesProgress>,
    /// Customers on the list; none before it is known.
    pub total: u64,
    /// Customers recorded.
    pub done: u64,
    /// Those among them that failed.
    pub failed: u64,
    /// Whether the run has not begun because another is under way.
    pub waiting: bool,
}

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub kind: RunKind,
    /// Only these customers, instead of the configured ones; empty: all.
    pub only: Vec<CustomerId>,
    /// The partner's own list, once it was asked for: the passes of a dated backfill share it.
    pub listed: Arc<OnceLock<Vec<Customer>>>,
    /// The pass of a dated backfill that it is; none: the newest figures.
    pub dated: Option<DatedPass>,
    /// The unfinished run whose customers are not asked for again.
    pub resumes: Option<i64>,
    /// Whether anything is written.
    pub mode: Mode,
    /// How long a database that is away is waited for.
    pub patience: Patience,
}

/// Whether a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Into the ledger.
    Store,
    /// Nothing: fetch and judge only. Does not need the database.
    DryRun,
}

/// Everything that runs have in common.
pub struct Syncer {
    /// Speaks to Partner Center.
    pub client: Arc<Client>,
    /// Speaks to Postgres.
    pub store: Store,
    /// Who is fetched.
    pub customers: config::Customers,
    /// Which of the API's families is asked.
    pub source: Source,
    /// What is fetched, each once.
    pub datasets: Vec<Dataset>,
    /// What names are asked for in.
    pub locale: String,
    /// Whether the ledger may go on in another locale.
    pub allow_locale_change: bool,
    /// Requests in flight.
    pub max_concurrency: usize,
    /// For how long one customer's calls are tried again.
    pub max_elapsed: Duration,
    /// For the dates of the record.
    pub clock: Arc<dyn Clock>,
    /// Every worker is among them.
    pub tasks: TaskTracker,
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
        let mut sink = match request.mode {
            Mode::DryRun => Sink::Nowhere,
            Mode::Store => {
                let (lock, run_id) = self.begin(request, shutdown, progress).await?;
                Sink::Ledger(Box::new(Ledger::new(
                    self.store.clone(),
                    lock,
                    run_id,
                    request.patience.in_run,
                    Arc::clone(&self.clock),
                )))
            }
        };
        let run_id = match &sink {
            Sink::Ledger(ledger) => Some(ledger.run_id()),
            Sink::Nowhere => None,
        };
        let span = info_span!(
            "sync.run",
            run.id = run_id,
            run.kind = request.kind.as_str()
        );
        async {
            let started_at = self.clock.now();
            let session = Arc::new(self.client.begin_session());
            let mut tally = Tally::new(request.dated.map(|dated| dated.asked));
            let walked = self
                .walk(request, &session, &mut sink, &mut tally, shutdown, progress)
                .await;
            let told = [
                tally.common_cause(walked.is_err()),
                session.clock_skew().map(|skew| skew.to_string()),
                tally.usage_is_gone(),
                tally.collections_are_short(),
            ];
            for note in told.into_iter().flatten() {
                error!("{note}");
                tally.notes.push(note);
            }
            let report = Report {
                run_id,
                first_run_id: run_id,
                outcome: outcome(&tally, walked.as_ref().err(), shutdown),
                started_at,
                finished_at: self.clock.now(),
                customers: tally.customers,
                rows: tally.rows,
                http: session.traffic(),
                ended_early: walked.is_err(),
                learned_rate: self.client.learned_rate(),
                rows_of_date: tally.rows_of_date,
                dates: None,
                notes: tally.notes,
                failures: tally.failures,
                fatal: walked
                    .err()
                    .filter(|error| !matches!(error, RunError::Stopped)),
            };
            log_end(&report);
            if let Sink::Ledger(ledger) = sink {
                self.record_end(*ledger, &report, shutdown).await?;
            }
            Ok(report)
        }
        .instrument(span)
        .await
    }

    /// Brings the database's tables up to date.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn migrate(
        &self,
        patience: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        insist(&self.store, patience, shutdown, async || {
            self.store.migrate().await
        })
        .await
    }

    /// When runs over the whole list last ended by themselves.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn last_finish(
        &self,
        now: DateTime<Utc>,
        patience: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<LastFinish, RunError> {
        insist(&self.store, patience, shutdown, async || {
            self.store.load_last_finish(now).await
        })
        .await
    }

    /// Why no run would begin in a ledger whose names were asked for in the locale `known`.
    #[must_use]
    pub fn refuse_locale(&self, known: Option<String>) -> Option<RunError> {
        let known = conflicting_locale(known, &self.locale, self.allow_locale_change)?;
        Some(RunError::Locale {
            known,
            asked: self.locale.clone(),
        })
    }

    /// Who would be on the list of a run.
    ///
    /// # Errors
    /// When the list cannot be made up.
    pub async fn list_customers(
        &self,
        session: &Session,
        shutdown: &Shutdown,
    ) -> Result<Vec<Customer>, CustomersError> {
        let listed = if self.customers.discover {
            Some(customers::discover(session, shutdown).await?)
        } else {
            None
        };
        let list = customers::resolve(&self.customers, &[], RunKind::Backfill, listed)?;
        Ok(list.into_iter().map(Customer::from).collect())
    }

    /// Marks what a crash left behind, unless another process is running.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn recover(
        &self,
        patience: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        insist(&self.store, patience, shutdown, async || {
            let Some(mut lock) = self.store.try_lock_run().await? else {
                return Ok(());
            };
            self.mark_interrupted(&mut lock).await?;
            lock.release().await;
            Ok(())
        })
        .await
    }

    async fn mark_interrupted(&self, lock: &mut RunLock) -> Result<(), StoreError> {
        match lock.mark_interrupted(self.clock.now()).await? {
            0 => {}
            runs => warn!(runs, "Found a run that was cut off, marked as interrupted"),
        }
        Ok(())
    }

    async fn walk(
        self: &Arc<Self>,
        request: &Request,
        session: &Arc<Session>,
        sink: &mut Sink,
        tally: &mut Tally,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), RunError> {
        if let Sink::Ledger(ledger) = sink {
            ledger
                .admit_locale(&self.locale, self.allow_locale_change, shutdown)
                .await?;
        }
        // A dead grant must show before the first customer, and once, not customer by customer.
        session.sign_in(shutdown).await?;
        let list = self.list(request, session, sink, tally, shutdown).await?;
        let total = list.len();
        tally.customers.total = total as u64;
        progress.send_modify(|progress| {
            *progress = Progress {
                total: total as u64,
                dates: progress.dates,
                ..Progress::default()
            };
        });
        if let Sink::Ledger(ledger) = sink {
            ledger.record_total(tally.customers.total, shutdown).await?;
        }
        info!(customers = total, "Run begun: {total} customers");
        match self.source {
            Source::Customer => {
                self.walk_customers(list, session, sink, tally, shutdown, progress)
                    .await
            }
            Source::Commercial => {
                self.walk_commercial(list, request, session, sink, tally, shutdown, progress)
                    .await
            }
        }?;
        if !tally.is_complete() {
            return Err(RunError::Stopped);
        }
        tally
            .token_is_refused(true)
            .map_or(Ok(()), |error| Err(ApiError::from(error).into()))
    }
}

fn run_error(error: CustomersError) -> RunError {
    match error {
        CustomersError::Stopped => RunError::Stopped,
        CustomersError::Fatal(error) => RunError::Api(error),
        error => error.into(),
    }
}

fn customer_failure(dataset: Dataset, error: &ApiError) -> Failure {
    let detail = with_causes(error);
    Failure {
        reason: error.reason(),
        code: error.code().map(str::to_owned),
        detail: match dataset {
            Dataset::Usage => detail,
            Dataset::Deployment => format!("deployment: {detail}"),
        },
    }
}

/// A customer of whose items none became a row has not been fetched: a part is never a success, and
/// nothing even less.
fn useless<R>(dataset: Dataset, collection: &Collection<R>) -> Option<Failure> {
    let error = ApiError::Unexpected(collection.all_rejected()?);
    Some(customer_failure(dataset, &error))
}

fn interrupted() -> Failure {
    Failure {
        reason: FailureReason::Interrupted,
        code: None,
        detail: "the run was stopped while the customer was under way".to_owned(),
    }
}

/// Comes some time after the last call to stop.
async fn too_late(shutdown: &Shutdown) {
    shutdown.forced.cancelled().await;
    tokio::time::sleep(LAST_WORD).await;
}
