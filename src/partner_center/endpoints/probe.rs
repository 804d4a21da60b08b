//! Two calls to find out whether a run would succeed: one customer's usage, and whether the token
//! carries the proof of multi-factor authentication that Partner Center demands more and more
//! often.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::ledger::{Collection, CustomerId, Source};
use crate::partner_center::transport::call::Call;
use crate::partner_center::{ApiError, Session, WantedCustomers};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// Asks the API to say whether the token is compliant.
const VALIDATE_MFA: HeaderName = HeaderName::from_static("validatemfa");

/// Where it says so.
const IS_MFA_COMPLIANT: HeaderName = HeaderName::from_static("ismfacompliant");

/// What one customer's collection showed.
#[derive(Debug)]
pub struct Probed {
    /// Its rows.
    pub rows: usize,
    /// Its items that cannot become rows.
    pub rejected: usize,
    /// How long it took, waits and retries included.
    pub took: Duration,
}

impl Session {
    /// Fetches one customer's usage from either source, and keeps nothing.
    ///
    /// # Errors
    /// When it cannot be fetched, or none of its items could become a row.
    pub async fn probe_usage(
        &self,
        source: Source,
        customer: CustomerId,
        shutdown: &Shutdown,
    ) -> Result<Probed, RetryError<ApiError>> {
        let began = Instant::now();
        let collections = match source {
            Source::Customer => vec![self.fetch_usage(customer, shutdown).await?.collection],
            Source::Commercial => {
                let wanted = WantedCustomers::new([customer], false);
                let mut fetched = self
                    .fetch_partner_wide_usage(&wanted, None, shutdown)
                    .await?;
                let attempts = fetched.attempts;
                let failed = |error| RetryError::Failed { error, attempts };
                let mut collections = Vec::new();
                while let Some(share) = fetched
                    .next_bucket()
                    .map_err(|error| failed(ApiError::Spool(error)))?
                {
                    for (_, collection) in share {
                        collections.push(collection.map_err(failed)?);
                    }
                }
                collections
            }
        };
        let useless = collections.iter().find_map(Collection::all_rejected);
        if let Some(why) = useless {
            return Err(RetryError::Failed {
                error: ApiError::Unexpected(why),
                attempts: 1,
            });
        }
        Ok(Probed {
            rows: collections.iter().map(|c| c.rows.len()).sum(),
            rejected: collections.iter().map(|c| c.rejections.len()).sum(),
            took: began.elapsed(),
        })
    }

    /// Asks the API whether the token proves multi-factor authentication, by a call for one line of
    /// the customers' list; none where it does not say.
    ///
    /// # Errors
    /// When the call fails, which says nothing about other calls.
    pub async fn probe_mfa(
        &self,
        shutdown: &Shutdown,
    ) -> Result<Option<bool>, RetryError<ApiError>> {
        let url = format!("{}/v1/customers?size=1", self.client.base);
        let headers = HeaderMap::from_iter([(VALIDATE_MFA, HeaderValue::from_static("true"))]);
        let call = Call::new(url, None, headers);
        let (compliant, _permit) = self
            .call(&call, shutdown, |answer| Ok(answer.mfa_compliant))
            .await?;
        Ok(compliant)
    }
}

pub(in crate::partner_center) fn mfa_compliant(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(IS_MFA_COMPLIANT)?.to_str().ok()?.trim();
    value.to_ascii_lowercase().parse().ok()
}
