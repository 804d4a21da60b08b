//! What the API says of a failure, in any of the shapes it has been seen to use: its own fault
//! object, the gateway's `{"error":{…}}`, the throttle's `{"statusCode":…}`, a token endpoint's
//! error, a reason phrase, a web page.

use std::borrow::Cow;
use std::fmt;

use crate::partner_center::decode::body::{Unreadable, json_text};
use crate::partner_center::decode::wire::{Envelope, Json, Raw};

/// As much of a text from the wire as is kept.
const MAX_CHARS: usize = 300;

/// The API's own code and words. Either may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fault {
    /// For example `900421`.
    pub code: Option<String>,
    /// Printable, of bounded length.
    pub text: Option<String>,
}

impl Fault {
    /// Reads an error answer's body, whatever it is. `secret` must not come back out of it.
    pub(in crate::partner_center) fn in_body(body: &[u8], secret: &str) -> Self {
        let text = match json_text(body) {
            Ok(text) => text,
            Err(Unreadable::WebPage) => {
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
                text: Some(printable(&without(text, secret))).filter(|text| !text.is_empty()),
            },
        }
    }

    /// The fault in an answer that has no items; none where there is nothing that speaks of a
    /// failure. `secret` must not come back out of it.
    pub(in crate::partner_center) fn in_envelope(
        envelope: &Envelope<'_>,
        secret: &str,
    ) -> Option<Self> {
        let plain = |value| plain(value, secret);
        let nested = envelope
            .error
            .filter(|error| error.get().starts_with('{'))
            .and_then(|error| serde_json::from_str::<Envelope<'_>>(error.get()).ok());
        if let Some(nested) = nested {
            return Some(Self {
                code: plain(nested.code),
                text: plain(nested.message).or_else(|| plain(nested.description)),
            });
        }
        let code = plain(envelope.code)
            .or_else(|| plain(envelope.error_code))
            .or_else(|| plain(envelope.error))
            .or_else(|| plain(envelope.status_code).filter(|status| status.as_str() >= "400"));
        let text = plain(envelope.description)
            .or_else(|| plain(envelope.message))
            .or_else(|| plain(envelope.error_description))
            .or_else(|| plain(envelope.title))
            .or_else(|| plain(envelope.fault))
            .or_else(|| plain(envelope.errors));
        (code.is_some() || text.is_some()).then_some(Self { code, text })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.text) {
            (Some(code), Some(text)) => write!(f, "code {code}: {text}"),
            (Some(code), None) => write!(f, "code {code}"),
            (None, Some(text)) => f.write_str(text),
            (None, None) => f.write_str("no reason given"),
        }
    }
}

/// A text or number member as printable text; anything else as its JSON. Empty ones count as
/// missing.
fn plain(value: Raw<'_>, secret: &str) -> Option<String> {
    let json = value.map(Json::get)?;
    let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
    let text = printable(&without(&text, secret));
    (!matches!(text.as_str(), "" | "[]" | "{}" | "false" | "0")).then_some(text)
}

/// To be called before anything is cut to length: half a secret is a secret too.
fn without<'a>(text: &'a str, secret: &str) -> Cow<'a, str> {
    if secret.is_empty() {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.replace(secret, "(not shown)"))
    }
}

/// On one line, without control characters, of bounded length.
pub(in crate::partner_center) fn printable(text: &str) -> String {
    let mut printable: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_CHARS)
        .collect();
    if text.trim().chars().nth(MAX_CHARS).is_some() {
        printable.push('…');
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(body: &str) -> String {
        Fault::in_body(body.as_bytes(), "s3cret").to_string()
    }

    #[test]
    fn every_shape_of_fault_gives_its_code_and_text() {
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
                r#"{"statusCode":429,"message":"Rate limit is exceeded. Try again in 57 seconds."}"#,
                "code 429: Rate limit is exceeded. Try again in 57 seconds.",
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

    #[test]
    fn a_long_text_is_cut_and_control_characters_are_blanked() {
        let text = shown(&format!("a\u{0}b\u{1b}[31m{}", "x".repeat(1_000)));
        assert!(text.starts_with("a b [31mxxx"));
        assert_eq!(text.chars().count(), MAX_CHARS + 1);
    }
}
