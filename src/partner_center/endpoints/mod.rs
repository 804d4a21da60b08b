//! The API's endpoints: one file for each, and the pager that their lists share.

pub(super) mod customers;
pub(super) mod pager;
pub(super) mod partner_wide;
pub(super) mod probe;
pub(super) mod usage;

use crate::ledger::CallIds;
use crate::partner_center::ApiError;
use crate::retry::RetryError;

/// A collection could not be fetched.
#[derive(Debug)]
pub struct FailedFetch {
    /// How the last call ended, with the number of HTTP requests of all calls.
    pub end: RetryError<ApiError>,
    /// The last call for which a request was sent.
    pub call: Option<CallIds>,
}

impl From<FailedFetch> for RetryError<ApiError> {
    fn from(failed: FailedFetch) -> Self {
        failed.end
    }
}
