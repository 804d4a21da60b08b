//! The address of a list's next page. It has come in many forms without notice; whatever its form,
//! it is asked for at the configured origin, for our token goes along.

use url::Url;

/// What a path may begin with, after the configured base.
const VERSIONS: [&str; 2] = ["v1/", "partner/v1/"];

/// No honest address is longer, and none over 64 KiB could be asked for.
pub(in crate::partner_center) const MAX_LINK_BYTES: usize = 16 * 1024;

/// The next page's address at our own origin, under `version`: the link may be with a version, with
/// several, without one, without a leading slash, or absolute. None where it leads to another
/// origin.
///
/// The version is the call's own and not the link's, because a gateway that adds or takes off the
/// first part of a path does not do so in the links.
pub(in crate::partner_center) fn next_url(base: &str, version: &str, uri: &str) -> Option<String> {
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
    fn the_version_that_the_call_was_made_under_is_kept() {
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
