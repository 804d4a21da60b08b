//! What can go wrong in a call to Partner Center, what it asks of the run, and how the ledger names
//! it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::FailureReason;
use crate::partner_center::auth::AuthError;
use crate::partner_center::decode::DecodeError;
use crate::partner_center::decode::body::BodyError;
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::transport::barrier::{Barrier, Way};
use crate::retry::{Classify, Disposition, Pace, Remedy, passes_by_itself};

/// One call failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Any status but success.
    #[error("status {status}: {fault}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The API's own code and words.
        fault: ApiFault,
        /// What the server asked us to wait.
        retry_after: Option<Duration>,
    },
    /// The answer points elsewhere, and we do not carry our token there.
    #[error("status {status}: the redirect to {target} was not followed")]
    Redirect {
        /// The HTTP status.
        status: u16,
        /// Scheme and host of the target, no more.
        target: String,
    },
    /// No whole answer within the time of one attempt.
    #[error("no whole answer in time (partner_center.request_timeout, connect_timeout)")]
    Timeout,
    /// No connection, or it broke, or what came over it was not HTTP.
    #[error("the connection to {to} failed or broke")]
    Connection {
        /// Host and port, and the proxy in between.
        to: String,
        /// Why.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// No connection, and none to be had before a person has acted.
    #[error(transparent)]
    Barred(Barrier),
    /// The body's compression or its JSON ends too early or is broken in itself.
    #[error("{0}")]
    Garbled(&'static str),
    /// The body is over the limit, counted after decompression.
    #[error("the body is over {limit} bytes (partner_center.max_response_bytes)")]
    TooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// A whole answer that is not what was asked for.
    #[error("{0}")]
    Unexpected(String),
    /// Everybody was to wait, for longer than a call is retried.
    #[error(
        "the partner's calls are refused for longer than they are retried (retry.max_elapsed_time)"
    )]
    Throttled,
    /// There is no token to call with.
    #[error("sign-in failed")]
    SignIn(#[source] Arc<AuthError>),
    /// What came could not be kept until it was whole.
    #[error("a temporary file cannot be used (the directory is that of TMPDIR)")]
    Spool(#[source] io::Error),
    /// The program was asked to stop before an answer came.
    #[error("stopped before an answer came")]
    Stopped,
}

impl ApiError {
    /// The status of the answer, if there was one that failed by its status.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } | Self::Redirect { status, .. } => Some(*status),
            Self::Garbled(_) | Self::TooLarge { .. } | Self::Unexpected(_) => Some(200),
            Self::Timeout
            | Self::Connection { .. }
            | Self::Barred(_)
            | Self::SignIn(_)
            | Self::Spool(_)
            | Self::Throttled
            | Self::Stopped => None,
        }
    }

    /// The API's own code, if it gave one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Status { fault, .. } => fault.code.as_deref(),
            Self::Redirect { .. }
            | Self::Timeout
            | Self::Connection { .. }
            | Self::Barred(_)
            | Self::Garbled(_)
            | Self::TooLarge { .. }
            | Self::Unexpected(_)
            | Self::Spool(_)
            | Self::Throttled
            | Self::SignIn(_)
            | Self::Stopped => None,
        }
    }

    /// The name under which a customer's failure is recorded.
    #[must_use]
    pub fn reason(&self) -> FailureReason {
        match self {
            Self::Status { status: 401, .. } | Self::SignIn(_) => FailureReason::Unauthorized,
            Self::Status { status: 403, .. } => FailureReason::Forbidden,
            Self::Status { status: 404, .. } => FailureReason::NotFound,
            Self::Status { status: 408, .. } | Self::Timeout => FailureReason::Timeout,
            Self::Status {
                status: 429 | 430, ..
            }
            | Self::Throttled => FailureReason::Throttled,
            Self::Status {
                status: 500..=599, ..
            } => FailureReason::ServerError,
            Self::Status {
                status: 200..=299, ..
            }
            | Self::Redirect { .. }
            | Self::Garbled(_)
            | Self::Unexpected(_) => FailureReason::InvalidResponse,
            Self::Status { .. } | Self::Spool(_) => FailureReason::Other,
            Self::Connection { .. } | Self::Barred(_) => FailureReason::Connection,
            Self::TooLarge { .. } => FailureReason::ResponseTooLarge,
            Self::Stopped => FailureReason::Interrupted,
        }
    }

    /// Tells the kinds of transport faults apart. The URL is taken off: it names the customer.
    pub(in crate::partner_center) fn from_transport(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        if let Some(barrier) = Barrier::before(&error) {
            return Self::Barred(barrier);
        }
        Self::Connection {
            to: Way::of(&error).to_string(),
            source: Arc::new(error.without_url()),
        }
    }
}

/// What mends a refusal. A person does where the API names its reason or says that this is not
/// allowed; an API that is out of order has been seen to answer anything else with 400, 401 and
/// 404, too.
pub(crate) fn remedy_of_status(status: Option<u16>, code: Option<&str>) -> Remedy {
    // No proof of multi-factor authentication, another audience, not for an application alone,
    // Conditional Access, a role that is too small, no commerce relationship.
    const NAMED: [&str; 10] = [
        "900421", "10001", "900420", "900329", "900309", "900308", "2032", "900150", "1002",
        "20002",
    ];
    let is_named = code.is_some_and(|code| NAMED.contains(&code));
    if is_named || status == Some(403) {
        Remedy::Person
    } else {
        Remedy::Time
    }
}

impl From<BodyError> for ApiError {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::CutOff => Self::Garbled("the body ends in the middle of its JSON"),
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
        match error {
            AuthError::Stopped => Self::Stopped,
            error => Self::SignIn(Arc::new(error)),
        }
    }
}

impl Classify for ApiError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::Status {
                status: 408 | 429 | 500..=599,
                retry_after,
                ..
            } => Disposition::Retry {
                after: *retry_after,
            },
            Self::Status {
                status,
                retry_after,
                ..
            } if is_limit(*status, *retry_after) => Disposition::Retry {
                after: *retry_after,
            },
            Self::Timeout | Self::Connection { .. } | Self::Garbled(_) => {
                Disposition::Retry { after: None }
            }
            Self::Spool(source) if passes_by_itself(source) => Disposition::Retry { after: None },
            Self::Status { status, fault, .. } => {
                Disposition::SkipCustomer(remedy_of_status(Some(*status), fault.code.as_deref()))
            }
            Self::TooLarge { .. } => Disposition::SkipCustomer(Remedy::Configuration),
            Self::Spool(_) => Disposition::SkipCustomer(Remedy::Person),
            // An API that is out of order answers like this, too.
            Self::Redirect { .. } | Self::Unexpected(_) | Self::Throttled => {
                Disposition::SkipCustomer(Remedy::Time)
            }
            Self::Barred(_) => Disposition::AbortRun(Remedy::Person),
            // Renewing was already retried where that could help.
            Self::SignIn(error) => Disposition::AbortRun(error.remedy()),
            Self::Stopped => Disposition::AbortRun(Remedy::Time),
        }
    }

    fn is_doubtful(&self) -> bool {
        matches!(self, Self::Connection { source, .. } if source.is_dns())
    }

    fn pace(&self) -> Pace {
        match self {
            Self::Status {
                status,
                retry_after,
                ..
            } if is_limit(*status, *retry_after) => Pace::Limit,
            Self::Status { .. }
            | Self::Redirect { .. }
            | Self::Timeout
            | Self::Connection { .. }
            | Self::Barred(_)
            | Self::Garbled(_)
            | Self::TooLarge { .. }
            | Self::Unexpected(_)
            | Self::Throttled
            | Self::SignIn(_)
            | Self::Spool(_)
            | Self::Stopped => Pace::Backoff,
        }
    }
}

/// Whether a status says that there were too many requests, be it from the API or from a proxy
/// before it: many of those say so with 503, and some with numbers of their own. Another one does
/// where it says when to come again; 502 and 504 by themselves speak of a server behind the proxy
/// that is away, at any rate.
pub(in crate::partner_center) fn is_limit(status: u16, retry_after: Option<Duration>) -> bool {
    match status {
        429 | 430 | 503 | 509 | 529 => true,
        403 | 408 | 413 | 420 | 425 | 500..=599 => retry_after.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod limit_tests {
    use super::*;

    #[test]
    fn a_limit_is_told_from_trouble_by_its_status_or_by_when_to_come_again() {
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
            assert_eq!(is_limit(status, None), without, "{status}");
            assert_eq!(is_limit(status, wish), with, "{status}");
        }
    }
}
