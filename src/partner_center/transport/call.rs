//! One call: sent until it succeeds or is given up, with the token, the limiter and the budget of
//! retries.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{debug, warn};
use uuid::Uuid;

use crate::causes::with_causes;
use crate::ledger::CustomerId;
use crate::partner_center::auth::Token;
use crate::partner_center::decode::next::{self, NextLink};
use crate::partner_center::endpoints::probe;
use crate::partner_center::throttle::admission::{After, NoTurn, Retry};
use crate::partner_center::throttle::limiter::{Hopeless, Pass, Verdict};
use crate::partner_center::transport::connections::is_enhance_your_calm;
use crate::partner_center::transport::echo::Within;
use crate::partner_center::transport::error::is_limit;
use crate::partner_center::transport::http::{
    read_beginning, read_body, redirect_target, retry_after,
};
use crate::partner_center::{ApiError, ApiFault, Session};
use crate::retry::{Attempt, Classify as _, Disposition, Pace, RetryError};
use crate::shutdown::Shutdown;

/// An error answer is read this far; what comes after it explains nothing.
const MAX_FAULT_BYTES: usize = 64 * 1024;

/// Failed attempts of one kind that are logged as warnings in a run.
const LOGGED_FAILURES: u64 = 5;

/// An answer that succeeded.
pub(in crate::partner_center) struct Answer {
    pub(in crate::partner_center) status: u16,
    pub(in crate::partner_center) body: Bytes,
    /// What the headers say of a further page.
    pub(in crate::partner_center) next: Option<NextLink>,
    /// What the API says of the token's multi-factor authentication, if it was asked.
    pub(in crate::partner_center) mfa_compliant: Option<bool>,
    /// What the call was made with: the body may echo it.
    pub(in crate::partner_center) token: Arc<Token>,
}

impl Answer {
    /// Takes the token out of the body, so that no row, payload or message can carry it further.
    fn hide_token(&mut self) {
        let clean = self.token.echo.taken_out_of(&self.body, Within::JsonTexts);
        if let Cow::Owned(clean) = clean {
            self.body = clean.into();
        }
    }
}

/// One logical call, the same over all its attempts.
pub(in crate::partner_center) struct Call {
    url: String,
    request_id: HeaderValue,
    correlation_id: HeaderValue,
    /// What this one call needs beside the headers of all.
    headers: HeaderMap,
    pub(in crate::partner_center) customer: Option<CustomerId>,
    /// HTTP tries so far.
    sent: AtomicU32,
}

impl Session {
    /// Sends a call until it succeeds or is given up, and reads each answer with `read`: on another
    /// thread where it is large, since this one is everybody's.
    pub(in crate::partner_center) async fn call<T: Send + 'static>(
        &self,
        call: &Call,
        shutdown: &Shutdown,
        read: impl Fn(&Answer) -> Result<T, ApiError> + Clone + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), RetryError<ApiError>> {
        let mut attempts = self.client.policy.attempts(shutdown);
        let _counted = self.budget.begin_call();
        let mut failed: Option<ApiError> = None;
        let mut retry: Option<Retry> = None;
        let end = loop {
            let admission = &self.client.admission;
            let turn = admission.turn(&self.budget, call.customer, &mut attempts, retry, shutdown);
            let (permit, pass) = match turn.await {
                Ok(turn) => turn,
                Err(NoTurn::Stopped) => {
                    let attempts = call.sent();
                    return Err(RetryError::Stopped {
                        attempts,
                        last: failed,
                    });
                }
                Err(NoTurn::TimeUp) => {
                    let attempts = call.sent();
                    if failed.is_none() {
                        self.budget.turned_away();
                    }
                    let error = failed.unwrap_or(ApiError::Throttled);
                    return Err(RetryError::Failed { error, attempts });
                }
            };
            let left = attempts.left();
            let attempt = async {
                let answer = self.attempt(call, pass, left, shutdown).await;
                let value = match answer {
                    Ok(answer) => self.read(answer, read.clone()).await,
                    Err(error) => Err(error),
                };
                let value = value.map(|value| (value, permit));
                self.note(value.as_ref().err(), retry.is_some());
                value.inspect_err(|error| self.log(call, error))
            };
            match attempts.try_once(attempt).await {
                Attempt::Ended(end) => break end,
                Attempt::Again(error) => {
                    retry = Some(Retry {
                        before: retry.map_or(0, |retry| retry.before + 1),
                        after: follow_up(&error),
                    });
                    failed = Some(error);
                }
            }
        };
        let attempts = call.sent();
        end.map_err(|gave_up| match gave_up {
            RetryError::Stopped { last, .. } => RetryError::Stopped {
                attempts,
                last: last.or(failed),
            },
            RetryError::Failed {
                error: ApiError::Stopped,
                ..
            } => RetryError::Stopped {
                attempts,
                last: failed,
            },
            RetryError::Failed { error, .. } => RetryError::Failed { error, attempts },
        })
    }

    async fn read<T: Send + 'static>(
        &self,
        mut answer: Answer,
        read: impl FnOnce(&Answer) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let length = answer.body.len();
        let read = move || {
            answer.hide_token();
            read(&answer)
        };
        self.client
            .aside
            .work(length, read)
            .await
            .unwrap_or(Err(ApiError::Stopped))
    }

    /// Microsoft's support asks for both ids of a call that failed. Of failures of one kind the
    /// first few are enough: a cause that all customers share would fill the log.
    fn log(&self, call: &Call, error: &ApiError) {
        if matches!(error, ApiError::Stopped) {
            return;
        }
        let count = self.failures.count(error);
        let error = with_causes(error);
        // In the text too, which is all that the journal shows.
        let whose = call
            .customer
            .map_or_else(String::new, |id| format!("for customer {id} "));
        macro_rules! tell {
            ($level:ident) => {
                $level!(
                    customer.id = call.customer.map(tracing::field::display),
                    ms.request_id = call.request_id.to_str().ok(),
                    ms.correlation_id = call.correlation_id.to_str().ok(),
                    attempt = call.sent(),
                    error,
                    "Attempt {} {whose}failed: {error}",
                    call.sent()
                )
            };
        }
        if count > LOGGED_FAILURES {
            tell!(debug);
            return;
        }
        tell!(warn);
        if count == LOGGED_FAILURES {
            warn!("Further attempts of this run that fail alike are logged at debug only");
        }
    }

    /// One attempt, with the token renewed in its midst if the API refuses it.
    async fn attempt(
        &self,
        call: &Call,
        pass: Pass<'_>,
        left: Duration,
        shutdown: &Shutdown,
    ) -> Result<Answer, ApiError> {
        let token = self.client.auth.token(shutdown).await?;
        // The renewal may have taken longer than the patience of whoever stops us; nothing new
        // begins then.
        if shutdown.graceful.is_cancelled() {
            return Err(ApiError::Stopped);
        }
        let answer = self.send(call, &token, pass).await;
        let Err(ApiError::Status { status: 401, .. }) = answer else {
            return answer;
        };
        match self.client.auth.replace(&token, shutdown).await? {
            Some(token) => {
                let pass = tokio::select! {
                    biased;
                    () = shutdown.graceful.cancelled() => return Err(ApiError::Stopped),
                    entered = self.client.admission.limiter.enter(call.customer, true, left) => entered,
                };
                let pass = pass.map_err(|Hopeless| ApiError::Throttled)?;
                self.budget.repeated();
                self.send(call, &token, pass).await
            }
            None => answer,
        }
    }

    /// Takes note of what an attempt says about the API as a whole.
    fn note(&self, error: Option<&ApiError>, is_retry: bool) {
        match error.map(|error| (error, error.disposition())) {
            Some((ApiError::Throttled, _) | (_, Disposition::AbortRun(_))) => {}
            Some((_, Disposition::Retry { .. })) => self.budget.failed(is_retry),
            Some((_, Disposition::SkipCustomer(_))) | None => self.budget.alive(),
        }
    }

    /// Counts an HTTP try.
    fn count(&self, call: &Call) {
        self.budget.called();
        self.traffic.requests.fetch_add(1, Ordering::Relaxed);
        if call.sent.fetch_add(1, Ordering::Relaxed) > 0 {
            self.traffic.retries.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn send(
        &self,
        call: &Call,
        token: &Arc<Token>,
        pass: Pass<'_>,
    ) -> Result<Answer, ApiError> {
        self.count(call);
        let mut request = self
            .client
            .connections
            .client()
            .get(&call.url)
            .build()
            .map_err(ApiError::from_transport)?;
        *request.headers_mut() = call.headers(&self.client.locale, token);
        let again = || {
            self.budget.repeated();
            self.count(call);
        };
        let mut answer = match self.client.connections.send(request, again).await {
            Ok(answer) => answer,
            Err(error) => {
                if is_enhance_your_calm(&error) {
                    pass.answered(Verdict::Refused { wish: None });
                }
                return Err(ApiError::from_transport(error));
            }
        };
        let status = answer.status();
        let now = self.client.clock.now();
        self.skew.note(answer.headers(), now);
        let retry_after = retry_after(answer.headers(), now);
        pass.answered(match status {
            StatusCode::SERVICE_UNAVAILABLE if retry_after.is_none() => Verdict::Doubtful,
            status if is_limit(status.as_u16(), retry_after) => {
                Verdict::Refused { wish: retry_after }
            }
            StatusCode::REQUEST_TIMEOUT => Verdict::Troubled,
            status if status.is_server_error() => Verdict::Troubled,
            _ => Verdict::Served,
        });
        if status == StatusCode::TOO_MANY_REQUESTS {
            self.traffic.throttled.fetch_add(1, Ordering::Relaxed);
        }
        if status != StatusCode::UNAUTHORIZED {
            token.mark_accepted();
        }
        match status {
            StatusCode::OK | StatusCode::NO_CONTENT => Ok(Answer {
                status: status.as_u16(),
                mfa_compliant: probe::mfa_compliant(answer.headers()),
                next: next::link_in_headers(answer.headers(), &call.headers),
                body: read_body(&mut answer, self.client.max_response_bytes).await?,
                token: Arc::clone(token),
            }),
            _ if status.is_redirection() => Err(ApiError::Redirect {
                status: status.as_u16(),
                target: redirect_target(&answer),
            }),
            _ => {
                let body = read_beginning(&mut answer, MAX_FAULT_BYTES).await;
                let body = token.echo.taken_out_of(&body, Within::Everything);
                Err(ApiError::Status {
                    status: status.as_u16(),
                    fault: ApiFault::in_body(&body, token.secret()),
                    retry_after,
                })
            }
        }
    }
}

/// What is to be known of a failed attempt when its call is made again.
fn follow_up(error: &ApiError) -> After {
    let was_told = matches!(
        error.disposition(),
        Disposition::Retry { after: Some(wish) } if !wish.is_zero()
    );
    let is_doubtful = error.http_status() == Some(503);
    match error.pace() {
        Pace::Limit if was_told => After::Told,
        Pace::Limit if is_doubtful => After::Doubtful,
        Pace::Limit => After::Limit,
        Pace::Backoff => After::Trouble,
    }
}

impl Call {
    /// A call under a correlation id of its own, with one request id for all its attempts.
    pub(in crate::partner_center) fn new(
        url: String,
        customer: Option<CustomerId>,
        headers: HeaderMap,
    ) -> Self {
        let id = || {
            HeaderValue::from_str(&Uuid::new_v4().to_string())
                .expect("a GUID is made of visible characters")
        };
        Self {
            url,
            request_id: id(),
            correlation_id: id(),
            headers,
            customer,
            sent: AtomicU32::new(0),
        }
    }

    pub(in crate::partner_center) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    fn headers(&self, locale: &HeaderValue, token: &Token) -> HeaderMap {
        // With room for those that reqwest adds.
        let mut headers = HeaderMap::with_capacity(12);
        headers.extend(self.headers.clone());
        headers.insert("ms-requestid", self.request_id.clone());
        headers.insert("ms-correlationid", self.correlation_id.clone());
        headers.insert("ms-contract-version", HeaderValue::from_static("v1"));
        headers.insert(
            "ms-partnercenter-application",
            HeaderValue::from_static("Seatledger"),
        );
        headers.insert("x-locale", locale.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, token.header.clone());
        headers
    }
}
