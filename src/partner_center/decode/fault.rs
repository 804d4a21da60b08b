//! Reads the code and message of an error answer in every shape that has been seen: the API's own
//! fault object, the gateway's `{"error":{…}}`, the throttle's `{"statusCode":…}`, a token
//! endpoint's error, a plain reason phrase, a web page.

use std::borrow::Cow;
use std::fmt;

use crate::partner_center::decode::body::{BodyError, json_text};
use crate::partner_center::decode::json::Json;
use crate::partner_center::decode::wire::{Envelope, Raw};
use crate::printable::printable;

/// The code and message of an error answer. Either may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApiFault {
    /// For example `900421`.
    pub code: Option<String>,
    /// Printable, of bounded length.
    pub text: Option<String>,
}

impl ApiFault {
    /// Reads the body of an error answer, whatever it is. `secret` is masked.
    pub(in crate::partner_center) fn in_body(body: &[u8], secret: &str) -> Self {
        let text = match json_text(body) {
            Ok(text) => text,
            Err(BodyError::WebPage) => {
                return Self {
                    code: None,
                    text: Some("a web page".to_owned()),
                };
            }
            Err(_) => return Self::default(),
        };
        match serde_json::from_str::<Envelope<'_>>(text) {
            Ok(envelope) => Self::in_envelope(&envelope, secret).unwrap_or_default(),
            Err(_) => Self {
                code: None,
                text: Some(printable(&mask(text, secret))).filter(|text| !text.is_empty()),
            },
        }
    }

    /// The fault in an answer without items; `None` if no member reports a failure. `secret` is
    /// masked.
    pub(in crate::partner_center) fn in_envelope(
        envelope: &Envelope<'_>,
        secret: &str,
    ) -> Option<Self> {
        let text_of = |value| member_text(value, secret);
        let nested = envelope
            .error
            .filter(|error| error.get().starts_with('{'))
            .and_then(|error| serde_json::from_str::<Envelope<'_>>(error.get()).ok());
        if let Some(nested) = nested {
            return Some(Self {
                code: text_of(nested.code),
                text: text_of(nested.message).or_else(|| text_of(nested.description)),
            });
        }
        let code = text_of(envelope.code)
            .or_else(|| text_of(envelope.error_code))
            .or_else(|| text_of(envelope.error))
            .or_else(|| text_of(envelope.status_code).filter(|status| status.as_str() >= "400"));
        let text = text_of(envelope.description)
            .or_else(|| text_of(envelope.message))
            .or_else(|| text_of(envelope.error_description))
            .or_else(|| text_of(envelope.title))
            .or_else(|| text_of(envelope.fault))
            .or_else(|| text_of(envelope.errors));
        (code.is_some() || text.is_some()).then_some(Self { code, text })
    }
}

impl fmt::Display for ApiFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.text) {
            (Some(code), Some(text)) => write!(f, "code {code}: {text}"),
            (Some(code), None) => write!(f, "code {code}"),
            (None, Some(text)) => f.write_str(text),
            (None, None) => f.write_str("no reason given"),
        }
    }
}

/// A member as printable text: the content of a string, the JSON of any other value. Empty values
/// count as missing.
fn member_text(value: Raw<'_>, secret: &str) -> Option<String> {
    let json = value.map(Json::get)?;
    let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
    let text = printable(&mask(&text, secret));
    (!matches!(text.as_str(), "" | "[]" | "{}" | "false" | "0")).then_some(text)
}

/// `text` with the secret masked. Must be called before the text is truncated: half of a secret
/// would not be found any more.
fn mask<'a>(text: &'a str, secret: &str) -> Cow<'a, str> {
    if secret.is_empty() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.replace(secret, "(not shown)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        ApiFault::in_body(body.as_bytes(), "s3cret").to_string()
    }

    #[test]
    fn the_code_and_message_are_found_in_every_shape() {
        for (body, fault) in [
            (
                r#"{"code":"2032","description":"Role too small","data":[],"source":"PartnerFD"}"#,
                "code 2032: Role too small",
            ),
            (
                r#"{"Code":900421,"Description":"MFA required"}"#,
                "code 900421: MFA required",
            ),
            (
                r#"{"error":{"code":"NotFound","message":"No such thing","innerError":{}}}"#,
                "code NotFound: No such thing",
            ),
            (
                r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again."}"#,
                "code 429: Rate limit is exceeded. Try again.",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"AADSTS50173"}"#,
                "code invalid_grant: AADSTS50173",
            ),
            (
                r#"{"type":"about:blank","title":"Not now","status":500}"#,
                "Not now",
            ),
            ("\u{feff}{\"code\":\"1000\"}", "code 1000"),
            ("Service Unavailable\r\n", "Service Unavailable"),
            ("<html><body>Sign in</body></html>", "a web page"),
            ("", "no reason given"),
            ("{}", "no reason given"),
            (
                r#"{"code":"1","description":"got s3cret"}"#,
                "code 1: got (not shown)",
            ),
            (
                r#"{"code":"1","description":"got \u00733cret"}"#,
                "code 1: got (not shown)",
            ),
        ] {
            assert_eq!(shown(body), fault, "{body}");
        }
    }
}
