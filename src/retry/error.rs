//! How an operation ends without success. Being stopped is one of these ends, so the error of an
//! operation needs no variant for it.

use std::error::Error;
use std::fmt;

use crate::retry::{Classify, Disposition, Remedy};
use crate::shutdown::Stopped;

/// How an operation ended without success.
#[derive(Debug)]
pub enum RetryError<E> {
    /// It failed for good, or was retried for as long as the policy allows. Another operation may
    /// still succeed.
    Failed {
        /// The last attempt's error.
        error: E,
        /// How many attempts were made.
        attempts: u32,
    },
    /// Nothing further can succeed in this run, whatever is tried: see [`Disposition::AbortRun`].
    Fatal(E),
    /// The program was asked to stop: while waiting for an attempt, or in the middle of one when it
    /// had to end at once.
    Stopped {
        /// How many attempts were made.
        attempts: u32,
        /// The last attempt's error, if one had failed.
        last: Option<E>,
    },
}

impl<E> RetryError<E> {
    /// The same end, with this number of attempts.
    #[must_use]
    pub fn with_attempts(self, attempts: u32) -> Self {
        match self {
            Self::Failed { error, .. } => Self::Failed { error, attempts },
            Self::Fatal(error) => Self::Fatal(error),
            Self::Stopped { last, .. } => Self::Stopped { attempts, last },
        }
    }

    /// The last attempt's error.
    ///
    /// # Errors
    /// When the program was asked to stop.
    pub fn into_error(self) -> Result<E, Stopped> {
        match self {
            Self::Failed { error, .. } | Self::Fatal(error) => Ok(error),
            Self::Stopped { .. } => Err(Stopped),
        }
    }
}

impl<E: Classify> RetryError<E> {
    /// What mends it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Failed { error, .. } | Self::Fatal(error) => error.remedy(),
            Self::Stopped { .. } => Remedy::Time,
        }
    }
}

/// An operation that is tried once.
impl<E: Classify> From<E> for RetryError<E> {
    fn from(error: E) -> Self {
        match error.disposition() {
            Disposition::Retry { .. } | Disposition::SkipCustomer(_) => {
                Self::Failed { error, attempts: 1 }
            }
            Disposition::AbortRun(_) => Self::Fatal(error),
        }
    }
}

impl<E> From<Stopped> for RetryError<E> {
    fn from(Stopped: Stopped) -> Self {
        Self::Stopped {
            attempts: 0,
            last: None,
        }
    }
}

/// In the words of the last attempt's error.
impl<E: fmt::Display> fmt::Display for RetryError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { error, .. } | Self::Fatal(error) => error.fmt(f),
            Self::Stopped { .. } => f.write_str("stopped"),
        }
    }
}

impl<E: Error> Error for RetryError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed { error, .. } | Self::Fatal(error) => error.source(),
            Self::Stopped { .. } => None,
        }
    }
}
