//! What lives as long as a run: its counts, its share of retries, what it has logged, and what the
//! answers say of this machine's clock. The calls to the API are made in a session.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ledger::{FailureReason, TrafficCounts};
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

/// Counts failed attempts by kind, so that a cause that all customers share does not fill the log.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct FailureLog(Mutex<HashMap<(FailureReason, Option<u16>), u64>>);

impl FailureLog {
    /// Counts one failed attempt. Gives how many of its kind there were in this session.
    pub(in crate::partner_center) fn count(&self, error: &ApiError) -> u64 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts
            .entry((error.reason(), error.http_status()))
            .or_default();
        *count += 1;
        *count
    }
}

impl Session {
    pub(in crate::partner_center) fn new(client: Arc<Client>) -> Self {
        Self {
            client,
            budget: RetryBudget::default(),
            traffic: Traffic::default(),
            failures: FailureLog::default(),
            skew: Skew::default(),
        }
    }

    /// Makes sure that there is a token before the first customer is asked for. An earlier run's
    /// failure to sign in is forgotten: a person may have signed in since.
    ///
    /// # Errors
    /// When there is no token to be had.
    pub async fn sign_in(&self, shutdown: &Shutdown) -> Result<(), RetryError<ApiError>> {
        Ok(self.client.auth.begin(shutdown).await?)
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

    /// By how much this machine's clock is off, by the dates of the answers, if that is more than a
    /// day.
    #[must_use]
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        self.skew.told(self.client.clock.now())
    }

    /// The outage under way, if no call has got a conclusive answer since the first one that failed
    /// without. Conclusive is a whole answer that no retry would change: any status but 408, 429 and
    /// 5xx. A call that was never made, was stopped or had no token says nothing.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.budget.outage()
    }
}
