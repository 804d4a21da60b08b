//! Which `Host` the status address answers to. A page in somebody's browser can have its own name
//! resolve to our address and then ask us as if we were its server; it cannot send another name
//! than its own.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{Request, Version, header};

/// The names that are answered to.
#[derive(Debug)]
pub(super) struct Hosts {
    listen: IpAddr,
    /// As `status.hosts` has them: in lower case, without a dot at the end.
    names: Vec<String>,
}

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("a request needs one Host header that names a host")]
    Unclear,
    #[error(
        "the status address does not answer to the name {0}: ask for it by its IP address, or add the name to status.hosts"
    )]
    Foreign(String),
}

impl Hosts {
    pub(super) fn new(listen: IpAddr, names: Vec<String>) -> Self {
        Self { listen, names }
    }

    /// # Errors
    /// When the request is meant for somebody else, or does not say for whom.
    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Refusal> {
        let mut headers = request.headers().get_all(header::HOST).iter();
        let named = match (headers.next(), headers.next()) {
            (Some(host), None) => {
                let host = host.to_str().ok().and_then(|host| host.parse().ok());
                Some(host.ok_or(Refusal::Unclear)?)
            }
            // Browsers always name a host; old probes do not.
            (None, _) if request.version() <= Version::HTTP_10 => None,
            _ => return Err(Refusal::Unclear),
        };
        let asked = request.uri().authority().cloned();
        named
            .into_iter()
            .chain(asked)
            .try_for_each(|host| self.check_one(&host))
    }

    fn check_one(&self, authority: &Authority) -> Result<(), Refusal> {
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(Refusal::Unclear);
        }
        let host = authority.host();
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_ours = match bare.parse::<IpAddr>() {
            // No page has an address for its name, so that on an open network any is taken: it may
            // be a router's.
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
            Err(Refusal::Foreign(host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listen: &str, version: Version, hosts: &[&str]) -> Result<(), Refusal> {
        let names = vec!["seatledger".to_owned(), "status.example.com".to_owned()];
        let hosts_known = Hosts::new(listen.parse().unwrap(), names);
        let mut request = Request::builder().version(version).uri("/metrics");
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        hosts_known.check(&request.body(()).unwrap())
    }

    fn on_loopback(host: &str) -> Result<(), Refusal> {
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
                matches!(on_loopback(host), Err(Refusal::Foreign(_))),
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
            assert!(matches!(host("evil.example"), Err(Refusal::Foreign(_))));
        }
    }

    #[test]
    fn a_request_without_one_clear_host_is_refused_unless_it_is_of_old() {
        assert_eq!(
            check("127.0.0.1", Version::HTTP_11, &[]),
            Err(Refusal::Unclear)
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
            assert_eq!(refused, Err(Refusal::Unclear), "{hosts:?}");
        }
    }

    #[test]
    fn the_host_in_the_address_of_a_request_counts_too() {
        let hosts = Hosts::new([127, 0, 0, 1].into(), Vec::new());
        let request = Request::builder()
            .uri("http://evil.example/")
            .header(header::HOST, "localhost");
        let refused = hosts.check(&request.body(()).unwrap());
        assert_eq!(refused, Err(Refusal::Foreign("evil.example".to_owned())));
    }
}
