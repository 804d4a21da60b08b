//! One call to find out whether calls would succeed, and whether the token carries the proof of multi-factor
//! authentication that Partner Center demands more and more often.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use super::{ApiError, Call, Client, decode};
use crate::retry::{GaveUp, Stop};
use crate::usage::{Collection, CustomerId, UsageRow};

/// Asks the API to say whether the token is compliant.
const VALIDATE_MFA: HeaderName = HeaderName::from_static("validatemfa");

/// Where it says so.
const IS_MFA_COMPLIANT: HeaderName = HeaderName::from_static("ismfacompliant");

/// What one call showed.
#[derive(Debug)]
pub struct Probed {
    /// What it brought.
    pub collection: Collection<UsageRow>,
    /// Whether the token proves multi-factor authentication; none where the API did not say.
    pub mfa_compliant: Option<bool>,
    /// How long it took, waits and retries included.
    pub took: Duration,
}

impl Client {
    /// Fetches one customer's usage, and asks about multi-factor authentication on the way.
    ///
    /// # Errors
    /// As [`Client::fetch_usage`].
    pub async fn probe(
        &self,
        customer: CustomerId,
        stop: &Stop,
    ) -> Result<Probed, GaveUp<ApiError>> {
        let url = format!(
            "{}/v1/customers/{customer}/analytics/licenses/usage",
            self.base
        );
        let headers = HeaderMap::from_iter([(VALIDATE_MFA, HeaderValue::from_static("true"))]);
        let call = Call::new(url, Some(customer), headers);
        let began = Instant::now();
        let probed = self.call(&call, stop, |answer| {
            let now = self.clock.now();
            let secret = answer.token.secret();
            let collection = decode::decode_usage(&answer.body, customer, now, secret)?;
            Ok((collection, answer.mfa_compliant))
        });
        probed
            .await
            .map(|((collection, mfa_compliant), _permit)| Probed {
                collection,
                mfa_compliant,
                took: began.elapsed(),
            })
    }
}

pub(super) fn mfa_compliant(headers: &HeaderMap) -> Option<bool> {
    let value = headers.get(IS_MFA_COMPLIANT)?.to_str().ok()?.trim();
    value.to_ascii_lowercase().parse().ok()
}
