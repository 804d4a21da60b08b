//! The sign-in service's side of it: token requests and what comes back.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use tracing::warn;
use url::Url;

use super::Token;
use super::aadsts;
use super::answers::{DeviceCode, DeviceCodeAnswer, TokenAnswer};
use super::assertion;
use super::claims::{Audiences, Mfa};
use super::consent_file::ConsentFile;
use super::error::AuthError;
use super::kept_file::Slot;
use super::refresh_store::RefreshStore;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::consent::Consent;
use crate::partner_center::body::json_text;
use crate::partner_center::http::{read_body, retry_after};

/// No token answer is larger.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// The errors of OAuth and of Microsoft's sign-in service that are said by their names.
const KNOWN_ERRORS: [&str; 18] = [
    "access_denied",
    "authorization_declined",
    "authorization_pending",
    "bad_verification_code",
    "consent_required",
    "expired_token",
    "interaction_required",
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_resource",
    "invalid_scope",
    "login_required",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
];

/// The token endpoint, and what we sign in with.
pub(super) struct Authority {
    http: reqwest::Client,
    origin: String,
    pub(super) settings: config::Auth,
    audiences: Audiences,
    clock: Arc<dyn Clock>,
}

/// Finds out beforehand whether a token could be kept.
pub(super) async fn prove_writable(file: &Path) -> Result<(), AuthError> {
    let proved = RefreshStore::new(file.to_owned()).prove().await;
    proved.map_err(|error| AuthError::unwritable(file, error))
}

fn keep(slot: Slot, token: &SecretString, file: &Path) -> Result<(), AuthError> {
    slot.keep(token.expose_secret().as_bytes())
        .map_err(|error| AuthError::NotKept {
            path: file.to_owned(),
            source: Arc::new(error),
        })
}

/// Writes the dates of the consent down. Only figures depend on it, so that a failure is no reason to give up a token.
fn note(file: &ConsentFile, consent: &Consent) {
    if let Err(error) = file.keep(consent) {
        warn!(%error, "The age of the consent cannot be written down beside the refresh token");
    }
}

/// How one poll of the token endpoint ended.
pub(super) enum Poll {
    Done(Box<TokenAnswer>),
    Pending,
    SlowDown,
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
            config::Method::AccessToken(token) => Token::new(token.clone(), None, after_refusal)
                .ok_or_else(|| self.no_token("auth.access_token")),
            config::Method::ClientCredentials { app, scope } => {
                let form = [("grant_type", "client_credentials"), ("scope", scope)];
                let answer = self.post(app, &form).await?;
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

    /// The file's token first; the setting's once, if the authority refuses the file's.
    async fn spend_refresh_token(
        &self,
        app: &config::App,
        scope: &str,
        initial: Option<&SecretString>,
        store: &RefreshStore,
        after_refusal: bool,
    ) -> Result<Token, AuthError> {
        let path = || store.path().to_owned();
        let unwritable = |error| AuthError::unwritable(store.path(), error);
        // Held to the end, so that another process reads what this one writes.
        let lock = store.lock().await.map_err(unwritable)?;
        let kept = store.load().map_err(|error| AuthError::StoreUnreadable {
            path: path(),
            source: Arc::new(error),
        })?;
        let mut last = AuthError::NoRefreshToken { path: path() };
        // Refused once is refused.
        let same = |kept: &SecretString, initial: &SecretString| {
            kept.expose_secret() == initial.expose_secret()
        };
        let other =
            initial.filter(|initial| !kept.as_ref().is_some_and(|kept| same(kept, initial)));
        for candidate in kept.iter().chain(other) {
            let slot = store.reserve(&lock).map_err(unwritable)?;
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", candidate.expose_secret()),
                ("scope", scope),
            ];
            match self.post(app, &form).await {
                Ok(answer) => {
                    // First, whatever else the answer is worth: the old one may be spent now.
                    if let Some(renewed) = answer.renewed() {
                        keep(slot, renewed, store.path())?;
                        let is_kept = kept.as_ref().is_some_and(|kept| same(kept, candidate));
                        self.note_renewal(store.path(), is_kept, answer.refresh_lifetime());
                    }
                    return self.token_in(&answer, after_refusal);
                }
                Err(error) if error.is_dead_grant() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Writes down that the token was renewed. `is_kept`: it is the one whose consent was written down before.
    fn note_renewal(&self, file: &Path, is_kept: bool, lifetime: Duration) {
        let known = ConsentFile::beside(file.to_owned());
        // What cannot be read is replaced.
        let before = known.load().ok().flatten().filter(|_| is_kept);
        let now = self.clock.now();
        let consent = match before {
            Some(before) => before.renewed(now, lifetime),
            None => Consent::found(now, lifetime),
        };
        note(&known, &consent);
    }

    /// Keeps the refresh token of a person who has just signed in.
    pub(super) async fn keep_first(
        &self,
        file: &Path,
        answer: &TokenAnswer,
        consent: &Consent,
    ) -> Result<(), AuthError> {
        let token = answer
            .renewed()
            .ok_or_else(|| self.no_token("refresh token (is offline_access in auth.scope?)"))?;
        let store = RefreshStore::new(file.to_owned());
        let unwritable = |error| AuthError::unwritable(file, error);
        let lock = store.lock().await.map_err(unwritable)?;
        let slot = store.reserve(&lock).map_err(unwritable)?;
        keep(slot, token, file)?;
        note(&ConsentFile::beside(file.to_owned()), consent);
        Ok(())
    }

    /// A token request.
    pub(super) async fn post(
        &self,
        app: &config::App,
        form: &[(&str, &str)],
    ) -> Result<TokenAnswer, AuthError> {
        let answer: TokenAnswer = self.ask(app, "token", form).await?;
        match &answer.error {
            None => Ok(answer),
            Some(error) => Err(self.refusal(error, &answer)),
        }
    }

    /// The address of one of the tenant's endpoints.
    pub(super) fn endpoint(&self, app: &config::App, endpoint: &str) -> Url {
        let path = format!("/{}/oauth2/v2.0/{endpoint}", app.tenant_id);
        self.settings.endpoint(&path)
    }

    /// Posts a form to one of the tenant's endpoints, with what proves that it is the application who asks: the device
    /// endpoint wants that proof like the token endpoint (RFC 8628, 3.1). An answer that cannot be read is an empty one.
    async fn ask<T: DeserializeOwned + Default>(
        &self,
        app: &config::App,
        endpoint: &str,
        form: &[(&str, &str)],
    ) -> Result<T, AuthError> {
        let mut form = form.to_vec();
        form.push(("client_id", &app.client_id));
        let assertion;
        match &app.credential {
            None => {}
            Some(config::ClientCredential::Secret(secret)) => {
                form.push(("client_secret", secret.expose_secret()));
            }
            Some(config::ClientCredential::CertificateFile(file)) => {
                // Whichever endpoint is asked, the statement is for the service that the token endpoint stands for.
                let audience = self.endpoint(app, "token");
                assertion =
                    assertion::sign(file, &app.client_id, audience.as_str(), self.clock.now())?;
                form.push(("client_assertion_type", assertion::ASSERTION_TYPE));
                form.push(("client_assertion", assertion.expose_secret()));
            }
        }
        let url = self.endpoint(app, endpoint);
        let answer = self.http.post(url).form(&form).send().await;
        let mut answer = answer.map_err(|error| self.transport(error))?;
        let status = answer.status().as_u16();
        let wait = retry_after(answer.headers(), self.clock.now());
        if matches!(status, 408 | 429 | 500..=599) {
            return Err(self.unavailable(format!("status {status}"), wait));
        }
        let body = read_body(&mut answer, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| self.unavailable(error.to_string(), None))?;
        let read = json_text(&body)
            .ok()
            .and_then(|text| serde_json::from_str(text).ok());
        Ok(read.unwrap_or_default())
    }

    /// Begins a sign-in by device code.
    pub(super) async fn device_code(
        &self,
        app: &config::App,
        scope: &str,
    ) -> Result<DeviceCode, AuthError> {
        let answer: DeviceCodeAnswer = self.ask(app, "devicecode", &[("scope", scope)]).await?;
        match (answer.code, &answer.refusal.error) {
            (_, Some(error)) => Err(self.refusal(error, &answer.refusal)),
            (Some(code), None) => Ok(code),
            (None, None) => Err(self.no_token("device code")),
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
        match self.post(app, &form).await {
            Ok(answer) => Ok(Poll::Done(Box::new(answer))),
            Err(AuthError::Refused {
                error: "authorization_pending",
                ..
            }) => Ok(Poll::Pending),
            // One poll that fails on the way is no reason to send the person away.
            Err(
                AuthError::Refused {
                    error: "slow_down", ..
                }
                | AuthError::Unavailable { .. },
            ) => Ok(Poll::SlowDown),
            Err(error) => Err(error),
        }
    }

    pub(super) fn refusal(&self, error: &str, answer: &TokenAnswer) -> AuthError {
        let aadsts = answer.aadsts();
        // Microsoft's two codes for "our fault, come again".
        if error == "temporarily_unavailable" || matches!(aadsts, Some(90_033 | 90_024)) {
            return self.unavailable("it asks to come again later".to_owned(), None);
        }
        // Only words that are known are passed on: a description may name a person, and a hostile answer could echo
        // what we sent.
        let error = KNOWN_ERRORS
            .into_iter()
            .find(|known| *known == error)
            .unwrap_or("unknown error");
        let aadsts::Advice { meaning, remedy } = aadsts::advice(aadsts, error);
        let code = aadsts.map_or_else(
            || error.to_owned(),
            |aadsts| format!("{error}, AADSTS{aadsts}"),
        );
        AuthError::Refused {
            error,
            code,
            meaning,
            remedy,
        }
    }

    fn token_in(&self, answer: &TokenAnswer, after_refusal: bool) -> Result<Token, AuthError> {
        answer
            .access_token
            .clone()
            .filter(|token| !token.expose_secret().trim().is_empty())
            .and_then(|token| Token::new(token, Some(answer.lifetime()), after_refusal))
            .ok_or_else(|| self.no_token("access token"))
    }

    fn transport(&self, error: reqwest::Error) -> AuthError {
        let what = if error.is_timeout() {
            "no whole answer in time (partner_center.request_timeout, connect_timeout)".to_owned()
        } else {
            with_causes(&error.without_url())
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

    fn no_token(&self, what: &'static str) -> AuthError {
        AuthError::NoToken {
            authority: self.origin.clone(),
            what,
        }
    }
}
