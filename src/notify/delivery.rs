//! One delivery: an HTTP request that follows no redirect, tried a few times. Neither a log line
//! nor an error has the address: whoever knows it can send messages in the program's name.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::{debug, warn};
use url::Url;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{NotifyUrl, Webhook};
use crate::metrics::{Metrics, NotifyChannel};
use crate::printable::hex;
use crate::retry::Remedy;
use crate::tls::{self, TlsFault};

/// The time limit of one request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The waits before the second and the third try.
const WAITS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];

/// All tries of one message end after this time.
const TIME_LIMIT: Duration = Duration::from_secs(30);

const TIMESTAMP: HeaderName = HeaderName::from_static("x-seatledger-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-seatledger-signature");

/// Where messages go. Displayed as its setting and host.
pub(super) struct NotifyTarget {
    /// Its name in the output of `seatledger check`.
    pub(super) part: &'static str,
    url: NotifyUrl,
    /// Signs the messages; none for a dead man's switch.
    secret: Option<SecretString>,
    client: Result<reqwest::Client, reqwest::Error>,
}

/// The calls of a dead man's switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ping {
    Start,
    Success,
    Fail,
    /// Changes no state.
    Log,
}

impl Ping {
    /// The address of the call: a further segment of the path; a query stays.
    pub(super) fn address(self, url: &Url) -> Url {
        let suffix = match self {
            Self::Start => "/start",
            Self::Success => "",
            Self::Fail => "/fail",
            Self::Log => "/log",
        };
        let mut url = url.clone();
        let path = format!("{}{suffix}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}

/// A message for one target.
pub(super) enum Outgoing {
    Ping(Ping, String),
    Event(String),
}

/// Why a message was not delivered.
#[derive(Debug, thiserror::Error)]
pub(super) enum DeliveryError {
    #[error("answers with status {0}")]
    Status(StatusCode),
    #[error("answers with a redirect (status {0}), which is not followed; set its final address")]
    Redirect(StatusCode),
    /// Without the address.
    #[error("cannot be reached: {0}")]
    Away(String),
    #[error("cannot be trusted: {0}")]
    Tls(TlsFault),
}

impl DeliveryError {
    /// What mends it.
    pub(super) fn remedy(&self) -> Remedy {
        match self {
            Self::Status(StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) => {
                Remedy::Time
            }
            Self::Status(status) if status.is_server_error() => Remedy::Time,
            Self::Status(_) | Self::Tls(_) => Remedy::Person,
            Self::Redirect(_) => Remedy::Configuration,
            Self::Away(_) => Remedy::Time,
        }
    }
}

impl fmt::Display for NotifyTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = if self.is_switch() {
            "notify.ping_url"
        } else {
            "notify.webhook_url"
        };
        write!(f, "{key} at {}", self.url)
    }
}

impl NotifyTarget {
    pub(super) fn ping(url: &NotifyUrl) -> Self {
        Self {
            part: "ping",
            url: url.clone(),
            secret: None,
            client: client(url.expose()),
        }
    }

    pub(super) fn webhook(webhook: &Webhook) -> Self {
        Self {
            part: "webhook",
            url: webhook.url.clone(),
            secret: Some(webhook.secret.clone()),
            client: client(webhook.url.expose()),
        }
    }

    /// Whether it is a dead man's switch.
    pub(super) fn is_switch(&self) -> bool {
        self.secret.is_none()
    }

    /// One try.
    pub(super) async fn send(
        &self,
        outgoing: &Outgoing,
        clock: &dyn Clock,
    ) -> Result<(), DeliveryError> {
        let away = |error: &reqwest::Error| DeliveryError::Away(with_causes(error));
        let client = self.client.as_ref().map_err(away)?;
        let (url, body, headers) = match outgoing {
            Outgoing::Ping(ping, body) => {
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                let headers = HeaderMap::from_iter([(CONTENT_TYPE, text)]);
                (ping.address(self.url.expose()), body, headers)
            }
            Outgoing::Event(body) => {
                let timestamp = clock.now().timestamp().to_string();
                let headers = self.signed(&timestamp, body);
                (self.url.expose().clone(), body, headers)
            }
        };
        let request = client.post(url).headers(headers).body(body.clone());
        let answer = request.send().await;
        let answer = answer.map_err(|error| match tls::fault(&error) {
            Some(fault) => DeliveryError::Tls(fault),
            None => away(&error.without_url()),
        })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status if status.is_redirection() => Err(DeliveryError::Redirect(status)),
            status => Err(DeliveryError::Status(status)),
        }
    }

    fn signed(&self, timestamp: &str, body: &str) -> HeaderMap {
        let secret = self.secret.as_ref().map_or("", |text| text.expose_secret());
        let signature = format!("v1={}", sign(secret, timestamp, body));
        let value = |text: &str| {
            HeaderValue::from_str(text).expect("digits and letters can be a header's value")
        };
        HeaderMap::from_iter([
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (TIMESTAMP, value(timestamp)),
            (SIGNATURE, value(&signature)),
        ])
    }
}

/// HMAC-SHA256 of `timestamp`, a full stop and `body`, in hexadecimal digits.
fn sign(secret: &str, timestamp: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in [timestamp, ".", body] {
        context.update(part.as_bytes());
    }
    hex(context.sign().as_ref())
}

/// Its own client: it has no token of the API, and follows no redirect.
fn client(url: &Url) -> Result<reqwest::Client, reqwest::Error> {
    let mut builder = reqwest::Client::builder();
    if url.scheme() == "http" {
        builder = builder.no_proxy();
    }
    builder
        .user_agent(concat!("seatledger/", env!("CARGO_PKG_VERSION")))
        .timeout(TIMEOUT)
        .redirect(Policy::none())
        .referer(false)
        .build()
}

/// Tries a message until it is delivered, cannot be, or `is_outdated`.
pub(super) async fn deliver(
    target: &NotifyTarget,
    outgoing: &Outgoing,
    clock: &dyn Clock,
    metrics: &Metrics,
    is_outdated: impl Fn() -> bool,
) {
    let channel = if target.is_switch() {
        NotifyChannel::Ping
    } else {
        NotifyChannel::Webhook
    };
    let tries = async {
        let mut waits = WAITS.into_iter();
        loop {
            let error = match target.send(outgoing, clock).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            match waits
                .next()
                .filter(|_| error.remedy() == Remedy::Time && !is_outdated())
            {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return Err(error),
            }
        }
    };
    let delivered = tokio::time::timeout(TIME_LIMIT, tries).await;
    match delivered.unwrap_or_else(|_| Err(DeliveryError::Away("no answer in time".to_owned()))) {
        Ok(()) => {
            metrics.count_notification(channel, true);
            debug!(target = target.part, "A notification was delivered");
        }
        Err(error) => {
            metrics.count_notification(channel, false);
            let error = error.to_string();
            warn!(error, "A notification was not delivered: {target} {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::{DeliveryError, sign};
    use crate::retry::Remedy;

    #[test]
    fn what_may_pass_needs_nobody() {
        for (error, remedy) in [
            (DeliveryError::Away("no answer".to_owned()), Remedy::Time),
            (DeliveryError::Status(StatusCode::BAD_GATEWAY), Remedy::Time),
            (
                DeliveryError::Status(StatusCode::TOO_MANY_REQUESTS),
                Remedy::Time,
            ),
            (DeliveryError::Status(StatusCode::GONE), Remedy::Person),
            (
                DeliveryError::Redirect(StatusCode::FOUND),
                Remedy::Configuration,
            ),
        ] {
            assert_eq!(error.remedy(), remedy, "{error}");
        }
    }

    #[test]
    fn a_message_is_signed_with_its_time() {
        // As computed by Python's hmac for the example in docs/notify.md.
        let signature = sign("a secret", "1790000000", r#"{"event":"test"}"#);
        let expected = "90c1c7ca107a288dc05e321fd755a84a3f99fefc4f59965094b0bfca825852a5";
        assert_eq!(signature, expected);
    }
}
