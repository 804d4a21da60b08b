//! What the sign-in service answers, read leniently. Secrets stay wrapped.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// What a token is taken to live when the answer does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

/// What a refresh token is taken to live when the answer does not say; Microsoft's documented
/// lifetime.
const DEFAULT_REFRESH_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// What the person has to do, and what we poll with.
#[derive(Deserialize)]
pub struct DeviceCode {
    #[serde(rename = "device_code")]
    pub(super) secret: SecretString,
    /// To be typed on the page.
    pub user_code: String,
    /// The page, under its name in the standard or under the older one.
    #[serde(alias = "verification_url")]
    pub verification_uri: String,
    #[serde(default)]
    pub(super) interval: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) expires_in: Option<serde_json::Value>,
}

/// Seconds, as a number or as text: both have been seen. Nothing, less or nonsense counts as
/// missing: a life of nothing would ask for a renewal before each call.
pub(super) fn seconds(value: Option<&serde_json::Value>) -> Option<Duration> {
    let seconds = match value? {
        serde_json::Value::Number(seconds) => seconds.as_f64(),
        serde_json::Value::String(seconds) => seconds.trim().parse().ok(),
        _ => None,
    };
    let duration = Duration::try_from_secs_f64(seconds?).ok()?;
    (!duration.is_zero()).then_some(duration)
}

/// What is polled at when the service does not say how often it may be.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// Nobody is polled more often, whatever the service says.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// A person who is done is not kept waiting for longer; a service that minds says so and is given
/// more time.
const LONGEST_INTERVAL: Duration = Duration::from_mins(1);

/// How long a code is good when the service does not say, and at the most.
const DEFAULT_CODE_LIFETIME: Duration = Duration::from_mins(15);
const LONGEST_CODE_LIFETIME: Duration = Duration::from_hours(1);

impl DeviceCode {
    /// How often the person's decision may be asked for.
    pub(super) fn interval(&self) -> Duration {
        seconds(self.interval.as_ref())
            .unwrap_or(DEFAULT_INTERVAL)
            .clamp(SHORTEST_INTERVAL, LONGEST_INTERVAL)
    }

    /// How long it is worth asking.
    pub(super) fn lifetime(&self) -> Duration {
        seconds(self.expires_in.as_ref())
            .unwrap_or(DEFAULT_CODE_LIFETIME)
            .min(LONGEST_CODE_LIFETIME)
    }
}

/// What the device-code endpoint answers, success or not.
#[derive(Deserialize, Default)]
pub(super) struct DeviceCodeAnswer {
    #[serde(flatten)]
    pub(super) code: Option<DeviceCode>,
    #[serde(flatten)]
    pub(super) refusal: TokenAnswer,
}

/// What the token endpoint answers, success or not.
#[derive(Deserialize, Default)]
pub(super) struct TokenAnswer {
    pub(super) access_token: Option<SecretString>,
    pub(super) refresh_token: Option<SecretString>,
    token_type: Option<serde_json::Value>,
    expires_in: Option<serde_json::Value>,
    refresh_token_expires_in: Option<serde_json::Value>,
    pub(super) error: Option<String>,
    // Only looked through for codes: another shape must not make the whole answer unreadable.
    error_description: Option<serde_json::Value>,
    error_codes: Option<serde_json::Value>,
    /// Status and kind of the answer, in words.
    #[serde(skip)]
    pub(super) seen: String,
}

impl TokenAnswer {
    /// A refresh token to keep. A blank one is none: it must not take the place of one that works.
    pub(super) fn renewed(&self) -> Option<&SecretString> {
        self.refresh_token
            .as_ref()
            .filter(|token| !token.expose_secret().trim().is_empty())
    }

    /// The kind of token, unless it is the one that the API takes. An answer that does not say is
    /// taken at its word.
    pub(super) fn foreign_type(&self) -> Option<String> {
        match self.token_type.as_ref()? {
            serde_json::Value::Null => None,
            serde_json::Value::String(kind) if kind.trim().eq_ignore_ascii_case("bearer") => None,
            serde_json::Value::String(kind) => {
                let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+');
                // Nothing longer is a kind of token, and what it is nobody knows.
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

    /// Seconds, as a number or as text; both have been seen.
    pub(super) fn lifetime(&self) -> Duration {
        seconds(self.expires_in.as_ref())
            .unwrap_or(DEFAULT_LIFETIME)
            .min(Duration::from_hours(24))
    }

    /// How long the refresh token lives if it is never used.
    pub(super) fn refresh_lifetime(&self) -> Duration {
        seconds(self.refresh_token_expires_in.as_ref()).unwrap_or(DEFAULT_REFRESH_LIFETIME)
    }

    /// Nothing but the description that a browser brought.
    pub(super) fn describing(description: Option<String>) -> Self {
        Self {
            error_description: description.map(serde_json::Value::String),
            ..Self::default()
        }
    }

    /// The numbers behind `AADSTS`, from the list of codes, or else from the text.
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

    /// Whether its text speaks of a fault that passes. For codes that are not known here only.
    pub(super) fn says_it_passes(&self) -> bool {
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

    fn answer(json: &str) -> TokenAnswer {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_lifetime_is_read_as_number_and_as_text() {
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
                answer(json).lifetime(),
                Duration::from_secs(seconds),
                "{json}"
            );
        }
    }

    #[test]
    fn microsofts_code_is_found_in_the_list_and_in_the_text() {
        for json in [
            r#"{"error":"invalid_grant","error_codes":[700082]}"#,
            r#"{"error":"invalid_grant","error_codes":["700082"]}"#,
            r#"{"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired"}"#,
        ] {
            assert_eq!(answer(json).aadsts(), [700_082], "{json}");
        }
        let several = answer(r#"{"error":"x","error_codes":[50173,"90033",null]}"#);
        assert_eq!(several.aadsts(), [50_173, 90_033]);
        for json in [
            r#"{"error":"x","error_description":"AADSTS"}"#,
            r#"{"error":"x","error_codes":[],"error_description":7}"#,
        ] {
            assert_eq!(answer(json).aadsts(), [0_u32; 0], "{json}");
        }
    }
    #[test]
    fn only_a_bearer_token_is_taken_in_whatever_letters() {
        for (kind, foreign) in [
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
            let answer = answer(&format!(r#"{{"token_type":{kind}}}"#));
            assert_eq!(answer.foreign_type().as_deref(), foreign, "{kind}");
        }
        assert_eq!(answer("{}").foreign_type(), None);
    }

    #[test]
    fn a_device_code_is_polled_for_neither_without_pause_nor_for_ever() {
        let code = |interval: &str, expires_in: &str| -> DeviceCode {
            let json = format!(
                r#"{{"device_code":"d","user_code":"u","verification_url":"p","interval":{interval},"expires_in":{expires_in}}}"#
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
