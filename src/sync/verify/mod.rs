//! Asks the API again for some customers and compares what it gives with the ledger. Writes
//! nothing: no lease, no run, transactions that only read.
//!
//! One request at a time, so that a run that is under way keeps nearly all of what the API allows.

mod compare;
mod fetch;
mod report;

use tokio::sync::watch;
use tokio::time::Instant;

use super::Syncer;
use super::early_end::{OutageLimit, RunVerdict, Silence, Streaks};
use super::error::RunError;
use super::failures::FailureKind;
use super::report::{FailedCustomer, Phase, Progress, enter};
use crate::ledger::{CustomerId, CustomerOutcome, Source, TrafficCounts};
use crate::partner_center::{ApiError, Session};
use crate::shutdown::Shutdown;
use compare::{Fields, compare};
use fetch::PartnerWideDatasets;

pub use compare::{ComparedRows, Difference, DifferenceKind, DifferingField};
pub use report::{Verified, VerifiedCustomers};

/// The version of the JSON form.
const VERSION: u32 = 1;

/// What is to be compared.
#[derive(Debug, Clone)]
pub struct VerifyRequest {
    /// Only these customers; empty: a sample of those that the ledger has rows of.
    pub only: Vec<CustomerId>,
    /// The size of the sample; none: all of them.
    pub sample: Option<i64>,
    /// Which of the API's two families of collections is asked.
    pub source: Source,
}

/// A comparison under way.
struct Verification<'a> {
    syncer: &'a Syncer,
    session: Session,
    shutdown: &'a Shutdown,
    progress: &'a watch::Sender<Progress>,
    fields: Fields,
    found: Verified,
}

impl Syncer {
    /// Compares the ledger with what the API gives now.
    ///
    /// # Errors
    /// When it could not be done, or the program was stopped.
    pub async fn verify(
        &self,
        request: &VerifyRequest,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<Verified, RunError> {
        // Names in another language would differ in every row.
        if let Some(refused) = self.refuse_locale(self.store.load_locale().await?) {
            return Err(refused);
        }
        let customers = self.chosen(request).await?;
        let total = customers.len() as u64;
        progress.send_modify(|progress| progress.total = total);
        let mut verification = Verification {
            syncer: self,
            session: self.client.begin_session(),
            shutdown,
            progress,
            fields: if request.source == self.source {
                Fields::Given
            } else {
                Fields::Common
            },
            found: Verified {
                version: VERSION,
                source: request.source.as_str(),
                ledger_source: self.source.as_str(),
                customers: VerifiedCustomers {
                    total,
                    ..VerifiedCustomers::default()
                },
                rows: ComparedRows::default(),
                http: TrafficCounts::default(),
                differences: Vec::new(),
                differences_left_out: 0,
                failures: Vec::new(),
            },
        };
        if !customers.is_empty() {
            enter(progress, Phase::SigningIn);
            verification.session.sign_in(shutdown).await?;
            enter(progress, Phase::Fetching);
            match request.source {
                Source::Customer => Box::pin(verification.each(customers)).await?,
                Source::Commercial => Box::pin(verification.partner_wide(customers)).await?,
            }
        }
        let Verification { session, found, .. } = verification;
        Ok(Verified {
            http: session.traffic(),
            ..found
        })
    }

    async fn chosen(&self, request: &VerifyRequest) -> Result<Vec<CustomerId>, RunError> {
        if request.only.is_empty() {
            let excluded = &self.customers.exclude;
            return Ok(self.store.load_sample(excluded, request.sample).await?);
        }
        let mut only = request.only.clone();
        only.sort_unstable();
        only.dedup();
        Ok(only)
    }
}

impl Verification<'_> {
    /// Asks for each customer's own collections.
    async fn each(&mut self, customers: Vec<CustomerId>) -> Result<(), RunError> {
        let limit = OutageLimit::new(self.syncer.max_elapsed);
        let mut streaks = Streaks::default();
        for customer in customers {
            let outcome = self.fetch_customer(customer).await?;
            let kind = outcome
                .failure
                .as_ref()
                .map(|failure| FailureKind::of(failure, outcome.http_status));
            streaks.add(&outcome, kind.as_ref());
            let last = outcome.failure.as_ref().map(|it| it.detail.clone());
            self.add(vec![outcome]).await?;
            let Some(last) = last else { continue };
            let outage = self.session.outage();
            let silence = outage.map(|outage| Silence::at(Instant::now(), &outage));
            match streaks.judge(limit, silence, &last) {
                None => {}
                Some(RunVerdict::BeginNoMore(early_end)) => return Err(early_end.into()),
                Some(RunVerdict::TokenRefused(error)) => return Err(ApiError::from(error).into()),
            }
        }
        Ok(())
    }

    /// Asks for the partner-wide collections, and takes these customers out of them.
    async fn partner_wide(&mut self, customers: Vec<CustomerId>) -> Result<(), RunError> {
        let mut datasets = PartnerWideDatasets::fetch(self, &customers).await?;
        self.found.rows.rejected += datasets.unattributed();
        for customers in datasets.buckets(&customers) {
            let outcomes;
            (datasets, outcomes) = datasets.next_bucket(self, customers).await?;
            self.add(outcomes).await?;
        }
        Ok(())
    }

    /// Compares customers with the ledger.
    async fn add(&mut self, outcomes: Vec<CustomerOutcome>) -> Result<(), RunError> {
        let done = outcomes.len() as u64;
        let (failed, fetched): (Vec<_>, Vec<_>) = outcomes
            .into_iter()
            .partition(|outcome| outcome.failure.is_some());
        self.found.customers.failed += failed.len() as u64;
        let failures = failed.into_iter().filter_map(|outcome| {
            let failure = outcome.failure?;
            Some(FailedCustomer::new(&outcome.customer, &failure))
        });
        self.found.failures.extend(failures);
        let both = self.syncer.store.load_both_sides(&fetched).await?;
        for (sides, outcome) in both.iter().zip(&fetched) {
            let (mut rows, differences) = compare(sides, self.fields);
            rows.rejected = outcome.rejected();
            self.found.add(rows, differences);
        }
        let failed = self.found.customers.failed;
        self.progress.send_modify(|progress| {
            progress.done += done;
            progress.failed = failed;
        });
        Ok(())
    }
}
