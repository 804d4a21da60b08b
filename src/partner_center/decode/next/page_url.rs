//! Builds the URL of a list's next page. Its form has changed without notice, but whatever it is,
//! the page is requested from the configured origin, because the access token is sent along.

use url::Url;

/// Versions with which a path may begin after the configured base.
const VERSIONS: [&str; 2] = ["v1/", "partner/v1/"];

/// The URL of the next page at the origin of `base`, under `version`. The link may have one version
/// in its path, several or none, may lack the leading slash, or may be absolute. `None` if it
/// points to another origin.
///
/// The version is that of the request and not that of the link, because a gateway that adds or
/// removes the first segment of a path does not do so in links.
pub(super) fn next_url(base: &str, version: &str, uri: &str) -> Option<String> {
    let uri = uri.trim();
    let base_url = Url::parse(base).ok()?;
    let relative = match Url::parse(uri) {
        Ok(absolute) if absolute.origin() == base_url.origin() => {
            let query = absolute
                .query()
                .map_or_else(String::new, |query| format!("?{query}"));
            let path = absolute.path();
            let path = path.strip_prefix(base_url.path().trim_end_matches('/'));
            format!("{}{query}", path.unwrap_or_else(|| absolute.path()))
        }
        Ok(_) => return None,
        Err(_) => uri.to_owned(),
    };
    let mut path = relative.trim_start_matches('/');
    while let Some(rest) = VERSIONS.iter().find_map(|known| path.strip_prefix(known)) {
        path = rest.trim_start_matches('/');
    }
    Some(format!("{base}/{version}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_every_form_that_has_been_seen() {
        let base = "https://api.example";
        let next = "https://api.example/v1/customers?size=500&seekOperation=Next";
        for uri in [
            "/v1/customers?size=500&seekOperation=Next",
            "/customers?size=500&seekOperation=Next",
            "customers?size=500&seekOperation=Next",
            "v1/customers?size=500&seekOperation=Next",
            "/v1//v1/customers?size=500&seekOperation=Next",
            "/partner/v1/customers?size=500&seekOperation=Next",
            "https://api.example/v1/customers?size=500&seekOperation=Next",
            "https://API.example:443/customers?size=500&seekOperation=Next",
        ] {
            assert_eq!(next_url(base, "v1", uri).as_deref(), Some(next), "{uri}");
        }
    }

    #[test]
    fn the_version_of_the_request_is_kept() {
        let base = "https://api.example";
        let next = "https://api.example/partner/v1/analytics/commercial?skip=3";
        for uri in [
            "/v1/analytics/commercial?skip=3",
            "partner/v1/analytics/commercial?skip=3",
            "analytics/commercial?skip=3",
            "https://api.example/v1/analytics/commercial?skip=3",
            "https://api.example/partner/v1/analytics/commercial?skip=3",
        ] {
            let url = next_url(base, "partner/v1", uri);
            assert_eq!(url.as_deref(), Some(next), "{uri}");
        }
    }

    #[test]
    fn a_prefix_of_the_base_address_is_kept() {
        let base = "https://proxy.example/partner";
        let next = "https://proxy.example/partner/v1/customers?size=1";
        for uri in [
            "/v1/customers?size=1",
            "https://proxy.example/partner/v1/customers?size=1",
        ] {
            assert_eq!(next_url(base, "v1", uri).as_deref(), Some(next), "{uri}");
        }
    }

    #[test]
    fn the_next_page_is_never_at_another_host() {
        for uri in [
            "https://evil.example/v1/customers",
            "http://api.example/v1/customers",
            "https://api.example:8443/v1/customers",
        ] {
            assert_eq!(next_url("https://api.example", "v1", uri), None, "{uri}");
        }
        let odd = next_url("https://api.example", "v1", "//evil.example/v1/customers").unwrap();
        assert!(odd.starts_with("https://api.example/v1/"));
    }
}
