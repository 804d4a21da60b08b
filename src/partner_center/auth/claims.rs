//! Looks for claims of an access token (a JWT) that would make the API refuse every call, so that a
//! person learns of it at the sign-in. The signature is not verified: only the API relies on it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::error::AuthError;

/// Partner Center's application ID, which a token may name as its audience in place of the address.
const PARTNER_CENTER: &str = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd";

/// Azure AD Graph. Partner Center accepted tokens for it until 2025, and refuses them since.
const RETIRED: &str = "https://graph.windows.net";

/// What a token says of multi-factor authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mfa {
    /// It was used.
    Used,
    /// The token does not say how the user signed in, or cannot be read.
    Unknown,
    /// The application itself signed in, not a user.
    NoUser,
}

/// The claims that are examined. An unexpected type of one must not make the other unreadable.
#[derive(Deserialize)]
struct Claims {
    amr: Option<Value>,
    aud: Option<Value>,
}

fn claims(token: &str) -> Option<Claims> {
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// A claim that is a text or a list of texts.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => Some(texts.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// The audiences that a token for Partner Center may name.
pub(super) struct Audiences(Vec<String>);

impl Audiences {
    /// Partner Center's application ID, the API's address, and the resources of the scope.
    pub(super) fn new(base_url: &Url, scope: Option<&str>) -> Self {
        let resources = scope.into_iter().flat_map(str::split_whitespace);
        let resources = resources.filter_map(|part| Some(part.rsplit_once('/')?.0));
        let mut audiences: Vec<_> = resources.map(normalized).collect();
        audiences.push(normalized(base_url.as_str()));
        audiences.push(PARTNER_CENTER.to_owned());
        audiences.retain(|audience| audience != RETIRED);
        Self(audiences)
    }

    /// Looks for what would make the API refuse every call. A missing claim is not an error.
    pub(super) fn examine(&self, token: &str, has_user: bool) -> Result<Mfa, AuthError> {
        let unknown = if has_user { Mfa::Unknown } else { Mfa::NoUser };
        let Some(claims) = claims(token) else {
            return Ok(unknown);
        };
        if let Some(named) = texts(claims.aud.as_ref())
            && !named.iter().any(|name| self.0.contains(&normalized(name)))
        {
            return Err(AuthError::WrongAudience {
                audience: showable(named.first().copied().unwrap_or_default()),
            });
        }
        match texts(claims.amr.as_ref()) {
            _ if !has_user => Ok(unknown),
            None => Ok(unknown),
            Some(methods) if methods.contains(&"mfa") => Ok(Mfa::Used),
            Some(_) => Err(AuthError::NoMfa),
        }
    }
}

/// A web address reduced to scheme, host and port; anything else in lower case.
fn normalized(audience: &str) -> String {
    match Url::parse(audience) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        _ => audience.trim_end_matches('/').to_ascii_lowercase(),
    }
}

/// An address or an ID. Anything else is not shown: a hostile response could echo what we sent.
fn showable(audience: &str) -> String {
    let shown = normalized(audience);
    let is_address = Url::parse(&shown).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_address || Uuid::try_parse(&shown).is_ok() {
        shown
    } else {
        "something else".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(claims: &Value) -> String {
        format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn examine(claims: &Value) -> Result<Mfa, AuthError> {
        let base = Url::parse("https://api.partnercenter.microsoft.com").unwrap();
        Audiences::new(&base, Some("https://other.example/.default offline_access"))
            .examine(&token(claims), true)
    }

    #[test]
    fn multi_factor_authentication_is_used_missing_or_unknown() {
        for (amr, found) in [
            (json!(["pwd", "mfa"]), Some(Mfa::Used)),
            (json!("mfa"), Some(Mfa::Used)),
            (json!(null), Some(Mfa::Unknown)),
            (json!(7), Some(Mfa::Unknown)),
            (json!(["pwd"]), None),
            (json!([]), None),
        ] {
            assert_eq!(examine(&json!({ "amr": amr })).ok(), found, "{amr}");
        }
        assert_eq!(examine(&json!({})).ok(), Some(Mfa::Unknown));
    }

    #[test]
    fn the_audience_is_partner_center_by_address_scope_or_id() {
        for (aud, right) in [
            (json!("https://api.partnercenter.microsoft.com"), true),
            (json!("https://API.partnercenter.microsoft.com/"), true),
            (json!("FA3D9A0C-3fb0-42cc-9193-47c7ecd2edbd"), true),
            (json!("https://other.example"), true),
            (json!(["https://x.example", "https://other.example/"]), true),
            (json!(null), true),
            (json!("https://graph.windows.net"), false),
            (json!("https://graph.microsoft.com"), false),
            (json!("http://api.partnercenter.microsoft.com"), false),
            (json!([]), false),
        ] {
            assert_eq!(examine(&json!({ "aud": aud })).is_ok(), right, "{aud}");
        }
    }

    #[test]
    fn an_audience_that_is_not_an_address_is_not_shown() {
        for aud in ["http-s3cret", "https s3cret \u{1b}[2J", "s3cret"] {
            let error = examine(&json!({ "aud": aud })).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_retired_audience_is_wrong_even_if_the_scope_names_it() {
        let base = Url::parse("https://api.example.com").unwrap();
        let audiences = Audiences::new(&base, Some("https://graph.windows.net/.default"));
        let token = token(&json!({ "aud": "https://graph.windows.net/" }));
        assert!(audiences.examine(&token, false).is_err());
    }

    #[test]
    fn a_token_that_is_not_a_jwt_says_nothing() {
        let base = Url::parse("https://api.example.com").unwrap();
        let audiences = Audiences::new(&base, None);
        for token in [
            "",
            "opaque",
            "a.b",
            "a.b.c",
            "a.b.c.d",
            "e30.W10.x",
            "e30.Ing.x",
        ] {
            assert_eq!(audiences.examine(token, true).ok(), Some(Mfa::Unknown));
        }
        assert_eq!(audiences.examine("opaque", false).ok(), Some(Mfa::NoUser));
    }
}
