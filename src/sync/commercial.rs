//! A run over the partner-wide collections: each dataset is fetched whole, and only then given out to the writer
//! customer by customer, because a customer's rows may be on any page. What fails fails for all customers at once.

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
use super::{Progress, Request, Syncer, UNSTORED_OUTCOMES, customer_failure, too_late};
use crate::causes::with_causes;
use crate::partner_center::{ApiError, AuthError, Commercial, Wanted};
use crate::retry::{GaveUp, Stop};
use crate::usage::{
    Collection, Customer, CustomerId, CustomerOutcome, Dataset, DeploymentRow, Failure,
    FailureReason, Row, RowCounts, UsageRow,
};

/// What became of one dataset.
enum Part<R> {
    /// It is not asked for.
    Unasked,
    /// It is here, whole.
    Here(Box<Commercial<R>>),
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
        fetched: Result<Commercial<R>, GaveUp<ApiError>>,
    ) -> Result<Self, RunError> {
        match fetched {
            Ok(collection) => Ok(Self::Here(Box::new(collection))),
            Err(GaveUp::Stopped { .. }) => Err(RunError::Stopped),
            Err(GaveUp::Failed {
                error: ApiError::SignIn(error),
                ..
            }) => Err(AuthError::clone(&error).into()),
            Err(GaveUp::Failed { error, attempts }) => Ok(Self::Failed {
                failure: customer_failure(dataset, &error),
                http_status: error.http_status(),
                attempts,
            }),
        }
    }

    fn next_share(&mut self) -> io::Result<HashMap<CustomerId, Collection<R>>> {
        match self {
            Self::Here(collection) => {
                let share = collection.next_share()?.unwrap_or_default();
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

    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed { failure, .. } => Some(failure),
            Self::Unasked | Self::Here(_) => None,
        }
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

    /// Tells and keeps what is of nobody in particular: that the dataset failed, or what the collection says.
    async fn settle(
        &mut self,
        dataset: Dataset,
        sink: &mut Sink,
        tally: &mut Tally,
        stop: &Stop,
    ) -> Result<(), RunError> {
        let collection = match self {
            Self::Unasked => return Ok(()),
            Self::Failed {
                failure,
                http_status,
                ..
            } => {
                tally.fail_together(dataset, failure, *http_status);
                return Ok(());
            }
            Self::Here(collection) => collection,
        };
        tally.notes.extend(collection.note.take());
        let strays = collection.strays();
        let count = strays.len() as u64;
        tally.rows += RowCounts {
            received: count,
            rejected: count,
            ..RowCounts::default()
        };
        match sink {
            Sink::Ledger(ledger) if count > 0 => ledger.record_strays(dataset, &strays, stop).await,
            Sink::Ledger(_) | Sink::Nowhere => Ok(()),
        }
    }
}

impl Syncer {
    pub(super) async fn walk_commercial(
        self: &Arc<Self>,
        list: Vec<Listed>,
        request: &Request,
        sink: &mut Sink,
        tally: &mut Tally,
        stop: &Stop,
        progress: &watch::Sender<Progress>,
    ) -> Result<(), RunError> {
        if list.is_empty() {
            return Ok(());
        }
        let everybody =
            self.customers.discover && request.only.is_empty() && request.resumes.is_none();
        let wanted = Wanted::new(list.iter().map(|customer| customer.id), everybody);
        let date = request.dated.map(|dated| dated.asked);
        let client = &self.client;
        let usage = async {
            if self.datasets.contains(&Dataset::Usage) {
                let fetched = client.fetch_commercial_usage(&wanted, date, stop).await;
                Part::new(Dataset::Usage, fetched)
            } else {
                Ok(Part::Unasked)
            }
        };
        let deployment = async {
            if self.datasets.contains(&Dataset::Deployment) {
                let fetched = client
                    .fetch_commercial_deployment(&wanted, date, stop)
                    .await;
                Part::new(Dataset::Deployment, fetched)
            } else {
                Ok(Part::Unasked)
            }
        };
        let (mut usage, mut deployment) = tokio::try_join!(usage, deployment)?;
        usage.settle(Dataset::Usage, sink, tally, stop).await?;
        deployment
            .settle(Dataset::Deployment, sink, tally, stop)
            .await?;
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
            stop: stop.clone(),
        };
        let span = Span::current();
        // Reads files and decodes, which would hold up everything else.
        self.tasks
            .spawn_blocking(move || span.in_scope(|| giving.work(&sender)));
        let writing = Stop {
            soon: stop.soon.clone(),
            ..Stop::default()
        };
        tokio::select! {
            drained = sink.drain(receiver, tally, progress, &writing, |_| Ok(())) => drained,
            () = too_late(stop) => Err(RunError::Stopped),
        }
    }
}

/// Hands the customers' collections to the writer.
struct GivingOut {
    syncer: Arc<Syncer>,
    list: Vec<Listed>,
    wanted: Wanted,
    usage: Part<UsageRow>,
    deployment: Part<DeploymentRow>,
    stop: Stop,
}

impl GivingOut {
    fn work(mut self, outcomes: &mpsc::Sender<Fetched>) {
        let mut shares: Vec<Vec<Listed>> = Vec::new();
        shares.resize_with(self.wanted.shares(), Vec::new);
        for customer in std::mem::take(&mut self.list) {
            shares[self.wanted.share_of(customer.id)].push(customer);
        }
        for customers in shares {
            // The customers that are left have no outcome, and come first the next time.
            if self.stop.soon.is_cancelled() {
                return;
            }
            let share = self.usage.next_share().and_then(|usage| {
                let deployment = self.deployment.next_share()?;
                Ok((usage, deployment))
            });
            let (mut usage, mut deployment, unread) = match share {
                Ok((usage, deployment)) => (usage, deployment, None),
                Err(error) => (HashMap::new(), HashMap::new(), Some(unreadable(&error))),
            };
            for customer in customers {
                let usage = usage.remove(&customer.id).unwrap_or_default();
                let deployment = deployment.remove(&customer.id).unwrap_or_default();
                let outcome = self.outcome(customer.into(), usage, deployment, unread.clone());
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
        unread: Option<Failure>,
    ) -> CustomerOutcome {
        // What comes of usage is what a customer's outcome is about.
        let failure = unread
            .or_else(|| self.usage.failure().cloned())
            .or_else(|| self.deployment.failure().cloned());
        let (usage_status, usage_attempts) = self.usage.answer();
        let (deployment_status, deployment_attempts) = self.deployment.answer();
        CustomerOutcome {
            customer,
            usage,
            deployment,
            failure,
            // That of the failure, where there is one.
            http_status: match (self.usage.failure(), self.deployment.failure()) {
                (Some(_), _) => usage_status,
                (None, Some(_)) => deployment_status,
                (None, None) => usage_status.or(deployment_status),
            },
            attempts: usage_attempts + deployment_attempts,
            finished_at: self.syncer.clock.now(),
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
