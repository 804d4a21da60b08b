//! The sign-in service's side of it: token requests and what comes back.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::header::CONTENT_TYPE;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::Token;
use super::answers::{DeviceCode, DeviceCodeAnswer, TokenAnswer};
use super::assertion;
use super::claims::{Audiences, Mfa};
use super::error::AuthError;
use super::oauth::OauthError;
use super::refresh_store::RefreshStore;
use super::refusal::{self, Judged, Presented};
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::partner_center::decode::body::json_text;
use crate::partner_center::transport::barrier::{Barrier, Way};
use crate::partner_center::transport::http::{read_body, redirect_target, retry_after};

/// No token answer is larger.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// Where asking on would prolong what passes by itself.
const A_WHILE: Duration = Duration::from_mins(1);

/// The token endpoint, and what we sign in with.
pub(super) struct Authority {
    http: reqwest::Client,
    origin: String,
    pub(super) settings: config::Auth,
    audiences: Audiences,
    clock: Arc<dyn Clock>,
}

/// An answer but for its body.
struct Seen {
    /// In words, for where a token is missing.
    what: String,
    /// When to come again, where it says so.
    wait: Option<Duration>,
}

/// Tells an answer of the service from one that something in between has made up.
fn seen(answer: &reqwest::Response) -> String {
    let status = answer.status();
    if status.is_redirection() {
        return format!("status {status}, on to {}", redirect_target(answer));
    }
    let header = answer.headers().get(CONTENT_TYPE);
    let kind = header
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or("no content type");
    // The kind alone, without its parameters.
    let kind: String = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '+' | '.' | ' '))
        .take(60)
        .collect();
    format!("status {}, {}", status.as_u16(), kind.trim())
}

/// How one poll of the token endpoint ended.
pub(super) enum Poll {
    Done(Box<TokenAnswer>),
    Pending,
    SlowDown,
    /// It failed on the way, and the service may have said when to come again.
    Later(Option<Duration>),
}

impl Authority {
    pub(super) fn new(
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
        let by_a_person = !matches!(
            self.settings.method,
            config::Method::ClientCredentials { .. }
        );
        self.audiences.examine(token, by_a_person)
    }

    pub(super) async fn sign_in(&self, after_refusal: bool) -> Result<Token, AuthError> {
        match &self.settings.method {
            config::Method::AccessToken(token) => {
                Token::new(token.clone(), None, after_refusal).ok_or(AuthError::UnusableSetting)
            }
            config::Method::ClientCredentials { app, scope } => {
                let form = [("grant_type", "client_credentials"), ("scope", scope)];
                let answer = self.post(app, Presented::App, &form).await?;
                self.token_in(&answer, after_refusal)
            }
            config::Method::RefreshToken {
                app,
                scope,
                initial,
                file,
            } => {
                let store = RefreshStore::new(file.clone());
                self.spend_refresh_token(app, scope, initial.as_ref(), &store, after_refusal)
                    .await
            }
        }
    }

    /// A token request.
    pub(super) async fn post(
        &self,
        app: &config::App,
        presented: Presented,
        form: &[(&str, &str)],
    ) -> Result<TokenAnswer, AuthError> {
        let (mut answer, seen): (TokenAnswer, _) = self.ask(app, "token", form).await?;
        match &answer.error {
            None => {
                answer.seen = seen.what;
                Ok(answer)
            }
            Some(error) => Err(self.judged(app, presented, error, &answer, seen.wait)),
        }
    }

    /// The address of one of the tenant's endpoints.
    pub(super) fn endpoint(&self, app: &config::App, endpoint: &str) -> Url {
        let path = format!("/{}/oauth2/v2.0/{endpoint}", app.tenant_id);
        self.settings.endpoint(&path)
    }

    /// Posts a form to one of the tenant's endpoints, with what proves that it is the application
    /// who asks: the device endpoint wants that proof like the token endpoint (RFC 8628, 3.1).
    /// An answer that cannot be read is an empty one.
    async fn ask<T: DeserializeOwned + Default>(
        &self,
        app: &config::App,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<(T, Seen), AuthError> {
        let mut form = form.to_vec();
        form.push(("client_id", &app.client_id));
        let assertion;
        match &app.credential {
            None => {}
            Some(config::ClientCredential::Secret(secret)) => {
                form.push(("client_secret", secret.expose_secret()));
            }
            Some(config::ClientCredential::CertificateFile(file)) => {
                // Whichever endpoint is asked, the statement is for the service that the token
                // endpoint stands for.
                let audience = self.endpoint(app, "token");
                assertion = assertion::sign(file, app, audience.as_str(), self.clock.now())?;
                form.push(("client_assertion_type", assertion::ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose_secret()));
            }
        }
        let url = self.endpoint(app, endpoint);
        let answer = self.http.post(url).form(&form).send().await;
        let mut answer = answer.map_err(|error| self.transport(error))?;
        let status = answer.status().as_u16();
        let wait = retry_after(answer.headers(), self.clock.now());
        if matches!(status, 408 | 425 | 429 | 500..=599) {
            return Err(self.unavailable(format!("status {status}"), wait));
        }
        let what = seen(&answer);
        let body = read_body(&mut answer, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| self.unavailable(error.to_string(), None))?;
        let read = json_text(&body)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok());
        Ok((read.unwrap_or_default(), Seen { what, wait }))
    }

    /// Begins a sign-in by device code.
    pub(super) async fn device_code(
        &self,
        app: &config::App,
        scope: &str,
    ) -> Result<DeviceCode, AuthError> {
        let form = [("scope", scope)];
        let (answer, seen): (DeviceCodeAnswer, _) = self.ask(app, "devicecode", &form).await?;
        match (answer.code, &answer.refusal.error) {
            (_, Some(error)) => {
                let presented = Presented::Nothing;
                Err(self.judged(app, presented, error, &answer.refusal, seen.wait))
            }
            (Some(code), None) => Ok(code),
            (None, None) => Err(self.no_token("device code", &seen.what)),
        }
    }

    /// Asks once whether the person is done.
    pub(super) async fn redeem(
        &self,
        app: &config::App,
        code: &SecretString,
    ) -> Result<Poll, AuthError> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", code.expose_secret()),
        ];
        match self.post(app, Presented::DeviceCode, &form).await {
            Ok(answer) => Ok(Poll::Done(Box::new(answer))),
            Err(AuthError::Refused {
                error: OauthError::AuthorizationPending,
                ..
            }) => Ok(Poll::Pending),
            Err(AuthError::Refused {
                error: OauthError::SlowDown,
                ..
            }) => Ok(Poll::SlowDown),
            // One poll that fails on the way is no reason to send the person away.
            Err(AuthError::Unavailable { retry_after, .. }) => Ok(Poll::Later(retry_after)),
            Err(AuthError::NotFound { .. }) => Ok(Poll::Later(None)),
            Err(error) => Err(error),
        }
    }

    /// What an error comes to that a browser brought.
    pub(super) fn refusal(
        &self,
        app: &config::App,
        presented: Presented,
        error: &str,
        answer: &TokenAnswer,
    ) -> AuthError {
        self.judged(app, presented, error, answer, None)
    }

    fn judged(
        &self,
        app: &config::App,
        presented: Presented,
        error: &str,
        answer: &TokenAnswer,
        wait: Option<Duration>,
    ) -> AuthError {
        let error = OauthError::named(error);
        match refusal::judge(error, answer, presented, app, wait.is_some()) {
            Judged::Passing { what, slowly } => {
                let at_least = slowly.then_some(A_WHILE);
                self.unavailable(what, wait.max(at_least))
            }
            Judged::Refused {
                code,
                meaning,
                remedy,
            } => AuthError::Refused {
                error,
                presented,
                code,
                meaning,
                remedy,
            },
        }
    }

    /// Refuses a kind of token that the API does not take.
    pub(super) fn judge_type(&self, answer: &TokenAnswer) -> Result<(), AuthError> {
        match answer.foreign_type() {
            None => Ok(()),
            Some(kind) => Err(AuthError::ForeignToken {
                authority: self.origin.clone(),
                kind,
            }),
        }
    }

    pub(super) fn token_in(
        &self,
        answer: &TokenAnswer,
        after_refusal: bool,
    ) -> Result<Token, AuthError> {
        self.judge_type(answer)?;
        answer
            .access_token
            .clone()
            .filter(|token| !token.expose_secret().trim().is_empty())
            .and_then(|token| Token::new(token, Some(answer.lifetime()), after_refusal))
            .ok_or_else(|| self.no_token("access token", &answer.seen))
    }

    fn transport(&self, error: reqwest::Error) -> AuthError {
        if let Some(barrier) = Barrier::before(&error) {
            return AuthError::Barred(barrier);
        }
        if error.is_dns() {
            return AuthError::NotFound {
                to: Way::of(&error).to_string(),
                what: with_causes(&error.without_url()),
            };
        }
        let what = if error.is_timeout() {
            "no whole answer in time (partner_center.request_timeout, connect_timeout)".to_owned()
        } else {
            let through = Way::of(&error).through();
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

    pub(super) fn no_token(&self, what: &'static str, seen: &str) -> AuthError {
        AuthError::NoToken {
            authority: self.origin.clone(),
            what,
            seen: seen.to_owned(),
        }
    }
}
