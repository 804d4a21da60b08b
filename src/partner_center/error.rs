//! What can go wrong in a call to Partner Center, what it asks of the run, and how the ledger names
//! it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::FailureReason;
use crate::partner_center::advice::remedy_of_status;
use crate::partner_center::auth::AuthError;
use crate::partner_center::decode::DecodeError;
use crate::partner_center::decode::body::BodyError;
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::transport::barrier::Barrier;
use crate::partner_center::transport::error::TransportError;
use crate::retry::{Classify, Disposition, Pace, Remedy, RetryError, passes_by_itself};

/// One call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Any status but success and redirection.
    #[error("status {status}: {fault}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The API's own code and message.
        fault: ApiFault,
        /// The wait that the server asked for.
        retry_after: Option<Duration>,
    },
    /// A redirect to another origin, which must not be sent our token.
    #[error("status {status}: the redirect to {target} was not followed")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Scheme and host of the target, no more.
        target: String,
    },
    /// There is no whole answer.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The body ends too early, and no length was announced that would have shown it.
    #[error("the body ends in the middle of its JSON")]
    CutOff,
    /// A whole answer that cannot be a list or a collection.
    #[error("{0}")]
    Unexpected(String),
    /// The partner's rate limit has paused all calls for longer than a call is retried, so this one
    /// was not sent.
    #[error(
        "the partner's calls are refused for longer than they are retried (retry.max_elapsed_time)"
    )]
    Throttled,
    /// There is no token, for this call or any other.
    #[error(transparent)]
    SignIn(Arc<AuthError>),
    /// The pages of a list could not be stored on disk until all had been received.
    #[error("a temporary file cannot be used (the directory is that of TMPDIR)")]
    Spool(#[source] io::Error),
}

impl ApiError {
    /// The status of the answer, if there was one.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        use TransportError as Transport;
        match self {
            Self::Status { status, .. } | Self::Redirect { status, .. } => Some(*status),
            Self::CutOff
            | Self::Unexpected(_)
            | Self::Transport(
                Transport::Corrupt | Transport::TooLarge(_) | Transport::Encoding(_),
            ) => Some(200),
            Self::Transport(
                Transport::Timeout | Transport::Connection { .. } | Transport::Barred(_),
            )
            | Self::SignIn(_)
            | Self::Spool(_)
            | Self::Throttled => None,
        }
    }

    /// The API's own code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Status { fault, .. } => fault.code.as_deref(),
            _ => None,
        }
    }

    /// The reason under which a customer's failure is recorded.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Status { status, .. } => match status {
                401 => FailureReason::Unauthorized,
                403 => FailureReason::Forbidden,
                404 => FailureReason::NotFound,
                408 => FailureReason::Timeout,
                429 | 430 => FailureReason::Throttled,
                500..=599 => FailureReason::ServerError,
                200..=299 => FailureReason::InvalidResponse,
                _ => FailureReason::Other,
            },
            Self::Throttled => FailureReason::Throttled,
            Self::SignIn(_) => FailureReason::Unauthorized,
            Self::Spool(_) => FailureReason::Other,
            Self::Redirect { .. } | Self::CutOff | Self::Unexpected(_) => {
                FailureReason::InvalidResponse
            }
            Self::Transport(error) => match error {
                TransportError::Timeout => FailureReason::Timeout,
                TransportError::Connection { .. } | TransportError::Barred(_) => {
                    FailureReason::Connection
                }
                TransportError::TooLarge(_) => FailureReason::ResponseTooLarge,
                TransportError::Corrupt | TransportError::Encoding(_) => {
                    FailureReason::InvalidResponse
                }
            },
        }
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::CutOff => Self::CutOff,
            BodyError::NotText
            | BodyError::WebPage
            | BodyError::NotJson { .. }
            | BodyError::TooDeep
            | BodyError::NotAnObject => Self::Unexpected(error.to_string()),
        }
    }
}

impl From<DecodeError> for ApiError {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::Body(error) => error.into(),
            DecodeError::ItemsNotAList
            | DecodeError::Fault(_)
            | DecodeError::NextLink(_)
            | DecodeError::TooManyRejections { .. } => Self::Unexpected(error.to_string()),
        }
    }
}

impl From<AuthError> for ApiError {
    fn from(error: AuthError) -> Self {
        Self::SignIn(Arc::new(error))
    }
}

impl From<Barrier> for ApiError {
    fn from(barrier: Barrier) -> Self {
        TransportError::Barred(barrier).into()
    }
}

/// Without a token no call can be made, however often signing in was tried.
impl From<RetryError<AuthError>> for RetryError<ApiError> {
    fn from(error: RetryError<AuthError>) -> Self {
        match error.into_error() {
            Ok(error) => Self::Fatal(error.into()),
            Err(stopped) => stopped.into(),
        }
    }
}

impl Classify for ApiError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Status {
                status,
                fault,
                retry_after,
            } => match status {
                408 | 429 | 500..=599 => Disposition::Retry {
                    after: *retry_after,
                },
                _ if is_rate_limit(*status, *retry_after) => Disposition::Retry {
                    after: *retry_after,
                },
                _ => Disposition::SkipCustomer(remedy_of_status(
                    Some(*status),
                    fault.code.as_deref(),
                )),
            },
            Self::Transport(error) => match error {
                TransportError::Timeout
                | TransportError::Connection { .. }
                | TransportError::Corrupt => Disposition::Retry { after: None },
                TransportError::TooLarge(_) => Disposition::SkipCustomer(Remedy::Configuration),
                TransportError::Encoding(_) => Disposition::SkipCustomer(Remedy::Time),
                TransportError::Barred(_) => Disposition::AbortRun(Remedy::Person),
            },
            Self::CutOff => Disposition::Retry { after: None },
            // An API that is out of order answers like this, too.
            Self::Redirect { .. } | Self::Unexpected(_) | Self::Throttled => {
                Disposition::SkipCustomer(Remedy::Time)
            }
            Self::Spool(source) if passes_by_itself(source) => Disposition::Retry { after: None },
            Self::Spool(_) => Disposition::SkipCustomer(Remedy::Person),
            // Signing in was already retried where that could help.
            Self::SignIn(error) => Disposition::AbortRun(error.remedy()),
        }
    }

    fn is_likely_permanent(&self) -> bool {
        matches!(
            self,
            Self::Transport(TransportError::Connection { source, .. }) if source.is_dns()
        )
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Status {
                status,
                retry_after,
                ..
            } if is_rate_limit(*status, *retry_after) => Pace::Limit,
            Self::Status { .. }
            | Self::Redirect { .. }
            | Self::Transport(_)
            | Self::CutOff
            | Self::Unexpected(_)
            | Self::Throttled
            | Self::SignIn(_)
            | Self::Spool(_) => Pace::Backoff,
        }
    }
}

/// Whether a status means that there were too many requests. The API says so with 429, proxies in
/// front of it often with 503 and some with statuses of their own. Other statuses do if they come
/// with `Retry-After`; without it, 502 and 504 mean that the server behind a proxy is away.
pub(in crate::partner_center) fn is_rate_limit(status: u16, retry_after: Option<Duration>) -> bool {
    match status {
        429 | 430 | 503 | 509 | 529 => true,
        403 | 408 | 413 | 420 | 425 | 500..=599 => retry_after.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shutdown::Stopped;

    fn status(status: u16, code: Option<&str>) -> ApiError {
        ApiError::Status {
            status,
            fault: ApiFault {
                code: code.map(str::to_owned),
                text: None,
            },
            retry_after: None,
        }
    }

    #[test]
    fn each_error_has_its_reason_its_status_and_what_it_asks_of_the_run() {
        use Disposition::{AbortRun, SkipCustomer};
        use FailureReason as Reason;
        let retry = Disposition::Retry { after: None };
        let barrier = Barrier::ProxyPassword {
            proxy: "http://proxy:3128".to_owned(),
        };
        for (error, reason, http_status, disposition) in [
            (
                status(401, None),
                Reason::Unauthorized,
                Some(401),
                SkipCustomer(Remedy::Time),
            ),
            (
                status(401, Some("900421")),
                Reason::Unauthorized,
                Some(401),
                SkipCustomer(Remedy::Person),
            ),
            (
                status(403, None),
                Reason::Forbidden,
                Some(403),
                SkipCustomer(Remedy::Person),
            ),
            (status(408, None), Reason::Timeout, Some(408), retry),
            (status(430, None), Reason::Throttled, Some(430), retry),
            (status(501, None), Reason::ServerError, Some(501), retry),
            (
                status(418, None),
                Reason::Other,
                Some(418),
                SkipCustomer(Remedy::Time),
            ),
            (ApiError::CutOff, Reason::InvalidResponse, Some(200), retry),
            (
                TransportError::Corrupt.into(),
                Reason::InvalidResponse,
                Some(200),
                retry,
            ),
            (
                TransportError::TooLarge(9).into(),
                Reason::ResponseTooLarge,
                Some(200),
                SkipCustomer(Remedy::Configuration),
            ),
            (TransportError::Timeout.into(), Reason::Timeout, None, retry),
            (
                barrier.into(),
                Reason::Connection,
                None,
                AbortRun(Remedy::Person),
            ),
            (
                AuthError::NoMfa.into(),
                Reason::Unauthorized,
                None,
                AbortRun(Remedy::Person),
            ),
            (
                ApiError::Spool(io::Error::from_raw_os_error(24)),
                Reason::Other,
                None,
                retry,
            ),
            (
                ApiError::Spool(io::Error::from_raw_os_error(28)),
                Reason::Other,
                None,
                SkipCustomer(Remedy::Person),
            ),
            (
                ApiError::Throttled,
                Reason::Throttled,
                None,
                SkipCustomer(Remedy::Time),
            ),
        ] {
            assert_eq!(error.reason(), reason, "{error}");
            assert_eq!(error.http_status(), http_status, "{error}");
            assert_eq!(error.disposition(), disposition, "{error}");
        }
    }

    #[test]
    fn without_a_token_the_run_is_aborted_however_signing_in_failed() {
        let failed = RetryError::Failed {
            error: AuthError::CodeExpired,
            attempts: 3,
        };
        assert!(matches!(
            RetryError::<ApiError>::from(failed),
            RetryError::Fatal(ApiError::SignIn(_))
        ));
        let stopped: RetryError<AuthError> = Stopped.into();
        assert!(matches!(
            RetryError::<ApiError>::from(stopped),
            RetryError::Stopped { last: None, .. }
        ));
    }

    #[test]
    fn a_rate_limit_is_told_from_a_server_error_by_its_status_or_by_retry_after() {
        let wish = Some(Duration::from_secs(1));
        for (status, without, with) in [
            (429, true, true),
            (503, true, true),
            (430, true, true),
            (509, true, true),
            (529, true, true),
            (500, false, true),
            (502, false, true),
            (504, false, true),
            (408, false, true),
            (403, false, true),
            (401, false, false),
            (404, false, false),
            (200, false, false),
        ] {
            assert_eq!(is_rate_limit(status, None), without, "{status}");
            assert_eq!(is_rate_limit(status, wish), with, "{status}");
        }
    }
}
