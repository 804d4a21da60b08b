//! The workers of a run over each customer's own collections: each takes the next customer, fetches
//! it, and hands its outcome on.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tracing::{Instrument as _, debug_span, warn};

use super::customers::Listed;
use super::report::{Halt, RunError};
use super::tally::Tally;
use super::writer::Sink;
use super::{
    Progress, Syncer, UNSTORED_OUTCOMES, customer_failure, interrupted, too_late, useless,
};
use crate::ledger::{Collection, Customer, CustomerOutcome, Dataset, Failure, Row};
use crate::partner_center::{ApiError, CustomerCollection as Answered, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// From so many rows on a collection counts as large.
const LARGE_COLLECTION: usize = 1_000;

/// How often the run looks whether the API is down while no customer comes to an end.
const LOOK: Duration = Duration::from_secs(1);

/// So many customers in a row that fail without an answer show that the API is down, where calls
/// are not retried.
const MANY_UNANSWERED: u64 = 100;

/// However shortly calls are retried: a few customers that fail at the beginning are not yet the
/// API.
const SHORTEST_OUTAGE: Duration = Duration::from_secs(3);

/// Customers that may be waiting for their next attempt while others are asked: a few that are slow
/// or throttled must not hold up the rest.
const WAITING_CUSTOMERS: usize = 256;

/// An outcome on its way to the writer, with the place that it still takes.
pub(super) type Fetched = (CustomerOutcome, Option<OwnedSemaphorePermit>);

/// What the workers of a run share.
pub(super) struct Walk {
    syncer: Arc<Syncer>,
    session: Arc<Session>,
    queue: Mutex<std::vec::IntoIter<Listed>>,
    /// Customers that a worker had taken, but not asked for when it stopped.
    unasked: Mutex<Vec<Customer>>,
    /// Why no call can be made for anybody.
    dead_end: OnceLock<Arc<ApiError>>,
    /// Why no further customer is begun.
    halted: OnceLock<Halt>,
    /// The program's stop, or the run's own.
    pub(super) shutdown: Shutdown,
}

impl Walk {
    pub(super) fn new(
        syncer: Arc<Syncer>,
        session: Arc<Session>,
        list: Vec<Listed>,
        shutdown: &Shutdown,
    ) -> Self {
        Self {
            syncer,
            session,
            queue: Mutex::new(list.into_iter()),
            unasked: Mutex::default(),
            dead_end: OnceLock::new(),
            halted: OnceLock::new(),
            shutdown: Shutdown {
                graceful: shutdown.graceful.child_token(),
                forced: shutdown.forced.child_token(),
            },
        }
    }

    /// Why no call can be made for anybody, if so.
    pub(super) fn dead_end(&self) -> Option<&Arc<ApiError>> {
        self.dead_end.get()
    }

    /// Why no further customer was begun, if so.
    pub(super) fn halted(&self) -> Option<&Halt> {
        self.halted.get()
    }

    /// The customers that nobody has asked for.
    pub(super) fn rest(&self) -> Vec<Listed> {
        let mut unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest: Vec<Listed> = unasked.drain(..).map(Listed::from).collect();
        rest.extend(&mut *queue);
        rest
    }

    fn next(&self) -> Option<Customer> {
        if self.shutdown.graceful.is_cancelled() || self.halted.get().is_some() {
            return None;
        }
        let is_silent = self
            .session
            .outage()
            .is_some_and(|outage| outage.since.elapsed() >= self.given_up() / 2);
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        // Those who failed the last time come first. When it matters whether anybody is answered at
        // all, it is the others who tell.
        let next = if is_silent {
            queue.next_back()
        } else {
            queue.next()
        };
        next.map(Customer::from)
    }

    /// Ends the run where nothing further can succeed: at once for the token's sake, else with the
    /// calls under way.
    pub(super) fn judge(&self, tally: &Tally) -> Result<(), RunError> {
        if let Some(refused) = tally.token_is_refused(false) {
            return Err(ApiError::from(refused).into());
        }
        if let Some(reason) = tally.all_are_refused().or_else(|| self.api_is_down(tally)) {
            self.halt(reason);
        }
        Ok(())
    }

    fn halt(&self, reason: Halt) {
        // The first reason is the one that is told.
        let _set = self.halted.set(reason);
        // Workers that wait for their turn, or for another attempt, wait no longer.
        self.shutdown.graceful.cancel();
    }

    /// Ends the run where calls take so long to fail that no customer would come to an end for
    /// hours. It takes longer than a customer's failure does, so that those who are still
    /// waiting for their first turn get it.
    async fn watch(&self) -> ! {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(silence) = self.silence()
                && silence >= self.given_up() * 4
                && !self.syncer.max_elapsed.is_zero()
            {
                let last = "calls are still being retried".to_owned();
                self.halt(Halt::ApiDown { silence, last });
            }
        }
    }

    /// A call gives up when its next wait would exceed its time, so somewhat before that.
    fn given_up(&self) -> Duration {
        self.syncer.max_elapsed.mul_f64(0.8).max(SHORTEST_OUTAGE)
    }

    /// How long nobody was answered, if that says that nobody will be: those who failed before may
    /// all be ones that always fail, so that somebody must have failed late who was asked for
    /// the first time. Where nobody is left to be asked, it takes twice as long.
    fn silence(&self) -> Option<Duration> {
        let outage = self.session.outage()?;
        let (silence, given_up) = (outage.since.elapsed(), self.given_up());
        let is_down = outage.newcomer >= outage.since + given_up || silence >= given_up * 2;
        is_down.then_some(silence)
    }

    /// A customer is given up after `retry.max_elapsed_time`. Where no call at all was answered for
    /// as long, the next customers would fare no better, and each would take as long.
    fn api_is_down(&self, tally: &Tally) -> Option<Halt> {
        let least = if self.syncer.max_elapsed.is_zero() {
            MANY_UNANSWERED
        } else {
            1
        };
        let silence = self.silence().filter(|_| tally.unanswered() >= least)?;
        Some(Halt::ApiDown {
            silence,
            last: tally
                .failures
                .last()
                .map_or_else(String::new, |failure| failure.detail.clone()),
        })
    }

    /// Where the API's silence ended the run, a call that was only waiting to be made again has
    /// failed for itself.
    fn own<R>(
        &self,
        fetched: Result<Answered<R>, RetryError<ApiError>>,
    ) -> Result<Answered<R>, RetryError<ApiError>> {
        match fetched {
            Err(RetryError::Stopped {
                attempts,
                last: Some(error),
            }) if self.halted.get().is_some() => Err(RetryError::Failed { error, attempts }),
            fetched => fetched,
        }
    }

    /// Works until the list is done, a stop is heard, or nobody takes outcomes any more.
    pub(super) async fn work(&self, outcomes: mpsc::Sender<Fetched>) {
        while let Some(customer) = self.next() {
            let span = debug_span!("sync.customer", customer.id = %customer.id);
            let Some(fetched) = self.fetch(customer).instrument(span).await else {
                return;
            };
            // Closed only when the writer has given up, and then the run is over.
            let _taken = outcomes.send(fetched).await;
        }
    }

    /// Fetches all that is asked for of a customer; none where no call can be made or nothing was
    /// sent before a stop.
    async fn fetch(&self, customer: Customer) -> Option<Fetched> {
        let (id, session) = (customer.id, &self.session);
        let mut answers = Answers::default();
        let (mut usage, mut deployment) = (Collection::default(), Collection::default());
        // Usage last: it is what a customer's outcome is about, and the larger one.
        for dataset in self.syncer.datasets.iter().rev() {
            // Kept while another place is waited for, it could be the last one.
            answers.permit = None;
            let over = match dataset {
                Dataset::Usage => {
                    let fetched = session.fetch_usage(id, &self.shutdown).await;
                    answers.take(*dataset, self.own(fetched), &mut usage)
                }
                Dataset::Deployment => {
                    let fetched = session.fetch_deployment(id, &self.shutdown).await;
                    answers.take(*dataset, self.own(fetched), &mut deployment)
                }
            };
            match over {
                Ok(()) => {}
                Err(Over::Stopped) => break,
                Err(Over::DeadEnd(end)) => {
                    // Everybody hears the same; the first to say it is enough.
                    let _first = self.dead_end.set(Arc::new(end));
                    self.shutdown.graceful.cancel();
                    return None;
                }
            }
        }
        // Never asked for: it has no outcome of its own.
        if answers.attempts == 0 && answers.failure.is_none() {
            let mut unasked = self.unasked.lock().unwrap_or_else(PoisonError::into_inner);
            unasked.push(customer);
            return None;
        }
        let outcome = CustomerOutcome {
            customer,
            usage,
            deployment,
            failure: answers.failure,
            http_status: answers.http_status,
            attempts: answers.attempts,
            finished_at: self.syncer.clock.now(),
        };
        // A large collection keeps its place among the requests in flight until it is stored: so
        // many of them, and no more, are in memory at a time.
        let permit = answers
            .permit
            .filter(|_| outcome.row_count() > LARGE_COLLECTION);
        Some((outcome, permit))
    }
}

impl Syncer {
    pub(super) async fn walk_customers(
        self: &Arc<Self>,
        list: Vec<Listed>,
        session: &Arc<Session>,
        sink: &mut Sink,
        tally: &mut Tally,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), RunError> {
        let workers = list.len().min(self.max_concurrency + WAITING_CUSTOMERS);
        let walk = Arc::new(Walk::new(
            Arc::clone(self),
            Arc::clone(session),
            list,
            shutdown,
        ));
        let (sender, receiver) = mpsc::channel(UNSTORED_OUTCOMES);
        for _ in 0..workers {
            let (walk, sender) = (Arc::clone(&walk), sender.clone());
            self.tasks
                .spawn(async move { walk.work(sender).await }.in_current_span());
        }
        drop(sender);
        // What was fetched is stored even after the last call to stop, but not for long. Only
        // waiting for the database ends with the first.
        let writing = Shutdown {
            graceful: walk.shutdown.graceful.clone(),
            ..Shutdown::default()
        };
        let judge = |tally: &Tally| walk.judge(tally);
        let drained = tokio::select! {
            drained = sink.drain(receiver, tally, progress, &writing, judge) => drained,
            () = too_late(shutdown) => Err(RunError::Stopped),
            never = walk.watch() => never,
        };
        let unreached = walk.rest();
        if let (Ok(()), Some(reason), 1..) = (&drained, walk.halted(), unreached.len()) {
            let why = reason.to_string();
            warn!(
                customers = unreached.len(),
                "{} customers were not reached",
                unreached.len()
            );
            // The run's own end is no reason not to wait for the database.
            let recording = Shutdown {
                graceful: shutdown.graceful.clone(),
                ..Shutdown::default()
            };
            let unreached = unreached.into_iter().map(Customer::from);
            sink.record_unreached(unreached, &why, tally, &recording)
                .await?;
        }
        // Where the writer ended early, nobody takes what the workers still fetch.
        walk.shutdown.graceful.cancel();
        walk.shutdown.forced.cancel();
        // Before the writer's word, which may only be that it was stopped for this reason.
        if let Some(end) = walk.dead_end() {
            return Err(RunError::Api(Arc::clone(end)));
        }
        match (drained, walk.halted()) {
            // Otherwise everybody was asked for all the same.
            (Ok(()), Some(reason)) if !tally.is_complete() => Err(reason.clone().into()),
            // The writer waited no longer for the database, because the run was over.
            (Err(RunError::Stopped), Some(reason)) if !shutdown.graceful.is_cancelled() => {
                Err(reason.clone().into())
            }
            (drained, _) => drained,
        }
    }
}

/// What the calls about one customer came to.
#[derive(Default)]
struct Answers {
    failure: Option<Failure>,
    http_status: Option<u16>,
    attempts: u32,
    permit: Option<OwnedSemaphorePermit>,
}

/// Nothing further is to be asked of the customer.
enum Over {
    Stopped,
    DeadEnd(ApiError),
}

impl Answers {
    /// Notes how one dataset fared. The last failure is the customer's; what does come is stored
    /// all the same.
    fn take<R: Row>(
        &mut self,
        dataset: Dataset,
        fetched: Result<Answered<R>, RetryError<ApiError>>,
        into: &mut Collection<R>,
    ) -> Result<(), Over> {
        match fetched {
            Ok(answered) => {
                self.attempts += answered.attempts;
                let useless = useless(dataset, &answered.collection);
                *into = answered.collection;
                self.permit = Some(answered.permit);
                if self.failure.is_none() || useless.is_some() {
                    self.http_status = Some(answered.http_status);
                }
                self.failure = useless.or(self.failure.take());
                Ok(())
            }
            Err(RetryError::Failed { error, attempts }) => {
                self.attempts += attempts;
                self.http_status = error.http_status();
                self.failure = Some(customer_failure(dataset, &error));
                Ok(())
            }
            Err(RetryError::Fatal(error)) => Err(Over::DeadEnd(error)),
            Err(RetryError::Stopped { attempts, .. }) => {
                self.attempts += attempts;
                if self.attempts > 0 {
                    self.http_status = None;
                    self.failure = Some(interrupted());
                }
                Err(Over::Stopped)
            }
        }
    }
}
