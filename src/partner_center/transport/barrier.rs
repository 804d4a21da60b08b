//! What stands between us and a server of Microsoft's that no waiting removes: a certificate that
//! is not trusted, TLS that cannot be agreed on, a proxy that wants another password. Told apart
//! from a connection that only broke.

use std::error::Error;
use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::tls::{self, TlsFault, TlsRemedy};

/// The library's error for a tunnel has no public type; these are its words, which a test holds it
/// to.
const TUNNEL: &str = "tunnel error: ";
const WANTS_A_PASSWORD: &str = "tunnel error: proxy authorization required";

/// A person has to remove it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Barrier {
    /// The server, or the proxy before it, cannot be trusted or understood.
    #[error("{peer} cannot be spoken to over TLS: {fault}; {advice}")]
    Tls {
        /// Host and port.
        peer: String,
        /// In plain words.
        fault: String,
        /// What to do.
        advice: &'static str,
    },
    /// The proxy lets nobody through with these credentials, or without any.
    #[error(
        "the proxy {proxy} wants a user and password, or others (status 407); write them into the proxy's address in HTTPS_PROXY or ALL_PROXY, as http://user:password@host:port, with special characters percent-encoded"
    )]
    ProxyPassword {
        /// Its address, without any password.
        proxy: String,
    },
}

impl Barrier {
    /// The one that made a request fail; none where the next attempt may fare better.
    pub(in crate::partner_center) fn before(error: &reqwest::Error) -> Option<Self> {
        let route = Route::of(error);
        if route.stopped_by(error, WANTS_A_PASSWORD) {
            let proxy = route.proxy.unwrap_or_else(|| "on the way".to_owned());
            return Some(Self::ProxyPassword { proxy });
        }
        let fault = tls::fault(error)?;
        // A tunnel that could not even be begun ended at the proxy.
        let peer = match route.proxy {
            Some(proxy) if causes(error).any(|words| words.starts_with(TUNNEL)) => proxy,
            _ => route.to,
        };
        Some(Self::of_tls(peer, &fault))
    }

    fn of_tls(peer: String, fault: &TlsFault) -> Self {
        let advice = match fault.remedy {
            TlsRemedy::Trust => {
                "if that is right for this network, for example where a proxy looks into what passes, have this machine trust its authority (update-ca-certificates), or name a file with the authorities to trust in the environment: SSL_CERT_FILE=/path/to/authorities.pem"
            }
            TlsRemedy::Renew => {
                "have the certificate renewed by whoever runs the server, or set this machine's clock"
            }
            TlsRemedy::Name => {
                "compare partner_center.base_url, auth.authority and the proxy with the names that the certificate is for"
            }
            TlsRemedy::Replace => "have whoever runs the server put it in order",
            TlsRemedy::Protocol => {
                "compare partner_center.base_url, auth.authority and the proxy with what listens there; TLS 1.2 or 1.3 is spoken"
            }
        };
        Self::Tls {
            peer,
            fault: fault.to_string(),
            advice,
        }
    }
}

/// Where a request went.
pub(in crate::partner_center) struct Route {
    /// Host and port.
    to: String,
    /// The proxy in between, without its password.
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

    /// The proxy in between, in words that begin a sentence; nothing where there is none.
    pub(in crate::partner_center) fn through(&self) -> String {
        self.proxy
            .as_ref()
            .map_or_else(String::new, |proxy| format!("through the proxy {proxy}: "))
    }

    fn stopped_by(&self, error: &reqwest::Error, words: &str) -> bool {
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

/// Host and port, without what may be secret in the rest.
fn peer(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port_or_known_default() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The proxy that the HTTP client takes to get there, read as it reads it. Plain HTTP, which is for
/// this machine only, takes none.
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
