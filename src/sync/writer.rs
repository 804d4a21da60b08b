//! The one place from which a run writes. Outcomes that are ready together share a transaction; a batch that
//! Postgres refuses is taken apart, so that one customer does not take others with it; a database that is away
//! is waited for.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{error, info};

use super::Progress;
use super::patience::insist;
use super::report::{CustomerCounts, FailedCustomer, RunError};
use super::walk::Fetched;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::partner_center::AuthError;
use crate::retry::{RetryPolicy, Stop};
use crate::store::{FinishedRun, RunLock, Store, StoreError};
use crate::usage::{CustomerId, CustomerOutcome, Failure, FailureReason, RowCounts};

/// A transaction holds no more customers than this, or rows than the next.
const BATCH_CUSTOMERS: usize = 64;
const BATCH_ROWS: usize = 5_000;

/// So many customers in a row refused with 401, none let through, mean that the token is refused and not the customers.
const HOPELESS_REFUSALS: u64 = 100;

/// What a run has recorded so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) customers: CustomerCounts,
    pub(super) rows: RowCounts,
    pub(super) failures: Vec<FailedCustomer>,
    refusals: u64,
    interrupted: u64,
}

impl Tally {
    /// Whether every customer on the list came to an end of its own.
    pub(super) fn is_complete(&self) -> bool {
        self.interrupted == 0
            && self.customers.succeeded + self.customers.failed == self.customers.total
    }

    fn add(&mut self, outcome: &CustomerOutcome, rows: RowCounts) {
        self.rows += rows;
        let refused = match &outcome.result {
            Ok(_) => {
                self.customers.succeeded += 1;
                false
            }
            Err(failure) => {
                error!(
                    customer.id = %outcome.customer.id,
                    reason = failure.reason.as_str(),
                    http.status = outcome.http_status,
                    attempts = outcome.attempts,
                    error = failure.detail,
                    "Customer {} failed: {}",
                    outcome.customer.id,
                    failure.reason.as_str()
                );
                self.customers.failed += 1;
                if failure.reason == FailureReason::Interrupted {
                    self.interrupted += 1;
                }
                self.failures.push(FailedCustomer {
                    customer_id: outcome.customer.id,
                    reason: failure.reason,
                    detail: failure.detail.clone(),
                });
                failure.reason == FailureReason::Unauthorized
            }
        };
        self.refusals = if refused { self.refusals + 1 } else { 0 };
    }

    /// Whether every customer so far, or many at a stretch, were refused for the token's sake.
    pub(super) fn token_is_refused(&self, at_the_end: bool) -> Option<AuthError> {
        let all = self.customers.failed + self.customers.succeeded;
        let refused =
            self.refusals >= HOPELESS_REFUSALS || (at_the_end && self.refusals == all && all > 0);
        refused.then(|| AuthError::TokenRefused {
            fault: self
                .failures
                .last()
                .map_or_else(String::new, |failure| failure.detail.clone()),
        })
    }
}

/// Where outcomes go.
pub(super) enum Sink {
    /// Into the ledger.
    Ledger(Box<Ledger>),
    /// Nowhere: a dry run.
    Nowhere,
}

/// The ledger, as one run writes to it.
pub(super) struct Ledger {
    store: Store,
    /// None after the connection broke, until it is taken again.
    lock: Option<RunLock>,
    run_id: i64,
    /// How long a database that is away is waited for.
    patience: RetryPolicy,
    clock: Arc<dyn Clock>,
}

impl Ledger {
    pub(super) fn new(
        store: Store,
        lock: RunLock,
        run_id: i64,
        patience: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            lock: Some(lock),
            run_id,
            patience,
            clock,
        }
    }

    pub(super) fn run_id(&self) -> i64 {
        self.run_id
    }

    /// Does `work` under the run lock, again and again while the database is away. `fresh` says whether the
    /// connection is another one than that of the attempt before.
    async fn persist<T>(
        &mut self,
        stop: &Stop,
        mut work: impl AsyncFnMut(&mut RunLock, bool) -> Result<T, StoreError>,
    ) -> Result<T, RunError> {
        let done = insist(self.patience, stop, async || {
            // Taken out, so that a connection that fails or is dropped in mid-transaction is not used again.
            let (mut lock, fresh) = match self.lock.take() {
                Some(lock) => (lock, false),
                None => (self.retake().await?, true),
            };
            if fresh && !lock.is_running(self.run_id).await? {
                lock.release().await;
                return Ok(None);
            }
            let done = work(&mut lock, fresh).await;
            if matches!(done, Ok(_) | Err(StoreError::Refused { .. })) {
                self.lock = Some(lock);
            }
            done.map(Some)
        })
        .await?;
        done.ok_or(RunError::Superseded)
    }

    async fn retake(&self) -> Result<RunLock, StoreError> {
        // Our own lost connection may hold the lock until Postgres notices; another process until its run ends.
        self.store
            .try_lock_run()
            .await?
            .ok_or(StoreError::TimedOut {
                operation: "taking the run lock again",
            })
    }

    /// Stores a batch whole, or says why it is refused.
    async fn record(
        &mut self,
        outcomes: &[CustomerOutcome],
        stop: &Stop,
    ) -> Result<Vec<RowCounts>, RunError> {
        let (run_id, clock) = (self.run_id, Arc::clone(&self.clock));
        self.persist(stop, async |lock, fresh| {
            let recorded = if fresh {
                let ids: Vec<CustomerId> = outcomes.iter().map(|o| o.customer.id).collect();
                lock.load_recorded(run_id, &ids).await?
            } else {
                HashMap::new()
            };
            // A batch is committed whole, so that either all of it is there or nothing.
            let known: Option<Vec<RowCounts>> = outcomes
                .iter()
                .map(|outcome| recorded.get(&outcome.customer.id).copied())
                .collect();
            match known {
                Some(counts) => Ok(counts),
                None => lock.record(run_id, outcomes, clock.now()).await,
            }
        })
        .await
    }

    /// Records how many customers are on the list.
    pub(super) async fn record_total(&mut self, total: u64, stop: &Stop) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.persist(stop, async |lock, _| lock.record_total(run_id, total).await)
            .await
    }

    /// Records the end of the run and gives the lock back.
    pub(super) async fn finish(mut self, end: &FinishedRun, stop: &Stop) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.persist(stop, async |lock, _| lock.finish_run(run_id, end).await)
            .await?;
        if let Some(lock) = self.lock.take() {
            lock.release().await;
        }
        Ok(())
    }
}

impl Sink {
    /// Takes outcomes until there are no more, and returns what was recorded. Ends early, with the reason, when
    /// nothing further can be recorded or nothing further can succeed.
    pub(super) async fn drain(
        &mut self,
        mut outcomes: mpsc::Receiver<Fetched>,
        tally: &mut Tally,
        progress: &watch::Sender<Progress>,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let mut waiting = None;
        loop {
            let Some((first, permit)) = (match waiting.take() {
                Some(fetched) => Some(fetched),
                None => outcomes.recv().await,
            }) else {
                return Ok(());
            };
            let mut rows = first.row_count();
            let mut batch = vec![first];
            let mut permits = vec![permit];
            while batch.len() < BATCH_CUSTOMERS
                && let Ok((next, permit)) = outcomes.try_recv()
            {
                rows += next.row_count();
                if rows > BATCH_ROWS {
                    waiting = Some((next, permit));
                    break;
                }
                batch.push(next);
                permits.push(permit);
            }
            self.write(batch, tally, stop).await?;
            drop(permits);
            progress.send_modify(|progress| {
                progress.done = tally.customers.succeeded + tally.customers.failed;
                progress.failed = tally.customers.failed;
            });
            if let Some(refused) = tally.token_is_refused(false) {
                return Err(refused.into());
            }
        }
    }

    async fn write(
        &mut self,
        batch: Vec<CustomerOutcome>,
        tally: &mut Tally,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let ledger = match self {
            Self::Ledger(ledger) => ledger,
            Self::Nowhere => {
                for outcome in &batch {
                    tally.add(outcome, unstored_counts(outcome));
                }
                return Ok(());
            }
        };
        match ledger.record(&batch, stop).await {
            Ok(counts) => {
                for (outcome, counts) in batch.iter().zip(counts) {
                    tally.add(outcome, counts);
                }
                return Ok(());
            }
            Err(RunError::Store(error @ StoreError::Refused { .. })) => {
                info!(
                    customers = batch.len(),
                    error = with_causes(&error),
                    "A batch was refused, its customers are stored one by one"
                );
            }
            Err(error) => return Err(error),
        }
        for outcome in batch {
            let outcome = match ledger.record(std::slice::from_ref(&outcome), stop).await {
                Ok(counts) => {
                    for counts in counts {
                        tally.add(&outcome, counts);
                    }
                    continue;
                }
                Err(RunError::Store(error @ StoreError::Refused { .. })) => {
                    refused_by_database(outcome, &error)
                }
                Err(error) => return Err(error),
            };
            // A refusal of the mere record of a failure means that nothing can be recorded.
            ledger.record(std::slice::from_ref(&outcome), stop).await?;
            tally.add(&outcome, RowCounts::default());
        }
        Ok(())
    }
}

fn refused_by_database(outcome: CustomerOutcome, error: &StoreError) -> CustomerOutcome {
    CustomerOutcome {
        result: Err(Failure {
            reason: FailureReason::Database,
            detail: with_causes(error),
        }),
        ..outcome
    }
}

/// What a dry run can say: received and rejected.
fn unstored_counts(outcome: &CustomerOutcome) -> RowCounts {
    outcome
        .result
        .as_ref()
        .map(|collection| RowCounts {
            received: collection.received,
            rejected: collection.rejections.len() as u64,
            ..RowCounts::default()
        })
        .unwrap_or_default()
}
