//! What an error asks of the run, and what mends it.

use std::io;
use std::time::Duration;

use serde::Serialize;

/// What mends a failure. It decides whether the daemon waits or ends, and the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// It may pass by itself.
    Time,
    /// A person has to act: sign in, grant a right, renew a certificate.
    Person,
    /// The configuration has to be changed, or a file that it names.
    Configuration,
}

/// What an error asks of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Try again; the server may have said how long to wait.
    Retry {
        /// A lower bound of the wait, from the server.
        after: Option<Duration>,
    },
    /// Leave this customer and go on with the next. The remedy matters for a call that is about no
    /// customer, such as that for the list of customers.
    SkipCustomer(Remedy),
    /// Nothing further can succeed in this run.
    AbortRun(Remedy),
}

impl Disposition {
    /// What mends the error.
    #[must_use]
    pub fn remedy(self) -> Remedy {
        match self {
            Self::Retry { .. } => Remedy::Time,
            Self::SkipCustomer(remedy) | Self::AbortRun(remedy) => remedy,
        }
    }
}

/// How the waits between attempts grow if the server asks for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Exponentially, so that a server in trouble is left alone.
    Backoff,
    /// In proportion to the time since the first failure: a rate limit should delay a call by
    /// little more than its own duration.
    Limit,
}

/// An error that says what it asks of the run. Its implementation is the one place that decides
/// this, by a match without a wildcard; retries, the daemon's end and the exit code follow from it.
pub trait Classify {
    /// What to do about it.
    fn disposition(&self) -> Disposition;

    /// How the waits grow if it is retried.
    fn pace(&self) -> Pace {
        Pace::Backoff
    }

    /// What mends it.
    fn remedy(&self) -> Remedy {
        self.disposition().remedy()
    }

    /// Whether a failure that is retried is most likely permanent: a host name that cannot be
    /// resolved may be misspelt, or the network may be coming up. See
    /// [`crate::retry::RetryPolicy::with_likely_permanent`].
    fn is_likely_permanent(&self) -> bool {
        false
    }
}

/// What mends an I/O error: `otherwise`, unless it may pass by itself.
#[must_use]
pub fn remedy_of_io(error: &io::Error, otherwise: Remedy) -> Remedy {
    if passes_by_itself(error) {
        Remedy::Time
    } else {
        otherwise
    }
}

/// Whether an I/O error is due to a shortage on this machine, and not to the file or address.
#[must_use]
pub fn passes_by_itself(error: &io::Error) -> bool {
    // EINTR, EAGAIN, ENOMEM, ENFILE and EMFILE, which have these numbers on every Linux. The last
    // two have no `ErrorKind`.
    const SHORTAGES: [i32; 5] = [4, 11, 12, 23, 24];
    if let Some(code) = error.raw_os_error() {
        return SHORTAGES.contains(&code);
    }
    // A library that adds a path to the message leaves the code nowhere but in the message.
    let message = error.to_string();
    SHORTAGES
        .iter()
        .any(|code| message.contains(&format!("(os error {code})")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_of_the_machine_passes_and_a_missing_file_does_not() {
        for (code, remedy) in [(24, Remedy::Time), (23, Remedy::Time), (2, Remedy::Person)] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(remedy_of_io(&error, Remedy::Person), remedy, "{error}");
            let wrapped = io::Error::new(error.kind(), format!("{error} at path \"x\""));
            assert_eq!(remedy_of_io(&wrapped, Remedy::Person), remedy, "{wrapped}");
        }
    }
}
