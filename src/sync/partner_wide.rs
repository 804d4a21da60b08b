//! A run over the partner-wide collections: each dataset is fetched as a whole, and only then
//! divided into outcomes, because a customer's rows may be on any page. A dataset that fails, fails
//! for all customers at once.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{Instrument as _, Span, trace_span, warn};

use super::Syncer;
use super::batches::{FetchedCustomer, QUEUE_LENGTH, Recorder};
use super::customer_list::RunCustomer;
use super::error::RunError;
use super::failures::{api_failure, no_row_failure};
use super::request::Request;
use crate::causes::with_causes;
use crate::ledger::{
    Collection, Customer, CustomerId, CustomerOutcome, Dataset, DeploymentRow, Failure,
    FailureReason, Rejection, Row, RowCounts, UsageRow, none_usable,
};
use crate::partner_center::{
    ApiError, FailedFetch, PartnerWideCollection, Session, WantedCustomers,
};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// The collections of one bucket of customers, each with the reason instead if it is unusable.
type Collections<R> = HashMap<CustomerId, Result<Collection<R>, ApiError>>;

/// What came of fetching one dataset.
enum DatasetFetch<R> {
    NotRequested,
    /// It is there as a whole.
    Fetched(Box<PartnerWideCollection<R>>),
    /// It is missing for every customer.
    Failed(DatasetFailure),
}

struct DatasetFailure {
    failure: Failure,
    http_status: Option<u16>,
    attempts: u32,
}

impl<R: Row> DatasetFetch<R> {
    /// # Errors
    /// After a stop, or when no call can succeed any more.
    fn new(
        dataset: Dataset,
        fetched: Result<PartnerWideCollection<R>, FailedFetch>,
    ) -> Result<Self, RunError> {
        let FailedFetch { end, call } = match fetched {
            Ok(collection) => return Ok(Self::Fetched(Box::new(collection))),
            Err(failed) => failed,
        };
        match end {
            RetryError::Failed { error, attempts } => Ok(Self::Failed(DatasetFailure {
                failure: api_failure(dataset, &error, call),
                http_status: error.http_status(),
                attempts,
            })),
            end => Err(end.into()),
        }
    }

    fn is_fetched(&self) -> bool {
        matches!(self, Self::Fetched(_))
    }

    fn failure(&self) -> Option<&DatasetFailure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::NotRequested | Self::Fetched(_) => None,
        }
    }

    /// The last answer's status, and the HTTP tries.
    fn answer(&self) -> (Option<u16>, u32) {
        match self {
            Self::NotRequested => (None, 0),
            Self::Fetched(collection) => (Some(collection.http_status), collection.attempts),
            Self::Failed(failed) => (failed.http_status, failed.attempts),
        }
    }

    /// Items of customers that are not on the run's list.
    fn unwanted(&self) -> u64 {
        match self {
            Self::Fetched(collection) => collection.unwanted,
            Self::NotRequested | Self::Failed(_) => 0,
        }
    }

    fn next_bucket(&mut self) -> io::Result<Collections<R>> {
        match self {
            Self::Fetched(collection) => {
                let bucket = collection.next_bucket()?.unwrap_or_default();
                Ok(bucket.into_iter().collect())
            }
            Self::NotRequested | Self::Failed(_) => Ok(HashMap::new()),
        }
    }

    /// Records the items that name no customer. If the collection has no others, it has failed.
    async fn record_strays(
        &mut self,
        dataset: Dataset,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), RunError> {
        let Self::Fetched(collection) = self else {
            return Ok(());
        };
        recorder.tally.notes.extend(collection.note.take());
        let strays = collection.take_unattributed();
        let Some(first) = strays.first() else {
            return Ok(());
        };
        let count = strays.len() as u64;
        recorder.tally.rows += RowCounts {
            received: count,
            rejected: count,
            ..RowCounts::default()
        };
        if let Some(ledger) = &mut recorder.ledger {
            ledger.record_strays(dataset, &strays).await?;
        }
        if count == collection.received {
            let error = no_row_error(collection.received, first);
            *self = Self::Failed(DatasetFailure {
                failure: api_failure(dataset, &error, collection.call),
                http_status: Some(collection.http_status),
                attempts: collection.attempts,
            });
        }
        Ok(())
    }
}

fn no_row_error(received: u64, first: &Rejection) -> ApiError {
    ApiError::Unexpected(none_usable(received, first))
}

/// A run over the partner-wide collections.
pub(super) struct PartnerWide<'a> {
    pub(super) syncer: &'a Arc<Syncer>,
    pub(super) session: &'a Session,
    pub(super) request: &'a Request,
    pub(super) shutdown: &'a Shutdown,
}

impl PartnerWide<'_> {
    /// Fetches the collections and stores each customer's part.
    pub(super) async fn run(
        &self,
        list: Arc<Vec<RunCustomer>>,
        recorder: &mut Recorder<'_>,
    ) -> Result<(), RunError> {
        if list.is_empty() {
            return Ok(());
        }
        let wanted = WantedCustomers::new(
            list.iter().map(|customer| customer.id),
            self.is_whole_list(),
        );
        let (mut usage, mut deployment) =
            tokio::try_join!(self.fetch_usage(&wanted), self.fetch_deployment(&wanted))?;
        usage.record_strays(Dataset::Usage, recorder).await?;
        deployment
            .record_strays(Dataset::Deployment, recorder)
            .await?;
        // Usage decides about a customer's outcome, so that without it every customer has failed.
        if let Some(failed) = usage.failure() {
            let (failure, status) = (&failed.failure, failed.http_status);
            recorder
                .tally
                .add_dataset_failure(Dataset::Usage, failure, status, false);
        }
        if let Some(failed) = deployment.failure() {
            let (failure, status) = (&failed.failure, failed.http_status);
            let is_stored = usage.is_fetched();
            recorder
                .tally
                .add_dataset_failure(Dataset::Deployment, failure, status, is_stored);
        }
        self.report_unlisted(usage.unwanted() + deployment.unwanted(), recorder);
        let (sender, outcomes) = mpsc::channel(QUEUE_LENGTH);
        let distribution = Distribution {
            syncer: Arc::clone(self.syncer),
            list,
            wanted,
            usage,
            deployment,
            shutdown: self.shutdown.clone(),
        };
        let span = Span::current();
        // Reads files and decodes, which would hold up everything else on the runtime's thread.
        self.syncer
            .tasks
            .spawn_blocking(move || span.in_scope(|| distribution.run(&sender)));
        recorder.store_all(outcomes, |_| Ok(())).await
    }

    /// Whether the run is for all customers of the partner.
    fn is_whole_list(&self) -> bool {
        self.syncer.customers.discover
            && self.request.only.is_empty()
            && self.request.resumes.is_none()
    }

    async fn fetch_usage(
        &self,
        wanted: &WantedCustomers,
    ) -> Result<DatasetFetch<UsageRow>, RunError> {
        if !self.syncer.datasets.contains(&Dataset::Usage) {
            return Ok(DatasetFetch::NotRequested);
        }
        let date = self.request.dated.map(|dated| dated.asked);
        let fetched = self
            .session
            .fetch_partner_wide_usage(wanted, date, self.shutdown)
            .instrument(trace_span!("sync.collection", dataset = "usage"))
            .await;
        DatasetFetch::new(Dataset::Usage, fetched)
    }

    async fn fetch_deployment(
        &self,
        wanted: &WantedCustomers,
    ) -> Result<DatasetFetch<DeploymentRow>, RunError> {
        if !self.syncer.datasets.contains(&Dataset::Deployment) {
            return Ok(DatasetFetch::NotRequested);
        }
        let date = self.request.dated.map(|dated| dated.asked);
        let fetched = self
            .session
            .fetch_partner_wide_deployment(wanted, date, self.shutdown)
            .instrument(trace_span!("sync.collection", dataset = "deployment"))
            .await;
        DatasetFetch::new(Dataset::Deployment, fetched)
    }

    /// Reports items of customers that the partner's list lacks, unless customers are left out on
    /// purpose.
    fn report_unlisted(&self, unlisted: u64, recorder: &mut Recorder<'_>) {
        if unlisted == 0 || !self.is_whole_list() || !self.syncer.customers.exclude.is_empty() {
            return;
        }
        let note = format!(
            "{unlisted} items are of customers whom the partner's list does not name, and are not \
             kept"
        );
        warn!(
            rows.unlisted = unlisted,
            "Of the partner-wide collections: {note}"
        );
        recorder.tally.notes.push(note);
    }
}

/// Divides the collections into customers' outcomes.
struct Distribution {
    syncer: Arc<Syncer>,
    list: Arc<Vec<RunCustomer>>,
    wanted: WantedCustomers,
    usage: DatasetFetch<UsageRow>,
    deployment: DatasetFetch<DeploymentRow>,
    shutdown: Shutdown,
}

impl Distribution {
    /// Goes through the buckets. Ends early after a stop, or when outcomes are no longer taken.
    fn run(mut self, outcomes: &mpsc::Sender<FetchedCustomer>) {
        let list = Arc::clone(&self.list);
        let mut buckets: Vec<Vec<&RunCustomer>> = Vec::new();
        buckets.resize_with(self.wanted.bucket_count(), Vec::new);
        for customer in &*list {
            buckets[self.wanted.bucket_of(customer.id)].push(customer);
        }
        for customers in buckets {
            // The customers that are left have no outcome, and come first in the next run.
            if self.shutdown.graceful.is_cancelled() {
                return;
            }
            self.shutdown.pulse.beat();
            let bucket = self.usage.next_bucket().and_then(|usage| {
                let deployment = self.deployment.next_bucket()?;
                Ok((usage, deployment))
            });
            let (mut usage, mut deployment, unreadable) = match bucket {
                Ok((usage, deployment)) => (usage, deployment, None),
                Err(error) => (HashMap::new(), HashMap::new(), Some(spool_failure(&error))),
            };
            for customer in customers {
                let id = customer.id;
                let (usage, no_usage) = judge(Dataset::Usage, usage.remove(&id));
                let (deployment, no_deployment) =
                    judge(Dataset::Deployment, deployment.remove(&id));
                let own_failure = unreadable.clone().or(no_usage).or(no_deployment);
                let outcome = CustomerOutcome {
                    usage,
                    deployment,
                    ..self.outcome(customer.clone().into(), own_failure)
                };
                let fetched = FetchedCustomer {
                    outcome,
                    permit: None,
                };
                if outcomes.blocking_send(fetched).is_err() {
                    return;
                }
            }
        }
    }

    /// A customer's outcome, apart from its collections.
    fn outcome(&self, customer: Customer, own_failure: Option<Failure>) -> CustomerOutcome {
        // Usage decides about a customer's outcome. Where there is usage, a missing deployment is
        // the run's failure.
        let missing = match &self.usage {
            DatasetFetch::Failed(failed) => Some(failed),
            DatasetFetch::NotRequested => self.deployment.failure(),
            DatasetFetch::Fetched(_) => None,
        };
        let (usage_status, usage_attempts) = self.usage.answer();
        let (deployment_status, deployment_attempts) = self.deployment.answer();
        CustomerOutcome {
            customer,
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: missing.map(|failed| failed.failure.clone()).or(own_failure),
            // Usage that failed without an answer has no status, whatever deployment has.
            http_status: match self.usage {
                DatasetFetch::Failed(_) => usage_status,
                DatasetFetch::Fetched(_) | DatasetFetch::NotRequested => {
                    usage_status.or(deployment_status)
                }
            },
            attempts: usage_attempts + deployment_attempts,
            finished_at: self.syncer.clock.now(),
        }
    }
}

/// A customer's collection of one dataset, and its failure. Its items may be from any page, so that
/// a failure is not that of one call.
fn judge<R>(
    dataset: Dataset,
    collection: Option<Result<Collection<R>, ApiError>>,
) -> (Collection<R>, Option<Failure>) {
    match collection {
        None => (Collection::default(), None),
        Some(Ok(collection)) => {
            let failure = no_row_failure(dataset, &collection, None);
            (collection, failure)
        }
        Some(Err(error)) => (
            Collection::default(),
            Some(api_failure(dataset, &error, None)),
        ),
    }
}

fn spool_failure(error: &io::Error) -> Failure {
    Failure {
        reason: FailureReason::Other,
        code: None,
        detail: format!(
            "the temporary file with the collection cannot be read: {}",
            with_causes(error)
        ),
        call: None,
    }
}
