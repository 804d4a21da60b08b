//! One run over the customers of a partner: many workers fetch, one recorder stores.
//!
//! A failure of one customer is recorded, and the run goes on. A failure that every customer would
//! meet ends the run.
//! [`Syncer`] has what runs share; `run` is one run from its lease to the record of its end.

mod batches;
mod customer_list;
mod dated;
mod early_end;
mod error;
mod failures;
mod ledger;
mod partner_wide;
mod per_customer;
mod report;
mod request;
mod run;
mod tally;
mod verify;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config;
use crate::ledger::{Customer, Dataset, Source};
use crate::metrics::Metrics;
use crate::partner_center::{Client, Session};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{
    Attempt, Keeper, LastFinish, LeaseName, LeaseRecord, Migrations, RunAttempt, RunKind, Store,
    conflicting_locale,
};
use ledger::{mark_interrupted, retry_while_away};

pub use customer_list::CustomersError;
pub use dated::Dates;
pub use early_end::EarlyEnd;
pub use error::RunError;
pub use ledger::{DatabaseRetry, Upgrade, UpgradeWait};
pub use report::{CustomerCounts, DatesProgress, FailedCustomer, Phase, Progress, Report};
pub use request::{Mode, Request};
pub use verify::{
    ComparedRows, Difference, DifferenceKind, DifferingField, Verified, VerifiedCustomers,
    VerifyRequest,
};

/// What runs share.
pub struct Syncer {
    /// Speaks to Partner Center.
    pub client: Arc<Client>,
    /// Speaks to Postgres.
    pub store: Store,
    /// Holds the leases of this process.
    pub keeper: Arc<Keeper>,
    /// Which customers are fetched.
    pub customers: config::Customers,
    /// From which of the API's two families of collections.
    pub source: Source,
    /// Which datasets are fetched, each once.
    pub datasets: Vec<Dataset>,
    /// The locale in which names are requested.
    pub locale: String,
    /// Whether the ledger may go on in another locale.
    pub allow_locale_change: bool,
    /// Requests in flight.
    pub max_concurrency: usize,
    /// For how long a call is retried.
    pub max_elapsed: Duration,
    /// For the dates in the records.
    pub clock: Arc<dyn Clock>,
    /// Tracks the workers.
    pub tasks: TaskTracker,
    /// Where runs are counted.
    pub metrics: Metrics,
    /// What the migrations wait for.
    pub upgrade: watch::Sender<Option<UpgradeWait>>,
}

impl Syncer {
    /// Brings the database's tables up to date, and shows in `upgrade` while others keep it from
    /// doing so.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn migrate(&self, retry: RetryPolicy, shutdown: &Shutdown) -> Result<(), RunError> {
        let upgrade = Upgrade {
            store: &self.store,
            migrations: &Migrations::embedded(),
            retry,
            clock: &self.clock,
            shutdown,
        };
        upgrade.run(&self.upgrade).await
    }

    /// When runs over the whole list last ended by themselves.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn last_finish(
        &self,
        now: DateTime<Utc>,
        retry: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<LastFinish, RunError> {
        retry_while_away(&self.store, retry, shutdown, None, async || {
            let host = &self.keeper.instance().host;
            self.store.load_last_finish(now, host).await
        })
        .await
    }

    /// Marks the runs that a crash left behind, unless another process has a run under way.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn recover(&self, retry: RetryPolicy, shutdown: &Shutdown) -> Result<(), RunError> {
        retry_while_away(&self.store, retry, shutdown, None, async || {
            let RunAttempt::Acquired(mut run) = self.store.try_lease_run(&self.keeper).await?
            else {
                return Ok(());
            };
            mark_interrupted(&mut run, &*self.clock).await?;
            run.release().await;
            Ok(())
        })
        .await
    }

    /// Takes the lease of the daemon that does the ticks, unless another has it.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn try_lead(
        &self,
        retry: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<Attempt, RunError> {
        retry_while_away(&self.store, retry, shutdown, None, async || {
            self.keeper.try_acquire(LeaseName::Leader).await
        })
        .await
    }

    /// The leases, as their rows have them.
    ///
    /// # Errors
    /// When the database cannot be used, or the program was stopped while waiting for it.
    pub async fn load_leases(
        &self,
        retry: RetryPolicy,
        shutdown: &Shutdown,
    ) -> Result<Vec<LeaseRecord>, RunError> {
        retry_while_away(&self.store, retry, shutdown, None, async || {
            Box::pin(self.store.load_leases()).await
        })
        .await
    }

    /// Why no run would begin in a ledger whose names were requested in the locale `known`.
    #[must_use]
    pub fn refuse_locale(&self, known: Option<String>) -> Option<RunError> {
        let known = conflicting_locale(known, &self.locale, self.allow_locale_change)?;
        Some(RunError::Locale {
            known,
            asked: self.locale.clone(),
        })
    }

    /// The customers that a run would have on its list.
    ///
    /// # Errors
    /// When there is no list.
    pub async fn list_customers(
        &self,
        session: &Session,
        shutdown: &Shutdown,
    ) -> Result<Vec<Customer>, CustomersError> {
        let listed = if self.customers.discover {
            Some(customer_list::discover(session, shutdown).await?)
        } else {
            None
        };
        let list = customer_list::resolve(&self.customers, &[], RunKind::Backfill, listed)?;
        Ok(list.into_iter().map(Customer::from).collect())
    }
}
