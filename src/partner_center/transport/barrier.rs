//! Failures to connect that no retry mends: a certificate that is not trusted, a TLS version that
//! is not supported, a proxy that demands other credentials. A connection that only broke is none.

use std::error::Error;
use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::tls::{self, TlsFault, TlsRemedy};

/// The messages of the library's tunnel errors, which have no public type. A test holds the library
/// to them.
const TUNNEL: &str = "tunnel error: ";
const PROXY_AUTHORIZATION: &str = "tunnel error: proxy authorization required";

/// Why no connection can be made before a person has acted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Barrier {
    /// The TLS handshake with the server or the proxy fails.
    #[error("{peer} cannot be spoken to over TLS: {fault}; {advice}")]
    Tls {
        /// Host and port.
        peer: String,
        /// What is wrong.
        fault: String,
        /// What to do.
        advice: &'static str,
    },
    /// The proxy refuses these credentials, or a connection without any.
    #[error(
        "the proxy {proxy} wants a user and password, or others (status 407); write them into the \
         proxy's address in HTTPS_PROXY or ALL_PROXY, as http://user:password@host:port, with \
         special characters percent-encoded"
    )]
    ProxyPassword {
        /// Its address, without the password.
        proxy: String,
    },
}

impl Barrier {
    /// The barrier that made a request fail; none if the next attempt may succeed.
    pub(in crate::partner_center) fn before(error: &reqwest::Error) -> Option<Self> {
        let route = Route::of(error);
        if route.is_refused_by_proxy(error, PROXY_AUTHORIZATION) {
            let proxy = route.proxy.unwrap_or_else(|| "on the way".to_owned());
            return Some(Self::ProxyPassword { proxy });
        }
        let fault = tls::fault(error)?;
        // If the tunnel was never opened, the handshake was the proxy's.
        let peer = match route.proxy {
            Some(proxy) if causes(error).any(|words| words.starts_with(TUNNEL)) => proxy,
            _ => route.to,
        };
        Some(Self::of_tls(peer, &fault))
    }

    fn of_tls(peer: String, fault: &TlsFault) -> Self {
        let advice = match fault.remedy {
            TlsRemedy::Trust => {
                "if that is right for this network, for example where a proxy looks into what \
                 passes, have this machine trust its authority (update-ca-certificates), or name a \
                 file with the authorities to trust in the environment: \
                 SSL_CERT_FILE=/path/to/authorities.pem"
            }
            TlsRemedy::Renew => {
                "have the server's operator renew the certificate, or set this machine's clock"
            }
            TlsRemedy::Name => {
                "compare partner_center.base_url, auth.authority and the proxy with the names that \
                 the certificate is for"
            }
            TlsRemedy::Replace => "have the server's operator replace the certificate",
            TlsRemedy::Protocol => {
                "compare partner_center.base_url, auth.authority and the proxy with what listens \
                 there; TLS 1.2 or 1.3 is spoken"
            }
        };
        Self::Tls {
            peer,
            fault: fault.to_string(),
            advice,
        }
    }
}

/// The server that a request was sent to, and the proxy in between.
pub(in crate::partner_center) struct Route {
    /// Host and port.
    to: String,
    /// Without its password.
    proxy: Option<String>,
}

impl Route {
    pub(in crate::partner_center) fn of(error: &reqwest::Error) -> Self {
        let Some(url) = error.url() else {
            return Self {
                to: "the server".to_owned(),
                proxy: None,
            };
        };
        Self {
            to: peer(url),
            proxy: proxy_before(url),
        }
    }

    /// The beginning of a message that names the proxy; empty without one.
    pub(in crate::partner_center) fn through(&self) -> String {
        self.proxy
            .as_ref()
            .map_or_else(String::new, |proxy| format!("through the proxy {proxy}: "))
    }

    fn is_refused_by_proxy(&self, error: &reqwest::Error, words: &str) -> bool {
        self.proxy.is_some() && causes(error).any(|cause| cause == words)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to)?;
        match &self.proxy {
            Some(proxy) => write!(f, " through the proxy {proxy}"),
            None => Ok(()),
        }
    }
}

fn causes(error: &(dyn Error + 'static)) -> impl Iterator<Item = String> {
    tls::causes(error).map(ToString::to_string)
}

/// Host and port. The rest of a URL may hold secrets.
fn peer(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The proxy that the HTTP client uses for `url`, by the same rules. Plain HTTP uses none.
fn proxy_before(url: &Url) -> Option<String> {
    if url.scheme() != "https" {
        return None;
    }
    let proxy = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let proxy = proxy.uri();
    Some(format!(
        "{}://{}",
        proxy.scheme_str().unwrap_or("http"),
        proxy.authority().map_or("", |authority| authority.as_str())
    ))
}
