//! The errors of Microsoft Entra: the OAuth error, the status and the text of each AADSTS number,
//! and the body that they are sent in.

use serde_json::json;
use uuid::Uuid;

use crate::{
    clock::now,
    wire::{Form, HttpResponse},
};

/// An AADSTS number and its text.
type NumberedText = (u32, &'static str);

/// The errors that a test asks for or that the simulator itself answers with, by HTTP status and
/// OAuth error.
#[rustfmt::skip]
const ERRORS: &[(u16, &str, &[NumberedText])] = &[
    (400, "invalid_request", &[
        (50_011, "The redirect URI specified in the request does not match the redirect URIs \
                  configured for the application."),
        (70_007, "The provided value for the input parameter 'response_mode' is not supported."),
        (90_002, "Tenant not found. Check to make sure you have the correct tenant ID."),
        (90_014, "A required field is missing from the credential."),
    ]),
    (401, "invalid_client", &[
        (50_027, "JWT token is invalid or malformed."),
        (700_023, "Client assertion audience claim does not match Realm issuer."),
        (700_024, "Client assertion is not within its valid time range."),
        (700_027, "The certificate with identifier used to sign the client assertion is not \
                   registered on application."),
        (7_000_215, "Invalid client secret provided. Ensure the secret being sent in the \
                     request is the client secret value, not the client secret ID."),
        (7_000_218, "The request body must contain the following parameter: 'client_assertion' \
                     or 'client_secret'."),
        (7_000_222, "The provided client secret keys are expired. Visit the Azure portal to \
                     create new keys for your app."),
    ]),
    (400, "invalid_grant", &[
        (50_053, "The account is locked."),
        (50_076, "Due to a configuration change made by your administrator, or because you \
                  moved to a new location, you must use multi-factor authentication to access \
                  the resource."),
        (50_078, "Presented multi-factor authentication has expired due to policies configured \
                  by your administrator, you must refresh your multi-factor authentication to \
                  access the resource."),
        (50_079, "Due to a configuration change made by your administrator, the user must \
                  enroll in multi-factor authentication to access the resource."),
        (50_126, "Error validating credentials due to invalid username or password."),
        (50_173, "The provided grant has expired due to it being revoked, a fresh auth token \
                  is needed. The user might have changed or reset their password."),
        (53_003, "Access has been blocked by Conditional Access policies."),
        (54_005, "OAuth2 Authorization code was already redeemed, please retry with a new \
                  valid code or use an existing refresh token."),
        (65_001, "The user or administrator has not consented to use the application. Send an \
                  interactive authorization request for this user and resource."),
        (70_000, "Provided grant is invalid or malformed."),
        (70_008, "The provided authorization code or refresh token has expired due to \
                  inactivity. Send a new interactive authorization request for this user and \
                  resource."),
        (70_043, "The refresh token has expired or is invalid due to sign-in frequency checks \
                  by Conditional Access."),
        (500_112, "The reply address does not match the reply address provided when requesting \
                   Authorization code."),
        (501_481, "The Code_Verifier does not match the code_challenge supplied in the \
                   authorization request."),
        (700_082, "The refresh token has expired due to inactivity. The token was issued too \
                   long ago and was inactive for 90.00:00:00."),
        (9_002_313, "Invalid request. Request is malformed or invalid."),
    ]),
    (400, "authorization_declined", &[
        (65_004, "User declined to consent to access the app."),
    ]),
    (400, "unsupported_grant_type", &[
        (70_003, "The app requested an unsupported grant type."),
    ]),
    (400, "unsupported_response_type", &[
        (70_005, "The provided value for the input parameter 'response_type' is not supported."),
    ]),
    (400, "authorization_pending", &[
        (70_016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    ]),
    (400, "expired_token", &[
        (70_019, "Verification code expired. Have the user sign in again."),
    ]),
    (503, "temporarily_unavailable", &[
        (90_033, "A transient error has occurred. Please try again."),
    ]),
    (400, "unauthorized_client", &[
        (700_016, "Application with this identifier was not found in the directory."),
    ]),
    (405, "invalid_request", &[
        (900_561, "The endpoint does not accept requests of this method."),
    ]),
];

/// An error of an endpoint of the sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntraError {
    status: u16,
    error: &'static str,
    pub(super) code: u32,
    text: String,
}

impl EntraError {
    /// The error with this AADSTS number. A number that is not in the table is an `invalid_grant`.
    pub(super) fn new(code: u32) -> Self {
        let mut known = ERRORS.iter().flat_map(|(status, error, texts)| {
            let texts = texts.iter().filter(|(own, _)| *own == code);
            texts.map(|(_, text)| (*status, *error, *text))
        });
        let unknown = (400, "invalid_grant", "The request was refused.");
        let (status, error, text) = known.next().unwrap_or(unknown);
        Self {
            status,
            error,
            code,
            text: text.to_owned(),
        }
    }

    /// The client polls too fast: an error of OAuth that has no AADSTS number of its own.
    pub(super) fn slow_down() -> Self {
        Self {
            error: "slow_down",
            ..Self::new(70_016)
        }
    }

    /// A request lacks a field.
    pub(super) fn missing(field: &str) -> Self {
        let text = format!("The required field '{field}' is missing from the request.");
        Self {
            text,
            ..Self::new(90_014)
        }
    }

    /// The error and its description as the browser is redirected with them.
    pub(super) fn in_redirect(&self) -> (String, String) {
        let description = format!("AADSTS{}: {}", self.code, self.text);
        (self.error.to_owned(), description)
    }

    pub(super) fn response(&self) -> HttpResponse {
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
        HttpResponse::json(self.status, &body)
    }
}

/// The value of a field that a request must have.
pub(super) fn required<'a>(form: &'a Form, name: &str) -> Result<&'a str, EntraError> {
    let value = form.get(name).filter(|value| !value.is_empty());
    value
        .map(String::as_str)
        .ok_or_else(|| EntraError::missing(name))
}
