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
mod limiter;
mod link;
mod number;
mod probe;
mod retry_budget;
mod turn;
mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
pub use retry_budget::Outage;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::retry::{GaveUp, RetryPolicy, Stop, Tried};
use crate::usage::{Collection, CustomerId, DeploymentRow, FailureReason, TrafficCounts, UsageRow};
use auth::{Auth, Token};
use decode::NotACollection;
use http::{http_client, read_beginning, read_body, redirect_target, retry_after, stay_at_origin};
use limiter::{Hopeless, Limiter, Pass, Verdict};
use retry_budget::RetryBudget;
use turn::NoTurn;

/// An error answer is read this far; what comes after it explains nothing.
const MAX_FAULT_BYTES: usize = 64 * 1024;

/// Failed attempts of one kind that are logged one by one in a run.
const LOGGED_FAILURES: u64 = 50;

/// Speaks to one partner's Partner Center.
pub struct Client {
    http: reqwest::Client,
    base: String,
    locale: HeaderValue,
    max_response_bytes: u64,
    auth: Auth,
    policy: RetryPolicy,
    in_flight: Arc<Semaphore>,
    limiter: Limiter,
    budget: RetryBudget,
    clock: Arc<dyn Clock>,
    traffic: Traffic,
    /// Failed attempts since the run began, by kind.
    logged: Mutex<HashMap<(FailureReason, Option<u16>), u64>>,
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
            limiter: Limiter::new(
                settings.max_requests_per_second,
                settings.max_concurrency,
                policy.max_elapsed(),
            ),
            budget: RetryBudget::new(),
            clock,
            traffic: Traffic::default(),
            logged: Mutex::default(),
            commercial_version: OnceLock::new(),
        })
    }

    /// To be called as a run begins: makes sure that there is a token before the first customer is asked for.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn sign_in(&self, stop: &Stop) -> Result<(), AuthError> {
        self.logged
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.auth.begin(stop).await
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

    /// The rate that the API allows as far as it was learned, in requests a second; none while nothing was refused.
    /// Kept for as long as the client lives, so that a run begins with what the one before learned.
    #[must_use]
    pub fn learned_rate(&self) -> Option<f64> {
        self.limiter.learned()
    }

    /// Whether everything fails: since when, if no call got an answer after that which no retry would change (any but
    /// 408, 429 and 5xx, and whole). A call that is not made, or stopped, or without a token says nothing.
    /// A run has nothing to wait for any more once this lasts as long as a call is retried.
    #[must_use]
    pub fn outage(&self) -> Option<Outage> {
        self.budget.outage()
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
        let mut failed: Option<ApiError> = None;
        let mut retries = 0;
        let end = loop {
            let retry = failed.is_some().then_some(retries);
            let turn = self.turn(call, &mut attempts, retry, stop).await;
            retries += u32::from(failed.is_some());
            let (permit, pass) = match turn {
                Ok(turn) => turn,
                Err(NoTurn::Stopped) => {
                    let attempts = call.sent();
                    return Err(GaveUp::Stopped {
                        attempts,
                        last: failed,
                    });
                }
                Err(NoTurn::TimeUp) => {
                    let attempts = call.sent();
                    let error = failed.unwrap_or(ApiError::Throttled);
                    return Err(GaveUp::Failed { error, attempts });
                }
            };
            let left = attempts.left();
            let attempt = async {
                let answer = self.attempt(call, pass, left, stop).await;
                let value = answer.and_then(|answer| Ok((read(&answer)?, permit)));
                self.note(value.as_ref().err());
                value.inspect_err(|error| self.log(call, error))
            };
            match attempts.try_once(attempt).await {
                Tried::Ended(end) => break end,
                Tried::Again(error) => failed = Some(error),
            }
        };
        let attempts = call.sent();
        end.map_err(|gave_up| match gave_up {
            GaveUp::Stopped { last, .. } => GaveUp::Stopped {
                attempts,
                last: last.or(failed),
            },
            GaveUp::Failed {
                error: ApiError::Stopped,
                ..
            } => GaveUp::Stopped {
                attempts,
                last: failed,
            },
            GaveUp::Failed { error, .. } => GaveUp::Failed { error, attempts },
        })
    }

    /// Microsoft's support asks for both ids of a call that failed. Of failures of one kind the first few are enough: a
    /// cause that all customers share would fill the log.
    fn log(&self, call: &Call, error: &ApiError) {
        if matches!(error, ApiError::Stopped) {
            return;
        }
        let kind = (error.reason(), error.http_status());
        let count = {
            let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
            let count = logged.entry(kind).or_default();
            *count += 1;
            *count
        };
        if count > LOGGED_FAILURES {
            return;
        }
        let error = with_causes(error);
        warn!(
            customer.id = call.customer.map(tracing::field::display),
            ms.request_id = call.header("ms-requestid"),
            ms.correlation_id = call.header("ms-correlationid"),
            attempt = call.sent(),
            error,
            "Attempt {} failed: {error}",
            call.sent()
        );
        if count == LOGGED_FAILURES {
            warn!("Further attempts of this run that fail alike are not logged one by one");
        }
    }

    /// One attempt, with the token renewed in its midst if the API refuses it.
    async fn attempt(
        &self,
        call: &Call,
        pass: Pass<'_>,
        left: Duration,
        stop: &Stop,
    ) -> Result<Answer, ApiError> {
        let token = self.auth.token(stop).await?;
        // The renewal may have taken longer than the patience of whoever stops us; nothing new begins then.
        if stop.soon.is_cancelled() {
            return Err(ApiError::Stopped);
        }
        let answer = self.send(call, &token, pass).await;
        let Err(ApiError::Status { status: 401, .. }) = answer else {
            return answer;
        };
        match self.auth.replace(&token, stop).await? {
            Some(token) => {
                let pass = tokio::select! {
                    biased;
                    () = stop.soon.cancelled() => return Err(ApiError::Stopped),
                    entered = self.limiter.enter(call.customer, left) => entered,
                };
                let pass = pass.map_err(|Hopeless| ApiError::Throttled)?;
                self.budget.repeated();
                self.send(call, &token, pass).await
            }
            None => answer,
        }
    }

    async fn send(
        &self,
        call: &Call,
        token: &Arc<Token>,
        pass: Pass<'_>,
    ) -> Result<Answer, ApiError> {
        self.budget.called();
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
        let retry_after = retry_after(answer.headers(), self.clock.now());
        pass.answered(match status {
            StatusCode::TOO_MANY_REQUESTS => Verdict::Refused { wish: retry_after },
            StatusCode::REQUEST_TIMEOUT => Verdict::Troubled,
            status if status.is_server_error() => Verdict::Troubled,
            _ => Verdict::Served,
        });
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
                    retry_after,
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
}
