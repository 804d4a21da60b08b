//! A run over the partner-wide collections: each dataset is fetched whole, and only then given out
//! to the writer customer by customer, because a customer's rows may be on any page. What fails
//! fails for all customers at once.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tracing::{Span, warn};

use super::customers::Listed;
use super::report::RunError;
use super::tally::Tally;
use super::walk::Fetched;
use super::writer::Sink;
use super::{Progress, Request, Syncer, UNSTORED_OUTCOMES, customer_failure, too_late, useless};
use crate::causes::with_causes;
use crate::ledger::{
    Collection, Customer, CustomerId, CustomerOutcome, Dataset, DeploymentRow, Failure,
    FailureReason, Rejection, Row, RowCounts, UsageRow,
};
use crate::partner_center::{ApiError, PartnerWideCollection, Session, WantedCustomers};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// Each customer's collection, or why it has none that could be kept.
type Collections<R> = HashMap<CustomerId, Result<Collection<R>, ApiError>>;

/// What became of one dataset.
enum Part<R> {
    /// It is not asked for.
    Unasked,
    /// It is here, whole.
    Here(Box<PartnerWideCollection<R>>),
    /// It is not, for anybody.
    Failed {
        failure: Failure,
        http_status: Option<u16>,
        attempts: u32,
    },
}

impl<R: Row> Part<R> {
    fn new(
        dataset: Dataset,
        fetched: Result<PartnerWideCollection<R>, RetryError<ApiError>>,
    ) -> Result<Self, RunError> {
        match fetched {
            Ok(collection) => Ok(Self::Here(Box::new(collection))),
            Err(RetryError::Failed { error, attempts }) => Ok(Self::Failed {
                failure: customer_failure(dataset, &error),
                http_status: error.http_status(),
                attempts,
            }),
            Err(end) => Err(end.into()),
        }
    }

    fn next_bucket(&mut self) -> io::Result<Collections<R>> {
        match self {
            Self::Here(collection) => {
                let share = collection.next_bucket()?.unwrap_or_default();
                Ok(share.into_iter().collect())
            }
            Self::Unasked | Self::Failed { .. } => Ok(HashMap::new()),
        }
    }

    /// Items of customers who are not wanted.
    fn unwanted(&self) -> u64 {
        match self {
            Self::Here(collection) => collection.unwanted,
            Self::Unasked | Self::Failed { .. } => 0,
        }
    }

    fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    /// That it holds items and none of them could be anybody's is a failure of the whole; the items
    /// are kept.
    fn useless(&self, dataset: Dataset, strays: &[Rejection]) -> Option<Self> {
        let Self::Here(collection) = self else {
            return None;
        };
        let first = strays.first()?;
        if strays.len() as u64 != collection.received {
            return None;
        }
        let what = format!(
            "none of its {} items could become a row: {}",
            collection.received, first.detail
        );
        Some(Self::Failed {
            failure: customer_failure(dataset, &ApiError::Unexpected(what)),
            http_status: Some(collection.http_status),
            attempts: collection.attempts,
        })
    }

    fn answer(&self) -> (Option<u16>, u32) {
        match self {
            Self::Unasked => (None, 0),
            Self::Here(collection) => (Some(collection.http_status), collection.attempts),
            Self::Failed {
                http_status,
                attempts,
                ..
            } => (*http_status, *attempts),
        }
    }

    /// Keeps the items that are of nobody in particular.
    async fn settle(
        &mut self,
        dataset: Dataset,
        sink: &mut Sink,
        tally: &mut Tally,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let Self::Here(collection) = self else {
            return Ok(());
        };
        tally.notes.extend(collection.note.take());
        let strays = collection.take_unattributed();
        let count = strays.len() as u64;
        tally.rows += RowCounts {
            received: count,
            rejected: count,
            ..RowCounts::default()
        };
        if let Sink::Ledger(ledger) = sink
            && count > 0
        {
            ledger.record_strays(dataset, &strays, shutdown).await?;
        }
        if let Some(failed) = self.useless(dataset, &strays) {
            *self = failed;
        }
        Ok(())
    }

    /// Tells that the dataset failed, where it did. `is_stored` says whether the other one is here.
    fn tell(&self, dataset: Dataset, is_stored: bool, tally: &mut Tally) {
        if let Self::Failed {
            failure,
            http_status,
            ..
        } = self
        {
            tally.fail_together(dataset, failure, *http_status, is_stored);
        }
    }
}

impl Syncer {
    #[expect(
        clippy::too_many_arguments,
        reason = "what belongs to a run is not one value yet"
    )]
    pub(super) async fn walk_commercial(
        self: &Arc<Self>,
        list: Vec<Listed>,
        request: &Request,
        session: &Session,
        sink: &mut Sink,
        tally: &mut Tally,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), RunError> {
        if list.is_empty() {
            return Ok(());
        }
        let everybody =
            self.customers.discover && request.only.is_empty() && request.resumes.is_none();
        let wanted = WantedCustomers::new(list.iter().map(|customer| customer.id), everybody);
        let date = request.dated.map(|dated| dated.asked);
        let usage = async {
            if self.datasets.contains(&Dataset::Usage) {
                let fetched = session
                    .fetch_partner_wide_usage(&wanted, date, shutdown)
                    .await;
                Part::new(Dataset::Usage, fetched)
            } else {
                Ok(Part::Unasked)
            }
        };
        let deployment = async {
            if self.datasets.contains(&Dataset::Deployment) {
                let fetched = session
                    .fetch_partner_wide_deployment(&wanted, date, shutdown)
                    .await;
                Part::new(Dataset::Deployment, fetched)
            } else {
                Ok(Part::Unasked)
            }
        };
        let (mut usage, mut deployment) = tokio::try_join!(usage, deployment)?;
        usage.settle(Dataset::Usage, sink, tally, shutdown).await?;
        deployment
            .settle(Dataset::Deployment, sink, tally, shutdown)
            .await?;
        // A customer's outcome is that of its usage, so that without usage each of them has failed.
        usage.tell(Dataset::Usage, false, tally);
        deployment.tell(Dataset::Deployment, usage.is_here(), tally);
        let unlisted = usage.unwanted() + deployment.unwanted();
        // Nobody was left out on purpose.
        if unlisted > 0 && everybody && self.customers.exclude.is_empty() {
            let note = format!(
                "{unlisted} items are of customers whom the partner's list does not name, and are not kept"
            );
            warn!(
                rows.unlisted = unlisted,
                "Of the partner-wide collections: {note}"
            );
            tally.notes.push(note);
        }
        let (sender, receiver) = mpsc::channel(UNSTORED_OUTCOMES);
        let giving = GivingOut {
            syncer: Arc::clone(self),
            list,
            wanted,
            usage,
            deployment,
            shutdown: shutdown.clone(),
        };
        let span = Span::current();
        // Reads files and decodes, which would hold up everything else.
        self.tasks
            .spawn_blocking(move || span.in_scope(|| giving.work(&sender)));
        let writing = Shutdown {
            graceful: shutdown.graceful.clone(),
            ..Shutdown::default()
        };
        tokio::select! {
            drained = sink.drain(receiver, tally, progress, &writing, |_| Ok(())) => drained,
            () = too_late(shutdown) => Err(RunError::Stopped),
        }
    }
}

/// Hands the customers' collections to the writer.
struct GivingOut {
    syncer: Arc<Syncer>,
    list: Vec<Listed>,
    wanted: WantedCustomers,
    usage: Part<UsageRow>,
    deployment: Part<DeploymentRow>,
    shutdown: Shutdown,
}

impl GivingOut {
    fn work(mut self, outcomes: &mpsc::Sender<Fetched>) {
        let mut shares: Vec<Vec<Listed>> = Vec::new();
        shares.resize_with(self.wanted.bucket_count(), Vec::new);
        for customer in std::mem::take(&mut self.list) {
            shares[self.wanted.bucket_of(customer.id)].push(customer);
        }
        for customers in shares {
            // The customers that are left have no outcome, and come first the next time.
            if self.shutdown.graceful.is_cancelled() {
                return;
            }
            let share = self.usage.next_bucket().and_then(|usage| {
                let deployment = self.deployment.next_bucket()?;
                Ok((usage, deployment))
            });
            let (mut usage, mut deployment, unread) = match share {
                Ok((usage, deployment)) => (usage, deployment, None),
                Err(error) => (HashMap::new(), HashMap::new(), Some(unreadable(&error))),
            };
            for customer in customers {
                let id = customer.id;
                let mut failures = vec![unread.clone()];
                let usage = own(Dataset::Usage, usage.remove(&id), &mut failures);
                let deployment = own(Dataset::Deployment, deployment.remove(&id), &mut failures);
                let own = failures.into_iter().flatten().next();
                let outcome = self.outcome(customer.into(), usage, deployment, own);
                if outcomes.blocking_send((outcome, None)).is_err() {
                    return;
                }
            }
        }
    }

    fn outcome(
        &self,
        customer: Customer,
        usage: Collection<UsageRow>,
        deployment: Collection<DeploymentRow>,
        own: Option<Failure>,
    ) -> CustomerOutcome {
        // What comes of usage is what a customer's outcome is about. That deployment is missing for
        // everybody is the run's failure, where there is usage.
        let missing = match (&self.usage, &self.deployment) {
            (Part::Failed { failure, .. }, _) | (Part::Unasked, Part::Failed { failure, .. }) => {
                Some(failure)
            }
            (Part::Here(_), _) | (Part::Unasked, Part::Unasked | Part::Here(_)) => None,
        };
        let failure = missing.cloned().or(own);
        let (usage_status, usage_attempts) = self.usage.answer();
        let (deployment_status, deployment_attempts) = self.deployment.answer();
        CustomerOutcome {
            customer,
            usage,
            deployment,
            failure,
            // Where usage failed before there was an answer, there is none.
            http_status: match self.usage {
                Part::Failed { .. } => usage_status,
                Part::Here(_) | Part::Unasked => usage_status.or(deployment_status),
            },
            attempts: usage_attempts + deployment_attempts,
            finished_at: self.syncer.clock.now(),
        }
    }
}

/// A customer's collection of one dataset, with what is wrong with it.
fn own<R>(
    dataset: Dataset,
    collection: Option<Result<Collection<R>, ApiError>>,
    failures: &mut Vec<Option<Failure>>,
) -> Collection<R> {
    match collection.unwrap_or_else(|| Ok(Collection::default())) {
        Ok(collection) => {
            failures.push(useless(dataset, &collection));
            collection
        }
        Err(error) => {
            failures.push(Some(customer_failure(dataset, &error)));
            Collection::default()
        }
    }
}

fn unreadable(error: &io::Error) -> Failure {
    Failure {
        reason: FailureReason::Other,
        code: None,
        detail: format!(
            "the temporary file with the collection cannot be read: {}",
            with_causes(error)
        ),
    }
}
