//! What the sign-in service answers, read leniently. Secrets stay wrapped.

use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// What a token is taken to live when the answer does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_hours(1);

/// What a refresh token is taken to live when the answer does not say; Microsoft's documented lifetime.
const DEFAULT_REFRESH_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// What the person has to do, and what we poll with.
#[derive(Deserialize)]
pub struct DeviceCode {
    #[serde(rename = "device_code")]
    pub(super) secret: SecretString,
    /// To be typed on the page.
    pub user_code: String,
    /// The page.
    pub verification_uri: String,
    #[serde(default)]
    pub(super) interval: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) expires_in: Option<serde_json::Value>,
}

/// Seconds, as a number or as text: both have been seen. Nothing, less or nonsense counts as missing: a life of nothing
/// would ask for a renewal before each call.
pub(super) fn seconds(value: Option<&serde_json::Value>) -> Option<Duration> {
    let seconds = match value? {
        serde_json::Value::Number(seconds) => seconds.as_f64(),
        serde_json::Value::String(seconds) => seconds.trim().parse().ok(),
        _ => None,
    };
    let duration = Duration::try_from_secs_f64(seconds?).ok()?;
    (!duration.is_zero()).then_some(duration)
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
    expires_in: Option<serde_json::Value>,
    refresh_token_expires_in: Option<serde_json::Value>,
    pub(super) error: Option<String>,
    // Only looked through for a code: another shape must not make the whole answer unreadable.
    error_description: Option<serde_json::Value>,
    error_codes: Option<serde_json::Value>,
}

impl TokenAnswer {
    /// A refresh token to keep. A blank one is none: it must not take the place of one that works.
    pub(super) fn renewed(&self) -> Option<&SecretString> {
        self.refresh_token
            .as_ref()
            .filter(|token| !token.expose_secret().trim().is_empty())
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

    /// The number behind `AADSTS`, from the list of codes or from the text.
    pub(super) fn aadsts(&self) -> Option<u32> {
        let listed = self.error_codes.as_ref().and_then(|codes| {
            let code = codes.get(0)?;
            code.as_u64()
                .or_else(|| code.as_str()?.parse().ok())
                .and_then(|code| u32::try_from(code).ok())
        });
        listed.or_else(|| {
            let description = self.error_description.as_ref()?.as_str()?;
            let (_, rest) = description.split_once("AADSTS")?;
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..end].parse().ok()
        })
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
            assert_eq!(answer(json).aadsts(), Some(700_082), "{json}");
        }
        assert_eq!(
            answer(r#"{"error":"x","error_description":"AADSTS"}"#).aadsts(),
            None
        );
    }
}
