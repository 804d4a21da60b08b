//! Fetches what is compared: each customer's own collections, or the partner-wide ones.

use std::collections::HashMap;
use std::io;

use super::Verification;
use crate::ledger::{
    Collection, Customer, CustomerId, CustomerOutcome, Dataset, DeploymentRow, Failure, Row,
    UsageRow,
};
use crate::partner_center::{
    ApiError, CustomerCollection, FailedFetch, PartnerWideCollection, WantedCustomers,
};
use crate::retry::RetryError;
use crate::sync::error::RunError;
use crate::sync::failures::{api_failure, no_row_failure};

impl Verification<'_> {
    /// A customer's own collections. With the first that fails, the customer has failed.
    pub(super) async fn fetch_customer(&self, id: CustomerId) -> Result<CustomerOutcome, RunError> {
        let mut outcome = self.outcome(id);
        for dataset in &self.syncer.datasets {
            match dataset {
                Dataset::Usage => {
                    let fetched = self.session.fetch_usage(id, self.shutdown).await;
                    outcome.usage = take(*dataset, fetched, &mut outcome.failure)?;
                }
                Dataset::Deployment => {
                    let fetched = self.session.fetch_deployment(id, self.shutdown).await;
                    outcome.deployment = take(*dataset, fetched, &mut outcome.failure)?;
                }
            }
            if outcome.failure.is_some() {
                break;
            }
        }
        Ok(outcome)
    }

    /// A customer's outcome without any collection.
    fn outcome(&self, id: CustomerId) -> CustomerOutcome {
        CustomerOutcome {
            customer: Customer::from(id),
            usage: Collection::default(),
            deployment: Collection::default(),
            failure: None,
            http_status: None,
            attempts: 0,
            finished_at: self.syncer.clock.now(),
        }
    }
}

/// The collection, or the customer's failure in place of it.
///
/// # Errors
/// After a stop, or when no call can succeed any more.
fn take<R: Row>(
    dataset: Dataset,
    fetched: Result<CustomerCollection<R>, FailedFetch>,
    failure: &mut Option<Failure>,
) -> Result<Collection<R>, RunError> {
    let FailedFetch { end, call } = match fetched {
        Ok(fetched) => {
            *failure = no_row_failure(dataset, &fetched.collection, fetched.call);
            return Ok(fetched.collection);
        }
        Err(failed) => failed,
    };
    match end {
        RetryError::Failed { error, .. } => {
            *failure = Some(api_failure(dataset, &error, call));
            Ok(Collection::default())
        }
        end => Err(end.into()),
    }
}

/// The partner-wide collections that are compared.
pub(super) struct PartnerWideDatasets {
    wanted: WantedCustomers,
    usage: Option<PartnerWideCollection<UsageRow>>,
    deployment: Option<PartnerWideCollection<DeploymentRow>>,
}

impl PartnerWideDatasets {
    /// # Errors
    /// When one of them cannot be fetched: it is missing for every customer.
    pub(super) async fn fetch(
        of: &Verification<'_>,
        customers: &[CustomerId],
    ) -> Result<Self, RunError> {
        let wanted = WantedCustomers::new(customers.iter().copied(), false);
        let (mut usage, mut deployment) = (None, None);
        for dataset in &of.syncer.datasets {
            let (session, shutdown) = (&of.session, of.shutdown);
            match dataset {
                Dataset::Usage => {
                    let fetching = session.fetch_partner_wide_usage(&wanted, None, shutdown);
                    usage = Some(fetching.await.map_err(|failed| failed.end)?);
                }
                Dataset::Deployment => {
                    let fetching = session.fetch_partner_wide_deployment(&wanted, None, shutdown);
                    deployment = Some(fetching.await.map_err(|failed| failed.end)?);
                }
            }
        }
        Ok(Self {
            wanted,
            usage,
            deployment,
        })
    }

    /// How many items name no customer.
    pub(super) fn unattributed(&mut self) -> u64 {
        let usage = self.usage.as_mut().map(|it| it.take_unattributed().len());
        let deployment = self.deployment.as_mut();
        let deployment = deployment.map(|it| it.take_unattributed().len());
        (usage.unwrap_or_default() + deployment.unwrap_or_default()) as u64
    }

    /// The customers, bucket by bucket.
    pub(super) fn buckets(&self, customers: &[CustomerId]) -> Vec<Vec<CustomerId>> {
        let mut buckets = vec![Vec::new(); self.wanted.bucket_count()];
        for id in customers {
            buckets[self.wanted.bucket_of(*id)].push(*id);
        }
        buckets
    }

    /// What is in the next bucket, whose customers these are.
    pub(super) async fn next_bucket(
        mut self,
        of: &Verification<'_>,
        customers: Vec<CustomerId>,
    ) -> Result<(Self, Vec<CustomerOutcome>), RunError> {
        // Reads a file and decodes, which would hold up everything else on the runtime's thread.
        let read = of.syncer.tasks.spawn_blocking(move || {
            let usage = next(self.usage.as_mut())?;
            let deployment = next(self.deployment.as_mut())?;
            Ok::<_, io::Error>((self, usage, deployment))
        });
        let read = read
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
        let (datasets, mut usage, mut deployment) = read.map_err(ApiError::Spool)?;
        let outcomes = customers.into_iter().map(|id| {
            let mut outcome = of.outcome(id);
            let failure = &mut outcome.failure;
            outcome.usage = judge(Dataset::Usage, usage.remove(&id), failure);
            if failure.is_none() {
                outcome.deployment = judge(Dataset::Deployment, deployment.remove(&id), failure);
            }
            outcome
        });
        Ok((datasets, outcomes.collect()))
    }
}

/// The collections of the next bucket, each with the reason instead if it is unusable.
type FetchedBucket<R> = HashMap<CustomerId, Result<Collection<R>, ApiError>>;

fn next<R: Row>(dataset: Option<&mut PartnerWideCollection<R>>) -> io::Result<FetchedBucket<R>> {
    let bucket = dataset
        .map(PartnerWideCollection::next_bucket)
        .transpose()?;
    Ok(bucket.flatten().into_iter().flatten().collect())
}

/// The collection, or the customer's failure in place of it.
fn judge<R>(
    dataset: Dataset,
    collection: Option<Result<Collection<R>, ApiError>>,
    failure: &mut Option<Failure>,
) -> Collection<R> {
    match collection {
        None => Collection::default(),
        Some(Ok(collection)) => {
            *failure = no_row_failure(dataset, &collection, None);
            collection
        }
        Some(Err(error)) => {
            *failure = Some(api_failure(dataset, &error, None));
            Collection::default()
        }
    }
}
