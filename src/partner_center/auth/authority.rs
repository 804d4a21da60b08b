//! The HTTP client of Microsoft's sign-in service: one method for each request, and what each
//! response means.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::assertion;
use super::claims::{Audiences, Mfa};
use super::error::AuthError;
use super::oauth::OauthError;
use super::refusal::{self, ErrorResponse, Grant, Interpretation};
use super::response::{DeviceCode, DeviceCodeResponse, TokenResponse};
use super::token::Token;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::partner_center::decode::body::json_text;
use crate::partner_center::transport::barrier::{Barrier, Route};
use crate::partner_center::transport::http::{read_body, redirect_target, retry_after};

/// Bytes of a response, at most. A token takes some kilobytes.
const MAX_RESPONSE_BYTES: u64 = 1024 * 1024;

/// The shortest wait after a throttled or locked sign-in. Asking sooner would prolong the lock.
const THROTTLED_WAIT: Duration = Duration::from_mins(1);

/// Characters of a content type that an error message shows.
const MAX_CONTENT_TYPE_CHARS: usize = 60;

/// Requests tokens from the authority.
pub(in crate::partner_center) struct AuthorityClient {
    http: reqwest::Client,
    origin: String,
    pub(super) settings: config::Auth,
    audiences: Audiences,
    clock: Arc<dyn Clock>,
}

/// A response without its body.
struct ResponseHead {
    /// Status and content type in words, for the case that the token is missing.
    summary: String,
    retry_after: Option<Duration>,
}

/// Describes a response so that a person can tell the service's own from a proxy's or a portal's.
fn summarize(response: &reqwest::Response) -> String {
    let status = response.status();
    if status.is_redirection() {
        return format!("status {status}, on to {}", redirect_target(response));
    }
    let header = response.headers().get(CONTENT_TYPE);
    let content_type = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or("no content type");
    let media_type: String = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '+' | '.' | ' '))
        .take(MAX_CONTENT_TYPE_CHARS)
        .collect();
    format!("status {}, {}", status.as_u16(), media_type.trim())
}

/// How one poll of the token endpoint ended.
pub(super) enum PollResult {
    Done(Box<TokenResponse>),
    /// The person has not decided yet.
    Pending,
    /// As `Pending`, and the service wants fewer polls.
    SlowDown,
    /// The request failed; the service may have said when to try again.
    Failed {
        retry_after: Option<Duration>,
    },
}

impl AuthorityClient {
    pub(in crate::partner_center) fn new(
        http: reqwest::Client,
        base_url: &Url,
        settings: &config::Auth,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let scope = match &settings.method {
            config::Method::RefreshToken { scope, .. }
            | config::Method::ClientCredentials { scope, .. } => Some(scope.as_str()),
            config::Method::AccessToken(_) => None,
        };
        Self {
            http,
            audiences: Audiences::new(base_url, scope),
            origin: settings.authority.origin().ascii_serialization(),
            settings: settings.clone(),
            clock,
        }
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Looks for what would make the API refuse every call with this access token.
    pub(super) fn examine(&self, token: &str) -> Result<Mfa, AuthError> {
        let has_user = !matches!(
            self.settings.method,
            config::Method::ClientCredentials { .. }
        );
        self.audiences.examine(token, has_user)
    }

    /// Requests a token in exchange for a grant, which is in the form.
    pub(super) async fn request_token(
        &self,
        app: &config::App,
        grant: Grant,
        form: &[(&str, &str)],
    ) -> Result<TokenResponse, AuthError> {
        let (mut response, head): (TokenResponse, _) = self.post(app, "token", form).await?;
        match &response.error {
            None => {
                response.summary = head.summary;
                Ok(response)
            }
            Some(error) => Err(self.refused(app, grant, error, &response, head.retry_after)),
        }
    }

    /// The address of one of the tenant's endpoints.
    pub(super) fn endpoint(&self, app: &config::App, endpoint: &str) -> Url {
        let path = format!("/{}/oauth2/v2.0/{endpoint}", app.tenant_id);
        self.settings.endpoint(&path)
    }

    /// Posts a form with the application's credential to one of the tenant's endpoints. The device
    /// endpoint wants the credential just as the token endpoint does (RFC 8628, 3.1).
    /// A body that cannot be read counts as an empty response.
    async fn post<T: DeserializeOwned + Default>(
        &self,
        app: &config::App,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<(T, ResponseHead), AuthError> {
        let mut form = form.to_vec();
        form.push(("client_id", &app.client_id));
        let assertion;
        match &app.credential {
            None => {}
            Some(config::ClientCredential::Secret(secret)) => {
                form.push(("client_secret", secret.expose_secret()));
            }
            Some(config::ClientCredential::CertificateFile(file)) => {
                // The audience of the assertion is the token endpoint, also for requests to the
                // device endpoint.
                let audience = self.endpoint(app, "token");
                assertion = assertion::sign(file, app, audience.as_str(), self.clock.now())?;
                form.push(("client_assertion_type", assertion::ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose_secret()));
            }
        }
        let url = self.endpoint(app, endpoint);
        let response = self.http.post(url).form(&form).send().await;
        let mut response = response.map_err(|error| self.transport_error(error))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers(), self.clock.now());
        if matches!(status, 408 | 425 | 429 | 500..=599) {
            return Err(self.unavailable(format!("status {status}"), retry_after));
        }
        let summary = summarize(&response);
        let body = read_body(&mut response, MAX_RESPONSE_BYTES)
            .await
            .map_err(|error| self.unavailable(error.to_string(), None))?;
        let parsed = json_text(&body)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok());
        let head = ResponseHead {
            summary,
            retry_after,
        };
        Ok((parsed.unwrap_or_default(), head))
    }

    /// Begins a sign-in by device code.
    pub(super) async fn request_device_code(
        &self,
        app: &config::App,
        scope: &str,
    ) -> Result<DeviceCode, AuthError> {
        let form = [("scope", scope)];
        let (response, head): (DeviceCodeResponse, _) = self.post(app, "devicecode", &form).await?;
        match (response.code, &response.refusal.error) {
            (_, Some(error)) => {
                let refusal = &response.refusal;
                Err(self.refused(app, Grant::NoneYet, error, refusal, head.retry_after))
            }
            (Some(code), None) => Ok(code),
            (None, None) => Err(self.no_token("device code", &head.summary)),
        }
    }

    /// Polls once whether the person has signed in.
    pub(super) async fn poll_device_code(
        &self,
        app: &config::App,
        code: &SecretString,
    ) -> Result<PollResult, AuthError> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code.expose_secret()),
        ];
        match self.request_token(app, Grant::DeviceCode, &form).await {
            Ok(response) => Ok(PollResult::Done(Box::new(response))),
            Err(AuthError::Refused {
                error: OauthError::AuthorizationPending,
                ..
            }) => Ok(PollResult::Pending),
            Err(AuthError::Refused {
                error: OauthError::SlowDown,
                ..
            }) => Ok(PollResult::SlowDown),
            // One failed poll must not end the person's sign-in.
            Err(AuthError::Unavailable { retry_after, .. }) => {
                Ok(PollResult::Failed { retry_after })
            }
            Err(AuthError::NotFound { .. }) => Ok(PollResult::Failed { retry_after: None }),
            Err(error) => Err(error),
        }
    }

    /// The error that `response` reports. `retry_after` is the wait that its headers asked for.
    pub(super) fn refused(
        &self,
        app: &config::App,
        grant: Grant,
        error: &str,
        response: &TokenResponse,
        retry_after: Option<Duration>,
    ) -> AuthError {
        let error = OauthError::from_name(error);
        let error_response = ErrorResponse {
            error,
            body: response,
            has_retry_after: retry_after.is_some(),
        };
        match refusal::interpret(&error_response, grant, app) {
            Interpretation::Transient { what, is_throttled } => {
                let at_least = is_throttled.then_some(THROTTLED_WAIT);
                self.unavailable(what, retry_after.max(at_least))
            }
            Interpretation::Refused {
                code,
                meaning,
                remedy,
            } => AuthError::Refused {
                error,
                grant,
                code,
                meaning,
                remedy,
            },
        }
    }

    /// Refuses a token type that the API does not take.
    pub(super) fn check_token_type(&self, response: &TokenResponse) -> Result<(), AuthError> {
        match response.unsupported_type() {
            None => Ok(()),
            Some(kind) => Err(AuthError::UnsupportedTokenType {
                authority: self.origin.clone(),
                kind,
            }),
        }
    }

    /// The access token of a response.
    pub(super) fn access_token(
        &self,
        response: &TokenResponse,
        after_refusal: bool,
    ) -> Result<Token, AuthError> {
        self.check_token_type(response)?;
        response
            .access_token
            .clone()
            .filter(|token| !token.expose_secret().trim().is_empty())
            .and_then(|token| Token::new(token, Some(response.lifetime()), after_refusal))
            .ok_or_else(|| self.no_token("access token", &response.summary))
    }

    fn transport_error(&self, error: reqwest::Error) -> AuthError {
        if let Some(barrier) = Barrier::before(&error) {
            return AuthError::Barred(barrier);
        }
        if error.is_dns() {
            return AuthError::NotFound {
                to: Route::of(&error).to_string(),
                what: with_causes(&error.without_url()),
            };
        }
        let what = if error.is_timeout() {
            "no complete response in time (partner_center.request_timeout, connect_timeout)"
                .to_owned()
        } else {
            let through = Route::of(&error).through();
            format!("{through}{}", with_causes(&error.without_url()))
        };
        self.unavailable(what, None)
    }

    fn unavailable(&self, what: String, retry_after: Option<Duration>) -> AuthError {
        AuthError::Unavailable {
            authority: self.origin.clone(),
            what,
            retry_after,
        }
    }

    /// `what` is missing in a response that `summary` describes.
    pub(super) fn no_token(&self, what: &'static str, summary: &str) -> AuthError {
        AuthError::NoToken {
            authority: self.origin.clone(),
            what,
            summary: summary.to_owned(),
        }
    }
}
