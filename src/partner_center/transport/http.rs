//! What calls to the API and to the sign-in service have in common: the HTTP client, redirects,
//! `Retry-After`, bodies of bounded size.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT_ENCODING, DATE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::retry;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::config;
use crate::partner_center::transport::encoding::{decompress, decompress_beginning};
use crate::partner_center::transport::error::TransportError;
use crate::printable::printable;
use crate::retry::{Classify, Disposition, Remedy};
use crate::tls;

/// Bytes of a body that are read before other tasks are given a turn: a body that arrives faster
/// than it is read would hold up all others.
const BYTES_PER_TURN: usize = 128 * 1024;

/// Redirects followed within the configured origin. More are taken for a loop.
const MAX_REDIRECTS: usize = 5;

/// The TLS or HTTP machinery could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetUpError {
    /// This machine has no root certificates.
    #[error(
        "this machine has no certificates of authorities to trust; install them (the package \
         ca-certificates), or name a file with them in the environment: \
         SSL_CERT_FILE=/path/to/authorities.pem"
    )]
    NoRootCertificates,
    /// The HTTP client.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// TLS.
    #[error("the HTTP client cannot be set up")]
    Tls(#[source] rustls::Error),
}

impl From<reqwest::Error> for SetUpError {
    fn from(error: reqwest::Error) -> Self {
        let has_no_roots = tls::causes(&error).any(|cause| match cause.downcast_ref() {
            Some(rustls::Error::General(message)) => message.starts_with("No CA certificates"),
            _ => false,
        });
        if has_no_roots {
            Self::NoRootCertificates
        } else {
            Self::Client(error)
        }
    }
}

impl Classify for SetUpError {
    fn disposition(&self) -> Disposition {
        match self {
            Self::NoRootCertificates | Self::Client(_) | Self::Tls(_) => {
                Disposition::AbortRun(Remedy::Person)
            }
        }
    }
}

/// An HTTP client for `origin`. Plain HTTP is allowed to this machine only, so it uses no proxy.
pub(in crate::partner_center) fn http_client(
    settings: &config::PartnerCenter,
    origin: &Url,
    redirects: Policy,
) -> Result<reqwest::Client, SetUpError> {
    let mut builder = reqwest::Client::builder();
    if origin.scheme() == "http" {
        builder = builder.no_proxy().tls_backend_preconfigured(no_tls()?);
    }
    builder
        .user_agent(concat!("seatledger/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.request_timeout)
        .connect_timeout(settings.connect_timeout)
        .pool_max_idle_per_host(settings.max_concurrency)
        .redirect(redirects)
        .referer(false)
        // Decompressed by `encoding`, because proxies name the coding in nonstandard ways.
        .default_headers(HeaderMap::from_iter([(
            ACCEPT_ENCODING,
            HeaderValue::from_static("gzip"),
        )]))
        // `call` retries, and counts every request.
        .retry(retry::never().max_retries_per_request(0))
        .build()
        .map_err(SetUpError::from)
}

/// TLS without root certificates, for plain HTTP: reading those of the system takes time.
fn no_tls() -> Result<ClientConfig, SetUpError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SetUpError::Tls)?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// Follows a redirect only within its origin, because the token is sent along.
pub(in crate::partner_center) fn stay_at_origin(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let previous = attempt.previous();
    let same_origin = previous
        .last()
        .is_some_and(|from| from.origin() == attempt.url().origin());
    if same_origin && previous.len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// Scheme and host of a redirect, for messages: the rest of the URL may hold secrets.
pub(in crate::partner_center) fn redirect_target(answer: &reqwest::Response) -> String {
    answer
        .headers()
        .get(LOCATION)
        .and_then(|location| location.to_str().ok())
        .and_then(|location| answer.url().join(location).ok())
        .map_or_else(
            || "nowhere".to_owned(),
            |target| printable(&target.origin().ascii_serialization()),
        )
}

/// The wait that an answer asks for (`Retry-After`), in seconds or as a date.
pub(in crate::partner_center) fn retry_after(
    headers: &HeaderMap,
    now: DateTime<Utc>,
) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number that is too large is a wait beyond any limit.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date: DateTime<Utc> = httpdate::parse_http_date(value).ok()?.into();
    // The date was computed by the server's clock, which `Date` shows.
    let server_now: DateTime<Utc> = headers
        .get(DATE)
        .and_then(|now| now.to_str().ok())
        .and_then(|now| httpdate::parse_http_date(now).ok())
        .map_or(now, Into::into);
    (date - server_now).to_std().ok()
}

/// The whole body, decompressed to at most `limit` bytes.
pub(in crate::partner_center) async fn read_body(
    answer: &mut reqwest::Response,
    limit: u64,
) -> Result<Bytes, TransportError> {
    let mut body = Bytes::new();
    let mut since_yield = 0;
    while let Some(chunk) = answer.chunk().await? {
        if (body.len() + chunk.len()) as u64 > limit {
            return Err(TransportError::TooLarge(limit));
        }
        since_yield += chunk.len();
        if since_yield > BYTES_PER_TURN {
            since_yield = 0;
            tokio::task::yield_now().await;
        }
        // Most bodies arrive in one chunk, which needs no copy.
        body = if body.is_empty() {
            chunk
        } else {
            let mut longer = BytesMut::from(body);
            longer.extend_from_slice(&chunk);
            longer.freeze()
        };
    }
    decompress(answer.headers(), body, limit).await
}

/// The beginning of a body, up to `limit` bytes. An error ends it like the end of the body.
pub(in crate::partner_center) async fn read_beginning(
    answer: &mut reqwest::Response,
    limit: usize,
) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < limit
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(limit);
    decompress_beginning(answer.headers(), body, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let headers = headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        retry_after(&headers, DateTime::UNIX_EPOCH)
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let date = ("date", "Wed, 21 Oct 2026 07:28:00 GMT");
        for (wish, seconds) in [
            ("57", Some(57)),
            (" 0 ", Some(0)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Wed, 21 Oct 2026 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2026 07:27:00 GMT", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("", None),
        ] {
            let expected = seconds.map(Duration::from_secs);
            assert_eq!(wait(&[date, ("retry-after", wish)]), expected, "{wish}");
        }
        assert_eq!(wait(&[]), None);
    }
}
