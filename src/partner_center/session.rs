//! What lives as long as a run: its traffic counts, its retry budget, how much it has logged, and
//! the difference between this machine's clock and the server's. Calls are made in a session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ledger::{FailureReason, TrafficCounts};
use crate::metrics::Part;
use crate::partner_center::auth::Mfa;
use crate::partner_center::client::Client;
use crate::partner_center::error::ApiError;
use crate::partner_center::throttle::retry_budget::{Outage, RetryBudget};
use crate::partner_center::transport::skew::{ClockSkew, Skew};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// One run's use of the client.
pub struct Session {
    pub(in crate::partner_center) client: Arc<Client>,
    pub(in crate::partner_center) budget: RetryBudget,
    pub(in crate::partner_center) traffic: Traffic,
    pub(in crate::partner_center) failures: FailureLog,
    pub(in crate::partner_center) skew: Skew,
}

/// Calls to the API, those to the sign-in service left out.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct Traffic {
    pub(in crate::partner_center) requests: AtomicU64,
    pub(in crate::partner_center) retries: AtomicU64,
    pub(in crate::partner_center) throttled: AtomicU64,
}

/// Counts failed attempts by kind, so that a cause that many customers share does not fill the log.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct FailureLog(Mutex<HashMap<(FailureReason, Option<u16>), u64>>);

impl FailureLog {
    /// Counts one failed attempt. Returns how many of its kind there were in this session.
    pub(in crate::partner_center) fn count(&self, error: &ApiError) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts
            .entry((error.reason(), error.http_status()))
            .or_default();
        *count += 1;
        *count
    }
}

impl Client {
    /// Opens the session of a run. Nothing is sent yet: see [`Session::sign_in`].
    #[must_use]
    pub fn begin_session(self: &Arc<Self>) -> Session {
        Session {
            client: Arc::clone(self),
            budget: RetryBudget::default(),
            traffic: Traffic::default(),
            failures: FailureLog::default(),
            skew: Skew::default(),
        }
    }
}

impl Session {
    /// Obtains a token before the first call. An earlier run's failure to sign in is forgotten: a
    /// person may have signed in since.
    ///
    /// # Errors
    /// When no token can be obtained.
    pub async fn sign_in(&self, shutdown: &Shutdown) -> Result<(), RetryError<ApiError>> {
        let metrics = &self.client.metrics;
        let begun = self.client.auth.begin(shutdown).await;
        match &begun {
            Ok(()) => metrics.error_is_over(Part::SignIn),
            Err(RetryError::Stopped { .. }) => {}
            Err(RetryError::Failed { .. } | RetryError::Fatal(_)) => {
                metrics.error_stands(Part::SignIn);
            }
        }
        Ok(begun?)
    }

    /// Looks into the present token for what would make Partner Center refuse every call with it.
    ///
    /// # Errors
    /// When there is such a thing, or no token.
    pub async fn examine_token(&self, shutdown: &Shutdown) -> Result<Mfa, RetryError<ApiError>> {
        Ok(self.client.auth.examine(shutdown).await?)
    }

    /// How many requests this session has sent.
    #[must_use]
    pub fn traffic(&self) -> TrafficCounts {
        TrafficCounts {
            requests: self.traffic.requests.load(Ordering::Relaxed),
            retries: self.traffic.retries.load(Ordering::Relaxed),
            throttled: self.traffic.throttled.load(Ordering::Relaxed),
        }
    }

    /// The difference between this machine's clock and the dates of the answers, if it is over a
    /// day.
    #[must_use]
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        self.skew.reported(self.client.clock.now())
    }

    /// The outage under way: since the first failure, no call has had a whole answer that a retry
    /// would not change (any status but 408, 429 and 5xx). Calls that were not made, were stopped
    /// or had no token do not count.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.budget.outage()
    }
}
