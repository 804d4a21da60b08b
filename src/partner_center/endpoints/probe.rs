//! Two calls that show whether a run would succeed: one customer's usage, and whether the token
//! proves multi-factor authentication, which Partner Center demands more and more often.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::ledger::{Collection, CustomerId, Source};
use crate::metrics::ApiDataset;
use crate::partner_center::call::{Answer, Call};
use crate::partner_center::decode::next::PageRequest;
use crate::partner_center::endpoints::partner_wide::WantedCustomers;
use crate::partner_center::error::ApiError;
use crate::partner_center::session::Session;
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// The request header that asks whether the token is compliant.
const VALIDATE_MFA: HeaderName = HeaderName::from_static("validatemfa");

/// The answer's header that says whether it is.
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
    /// Fetches one customer's usage from either source, and stores nothing.
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
                let mut collections = Vec::new();
                while let Some(bucket) = fetched.next_bucket().map_err(ApiError::Spool)? {
                    for (_, collection) in bucket {
                        collections.push(collection?);
                    }
                }
                collections
            }
        };
        let useless = collections.iter().find_map(Collection::all_rejected);
        if let Some(why) = useless {
            return Err(ApiError::Unexpected(why).into());
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
        let request = PageRequest {
            url: format!("{}/v1/customers?size=1", self.client.base),
            headers: HeaderMap::from_iter([(VALIDATE_MFA, HeaderValue::from_static("true"))]),
        };
        let read = |answer: &Answer| Ok(mfa_compliant(&answer.headers));
        let call = Call::new(request, None, ApiDataset::Other);
        let (compliant, _permit) = self.call(&call, shutdown, read).await?;
        Ok(compliant)
    }
}

fn mfa_compliant(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(IS_MFA_COMPLIANT)?.to_str().ok()?.trim();
    value.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compliance_is_read_in_any_letter_case_and_is_unknown_otherwise() {
        for (value, compliant) in [
            ("true", Some(true)),
            (" False", Some(false)),
            ("yes", None),
            ("", None),
        ] {
            let headers =
                HeaderMap::from_iter([(IS_MFA_COMPLIANT, HeaderValue::from_static(value))]);
            assert_eq!(mfa_compliant(&headers), compliant, "{value}");
        }
        assert_eq!(mfa_compliant(&HeaderMap::new()), None);
    }
}
