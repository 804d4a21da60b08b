//! What lives as long as the program: the connections, the token, the limiter with the rate that it
//! has learned, and the settings.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config;
use crate::metrics::Metrics;
use crate::partner_center::auth::{AuthorityClient, TokenProvider};
use crate::partner_center::error::ApiError;
use crate::partner_center::throttle::admission::Admission;
use crate::partner_center::throttle::attribution::RefusedByScope;
use crate::partner_center::throttle::gate::ThrottleStatus;
use crate::partner_center::transport::aside::Aside;
use crate::partner_center::transport::barrier::Barrier;
use crate::partner_center::transport::connections::{Connections, Keep, MOST_SENDS};
use crate::partner_center::transport::http::{SetUpError, http_client, stay_at_origin};
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;

/// How long [`Client::reach`] waits for an answer. A server that takes longer is slow and no
/// barrier; the first call has its own time limit.
const REACH_TIMEOUT: Duration = Duration::from_secs(10);

/// Speaks to one partner's Partner Center for as long as the program runs.
pub struct Client {
    pub(in crate::partner_center) connections: Connections,
    /// Scheme and host, and a path if the configuration has one; without a slash at the end.
    pub(in crate::partner_center) base: String,
    pub(in crate::partner_center) locale: HeaderValue,
    pub(in crate::partner_center) max_response_bytes: u64,
    /// The longest time that one request takes, with all the times that it is sent.
    pub(in crate::partner_center) request_limit: Duration,
    pub(in crate::partner_center) auth: TokenProvider,
    pub(in crate::partner_center) policy: RetryPolicy,
    pub(in crate::partner_center) admission: Admission,
    pub(in crate::partner_center) clock: Arc<dyn Clock>,
    pub(in crate::partner_center) metrics: Metrics,
    /// What of the throttle's counts is in the metrics.
    counted: Mutex<ThrottleCounts>,
    /// Where large answers are read.
    pub(in crate::partner_center) aside: Aside,
    /// What the path of the partner-wide collections begins with, once it is known.
    pub(in crate::partner_center) partner_wide_version: OnceLock<&'static str>,
}

/// What a client has in common with the rest of the program.
#[derive(Clone)]
pub struct Surroundings {
    /// Must be awaited before the program ends.
    pub tasks: TaskTracker,
    /// For dates.
    pub clock: Arc<dyn Clock>,
    /// Where requests are counted.
    pub metrics: Metrics,
}

/// What the throttle counts, up to some moment.
#[derive(Debug, Default)]
struct ThrottleCounts {
    paused_seconds: f64,
    refused: RefusedByScope,
}

impl Client {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When TLS cannot be set up, for example without any root certificates.
    ///
    /// # Panics
    /// With a locale that cannot be a header value; the configuration has checked that.
    pub fn new(
        settings: &config::PartnerCenter,
        auth: &config::Auth,
        policy: RetryPolicy,
        surroundings: Surroundings,
    ) -> Result<Self, SetUpError> {
        let Surroundings {
            tasks,
            clock,
            metrics,
        } = surroundings;
        let api = settings.clone();
        let connections = Connections::new(move |keep| {
            let mut api = api.clone();
            if keep == Keep::Closed {
                api.max_concurrency = 0;
            }
            http_client(&api, &api.base_url, Policy::custom(stay_at_origin))
        })?;
        let http = match auth.method {
            // The sign-in service is never called, so its root certificates need not be read.
            config::Method::AccessToken(_) => connections.client(),
            config::Method::RefreshToken { .. } | config::Method::ClientCredentials { .. } => {
                http_client(settings, &auth.authority, Policy::none())?
            }
        };
        let authority = AuthorityClient::new(http, &settings.base_url, auth, Arc::clone(&clock));
        Ok(Self {
            connections,
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            locale: HeaderValue::from_str(&settings.locale)
                .expect("the locale was checked when the configuration was read"),
            max_response_bytes: settings.max_response_bytes,
            request_limit: settings.request_timeout.saturating_mul(MOST_SENDS),
            auth: TokenProvider::new(authority, policy, settings.request_timeout, tasks.clone()),
            aside: Aside::new(tasks),
            policy,
            admission: Admission::new(
                settings.max_requests_per_second,
                settings.max_concurrency,
                policy.max_elapsed(),
            ),
            clock,
            metrics,
            counted: Mutex::default(),
            partner_wide_version: OnceLock::new(),
        })
    }

    /// Looks for a barrier between this machine and the API that waiting does not remove. Sends no
    /// token, and leaves every other fault to the first call.
    ///
    /// # Errors
    /// With that barrier.
    pub async fn reach(&self, shutdown: &Shutdown) -> Result<(), ApiError> {
        // Plain HTTP, which is for this machine only, has neither certificates nor proxies.
        if !self.base.starts_with("https:") {
            return Ok(());
        }
        let request = self.connections.client().head(&self.base).send();
        let answer = tokio::time::timeout(REACH_TIMEOUT, request);
        // A stop or a slow server is no barrier.
        let Ok(Ok(Err(error))) = shutdown.unless_graceful(answer).await else {
            return Ok(());
        };
        Barrier::before(&error).map_or(Ok(()), |barrier| Err(barrier.into()))
    }

    /// The rate that the API was found to allow, in requests a second; none while nothing was
    /// refused. A run begins with what the one before learned.
    #[must_use]
    pub fn learned_rate(&self) -> Option<f64> {
        self.admission.limiter.learned()
    }

    /// What the throttle does now.
    #[must_use]
    pub fn throttle(&self) -> ThrottleStatus {
        self.admission.limiter.snapshot(self.clock.now())
    }

    /// As [`Client::throttle`], and adds to the metrics what has come since the last time.
    pub fn count_throttle(&self) -> ThrottleStatus {
        let status = self.throttle();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let paused = (status.paused_seconds - counted.paused_seconds).max(0.0);
        self.metrics.count_throttle(
            Duration::from_secs_f64(paused),
            status.refused.tenant - counted.refused.tenant,
            status.refused.customer - counted.refused.customer,
        );
        *counted = ThrottleCounts {
            paused_seconds: status.paused_seconds,
            refused: status.refused,
        };
        status
    }
}

/// After a reload another client counts from 0 on, and nothing may be lost.
impl Drop for Client {
    fn drop(&mut self) {
        self.count_throttle();
    }
}
