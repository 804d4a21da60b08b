//! From the channel of outcomes to transactions. Outcomes that are ready together share one; a
//! batch that Postgres refuses is taken apart, so that one customer does not take others with it.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tracing::{Instrument as _, info, trace_span, warn};

use super::customer_list::RunCustomer;
use super::error::RunError;
use super::ledger::Ledger;
use super::report::{Phase, Progress};
use super::tally::Tally;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::ledger::{
    Collection, Customer, CustomerId, CustomerOutcome, Failure, FailureReason, RowCounts,
};
use crate::metrics::Metrics;
use crate::store::StoreError;

/// Fetched customers that may wait to be stored. Without a bound, fetching would run ahead of
/// storing and memory would grow without end.
pub(super) const QUEUE_LENGTH: usize = 256;

/// Customers in one transaction at most. A larger batch saves little, and costs more when Postgres
/// refuses it and its customers are stored one by one.
const BATCH_CUSTOMERS: usize = 256;

/// Rows in one transaction at most, unless a single customer has more. All of them are in memory at
/// the same time.
const BATCH_ROWS: usize = 5_000;

/// Customers that the run has not reached, in one transaction at most. They have no rows, so more
/// of them fit than of others.
const BATCH_UNREACHED: usize = 1_000;

/// A customer on its way to the ledger.
pub(super) struct FetchedCustomer {
    pub(super) outcome: CustomerOutcome,
    /// The place among the requests in flight that a large collection keeps until it is stored.
    pub(super) permit: Option<OwnedSemaphorePermit>,
}

/// Where outcomes go: into the tally, and into the ledger unless the run is a dry run.
pub(super) struct Recorder<'a> {
    pub(super) ledger: Option<Ledger>,
    pub(super) tally: Tally,
    pub(super) progress: &'a watch::Sender<Progress>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: Metrics,
}

impl Recorder<'_> {
    /// Records how many customers are on the list.
    pub(super) async fn begin(&mut self, total: u64) -> Result<(), RunError> {
        self.tally.customers.total = total;
        self.metrics.set_pending(total);
        self.progress.send_modify(|progress| {
            progress.phase = Phase::Fetching;
            progress.total = total;
        });
        match &mut self.ledger {
            Some(ledger) => ledger.record_total(total).await,
            None => Ok(()),
        }
    }

    /// Stores outcomes until there are no more. `judge` sees the tally after each batch.
    ///
    /// # Errors
    /// When nothing further can be stored, or with the error of `judge`.
    pub(super) async fn store_all(
        &mut self,
        mut outcomes: mpsc::Receiver<FetchedCustomer>,
        judge: impl Fn(&Tally) -> Result<(), RunError>,
    ) -> Result<(), RunError> {
        let mut next = outcomes.recv().await;
        while let Some(first) = next.take() {
            let mut rows = first.outcome.row_count();
            let ready = BATCH_CUSTOMERS.min(1 + outcomes.len());
            let (mut batch, mut permits) = (Vec::with_capacity(ready), Vec::with_capacity(ready));
            batch.push(first.outcome);
            permits.push(first.permit);
            while batch.len() < BATCH_CUSTOMERS
                && let Ok(fetched) = outcomes.try_recv()
            {
                rows += fetched.outcome.row_count();
                if rows > BATCH_ROWS {
                    next = Some(fetched);
                    break;
                }
                batch.push(fetched.outcome);
                permits.push(fetched.permit);
            }
            self.store(batch).await?;
            drop(permits);
            self.progress.send_modify(|progress| {
                progress.done = self.tally.done();
                progress.failed = self.tally.customers.failed;
            });
            let pending = self.tally.customers.total - self.tally.done();
            self.metrics.set_pending(pending);
            judge(&self.tally)?;
            if next.is_none() {
                next = outcomes.recv().await;
            }
        }
        Ok(())
    }

    /// Records customers that the run has not reached, with the reason.
    pub(super) async fn record_unreached(
        &mut self,
        customers: impl Iterator<Item = Customer>,
        reason: &str,
    ) -> Result<(), RunError> {
        if self.ledger.is_none() {
            return Ok(());
        }
        let finished_at = self.clock.now();
        let mut outcomes = customers
            .map(|customer| CustomerOutcome {
                customer,
                usage: Collection::default(),
                deployment: Collection::default(),
                failure: Some(Failure {
                    reason: FailureReason::Interrupted,
                    code: None,
                    detail: format!("not reached: {reason}"),
                    call: None,
                }),
                http_status: None,
                attempts: 0,
                finished_at,
            })
            .peekable();
        while outcomes.peek().is_some() {
            let batch = outcomes.by_ref().take(BATCH_UNREACHED).collect();
            self.store(batch).await?;
        }
        Ok(())
    }

    /// After the connection was opened again, perhaps to another server: of the customers of a run
    /// that went through its whole list, those that are not on record any more have failed. A
    /// standby that takes over may lack what was last stored.
    pub(super) async fn record_lost(&mut self, all: &[RunCustomer]) -> Result<(), RunError> {
        let Some(ledger) = &mut self.ledger else {
            return Ok(());
        };
        if !ledger.was_reopened() || !self.tally.is_complete() {
            return Ok(());
        }
        let ids: Vec<CustomerId> = all.iter().map(|customer| customer.id).collect();
        let lost = ledger.load_lost(&ids).await?;
        if !lost.is_empty() {
            warn!(
                customers = lost.len(),
                "What {} customers had stored was lost with the database server that had it",
                lost.len()
            );
        }
        let finished_at = self.clock.now();
        for ids in lost.chunks(BATCH_UNREACHED) {
            let outcomes: Vec<_> = ids
                .iter()
                .map(|id| lost_outcome(*id, finished_at))
                .collect();
            ledger.record(&outcomes).await?;
            for outcome in &outcomes {
                self.tally.replace(outcome);
                self.metrics.count_customer(false, 0, 0);
            }
        }
        Ok(())
    }

    async fn store(&mut self, batch: Vec<CustomerOutcome>) -> Result<(), RunError> {
        let Some(ledger) = &mut self.ledger else {
            for outcome in &batch {
                self.add(outcome, unstored_counts(outcome));
            }
            return Ok(());
        };
        let span = trace_span!(
            "store.batch",
            customers = batch.len(),
            rows = batch.iter().map(CustomerOutcome::row_count).sum::<usize>(),
        );
        match ledger.record(&batch).instrument(span).await {
            Ok(counts) => {
                for (outcome, counts) in batch.iter().zip(counts) {
                    self.add(outcome, counts);
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
            let Some(ledger) = &mut self.ledger else {
                break;
            };
            let (outcome, counts) = record_alone(ledger, outcome).await?;
            self.add(&outcome, counts);
        }
        Ok(())
    }

    /// Counts a customer's outcome as it was stored.
    fn add(&mut self, outcome: &CustomerOutcome, counts: RowCounts) {
        let RowCounts {
            received,
            inserted,
            updated,
            unchanged,
            rejected,
        } = counts;
        let rows = received.saturating_sub(rejected);
        self.metrics
            .count_customer(outcome.failure.is_none(), rows, rejected);
        self.metrics.count_rows(inserted, updated, unchanged);
        self.tally.add(outcome, counts);
    }
}

/// Stores one customer. If the database refuses its rows, stores that as the customer's failure.
async fn record_alone(
    ledger: &mut Ledger,
    outcome: CustomerOutcome,
) -> Result<(CustomerOutcome, RowCounts), RunError> {
    let refused = match ledger.record(std::slice::from_ref(&outcome)).await {
        Ok(counts) => return Ok((outcome, counts.into_iter().next().unwrap_or_default())),
        Err(RunError::Store(error @ StoreError::Refused { .. })) => CustomerOutcome {
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: Some(Failure {
                reason: FailureReason::Database,
                code: None,
                detail: with_causes(&error),
                call: None,
            }),
            ..outcome
        },
        Err(error) => return Err(error),
    };
    // If even the failure is refused, nothing can be recorded, and the run ends.
    ledger.record(std::slice::from_ref(&refused)).await?;
    Ok((refused, RowCounts::default()))
}

fn lost_outcome(id: CustomerId, finished_at: DateTime<Utc>) -> CustomerOutcome {
    CustomerOutcome {
        customer: id.into(),
        usage: Collection::default(),
        deployment: Collection::default(),
        failure: Some(Failure {
            reason: FailureReason::Database,
            code: None,
            detail: "its rows were stored, and lost with the database server that had them: \
                     another took its place without them"
                .to_owned(),
            call: None,
        }),
        http_status: None,
        attempts: 0,
        finished_at,
    }
}

/// The counts of a dry run, which does not know what the ledger has.
fn unstored_counts(outcome: &CustomerOutcome) -> RowCounts {
    RowCounts {
        received: outcome.received(),
        rejected: outcome.rejected(),
        ..RowCounts::default()
    }
}
