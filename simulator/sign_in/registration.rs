//! The one application and the one person that the directory knows.

use url::Url;

pub(super) const CLIENT_ID: &str = "sim-client";
pub(super) const CLIENT_SECRET: &str = "sim-secret";

/// The object id of the person.
pub(super) const USER_ID: &str = "5a1e7000-0000-4000-8000-000000000001";
/// The id of the tenant, whatever name a request calls it by.
pub(super) const TENANT_ID: &str = "5a1e7000-0000-4000-8000-000000000002";
pub(super) const USER_NAME: &str = "admin@partner.example";

/// Whether this is the registered redirect URI, `http://localhost` with any port. Everything else
/// must match exactly: providers compare character by character.
pub(super) fn is_redirect_uri(uri: &str) -> bool {
    match uri.strip_prefix("http://localhost") {
        Some("") => true,
        Some(port) => {
            port.strip_prefix(':')
                .is_some_and(|port| port.parse::<u16>().is_ok())
                && Url::parse(uri).is_ok()
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_localhost_with_any_port_is_a_redirect_uri() {
        for (uri, registered) in [
            ("http://localhost", true),
            ("http://localhost:8123", true),
            ("http://localhost:8123/", false),
            ("http://localhost/", false),
            ("http://localhost.example", false),
            ("http://localhost:99999", false),
            ("https://localhost:8123", false),
            ("http://127.0.0.1:8123", false),
        ] {
            assert_eq!(is_redirect_uri(uri), registered, "{uri}");
        }
    }
}
