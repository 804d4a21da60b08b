//! The responses of the sign-in service, parsed leniently. Secrets stay in `SecretString`.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The lifetime of an access token whose response names none.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

/// The longest lifetime of an access token that is believed; Microsoft's are shorter. A longer one
/// in a response would put off the renewal until the API refuses the token.
const MAX_LIFETIME: Duration = Duration::from_hours(24);

/// The lifetime of a refresh token whose response names none; Microsoft's documented one.
const DEFAULT_REFRESH_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// A sign-in by device code: what the person has to do, and the code to poll with.
#[derive(Deserialize)]
pub struct DeviceCode {
    #[serde(rename = "device_code")]
    pub(super) secret: SecretString,
    /// The code that the person enters on the page.
    pub user_code: String,
    /// The page, under the standard's name or under the older `verification_url`.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    #[serde(default)]
    pub(super) interval: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) expires_in: Option<serde_json::Value>,
}

/// Seconds, as a number or as text: both occur. Zero, a negative number and anything else count as
/// missing: a lifetime of zero would mean a renewal before each call.
fn seconds(value: Option<&serde_json::Value>) -> Option<Duration> {
    let seconds = match value? {
        serde_json::Value::Number(seconds) => seconds.as_f64(),
        serde_json::Value::String(seconds) => seconds.trim().parse().ok(),
        _ => None,
    };
    let duration = Duration::try_from_secs_f64(seconds?).ok()?;
    (!duration.is_zero()).then_some(duration)
}

/// The polling interval if the service names none.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// The shortest polling interval, whatever the service says.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The longest polling interval at the start, so that a person who has signed in need not wait. A
/// service that wants fewer polls asks to slow down.
const MAX_INTERVAL: Duration = Duration::from_mins(1);

/// How long a device code is polled for if the service names no lifetime.
const DEFAULT_CODE_LIFETIME: Duration = Duration::from_mins(15);

/// The longest time that a device code is polled for, whatever the service says. Without the bound
/// an abandoned sign-in could poll for days.
const MAX_CODE_LIFETIME: Duration = Duration::from_hours(1);

impl DeviceCode {
    /// The polling interval.
    pub(super) fn interval(&self) -> Duration {
        seconds(self.interval.as_ref())
            .unwrap_or(DEFAULT_INTERVAL)
            .clamp(MIN_INTERVAL, MAX_INTERVAL)
    }

    /// How long to poll.
    pub(super) fn lifetime(&self) -> Duration {
        seconds(self.expires_in.as_ref())
            .unwrap_or(DEFAULT_CODE_LIFETIME)
            .min(MAX_CODE_LIFETIME)
    }
}

/// The response of the device-code endpoint, whether success or error.
#[derive(Deserialize, Default)]
pub(super) struct DeviceCodeResponse {
    #[serde(flatten)]
    pub(super) code: Option<DeviceCode>,
    #[serde(flatten)]
    pub(super) refusal: TokenResponse,
}

/// The response of the token endpoint, whether success or error.
#[derive(Deserialize, Default)]
pub(super) struct TokenResponse {
    pub(super) access_token: Option<SecretString>,
    pub(super) refresh_token: Option<SecretString>,
    token_type: Option<serde_json::Value>,
    expires_in: Option<serde_json::Value>,
    refresh_token_expires_in: Option<serde_json::Value>,
    pub(super) error: Option<String>,
    // Only searched for codes; an unexpected type must not make the whole response unreadable.
    error_description: Option<serde_json::Value>,
    error_codes: Option<serde_json::Value>,
    /// Status and content type in words.
    #[serde(skip)]
    pub(super) summary: String,
}

impl TokenResponse {
    /// The refresh token to store. A blank one counts as none: it must not replace one that works.
    pub(super) fn next_refresh_token(&self) -> Option<&SecretString> {
        self.refresh_token
            .as_ref()
            .filter(|token| !token.expose_secret().trim().is_empty())
    }

    /// The token type, unless it is `Bearer`, the only one that the API takes. A response without
    /// a type is assumed to hold a bearer token.
    pub(super) fn unsupported_type(&self) -> Option<String> {
        match self.token_type.as_ref()? {
            serde_json::Value::Null => None,
            serde_json::Value::String(kind) if kind.trim().eq_ignore_ascii_case("bearer") => None,
            serde_json::Value::String(kind) => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
                // Anything else is not shown: it might be the token itself.
                let is_kind = (1..=20).contains(&kind.len()) && kind.chars().all(is_word);
                Some(if is_kind {
                    kind.clone()
                } else {
                    "unknown".to_owned()
                })
            }
            _ => Some("unknown".to_owned()),
        }
    }

    /// How long the access token lives.
    pub(super) fn lifetime(&self) -> Duration {
        seconds(self.expires_in.as_ref())
            .unwrap_or(DEFAULT_LIFETIME)
            .min(MAX_LIFETIME)
    }

    /// How long the refresh token lives if it is not used.
    pub(super) fn refresh_lifetime(&self) -> Duration {
        seconds(self.refresh_token_expires_in.as_ref()).unwrap_or(DEFAULT_REFRESH_LIFETIME)
    }

    /// A response that has only the description from a browser's redirect.
    pub(super) fn with_description(description: Option<String>) -> Self {
        Self {
            error_description: description.map(serde_json::Value::String),
            ..Self::default()
        }
    }

    /// The AADSTS codes, from `error_codes` or else from the description.
    pub(super) fn aadsts(&self) -> Vec<u32> {
        let number = |code: &serde_json::Value| {
            let code = code
                .as_u64()
                .or_else(|| code.as_str()?.trim().parse().ok())?;
            u32::try_from(code).ok()
        };
        let listed: Vec<_> = match &self.error_codes {
            Some(serde_json::Value::Array(codes)) => codes.iter().filter_map(number).collect(),
            Some(code) => number(code).into_iter().collect(),
            None => Vec::new(),
        };
        if !listed.is_empty() {
            return listed;
        }
        let in_text = self.description().and_then(|description| {
            let (_, rest) = description.split_once("AADSTS")?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse().ok()
        });
        in_text.into_iter().collect()
    }

    fn description(&self) -> Option<&str> {
        self.error_description.as_ref()?.as_str()
    }

    /// Whether the description calls the fault transient. Used only if the code is unknown.
    pub(super) fn is_described_as_transient(&self) -> bool {
        let description = self.description().unwrap_or_default().to_ascii_lowercase();
        [
            "transient error",
            "temporarily unavailable",
            "try again later",
        ]
        .iter()
        .any(|words| description.contains(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> TokenResponse {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_lifetime_is_a_number_or_a_text() {
        for (json, seconds) in [
            (r#"{"expires_in":3599}"#, 3_599),
            (r#"{"expires_in":"3599"}"#, 3_599),
            (r#"{"expires_in":-1}"#, 3_600),
            (r#"{"expires_in":0}"#, 3_600),
            (r#"{"expires_in":1e300}"#, 3_600),
            (r#"{"expires_in":null}"#, 3_600),
            ("{}", 3_600),
        ] {
            assert_eq!(
                parsed(json).lifetime(),
                Duration::from_secs(seconds),
                "{json}"
            );
        }
    }

    #[test]
    fn aadsts_codes_are_found_in_the_list_and_in_the_description() {
        for json in [
            r#"{"error":"invalid_grant","error_codes":[700082]}"#,
            r#"{"error":"invalid_grant","error_codes":["700082"]}"#,
            r#"{"error":"x","error_description":"AADSTS700082: The refresh token has expired"}"#,
        ] {
            assert_eq!(parsed(json).aadsts(), [700_082], "{json}");
        }
        let several = parsed(r#"{"error":"x","error_codes":[50173,"90033",null]}"#);
        assert_eq!(several.aadsts(), [50_173, 90_033]);
        for json in [
            r#"{"error":"x","error_description":"AADSTS"}"#,
            r#"{"error":"x","error_codes":[],"error_description":7}"#,
        ] {
            assert_eq!(parsed(json).aadsts(), [0_u32; 0], "{json}");
        }
    }

    #[test]
    fn only_bearer_tokens_are_accepted_in_any_letter_case() {
        for (kind, unsupported) in [
            (r#""Bearer""#, None),
            (r#""bearer""#, None),
            (r#"" BEARER ""#, None),
            ("null", None),
            (r#""pop""#, Some("pop")),
            (r#""DPoP""#, Some("DPoP")),
            (r#""""#, Some("unknown")),
            (
                r#""Bearer eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0""#,
                Some("unknown"),
            ),
            ("7", Some("unknown")),
        ] {
            let response = parsed(&format!(r#"{{"token_type":{kind}}}"#));
            assert_eq!(
                response.unsupported_type().as_deref(),
                unsupported,
                "{kind}"
            );
        }
        assert_eq!(parsed("{}").unsupported_type(), None);
    }

    #[test]
    fn polling_intervals_and_code_lifetimes_are_bounded() {
        let code = |interval: &str, expires_in: &str| -> DeviceCode {
            let json = format!(
                r#"{{"device_code":"d","user_code":"u","verification_url":"p",
                "interval":{interval},"expires_in":{expires_in}}}"#
            );
            serde_json::from_str(&json).unwrap()
        };
        for (interval, seconds) in [
            ("0", 5),
            ("-3", 5),
            ("null", 5),
            ("\"soon\"", 5),
            ("[1]", 5),
            ("0.001", 1),
            ("1", 1),
            ("\"7\"", 7),
            ("7.5", 7),
            ("86400", 60),
            ("1e300", 5),
        ] {
            let interval = code(interval, "900").interval();
            assert_eq!(interval.as_secs(), seconds, "{interval:?}");
        }
        for (lifetime, seconds) in [("900", 900), ("0", 900), ("1e9", 3_600), ("\"60\"", 60)] {
            assert_eq!(
                code("5", lifetime).lifetime().as_secs(),
                seconds,
                "{lifetime}"
            );
        }
    }
}
