//! What an access token says of itself, where it is a JWT. Only looked at: its signature is not
//! checked, since none but the API has to believe it. Told at the sign-in, a person can mend at
//! once what would fail every call.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use super::error::AuthError;

/// Partner Center's own application id, which its tokens may name in place of its address.
const PARTNER_CENTER: &str = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd";

/// Azure AD Graph. Partner Center took tokens for it once, and refuses them since 2025.
const RETIRED: &str = "https://graph.windows.net";

/// Whether a token proves multi-factor authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mfa {
    /// It says so.
    Proved,
    /// It does not say how the person signed in, or cannot be read.
    NotSeen,
    /// No person signed in.
    Nobody,
}

/// The claims that are looked at. Another shape than the usual must not make the others unreadable.
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

/// One text or a list of them.
fn texts(value: Option<&Value>) -> Option<Vec<&str>> {
    match value? {
        Value::String(text) => Some(vec![text]),
        Value::Array(texts) => Some(texts.iter().filter_map(Value::as_str).collect()),
        _ => None,
    }
}

/// Whom a token may be for.
pub(super) struct Audiences(Vec<String>);

impl Audiences {
    /// Partner Center, by the address of the API or by what the scope names.
    pub(super) fn new(base_url: &Url, scope: Option<&str>) -> Self {
        let resources = scope.into_iter().flat_map(str::split_whitespace);
        let resources = resources.filter_map(|part| Some(part.rsplit_once('/')?.0));
        let mut right: Vec<_> = resources.map(comparable).collect();
        right.push(comparable(base_url.as_str()));
        right.push(PARTNER_CENTER.to_owned());
        right.retain(|audience| audience != RETIRED);
        Self(right)
    }

    /// Looks for what would make the API refuse every call. What the token does not say is no
    /// fault.
    pub(super) fn examine(&self, token: &str, by_a_person: bool) -> Result<Mfa, AuthError> {
        let unseen = if by_a_person {
            Mfa::NotSeen
        } else {
            Mfa::Nobody
        };
        let Some(claims) = claims(token) else {
            return Ok(unseen);
        };
        if let Some(named) = texts(claims.aud.as_ref())
            && !named.iter().any(|name| self.0.contains(&comparable(name)))
        {
            return Err(AuthError::WrongAudience {
                audience: showable(named.first().copied().unwrap_or_default()),
            });
        }
        match texts(claims.amr.as_ref()) {
            _ if !by_a_person => Ok(unseen),
            None => Ok(unseen),
            Some(ways) if ways.contains(&"mfa") => Ok(Mfa::Proved),
            Some(_) => Err(AuthError::NoMfa),
        }
    }
}

/// An address by scheme, host and port, anything else as it is; without regard to letter case.
fn comparable(audience: &str) -> String {
    match Url::parse(audience) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url.origin().ascii_serialization(),
        _ => audience.trim_end_matches('/').to_ascii_lowercase(),
    }
}

/// An address or an id. Anything else is left out: a hostile answer could echo what we sent.
fn showable(audience: &str) -> String {
    let comparable = comparable(audience);
    let is_address =
        Url::parse(&comparable).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if is_address || Uuid::try_parse(&comparable).is_ok() {
        comparable
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
    fn multi_factor_authentication_is_seen_refused_or_unknown() {
        for (amr, found) in [
            (json!(["pwd", "mfa"]), Some(Mfa::Proved)),
            (json!("mfa"), Some(Mfa::Proved)),
            (json!(null), Some(Mfa::NotSeen)),
            (json!(7), Some(Mfa::NotSeen)),
            (json!(["pwd"]), None),
            (json!([]), None),
        ] {
            assert_eq!(examine(&json!({ "amr": amr })).ok(), found, "{amr}");
        }
        assert_eq!(examine(&json!({})).ok(), Some(Mfa::NotSeen));
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
    fn an_audience_that_is_no_address_is_not_repeated() {
        for aud in ["http-s3cret", "https s3cret \u{1b}[2J", "s3cret"] {
            let error = examine(&json!({ "aud": aud })).unwrap_err();
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn the_retired_audience_is_wrong_even_where_the_scope_names_it() {
        let base = Url::parse("https://api.example.com").unwrap();
        let audiences = Audiences::new(&base, Some("https://graph.windows.net/.default"));
        let token = token(&json!({ "aud": "https://graph.windows.net/" }));
        assert!(audiences.examine(&token, false).is_err());
    }

    #[test]
    fn what_is_no_jwt_says_nothing() {
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
            assert_eq!(audiences.examine(token, true).ok(), Some(Mfa::NotSeen));
        }
        assert_eq!(audiences.examine("opaque", false).ok(), Some(Mfa::Nobody));
    }
}
