//! Which endpoint a request is for.

use serde::{Serialize, Serializer};

use crate::{wire::HttpRequest, world::Dataset};

/// The endpoints. Some have several addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Endpoint {
    /// One customer's usage.
    Usage,
    /// One customer's deployment.
    Deployment,
    /// All customers' usage.
    PartnerWideUsage,
    /// All customers' deployment.
    PartnerWideDeployment,
    Customers,
    Token,
    DeviceCode,
    /// The page that a person signs in on.
    Authorize,
    /// The provider metadata and the keys of `OpenID` Connect.
    OpenId,
    /// No address of the API or of the sign-in.
    Other,
    /// A control call under `/_sim/`.
    Control,
}

impl Endpoint {
    /// The name in scripts, in the log of requests and in the statistics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Deployment => "deployment",
            Self::PartnerWideUsage => "commercial_usage",
            Self::PartnerWideDeployment => "commercial_deployment",
            Self::Customers => "customers",
            Self::Token => "token",
            Self::DeviceCode => "devicecode",
            Self::Authorize => "authorize",
            Self::OpenId => "openid",
            Self::Other => "other",
            Self::Control => "control",
        }
    }

    /// The dataset that an analytics endpoint serves.
    pub(crate) const fn dataset(self) -> Option<Dataset> {
        match self {
            Self::Usage | Self::PartnerWideUsage => Some(Dataset::Usage),
            Self::Deployment | Self::PartnerWideDeployment => Some(Dataset::Deployment),
            Self::Customers
            | Self::Token
            | Self::DeviceCode
            | Self::Authorize
            | Self::OpenId
            | Self::Other
            | Self::Control => None,
        }
    }

    /// Whether the Partner Center API answers it. Unknown addresses belong to the API, too.
    pub(crate) const fn is_api(self) -> bool {
        !matches!(
            self,
            Self::Token | Self::DeviceCode | Self::Authorize | Self::OpenId | Self::Control
        )
    }

    /// The methods that it supports, as in the header `Allow`. `None` if there is no such endpoint,
    /// and for control calls, each of which has its own.
    pub(super) const fn methods(self) -> Option<&'static str> {
        match self {
            Self::Usage
            | Self::Deployment
            | Self::PartnerWideUsage
            | Self::PartnerWideDeployment
            | Self::Customers
            | Self::OpenId => Some("GET, HEAD"),
            Self::Authorize => Some("GET, HEAD, POST"),
            Self::Token | Self::DeviceCode => Some("POST"),
            Self::Other | Self::Control => None,
        }
    }

    /// The endpoint of a request, and the customer's GUID or the sign-in's tenant in its path.
    pub(crate) fn of(request: &HttpRequest) -> (Self, &str) {
        let mut parts = [""; 8];
        let mut count = 0;
        for part in request.path.split('/').skip(1) {
            let Some(slot) = parts.get_mut(count) else {
                return (Self::Other, "");
            };
            *slot = part;
            count += 1;
        }
        let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
        match parts[..count] {
            ["_sim", ..] => (Self::Control, ""),
            [tenant, "oauth2", "v2.0", "token"] => (Self::Token, tenant),
            [tenant, "oauth2", "v2.0", "devicecode"] => (Self::DeviceCode, tenant),
            [tenant, "oauth2", "v2.0", "authorize"] => (Self::Authorize, tenant),
            [tenant, "v2.0", ".well-known", "openid-configuration"]
            | [tenant, ".well-known", "openid-configuration"]
            | [tenant, "discovery", "v2.0", "keys"]
            | [tenant, "discovery", "keys"] => (Self::OpenId, tenant),
            ["v1", customers] if is(customers, "customers") => (Self::Customers, ""),
            ["v1", customers, id, analytics, licenses, what]
                if is(customers, "customers")
                    && is(analytics, "analytics")
                    && is(licenses, "licenses") =>
            {
                match what {
                    _ if is(what, "usage") => (Self::Usage, id),
                    _ if is(what, "deployment") => (Self::Deployment, id),
                    _ => (Self::Other, ""),
                }
            }
            ["v1", ref rest @ ..] | ["partner", "v1", ref rest @ ..] => {
                (Self::partner_wide(rest), "")
            }
            _ => (Self::Other, ""),
        }
    }

    // The documented address ends with a slash, but the documented example has none.
    fn partner_wide(path: &[&str]) -> Self {
        let path = path.strip_suffix(&[""]).unwrap_or(path);
        let is = |words: [&str; 4]| {
            let pairs = || path.iter().zip(words);
            path.len() == words.len() && pairs().all(|(part, word)| part.eq_ignore_ascii_case(word))
        };
        if is(["analytics", "commercial", "usage", "license"]) {
            Self::PartnerWideUsage
        } else if is(["analytics", "commercial", "deployment", "license"]) {
            Self::PartnerWideDeployment
        } else {
            Self::Other
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_told_apart_by_their_path() {
        let endpoint = |path: &str| {
            let head = format!("GET {path} HTTP/1.1\r\n\r\n");
            let request = HttpRequest::parse_head(head.as_bytes()).unwrap();
            let (endpoint, path_id) = Endpoint::of(&request);
            (endpoint, path_id.to_owned())
        };
        assert_eq!(endpoint("/v1/customers").0, Endpoint::Customers);
        assert_eq!(
            endpoint("/v1/Customers/ABC/Analytics/licenses/Usage"),
            (Endpoint::Usage, "ABC".to_owned())
        );
        assert_eq!(
            endpoint("/v1/customers/ABC/analytics/licenses/deployment"),
            (Endpoint::Deployment, "ABC".to_owned())
        );
        for (path, expected) in [
            (
                "analytics/commercial/usage/license",
                Endpoint::PartnerWideUsage,
            ),
            (
                "analytics/commercial/deployment/license/",
                Endpoint::PartnerWideDeployment,
            ),
            ("analytics/commercial/usage/license//", Endpoint::Other),
            ("analytics/licenses/usage", Endpoint::Other),
        ] {
            assert_eq!(endpoint(&format!("/v1/{path}")).0, expected, "{path}");
            assert_eq!(
                endpoint(&format!("/partner/v1/{path}")).0,
                expected,
                "{path}"
            );
        }
        assert_eq!(
            endpoint("/t/oauth2/v2.0/token"),
            (Endpoint::Token, "t".to_owned())
        );
        for path in [
            "/t/v2.0/.well-known/openid-configuration",
            "/t/discovery/v2.0/keys",
        ] {
            assert_eq!(endpoint(path), (Endpoint::OpenId, "t".to_owned()), "{path}");
        }
        assert_eq!(endpoint("/v1//v1/customers").0, Endpoint::Other);
    }
}
