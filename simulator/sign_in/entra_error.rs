//! The words of Microsoft Entra: which AADSTS number goes with which OAuth error,
//! status and text, and the body it all comes in. Pure but for the time and the
//! trace ids that Entra puts into each body.

use serde_json::json;
use uuid::Uuid;

use crate::{simulator::now, wire::http::Response};

/// Number, HTTP status, OAuth error and text of what the simulator can refuse with.
const REFUSALS: [(u32, u16, &str, &str); 35] = [
    (
        50_011,
        400,
        "invalid_request",
        "The redirect URI specified in the request does not match the redirect URIs configured for the application.",
    ),
    (
        50_027,
        401,
        "invalid_client",
        "JWT token is invalid or malformed.",
    ),
    (50_053, 400, "invalid_grant", "The account is locked."),
    (
        50_076,
        400,
        "invalid_grant",
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access the resource.",
    ),
    (
        50_078,
        400,
        "invalid_grant",
        "Presented multi-factor authentication has expired due to policies configured by your administrator, you must refresh your multi-factor authentication to access the resource.",
    ),
    (
        50_079,
        400,
        "invalid_grant",
        "Due to a configuration change made by your administrator, the user must enroll in multi-factor authentication to access the resource.",
    ),
    (
        50_126,
        400,
        "invalid_grant",
        "Error validating credentials due to invalid username or password.",
    ),
    (
        50_173,
        400,
        "invalid_grant",
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password.",
    ),
    (
        53_003,
        400,
        "invalid_grant",
        "Access has been blocked by Conditional Access policies.",
    ),
    (
        54_005,
        400,
        "invalid_grant",
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.",
    ),
    (
        65_001,
        400,
        "invalid_grant",
        "The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.",
    ),
    (
        65_004,
        400,
        "authorization_declined",
        "User declined to consent to access the app.",
    ),
    (
        70_000,
        400,
        "invalid_grant",
        "Provided grant is invalid or malformed.",
    ),
    (
        70_003,
        400,
        "unsupported_grant_type",
        "The app requested an unsupported grant type.",
    ),
    (
        70_005,
        400,
        "unsupported_response_type",
        "The provided value for the input parameter 'response_type' is not supported.",
    ),
    (
        70_007,
        400,
        "invalid_request",
        "The provided value for the input parameter 'response_mode' is not supported.",
    ),
    (
        70_008,
        400,
        "invalid_grant",
        "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.",
    ),
    (
        70_016,
        400,
        "authorization_pending",
        "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    ),
    (
        70_019,
        400,
        "expired_token",
        "Verification code expired. Have the user sign in again.",
    ),
    (
        70_043,
        400,
        "invalid_grant",
        "The refresh token has expired or is invalid due to sign-in frequency checks by Conditional Access.",
    ),
    (
        90_002,
        400,
        "invalid_request",
        "Tenant not found. Check to make sure you have the correct tenant ID.",
    ),
    (
        90_014,
        400,
        "invalid_request",
        "A required field is missing from the credential.",
    ),
    (
        90_033,
        503,
        "temporarily_unavailable",
        "A transient error has occurred. Please try again.",
    ),
    (
        500_112,
        400,
        "invalid_grant",
        "The reply address does not match the reply address provided when requesting Authorization code.",
    ),
    (
        501_481,
        400,
        "invalid_grant",
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    (
        700_016,
        400,
        "unauthorized_client",
        "Application with this identifier was not found in the directory.",
    ),
    (
        700_023,
        401,
        "invalid_client",
        "Client assertion audience claim does not match Realm issuer.",
    ),
    (
        700_024,
        401,
        "invalid_client",
        "Client assertion is not within its valid time range.",
    ),
    (
        700_027,
        401,
        "invalid_client",
        "The certificate with identifier used to sign the client assertion is not registered on application.",
    ),
    (
        700_082,
        400,
        "invalid_grant",
        "The refresh token has expired due to inactivity. The token was issued too long ago and was inactive for 90.00:00:00.",
    ),
    (
        900_561,
        405,
        "invalid_request",
        "The endpoint does not accept requests of this method.",
    ),
    (
        7_000_215,
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.",
    ),
    (
        7_000_218,
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    (
        7_000_222,
        401,
        "invalid_client",
        "The provided client secret keys are expired. Visit the Azure portal to create new keys for your app.",
    ),
    (
        9_002_313,
        400,
        "invalid_grant",
        "Invalid request. Request is malformed or invalid.",
    ),
];

/// A refusal of the token endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    error: &'static str,
    pub(crate) code: u32,
    text: String,
}

impl Refusal {
    /// A client that polls too fast: an error of OAuth for which Entra has no number.
    pub(crate) fn slow_down() -> Self {
        Self {
            error: "slow_down",
            ..refusal(70_016)
        }
    }

    /// The error and its description, as a browser brings them back.
    pub(crate) fn for_a_browser(&self) -> (&'static str, String) {
        (self.error, format!("AADSTS{}: {}", self.code, self.text))
    }

    pub(crate) fn response(&self) -> Response {
        let now = now().format("%Y-%m-%d %H:%M:%SZ").to_string();
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let description = format!(
            "AADSTS{}: {} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
            self.code, self.text,
        );
        let body = json!({
            "error": self.error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": now,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={}", self.code),
        });
        Response::json(self.status, &body)
    }
}

/// The refusal with this number; one that is not in the table is a plain refusal.
pub(crate) fn refusal(code: u32) -> Refusal {
    let known = REFUSALS.iter().find(|(own, ..)| *own == code);
    let (_, status, error, text) =
        *known.unwrap_or(&(code, 400, "invalid_grant", "The request was refused."));
    Refusal {
        status,
        error,
        code,
        text: text.to_owned(),
    }
}

/// The refusal of a request that lacks a field.
pub(crate) fn missing(field: &str) -> Refusal {
    let text = format!("The required field '{field}' is missing from the request.");
    Refusal {
        text,
        ..refusal(90_014)
    }
}
