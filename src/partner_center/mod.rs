//! Everything Microsoft: the client with one method per endpoint. Requests go out here and nowhere
//! else, under one bound on their number and rate, and the token goes to the configured origin
//! only. Knows no SQL and no schedule; answers come back as our own types.

mod auth;
mod decode;
mod endpoints;
mod throttle;
mod transport;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::TaskTracker;

pub use auth::{
    AuthError, BrowserSignIn, ConsentFile, DeviceCode, Login, Mfa, OauthError, Presented, SignedIn,
    prove_token_file,
};
pub use decode::fault::Fault;
pub use endpoints::partner_wide::{Commercial, Share, Wanted};
pub use endpoints::probe::Probed;
pub use throttle::retry_budget::Outage;
pub use transport::advice::{advice, advice_for_many};
pub use transport::barrier::Barrier;
pub use transport::error::ApiError;
pub(crate) use transport::error::remedy_of_status;
pub use transport::http::SetUpError;
pub use transport::skew::ClockSkew;

use crate::clock::Clock;
use crate::config;
use crate::ledger::{
    Collection, CustomerId, DeploymentRow, FailureReason, TrafficCounts, UsageRow,
};
use crate::retry::{RetryError, RetryPolicy};
use crate::shutdown::Shutdown;
use auth::Auth;
use throttle::admission::Admission;
use transport::aside::Aside;
use transport::connections::{Connections, Keep};
use transport::http::{http_client, stay_at_origin};
use transport::skew::Skew;

/// What stands before the API shows within this time, or waits for the first call to show.
const REACH_PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

/// Speaks to one partner's Partner Center.
pub struct Client {
    connections: Connections,
    base: String,
    locale: HeaderValue,
    max_response_bytes: u64,
    auth: Auth,
    policy: RetryPolicy,
    admission: Admission,
    clock: Arc<dyn Clock>,
    traffic: Traffic,
    /// Failed attempts since the run began, by kind.
    logged: Mutex<HashMap<(FailureReason, Option<u16>), u64>>,
    /// Where large answers are read.
    aside: Aside,
    skew: Skew,
    /// Under which beginning of the path the partner-wide collections are, once it is known.
    commercial_version: OnceLock<&'static str>,
}

/// Calls to the API since the program began, those to the sign-in service left out.
#[derive(Debug, Default)]
struct Traffic {
    requests: AtomicU64,
    retries: AtomicU64,
    throttled: AtomicU64,
}

/// One customer's collection, and the room it takes among those under way.
#[derive(Debug)]
pub struct Fetched<R> {
    /// The rows and rejections.
    pub collection: Collection<R>,
    /// HTTP tries it took.
    pub attempts: u32,
    /// 200, or 204 for nothing at all.
    pub http_status: u16,
    /// Kept until the collection has been handed on, so that fetching cannot run ahead of storing.
    pub permit: OwnedSemaphorePermit,
}

impl Client {
    /// `tasks` must be awaited before the program ends.
    ///
    /// # Errors
    /// When TLS cannot be set up, for example without any root certificates.
    ///
    /// # Panics
    /// With a locale that is not fit for a header, which the configuration does not let pass.
    pub fn new(
        settings: &config::PartnerCenter,
        auth: &config::Auth,
        policy: RetryPolicy,
        tasks: TaskTracker,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetUpError> {
        let api = settings.clone();
        let connections = Connections::new(move |keep| {
            let mut api = api.clone();
            if keep == Keep::Closed {
                api.max_concurrency = 0;
            }
            http_client(&api, &api.base_url, Policy::custom(stay_at_origin))
        })?;
        let authority = match auth.method {
            // Never asked, so that its certificates need not be read.
            config::Method::AccessToken(_) => connections.client(),
            config::Method::RefreshToken { .. } | config::Method::ClientCredentials { .. } => {
                http_client(settings, &auth.authority, Policy::none())?
            }
        };
        Ok(Self {
            connections,
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            locale: HeaderValue::from_str(&settings.locale)
                .expect("the locale was checked when the configuration was read"),
            max_response_bytes: settings.max_response_bytes,
            auth: Auth::new(
                authority,
                &settings.base_url,
                auth,
                policy,
                tasks.clone(),
                Arc::clone(&clock),
            ),
            aside: Aside::new(tasks),
            skew: Skew::default(),
            policy,
            admission: Admission::new(
                settings.max_requests_per_second,
                settings.max_concurrency,
                policy.max_elapsed(),
            ),
            clock,
            traffic: Traffic::default(),
            logged: Mutex::default(),
            commercial_version: OnceLock::new(),
        })
    }

    /// To be called as a run begins: makes sure that there is a token before the first customer is
    /// asked for.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn sign_in(&self, shutdown: &Shutdown) -> Result<(), AuthError> {
        self.logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.skew.forget();
        self.admission.begin_run();
        self.auth.begin(shutdown).await
    }

    /// Looks whether anything stands before the API that no waiting removes. Sends no token, and
    /// leaves it to the first call to find out whatever else may be wrong.
    ///
    /// # Errors
    /// With what stands there.
    pub async fn reach(&self, shutdown: &Shutdown) -> Result<(), Barrier> {
        // Plain HTTP, which is for this machine only, has neither certificates nor proxies.
        if !self.base.starts_with("https:") {
            return Ok(());
        }
        let answer = tokio::select! {
            biased;
            () = shutdown.graceful.cancelled() => return Ok(()),
            answer = self.connections.client().head(&self.base).send() => answer,
            // Whoever is that slow lets us through as far as this goes.
            () = tokio::time::sleep(REACH_PATIENCE) => return Ok(()),
        };
        match answer.as_ref().err().and_then(Barrier::before) {
            Some(barrier) => Err(barrier),
            None => Ok(()),
        }
    }

    /// Looks into the present token for what would make Partner Center refuse every call with it.
    ///
    /// # Errors
    /// When there is such a thing, or no token.
    pub async fn examine_token(&self, shutdown: &Shutdown) -> Result<Mfa, AuthError> {
        self.auth.examine(shutdown).await
    }

    /// How many requests were sent so far.
    #[must_use]
    pub fn traffic(&self) -> TrafficCounts {
        TrafficCounts {
            requests: self.traffic.requests.load(Ordering::Relaxed),
            retries: self.traffic.retries.load(Ordering::Relaxed),
            throttled: self.traffic.throttled.load(Ordering::Relaxed),
        }
    }

    /// The rate that the API allows as far as it was learned, in requests a second; none while
    /// nothing was refused. Kept for as long as the client lives, so that a run begins with
    /// what the one before learned.
    #[must_use]
    pub fn learned_rate(&self) -> Option<f64> {
        self.admission.limiter.learned()
    }

    /// By how much this machine's clock is off, where it is off by more than a day: by the answers'
    /// own dates since the run began.
    #[must_use]
    pub fn clock_skew(&self) -> Option<ClockSkew> {
        self.skew.told(self.clock.now())
    }

    /// Whether everything fails: since when, if no call got an answer after that which no retry
    /// would change (any but 408, 429 and 5xx, and whole). A call that is not made, or stopped,
    /// or without a token says nothing. A run has nothing to wait for any more once this lasts
    /// as long as a call is retried.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.admission.budget.outage()
    }

    /// One customer's newest licence usage, from
    /// `GET /v1/customers/{id}/analytics/licenses/usage`.
    ///
    /// # Errors
    /// The last attempt's error with the number of HTTP tries, or that the program is stopping.
    pub async fn fetch_usage(
        &self,
        customer: CustomerId,
        shutdown: &Shutdown,
    ) -> Result<Fetched<UsageRow>, RetryError<ApiError>> {
        self.fetch(customer, "usage", shutdown, decode::decode_usage)
            .await
    }

    /// One customer's newest licence deployment, from
    /// `GET /v1/customers/{id}/analytics/licenses/deployment`.
    ///
    /// # Errors
    /// The last attempt's error with the number of HTTP tries, or that the program is stopping.
    pub async fn fetch_deployment(
        &self,
        customer: CustomerId,
        shutdown: &Shutdown,
    ) -> Result<Fetched<DeploymentRow>, RetryError<ApiError>> {
        self.fetch(customer, "deployment", shutdown, decode::decode_deployment)
            .await
    }
}
