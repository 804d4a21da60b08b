//! Which `Host` names the status address accepts. This prevents DNS rebinding: a web page can make
//! its own name resolve to our address and then send us requests as if we were its server, but it
//! cannot send another `Host` than its own name.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{Request, Version, header};

/// The accepted names.
#[derive(Debug)]
pub(super) struct Hosts {
    listen: IpAddr,
    /// From `status.hosts`: in lower case, without a dot at the end.
    names: Vec<String>,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HostError {
    #[error("a request needs one Host header that names a host")]
    Unclear,
    #[error(
        "the status address does not answer to the name {0}: ask for it by its IP address, or add \
         the name to status.hosts"
    )]
    Foreign(String),
}

impl Hosts {
    pub(super) fn new(listen: IpAddr, names: Vec<String>) -> Self {
        Self { listen, names }
    }

    /// # Errors
    /// When the request is for another host, or does not name one clearly.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), HostError> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let named = match (headers.next(), headers.next()) {
            (Some(host), None) => {
                let host = host.to_str().ok().and_then(|host| host.parse().ok());
                Some(host.ok_or(HostError::Unclear)?)
            }
            // Browsers always send a host; HTTP/1.0 probes do not.
            (None, _) if request.version() <= Version::HTTP_10 => None,
            _ => return Err(HostError::Unclear),
        };
        let asked = request.uri().authority().cloned();
        named
            .into_iter()
            .chain(asked)
            .try_for_each(|host| self.check_one(&host))
    }

    fn check_one(&self, authority: &Authority) -> Result<(), HostError> {
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(HostError::Unclear);
        }
        let host = authority.host();
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_ours = match bare.parse::<IpAddr>() {
            // A web page cannot rebind an IP address. On an address that is not loopback any is
            // accepted, because a router may translate addresses.
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback()
                    || address == self.listen.to_canonical()
                    || !self.listen.to_canonical().is_loopback()
            }
            Err(_) => host == "localhost",
        };
        if is_ours || self.names.contains(&host) || self.names.iter().any(|name| name == bare) {
            Ok(())
        } else {
            Err(HostError::Foreign(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, version: Version, hosts: &[&str]) -> Result<(), HostError> {
        let names = vec!["seatledger".to_owned(), "status.example.com".to_owned()];
        let hosts_known = Hosts::new(listen.parse().unwrap(), names);
        let mut request = Request::builder().version(version).uri("/metrics");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        hosts_known.check(&request.body(()).unwrap())
    }

    fn on_loopback(host: &str) -> Result<(), HostError> {
        check("127.0.0.1", Version::HTTP_11, &[host])
    }

    #[test]
    fn names_of_this_machine_and_configured_names_are_answered_to() {
        for host in [
            "localhost",
            "LOCALHOST:9464",
            "localhost.:9464",
            "127.0.0.1:9464",
            "127.1.2.3",
            "[::1]:9464",
            "[::ffff:127.0.0.1]",
            "seatledger:9464",
            "Status.Example.COM.",
        ] {
            assert_eq!(on_loopback(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        for host in [
            "evil.example",
            "evil.example:9464",
            "localhost.evil.example",
            "status.example.com.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "2130706433",
            "[2001:db8::1]",
        ] {
            assert!(
                matches!(on_loopback(host), Err(HostError::Foreign(_))),
                "{host}"
            );
        }
    }

    #[test]
    fn on_an_open_address_any_ip_address_is_taken_and_no_other_name() {
        for listen in ["0.0.0.0", "::", "192.0.2.7"] {
            let host = |host| check(listen, Version::HTTP_11, &[host]);
            assert_eq!(host("10.0.0.1:9464"), Ok(()));
            assert_eq!(host("[2001:db8::1]:9464"), Ok(()));
            assert_eq!(host("localhost"), Ok(()));
            assert!(matches!(host("evil.example"), Err(HostError::Foreign(_))));
        }
    }

    #[test]
    fn a_request_without_one_clear_host_is_refused_unless_it_is_http_1_0() {
        assert_eq!(
            check("127.0.0.1", Version::HTTP_11, &[]),
            Err(HostError::Unclear)
        );
        assert_eq!(check("127.0.0.1", Version::HTTP_10, &[]), Ok(()));
        for hosts in [
            &["localhost", "localhost"][..],
            &["localhost", "evil.example"],
            &[""],
            &[":9464"],
            &["user@localhost"],
            &["local host"],
            &["h\u{e4}.example"],
        ] {
            let refused = check("127.0.0.1", Version::HTTP_11, hosts);
            assert_eq!(refused, Err(HostError::Unclear), "{hosts:?}");
        }
    }

    #[test]
    fn the_host_in_the_address_of_a_request_counts_too() {
        let hosts = Hosts::new([127, 0, 0, 1].into(), Vec::new());
        let request = Request::builder()
            .uri("http://evil.example/")
            .header(header::HOST, "localhost");
        let refused = hosts.check(&request.body(()).unwrap());
        assert_eq!(refused, Err(HostError::Foreign("evil.example".to_owned())));
    }
}
