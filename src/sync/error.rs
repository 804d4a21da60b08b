//! Why a run cannot begin or go on.

use std::time::Duration;

use super::customer_list::CustomersError;
use super::early_end::EarlyEnd;
use crate::partner_center::ApiError;
use crate::retry::{Classify as _, Remedy, RetryError};
use crate::shutdown::Stopped;
use crate::store::{Loss, StoreError, TickDone};

/// Nothing further can succeed in this run, or it cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No call can be made: there is no token, or no way to the API before a person has acted.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The database cannot be used, or was away for too long.
    #[error(transparent)]
    Store(StoreError),
    /// There is no list of customers.
    #[error(transparent)]
    Customers(CustomersError),
    /// The names in the ledger are in another language than the one configured.
    #[error(
        "the ledger's product and workload names were asked for in {known}, and \
         partner_center.locale is {asked}: every series would end and another begin under another \
         name; set partner_center.locale = \"{known}\", or allow that with \
         partner_center.allow_locale_change = true"
    )]
    Locale {
        /// The ledger's locale.
        known: String,
        /// The configured locale.
        asked: String,
    },
    /// Other sessions did not give up their locks on the tables.
    #[error(
        "the database's tables could not be brought up to date, because other sessions have used \
         them for {} s: {holders}; end these (select pg_terminate_backend(BACKEND)) or have them \
         end, and start again",
        waited.as_secs()
    )]
    Blocked {
        /// For how long they were waited for.
        waited: Duration,
        /// The sessions.
        holders: String,
    },
    /// The run ended early because further customers would have failed, too.
    #[error(transparent)]
    EarlyEnd(#[from] EarlyEnd),
    /// Another process has taken over, or somebody has changed the lease.
    #[error(
        "this run was cut off and writes nothing more, because {0}; what it has stored stays, and \
         the runs that follow fetch the rest"
    )]
    Superseded(Box<Loss>),
    /// After a failover the new server may lack what the old one had.
    #[error(
        "after the database came back this run was no longer on record as under way: the record \
         was lost with the server that had it, or somebody has changed it"
    )]
    Unrecorded,
    /// A run for the tick, or a later one, has ended.
    #[error("there is nothing to do for this tick: {0}")]
    TickDone(TickDone),
    /// The program was asked to stop.
    #[error("stopped")]
    Stopped,
}

/// The error with which a call ended, or the stop that ended it.
impl From<RetryError<ApiError>> for RunError {
    fn from(error: RetryError<ApiError>) -> Self {
        match error.into_error() {
            Ok(error) => error.into(),
            Err(Stopped) => Self::Stopped,
        }
    }
}

impl From<StoreError> for RunError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Superseded(loss) => Self::Superseded(loss),
            error => Self::Store(error),
        }
    }
}

impl From<CustomersError> for RunError {
    fn from(error: CustomersError) -> Self {
        match error {
            CustomersError::Discovery(RetryError::Fatal(error)) => Self::Api(error),
            CustomersError::Discovery(RetryError::Stopped { .. }) => Self::Stopped,
            error => Self::Customers(error),
        }
    }
}

impl RunError {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Api(error) => error.remedy(),
            Self::Store(error) => error.remedy(),
            Self::Customers(error) => error.remedy(),
            Self::Locale { .. } => Remedy::Configuration,
            Self::Blocked { .. }
            | Self::EarlyEnd(_)
            | Self::Superseded(_)
            | Self::Unrecorded
            | Self::TickDone(_)
            | Self::Stopped => Remedy::Time,
        }
    }
}
