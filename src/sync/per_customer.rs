//! The workers of a run over each customer's own collections: each takes the next customer, fetches
//! it, and hands its outcome on to be stored.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tracing::field::Empty;
use tracing::{Instrument as _, debug_span, warn};

use super::Syncer;
use super::batches::{FetchedCustomer, QUEUE_LENGTH, Recorder};
use super::customer_list::RunCustomer;
use super::early_end::{EarlyEnd, OutageLimit, RunVerdict, Silence};
use super::error::RunError;
use super::failures::{api_failure, interrupted_failure, no_row_failure};
use super::tally::Tally;
use crate::ledger::{Collection, Customer, CustomerOutcome, Dataset, Failure, Row};
use crate::partner_center::{ApiError, CustomerCollection, FailedFetch, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;
use crate::span::counted;

/// A collection with more rows than this is large: while it waits to be stored, it keeps its place
/// among the requests in flight, which bounds how many large collections are in memory.
const LARGE_COLLECTION: usize = 1_000;

/// How often a run checks whether the API is down. It must not rely on outcomes for this: while
/// calls take long to fail, no customer comes to an end.
const OUTAGE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Workers beyond the number of requests in flight: that many customers may wait for their next
/// attempt while others are fetched. Without them, a few throttled customers would hold up the
/// rest.
const WAITING_CUSTOMERS: usize = 256;

/// What the workers of a run share.
pub(super) struct Workers {
    syncer: Arc<Syncer>,
    session: Arc<Session>,
    limit: OutageLimit,
    list: Arc<Vec<RunCustomer>>,
    /// The positions in the list of the customers that no worker has taken yet.
    queue: Mutex<Range<usize>>,
    /// Customers that a worker had taken, but not asked for when it stopped.
    returned: Mutex<Vec<RunCustomer>>,
    /// Why no call can succeed any more.
    fatal: Mutex<Option<RunError>>,
    /// Why no further customer is begun.
    early_end: OnceLock<EarlyEnd>,
    /// The program's stop, or the run's own.
    shutdown: Shutdown,
}

impl Workers {
    pub(super) fn new(
        syncer: &Arc<Syncer>,
        session: &Arc<Session>,
        list: Arc<Vec<RunCustomer>>,
        shutdown: &Shutdown,
    ) -> Self {
        Self {
            syncer: Arc::clone(syncer),
            session: Arc::clone(session),
            limit: OutageLimit::new(syncer.max_elapsed),
            queue: Mutex::new(0..list.len()),
            list,
            returned: Mutex::default(),
            fatal: Mutex::default(),
            early_end: OnceLock::new(),
            shutdown: shutdown.child(),
        }
    }

    /// Fetches the customers and stores them. Ends when all are done, when no further one is begun,
    /// or when nothing can be stored any more.
    pub(super) async fn run(self, recorder: &mut Recorder<'_>) -> Result<(), RunError> {
        let this = Arc::new(self);
        // However this ends, nothing receives what the workers would still fetch.
        let _graceful = this.shutdown.graceful.clone().drop_guard();
        let _forced = this.shutdown.forced.clone().drop_guard();
        let outcomes = this.start();
        tokio::select! {
            stored = recorder.store_all(outcomes, |tally| this.judge(tally)) => stored?,
            never = this.watch_for_outage() => never,
        }
        if let Some(fatal) = lock(&this.fatal).take() {
            return Err(fatal);
        }
        let Some(early_end) = this.early_end.get() else {
            return Ok(());
        };
        let unreached = this.unreached();
        let count = unreached.len();
        if count > 0 {
            warn!(
                customers = count,
                "{} not reached",
                counted(count, "customer")
            );
            let unreached = unreached.into_iter().map(Customer::from);
            recorder
                .record_unreached(unreached, &early_end.to_string())
                .await?;
        }
        // If every customer came to an end, the last ones had been begun before the verdict.
        if recorder.tally.is_complete() {
            return Ok(());
        }
        Err(early_end.clone().into())
    }

    /// Starts the workers. Their outcomes come from the channel until all workers have ended.
    fn start(self: &Arc<Self>) -> mpsc::Receiver<FetchedCustomer> {
        let queued = lock(&self.queue).len();
        let workers = queued.min(self.syncer.max_concurrency + WAITING_CUSTOMERS);
        let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
        for _ in 0..workers {
            let (this, sender) = (Arc::clone(self), sender.clone());
            self.syncer
                .tasks
                .spawn(async move { this.work(sender).await }.in_current_span());
        }
        receiver
    }

    /// Works until the list is done, no further customer may begin, or outcomes are no longer
    /// taken.
    async fn work(&self, outcomes: mpsc::Sender<FetchedCustomer>) {
        while let Some(customer) = self.next() {
            let span = debug_span!(
                "sync.customer",
                customer.id = %customer.id,
                error.type = Empty,
                otel.status_code = Empty,
            );
            let fetched = self.fetch(customer).instrument(span.clone()).await;
            let Some(fetched) = fetched else {
                return;
            };
            if let Some(failure) = &fetched.outcome.failure {
                span.record("error.type", failure.reason.as_str());
                span.record("otel.status_code", "ERROR");
            }
            drop(span);
            // Fails only after the run has ended.
            let _sent = outcomes.send(fetched).await;
        }
    }

    fn next(&self) -> Option<RunCustomer> {
        if self.shutdown.graceful.is_cancelled() {
            return None;
        }
        let silence = self.silence();
        let mut queue = lock(&self.queue);
        // The list begins with the customers that failed in the last run. While the API may be
        // down, customers from its end come next, because their failures are evidence of it.
        let taken = if silence.is_some_and(|silence| self.limit.is_suspected(silence)) {
            queue.next_back()
        } else {
            queue.next()
        };
        taken.map(|at| self.list[at].clone())
    }

    /// The customers that were never asked for.
    fn unreached(&self) -> Vec<RunCustomer> {
        let mut unreached = std::mem::take(&mut *lock(&self.returned));
        let left = std::mem::take(&mut *lock(&self.queue));
        unreached.extend_from_slice(&self.list[left]);
        unreached
    }

    /// Acts on the verdict about the outcomes so far.
    fn judge(&self, tally: &Tally) -> Result<(), RunError> {
        match tally.judge(self.limit, self.silence()) {
            None => Ok(()),
            Some(RunVerdict::BeginNoMore(early_end)) => {
                self.begin_no_more(early_end);
                Ok(())
            }
            Some(RunVerdict::TokenRefused(error)) => Err(ApiError::from(error).into()),
        }
    }

    async fn watch_for_outage(&self) -> ! {
        loop {
            tokio::time::sleep(OUTAGE_CHECK_INTERVAL).await;
            let stalled = self
                .silence()
                .and_then(|silence| self.limit.stalled(silence));
            if let Some(early_end) = stalled {
                self.begin_no_more(early_end);
            }
        }
    }

    fn silence(&self) -> Option<Silence> {
        let outage = self.session.outage()?;
        Some(Silence::at(Instant::now(), &outage))
    }

    fn begin_no_more(&self, early_end: EarlyEnd) {
        // The first reason is reported.
        let _set = self.early_end.set(early_end);
        // Ends the waits of workers for their turn or for another attempt.
        self.shutdown.graceful.cancel();
    }

    /// Fetches all datasets of a customer. None if it was not asked for before a stop, or no call
    /// can succeed any more.
    async fn fetch(&self, customer: RunCustomer) -> Option<FetchedCustomer> {
        let id = customer.id;
        let mut calls = CustomerCalls::default();
        let (mut usage, mut deployment) = (Collection::default(), Collection::default());
        // Usage comes last: it decides about the customer's outcome, and is the larger one.
        for dataset in self.syncer.datasets.iter().rev() {
            // Each call takes a place in flight; keeping one while waiting for another could block
            // every worker.
            calls.permit = None;
            let added = match dataset {
                Dataset::Usage => {
                    let fetched = self.session.fetch_usage(id, &self.shutdown).await;
                    calls.add(*dataset, self.attribute_stop(fetched), &mut usage)
                }
                Dataset::Deployment => {
                    let fetched = self.session.fetch_deployment(id, &self.shutdown).await;
                    calls.add(*dataset, self.attribute_stop(fetched), &mut deployment)
                }
            };
            match added {
                Ok(()) => {}
                Err(RunError::Stopped) => break,
                Err(fatal) => {
                    // Every worker meets the same error; the first one reports it.
                    lock(&self.fatal).get_or_insert(fatal);
                    self.shutdown.graceful.cancel();
                    return None;
                }
            }
        }
        if calls.attempts == 0 && calls.failure.is_none() {
            lock(&self.returned).push(customer);
            return None;
        }
        let outcome = CustomerOutcome {
            customer: customer.into(),
            usage,
            deployment,
            failure: calls.failure,
            http_status: calls.http_status,
            attempts: calls.attempts,
            finished_at: self.syncer.clock.now(),
        };
        let permit = calls
            .permit
            .filter(|_| outcome.row_count() > LARGE_COLLECTION);
        Some(FetchedCustomer { outcome, permit })
    }

    /// A call that waited for its next attempt when the run ended early has failed by itself, and
    /// was not interrupted by a stop of the program.
    fn attribute_stop<R>(
        &self,
        fetched: Result<CustomerCollection<R>, FailedFetch>,
    ) -> Result<CustomerCollection<R>, FailedFetch> {
        fetched.map_err(|FailedFetch { end, call }| {
            let end = match end {
                RetryError::Stopped {
                    attempts,
                    last: Some(error),
                } if self.early_end.get().is_some() => RetryError::Failed { error, attempts },
                end => end,
            };
            FailedFetch { end, call }
        })
    }
}

/// What the calls about one customer came to.
#[derive(Default)]
struct CustomerCalls {
    failure: Option<Failure>,
    http_status: Option<u16>,
    attempts: u32,
    permit: Option<OwnedSemaphorePermit>,
}

impl CustomerCalls {
    /// Adds the result of one dataset. The last failure is the customer's; datasets that did come
    /// are stored all the same.
    ///
    /// # Errors
    /// When no further call should be made: after a stop, or because none can succeed.
    fn add<R: Row>(
        &mut self,
        dataset: Dataset,
        fetched: Result<CustomerCollection<R>, FailedFetch>,
        into: &mut Collection<R>,
    ) -> Result<(), RunError> {
        let (end, call) = match fetched {
            Ok(fetched) => {
                self.attempts += fetched.attempts;
                let no_row = no_row_failure(dataset, &fetched.collection, fetched.call);
                *into = fetched.collection;
                self.permit = Some(fetched.permit);
                if self.failure.is_none() || no_row.is_some() {
                    self.http_status = Some(fetched.http_status);
                }
                self.failure = no_row.or(self.failure.take());
                return Ok(());
            }
            Err(FailedFetch { end, call }) => (end, call),
        };
        match end {
            RetryError::Failed { error, attempts } => {
                self.attempts += attempts;
                self.http_status = error.http_status();
                self.failure = Some(api_failure(dataset, &error, call));
                Ok(())
            }
            RetryError::Fatal(error) => Err(error.into()),
            RetryError::Stopped { attempts, .. } => {
                self.attempts += attempts;
                if self.attempts > 0 {
                    self.http_status = None;
                    self.failure = Some(interrupted_failure());
                }
                Err(RunError::Stopped)
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
