//! Everything Microsoft: the client with one method per endpoint. Requests go out here and nowhere else, under one
//! bound on their number and rate, and the token goes to the configured origin only.
//! Knows no SQL and no schedule; answers come back as our own types.

mod advice;
mod auth;
mod body;
mod commercial;
mod customers;
mod date;
mod decode;
mod error;
mod fault;
mod http;
mod link;
mod number;
mod probe;
mod wire;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Interval, MissedTickBehavior};
use tokio_util::task::TaskTracker;
use tracing::warn;
use uuid::Uuid;

pub use advice::advice;
pub use auth::{AuthError, BrowserSignIn, ConsentFile, DeviceCode, Login, Mfa, SignedIn};
pub use commercial::{Commercial, Share, Wanted};
pub use error::ApiError;
pub use fault::Fault;
pub use http::SetUpError;
pub use probe::Probed;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::retry::{GaveUp, RetryPolicy, Stop};
use crate::usage::{Collection, CustomerId, DeploymentRow, TrafficCounts, UsageRow};
use auth::{Auth, Token};
use decode::NotACollection;
use http::{http_client, read_beginning, read_body, redirect_target, retry_after, stay_at_origin};

/// An error answer is read this far; what comes after it explains nothing.
const MAX_FAULT_BYTES: usize = 64 * 1024;

/// Speaks to one partner's Partner Center.
pub struct Client {
    http: reqwest::Client,
    base: String,
    locale: HeaderValue,
    max_response_bytes: u64,
    auth: Auth,
    policy: RetryPolicy,
    in_flight: Arc<Semaphore>,
    pace: Option<Mutex<Interval>>,
    clock: Arc<dyn Clock>,
    traffic: Traffic,
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

/// Reads a body of a customer's, at a moment, which must not give the token away.
type Decode<R> =
    fn(&[u8], CustomerId, DateTime<Utc>, &str) -> Result<Collection<R>, NotACollection>;

/// An answer that succeeded.
struct Answer {
    status: u16,
    body: Vec<u8>,
    /// What the API says of the token's multi-factor authentication, if it was asked.
    mfa_compliant: Option<bool>,
    /// What the call was made with: the body may echo it.
    token: Arc<Token>,
}

/// One logical call, the same over all its attempts.
struct Call {
    url: String,
    headers: HeaderMap,
    customer: Option<CustomerId>,
    /// HTTP tries so far.
    sent: AtomicU32,
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
        let http = http_client(settings, &settings.base_url, Policy::custom(stay_at_origin))?;
        let authority = http_client(settings, &auth.authority, Policy::none())?;
        Ok(Self {
            http,
            base: settings.base_url.as_str().trim_end_matches('/').to_owned(),
            locale: HeaderValue::from_str(&settings.locale)
                .expect("the locale was checked when the configuration was read"),
            max_response_bytes: settings.max_response_bytes,
            auth: Auth::new(
                authority,
                &settings.base_url,
                auth,
                policy,
                tasks,
                Arc::clone(&clock),
            ),
            policy,
            in_flight: Arc::new(Semaphore::new(settings.max_concurrency)),
            pace: settings.max_requests_per_second.map(pace),
            clock,
            traffic: Traffic::default(),
            commercial_version: OnceLock::new(),
        })
    }

    /// Makes sure that there is a token before the first customer is asked for.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn sign_in(&self, stop: &Stop) -> Result<(), AuthError> {
        self.auth.begin(stop).await
    }

    /// STUB
    pub fn silence(&self) -> Option<Duration> {
        None
    }

    /// STUB
    pub fn learned_rate(&self) -> Option<f64> {
        None
    }

    /// Looks into the present token for what would make Partner Center refuse every call with it.
    ///
    /// # Errors
    /// When there is such a thing, or no token.
    pub async fn examine_token(&self, stop: &Stop) -> Result<Mfa, AuthError> {
        self.auth.examine(stop).await
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

    /// One customer's newest licence usage, from
    /// `GET /v1/customers/{id}/analytics/licenses/usage`.
    ///
    /// # Errors
    /// The last attempt's error with the number of HTTP tries, or that the program is stopping.
    pub async fn fetch_usage(
        &self,
        customer: CustomerId,
        stop: &Stop,
    ) -> Result<Fetched<UsageRow>, GaveUp<ApiError>> {
        self.fetch(customer, "usage", stop, decode::decode_usage)
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
        stop: &Stop,
    ) -> Result<Fetched<DeploymentRow>, GaveUp<ApiError>> {
        self.fetch(customer, "deployment", stop, decode::decode_deployment)
            .await
    }

    async fn fetch<R>(
        &self,
        customer: CustomerId,
        collection: &str,
        stop: &Stop,
        decode: Decode<R>,
    ) -> Result<Fetched<R>, GaveUp<ApiError>> {
        let path = format!("/v1/customers/{customer}/analytics/licenses/{collection}");
        let call = Call::new(
            format!("{}{path}", self.base),
            Some(customer),
            HeaderMap::new(),
        );
        let fetched = self.call(&call, stop, |answer| {
            let now = self.clock.now();
            let collection = decode(&answer.body, customer, now, answer.token.secret())?;
            Ok((collection, answer.status))
        });
        fetched
            .await
            .map(|((collection, http_status), permit)| Fetched {
                collection,
                attempts: call.sent(),
                http_status,
                permit,
            })
    }

    /// Sends a call until it succeeds or is given up, and reads each answer with `read`.
    async fn call<T>(
        &self,
        call: &Call,
        stop: &Stop,
        read: impl Fn(&Answer) -> Result<T, ApiError>,
    ) -> Result<(T, OwnedSemaphorePermit), GaveUp<ApiError>> {
        let mut attempts = self.policy.attempts(stop);
        let end = loop {
            let queued = Instant::now();
            let Some(permit) = self.admit(stop).await else {
                let attempts = call.sent();
                return Err(GaveUp::Stopped { attempts });
            };
            attempts.discount(queued.elapsed());
            let attempt = async {
                let answer = self.attempt(call, stop).await;
                let value = answer.and_then(|answer| Ok((read(&answer)?, permit)));
                value.inspect_err(|error| call.log(error))
            };
            if let Some(end) = attempts.run(attempt).await {
                break end;
            }
        };
        let attempts = call.sent();
        end.map_err(|gave_up| match gave_up {
            GaveUp::Stopped { .. }
            | GaveUp::Failed {
                error: ApiError::Stopped,
                ..
            } => GaveUp::Stopped { attempts },
            GaveUp::Failed { error, .. } => GaveUp::Failed { error, attempts },
        })
    }

    /// Waits for a place among the requests in flight, and for the pace; none when a stop is heard meanwhile.
    async fn admit(&self, stop: &Stop) -> Option<OwnedSemaphorePermit> {
        let admitted = async {
            let permit = Arc::clone(&self.in_flight)
                .acquire_owned()
                .await
                .expect("the semaphore is never closed");
            self.keep_pace().await;
            permit
        };
        tokio::select! {
            biased;
            () = stop.soon.cancelled() => None,
            permit = admitted => Some(permit),
        }
    }

    async fn keep_pace(&self) {
        if let Some(pace) = &self.pace {
            pace.lock().await.tick().await;
        }
    }

    /// One attempt, with the token renewed in its midst if the API refuses it.
    async fn attempt(&self, call: &Call, stop: &Stop) -> Result<Answer, ApiError> {
        let token = self.auth.token(stop).await?;
        // The renewal may have taken longer than the patience of whoever stops us; nothing new begins then.
        if stop.soon.is_cancelled() {
            return Err(ApiError::Stopped);
        }
        let answer = self.send(call, &token).await;
        let Err(ApiError::Status { status: 401, .. }) = answer else {
            return answer;
        };
        match self.auth.replace(&token, stop).await? {
            Some(token) => {
                self.keep_pace().await;
                self.send(call, &token).await
            }
            None => answer,
        }
    }

    async fn send(&self, call: &Call, token: &Arc<Token>) -> Result<Answer, ApiError> {
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        if call.sent.fetch_add(1, Ordering::Relaxed) > 0 {
            self.traffic.retries.fetch_add(1, Ordering::Relaxed);
        }
        let mut answer = self
            .http
            .get(&call.url)
            .headers(call.headers.clone())
            .header(ACCEPT, "application/json")
            .header("X-Locale", self.locale.clone())
            .header(AUTHORIZATION, token.header.clone())
            .send()
            .await
            .map_err(ApiError::from_transport)?;
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.traffic.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if status != StatusCode::UNAUTHORIZED {
            token.prove();
        }
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(Answer {
                status: status.as_u16(),
                mfa_compliant: probe::mfa_compliant(answer.headers()),
                body: read_body(&mut answer, self.max_response_bytes).await?,
                token: Arc::clone(token),
            }),
            _ if status.is_redirection() => Err(ApiError::Redirect {
                status: status.as_u16(),
                target: redirect_target(&answer),
            }),
            _ => {
                let body = read_beginning(&mut answer, MAX_FAULT_BYTES).await;
                Err(ApiError::Status {
                    status: status.as_u16(),
                    fault: Fault::in_body(&body, token.secret()),
                    retry_after: retry_after(answer.headers(), self.clock.now()),
                })
            }
        }
    }
}

impl Call {
    /// A call under a correlation id of its own, with one request id for all its attempts.
    fn new(url: String, customer: Option<CustomerId>, mut headers: HeaderMap) -> Self {
        for name in ["ms-requestid", "ms-correlationid"] {
            let id = HeaderValue::from_str(&Uuid::new_v4().to_string())
                .expect("a GUID is made of visible characters");
            headers.insert(HeaderName::from_static(name), id);
        }
        headers.insert("ms-contract-version", HeaderValue::from_static("v1"));
        headers.insert(
            "ms-partnercenter-application",
            HeaderValue::from_static("Seatledger"),
        );
        Self {
            url,
            headers,
            customer,
            sent: AtomicU32::new(0),
        }
    }

    fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Microsoft's support asks for both ids of a call that failed.
    fn log(&self, error: &ApiError) {
        if matches!(error, ApiError::Stopped) {
            return;
        }
        let error = with_causes(error);
        warn!(
            customer.id = self.customer.map(tracing::field::display),
            ms.request_id = self.header("ms-requestid"),
            ms.correlation_id = self.header("ms-correlationid"),
            attempt = self.sent(),
            error,
            "Attempt {} failed: {error}",
            self.sent()
        );
    }
}

fn pace(per_second: f64) -> Mutex<Interval> {
    let mut interval = tokio::time::interval(Duration::from_secs_f64(1.0 / per_second));
    // Time in which nothing was sent must not come back as a burst.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Mutex::new(interval)
}
