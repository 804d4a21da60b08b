//! The one place from which a run writes. Outcomes that are ready together share a transaction; a
//! batch that Postgres refuses is taken apart, so that one customer does not take others with it; a
//! database that is away is waited for.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::info;

use super::Progress;
use super::patience::insist;
use super::report::RunError;
use super::tally::Tally;
use super::walk::Fetched;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::ledger::{
    Collection, Customer, CustomerId, CustomerOutcome, Dataset, Failure, FailureReason, Rejection,
    RowCounts,
};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{FinishedRun, Listing, RunLock, Store, StoreError, Urgency};

/// A transaction holds no more customers than this, or rows than the next.
const BATCH_CUSTOMERS: usize = 256;
const BATCH_ROWS: usize = 5_000;

/// Customers that were not reached have no rows, so that more of them share a transaction.
const BATCH_UNREACHED: usize = 1_000;

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

    /// Does `work` under the run lock, again and again while the database is away. `fresh` says
    /// whether the connection is another one than that of the attempt before.
    async fn persist<T>(
        &mut self,
        shutdown: &Shutdown,
        mut work: impl AsyncFnMut(&mut RunLock, bool) -> Result<T, StoreError>,
    ) -> Result<T, RunError> {
        let store = self.store.clone();
        let done = insist(&store, self.patience, shutdown, async || {
            // Taken out, so that a connection that fails or is dropped in mid-transaction is not
            // used again.
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
        // Our own lost connection may hold the lock until Postgres notices; another process until
        // its run ends.
        self.store
            .try_lock_run()
            .await?
            .ok_or(StoreError::TimedOut {
                operation: "taking the run lock again".into(),
            })
    }

    /// Stores a batch whole, or says why it is refused.
    async fn record(
        &mut self,
        outcomes: &[CustomerOutcome],
        shutdown: &Shutdown,
    ) -> Result<Vec<RowCounts>, RunError> {
        let (run_id, clock) = (self.run_id, Arc::clone(&self.clock));
        self.persist(shutdown, async |lock, fresh| {
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
    pub(super) async fn record_total(
        &mut self,
        total: u64,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.persist(shutdown, async |lock, _| {
            lock.record_total(run_id, total).await
        })
        .await
    }

    /// Makes sure that names are asked for in the ledger's locale.
    pub(super) async fn admit_locale(
        &mut self,
        locale: &str,
        may_change: bool,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let now = self.clock.now();
        let known = self
            .persist(shutdown, async |lock, _| {
                lock.admit_locale(locale, may_change, now).await
            })
            .await?;
        match known {
            None => Ok(()),
            Some(known) => Err(RunError::Locale {
                known,
                asked: locale.to_owned(),
            }),
        }
    }

    /// Notes who has gone from the partner's own list and who has returned.
    pub(super) async fn record_listing(
        &mut self,
        listed: &[Customer],
        excluded: &HashSet<CustomerId>,
        shutdown: &Shutdown,
    ) -> Result<Listing, RunError> {
        let now = self.clock.now();
        self.persist(shutdown, async |lock, _| {
            lock.record_listing(listed, excluded, now).await
        })
        .await
    }

    /// Tells how urgent each known customer is, or only those among `customers`, again and again if
    /// need be.
    pub(super) async fn load_urgency(
        &mut self,
        customers: Option<&[CustomerId]>,
        shutdown: &Shutdown,
        mut tell: impl FnMut(CustomerId, Urgency),
    ) -> Result<(), RunError> {
        self.persist(shutdown, async |lock, _| {
            lock.load_urgency(customers, &mut tell).await
        })
        .await
    }

    /// The customers that an unfinished run has stored.
    pub(super) async fn load_done(
        &mut self,
        run_id: i64,
        shutdown: &Shutdown,
    ) -> Result<HashSet<CustomerId>, RunError> {
        self.persist(shutdown, async |lock, _| lock.load_done(run_id).await)
            .await
    }

    /// Keeps the items of a partner-wide collection that name no customer.
    pub(super) async fn record_strays(
        &mut self,
        dataset: Dataset,
        strays: &[Rejection],
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let (run_id, now) = (self.run_id, self.clock.now());
        self.persist(shutdown, async |lock, _| {
            lock.record_strays(run_id, dataset, strays, now).await
        })
        .await
    }

    /// Records the end of the run and gives the lock back.
    pub(super) async fn finish(
        mut self,
        end: &FinishedRun,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let run_id = self.run_id;
        self.persist(shutdown, async |lock, _| lock.finish_run(run_id, end).await)
            .await?;
        if let Some(lock) = self.lock.take() {
            lock.release().await;
        }
        Ok(())
    }
}

impl Sink {
    /// Takes outcomes until there are no more. `judge` sees what has been recorded after each
    /// batch. Ends early, with the reason, when nothing further can be recorded or the judge
    /// says that nothing further can succeed.
    pub(super) async fn drain(
        &mut self,
        mut outcomes: mpsc::Receiver<Fetched>,
        tally: &mut Tally,
        progress: &watch::Sender<Progress>,
        shutdown: &Shutdown,
        judge: impl Fn(&Tally) -> Result<(), RunError>,
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
            let ready = BATCH_CUSTOMERS.min(1 + outcomes.len());
            let (mut batch, mut permits) = (Vec::with_capacity(ready), Vec::with_capacity(ready));
            batch.push(first);
            permits.push(permit);
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
            self.write(batch, tally, shutdown).await?;
            drop(permits);
            progress.send_modify(|progress| {
                progress.done = tally.customers.succeeded + tally.customers.failed;
                progress.failed = tally.customers.failed;
            });
            judge(tally)?;
        }
    }

    /// Records customers that the run has not reached.
    pub(super) async fn record_unreached(
        &mut self,
        customers: impl Iterator<Item = Customer>,
        why: &str,
        tally: &mut Tally,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let finished_at = match self {
            Self::Ledger(ledger) => ledger.clock.now(),
            Self::Nowhere => return Ok(()),
        };
        let mut outcomes = customers
            .map(|customer| CustomerOutcome {
                customer,
                usage: Collection::default(),
                deployment: Collection::default(),
                failure: Some(Failure {
                    reason: FailureReason::Interrupted,
                    code: None,
                    detail: format!("not reached: {why}"),
                }),
                http_status: None,
                attempts: 0,
                finished_at,
            })
            .peekable();
        while outcomes.peek().is_some() {
            let batch = outcomes.by_ref().take(BATCH_UNREACHED).collect();
            self.write(batch, tally, shutdown).await?;
        }
        Ok(())
    }

    async fn write(
        &mut self,
        batch: Vec<CustomerOutcome>,
        tally: &mut Tally,
        shutdown: &Shutdown,
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
        match ledger.record(&batch, shutdown).await {
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
            let outcome = match ledger
                .record(std::slice::from_ref(&outcome), shutdown)
                .await
            {
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
            ledger
                .record(std::slice::from_ref(&outcome), shutdown)
                .await?;
            tally.add(&outcome, RowCounts::default());
        }
        Ok(())
    }
}

fn refused_by_database(outcome: CustomerOutcome, error: &StoreError) -> CustomerOutcome {
    CustomerOutcome {
        usage: Collection::default(),
        deployment: Collection::default(),
        failure: Some(Failure {
            reason: FailureReason::Database,
            code: None,
            detail: with_causes(error),
        }),
        ..outcome
    }
}

/// What a dry run can say: received and rejected.
fn unstored_counts(outcome: &CustomerOutcome) -> RowCounts {
    RowCounts {
        received: outcome.received(),
        rejected: outcome.rejected(),
        ..RowCounts::default()
    }
}
