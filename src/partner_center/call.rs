//! One call: sent until it succeeds or is given up, with the token, under the limiter and the retry
//! budget. The only place that sends to the API.

mod request;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::sync::OwnedSemaphorePermit;
use tracing::{Instrument as _, debug, warn};

use request::record_error;

pub(in crate::partner_center) use request::Call;

use crate::causes::with_causes;
use crate::ledger::FailureReason;
use crate::partner_center::auth::Token;
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::decode::next::{self, NextLink};
use crate::partner_center::error::{ApiError, is_rate_limit};
use crate::partner_center::redact::Within;
use crate::partner_center::session::Session;
use crate::partner_center::throttle::admission::{Retry, RetryCause, TimeUp};
use crate::partner_center::throttle::limiter::{PausedTooLong, Reply, RequestPermit};
use crate::partner_center::transport::connections::is_enhance_your_calm;
use crate::partner_center::transport::error::TransportError;
use crate::partner_center::transport::http::{
    read_beginning, read_body, redirect_target, retry_after,
};
use crate::retry::{Classify as _, Disposition, Pace, RetryError};
use crate::shutdown::{Shutdown, Stopped};

/// An error answer is read up to this length in bytes: what comes after explains nothing.
const MAX_FAULT_BYTES: usize = 64 * 1024;

/// Failed attempts of one kind that are logged as warnings in a run; further ones are logged at
/// debug level. Without the bound, a cause that all customers share would fill the log.
const MAX_WARNINGS: u64 = 5;

/// An answer with status 200 or 204.
pub(in crate::partner_center) struct Answer {
    pub(in crate::partner_center) status: u16,
    pub(in crate::partner_center) headers: HeaderMap,
    pub(in crate::partner_center) body: Bytes,
    /// What the headers say of a further page.
    pub(in crate::partner_center) next: Option<NextLink>,
    /// The token that was sent: the body may echo it.
    pub(in crate::partner_center) token: Arc<Token>,
}

impl Answer {
    /// Removes the token from the body, so that no row, payload or message can hold it.
    fn redact(&mut self) {
        let clean = self.token.redactor.redact(&self.body, Within::JsonStrings);
        if let Cow::Owned(clean) = clean {
            self.body = clean.into();
        }
    }
}

impl Session {
    /// Sends a call until it succeeds or is given up, and decodes each answer with `read`; large
    /// ones on another thread, because this one serves all calls.
    ///
    /// The permit counts the call as one in flight until it is dropped.
    pub(in crate::partner_center) async fn call<T: Send + 'static>(
        &self,
        call: &Call,
        shutdown: &Shutdown,
        read: impl Fn(&Answer) -> Result<T, ApiError> + Clone + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), RetryError<ApiError>> {
        let mut attempts = self.client.policy.attempts(shutdown);
        let _counted = self.budget.begin_call();
        let mut retry: Option<Retry> = None;
        // The last attempt's error.
        let mut last: Option<ApiError> = None;
        loop {
            let admission = &self.client.admission;
            let acquired = admission.acquire(&self.budget, call.customer, &mut attempts, retry);
            let (permit, request_permit) = match shutdown.unless_graceful(acquired).await {
                Ok(Ok(permits)) => permits,
                Ok(Err(TimeUp)) => {
                    if last.is_none() {
                        self.budget.gave_up_in_queue();
                    }
                    let error = last.unwrap_or(ApiError::Throttled);
                    return Err(RetryError::from(error).with_attempts(call.sent()));
                }
                Err(Stopped) => {
                    let attempts = call.sent();
                    return Err(RetryError::Stopped { attempts, last });
                }
            };
            let left = attempts.left();
            let attempt = async {
                let answer = self.attempt(call, request_permit, left, shutdown).await?;
                Ok(self.read(answer, read.clone()).await?)
            };
            let attempted = shutdown.unless_forced(attempt).await;
            let error = match attempted.unwrap_or_else(|stopped| Err(stopped.into())) {
                Ok(value) => {
                    // A large answer has been decoded.
                    shutdown.pulse.beat();
                    self.budget.answered();
                    return Ok((value, permit));
                }
                Err(RetryError::Failed { error, .. }) => error,
                Err(RetryError::Fatal(error)) => {
                    self.log(call, &error);
                    return Err(RetryError::Fatal(error));
                }
                Err(RetryError::Stopped { .. }) => {
                    let attempts = call.sent();
                    return Err(RetryError::Stopped { attempts, last });
                }
            };
            // Other calls may be in flight while this one waits.
            drop(permit);
            self.note_failure(&error, retry.is_some());
            self.log(call, &error);
            match attempts.after(error).await {
                Ok(error) => {
                    self.client.metrics.count_retry(error.reason().as_str());
                    retry = Some(Retry {
                        before: retry.map_or(0, |retry| retry.before + 1),
                        cause: follow_up(&error),
                    });
                    last = Some(error);
                }
                Err(end) => return Err(end.with_attempts(call.sent())),
            }
        }
    }

    async fn read<T: Send + 'static>(
        &self,
        mut answer: Answer,
        read: impl FnOnce(&Answer) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let length = answer.body.len();
        let read = move || {
            answer.redact();
            read(&answer)
        };
        self.client.aside.work(length, read).await
    }

    /// One attempt. If the API refuses the token, it is renewed and the request sent once more.
    async fn attempt(
        &self,
        call: &Call,
        permit: RequestPermit<'_>,
        left: Duration,
        shutdown: &Shutdown,
    ) -> Result<Answer, RetryError<ApiError>> {
        let auth = &self.client.auth;
        let token = auth.token(shutdown).await?;
        // A stop may have come while the token was renewed; nothing new begins then.
        if shutdown.graceful.is_cancelled() {
            return Err(Stopped.into());
        }
        let answer = self.send_within(call, &token, permit, shutdown).await;
        let Err(ApiError::Status { status: 401, .. }) = answer else {
            return Ok(answer?);
        };
        let Some(token) = auth.replace(&token, shutdown).await? else {
            return Ok(answer?);
        };
        let limiter = &self.client.admission.limiter;
        let entered = limiter.acquire(call.customer, true, left, &shutdown.pulse);
        let permit = shutdown.unless_graceful(entered).await?;
        let permit = permit.map_err(|PausedTooLong| ApiError::Throttled)?;
        self.budget.repeated();
        let reason = FailureReason::Unauthorized.as_str();
        self.client.metrics.count_retry(reason);
        Ok(self.send_within(call, &token, permit, shutdown).await?)
    }

    /// Sends a request. The time that it may take is known.
    async fn send_within(
        &self,
        call: &Call,
        token: &Arc<Token>,
        permit: RequestPermit<'_>,
        shutdown: &Shutdown,
    ) -> Result<Answer, ApiError> {
        let span = call.span();
        // Boxed because the future of every call would hold it twice.
        let sent = Box::pin(self.send(call, token, permit).instrument(span.clone()));
        let answer = shutdown.pulse.during(self.client.request_limit, sent).await;
        match &answer {
            Ok(answer) => {
                span.record("http.response.status_code", answer.status);
            }
            Err(error) => record_error(&span, error),
        }
        answer
    }

    /// One HTTP request and its answer.
    async fn send(
        &self,
        call: &Call,
        token: &Arc<Token>,
        permit: RequestPermit<'_>,
    ) -> Result<Answer, ApiError> {
        self.count(call);
        let client = &self.client;
        let request = client.connections.client().get(&call.request.url).build();
        let mut request = request.map_err(TransportError::from)?;
        *request.headers_mut() = call.headers(&client.locale, token);
        let mut counted = client.metrics.begin_request(call.dataset);
        let again = || {
            // The request so far reached the wrong server.
            let mut misdirected = client.metrics.begin_request(call.dataset);
            misdirected.answered(StatusCode::MISDIRECTED_REQUEST.as_u16());
            self.budget.repeated();
            self.count(call);
        };
        let mut answer = match client.connections.send(request, again).await {
            Ok(answer) => answer,
            Err(error) => {
                if is_enhance_your_calm(&error) {
                    permit.complete(Reply::RateLimited { retry_after: None });
                }
                return Err(TransportError::from(error).into());
            }
        };
        let status = answer.status();
        counted.answered(status.as_u16());
        let now = client.clock.now();
        self.skew.note(answer.headers(), now);
        let retry_after = retry_after(answer.headers(), now);
        permit.complete(match status {
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_none() => Reply::Unavailable,
            status if is_rate_limit(status.as_u16(), retry_after) => {
                Reply::RateLimited { retry_after }
            }
            StatusCode::REQUEST_TIMEOUT => Reply::ServerError,
            status if status.is_server_error() => Reply::ServerError,
            _ => Reply::Served,
        });
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.traffic.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if status != StatusCode::UNAUTHORIZED {
            token.mark_accepted();
        }
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(Answer {
                body: read_body(&mut answer, client.max_response_bytes).await?,
                status: status.as_u16(),
                next: next::link_in_headers(answer.headers(), &call.request.headers),
                headers: std::mem::take(answer.headers_mut()),
                token: Arc::clone(token),
            }),
            _ if status.is_redirection() => Err(ApiError::Redirect {
                status: status.as_u16(),
                target: redirect_target(&answer),
            }),
            _ => {
                let body = read_beginning(&mut answer, MAX_FAULT_BYTES).await;
                let body = token.redactor.redact(&body, Within::Everything);
                Err(ApiError::Status {
                    status: status.as_u16(),
                    fault: ApiFault::in_body(&body, token.secret()),
                    retry_after,
                })
            }
        }
    }

    /// Counts an HTTP request.
    fn count(&self, call: &Call) {
        self.budget.request_sent();
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        if call.sent.fetch_add(1, Ordering::Relaxed) > 0 {
            self.traffic.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes what a failed attempt says about the API as a whole.
    fn note_failure(&self, error: &ApiError, is_retry: bool) {
        match error.disposition() {
            // The request was not sent.
            _ if matches!(error, ApiError::Throttled) => {}
            Disposition::Retry { .. } => self.budget.failed(is_retry),
            // The server has responded, so there is no outage.
            Disposition::SkipCustomer(_) => self.budget.answered(),
            Disposition::AbortRun(_) => {}
        }
    }

    /// Logs a failed attempt with both of the ids that Microsoft's support asks for.
    fn log(&self, call: &Call, error: &ApiError) {
        let count = self.failures.count(error);
        let error = with_causes(error);
        // In the message too: the journal shows only the message.
        let customer = call
            .customer
            .map_or_else(String::new, |id| format!("for customer {id} "));
        macro_rules! log_at {
            ($level:ident) => {
                $level!(
                    customer.id = call.customer.map(tracing::field::display),
                    ms.request_id = call.request_id.to_str().ok(),
                    ms.correlation_id = call.correlation_id.to_str().ok(),
                    attempt = call.sent(),
                    error,
                    "Attempt {} {customer}failed: {error}",
                    call.sent()
                )
            };
        }
        if count > MAX_WARNINGS {
            log_at!(debug);
            return;
        }
        log_at!(warn);
        if count == MAX_WARNINGS {
            warn!("Further attempts of this run that fail alike are logged at debug only");
        }
    }
}

/// How the next attempt of a failed call is admitted.
fn follow_up(error: &ApiError) -> RetryCause {
    let was_told = matches!(
        error.disposition(),
        Disposition::Retry { after: Some(wish) } if !wish.is_zero()
    );
    match error.pace() {
        Pace::Limit if was_told => RetryCause::RetryAfter,
        Pace::Limit if error.http_status() == Some(503) => RetryCause::Unavailable,
        Pace::Limit => RetryCause::RateLimited,
        Pace::Backoff => RetryCause::ServerError,
    }
}
