//! Requests an access token by the configured method. With a refresh token it also stores the next
//! refresh token, before the access token is used.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;

use super::authority::AuthorityClient;
use super::error::AuthError;
use super::refusal::Grant;
use super::response::TokenResponse;
use super::storage::consent_file::ConsentFile;
use super::storage::durable_file::Reservation;
use super::storage::refresh_store::RefreshStore;
use super::token::Token;
use crate::config;
use crate::consent::Consent;

/// A new access token. `after_refusal`: it replaces one that the API refused.
pub(super) async fn request_token(
    authority: &AuthorityClient,
    after_refusal: bool,
) -> Result<Token, AuthError> {
    match &authority.settings.method {
        config::Method::AccessToken(token) => {
            Token::new(token.clone(), None, after_refusal).ok_or(AuthError::UnusableSetting)
        }
        config::Method::ClientCredentials { app, scope } => {
            let form = [("grant_type", "client_credentials"), ("scope", scope)];
            let grant = Grant::ClientCredentials;
            let response = authority.request_token(app, grant, &form).await?;
            authority.access_token(&response, after_refusal)
        }
        config::Method::RefreshToken {
            app,
            scope,
            initial,
            file,
        } => {
            let spending = Spending {
                authority,
                app,
                scope,
                store: RefreshStore::new(file.clone()),
            };
            spending.run(initial.as_ref(), after_refusal).await
        }
    }
}

/// Checks that a refresh token could be stored in `file`.
pub(super) async fn check_writable(file: &Path) -> Result<(), AuthError> {
    let checked = RefreshStore::new(file.to_owned()).check_writable().await;
    checked.map_err(|error| AuthError::unwritable(file, error))
}

/// Stores the refresh token of a person who has just signed in.
pub(super) async fn store_first(
    authority: &AuthorityClient,
    file: &Path,
    response: &TokenResponse,
    consent: &Consent,
) -> Result<(), AuthError> {
    let token = response.next_refresh_token().ok_or_else(|| {
        authority.no_token(
            "refresh token (is offline_access in auth.scope?)",
            &response.summary,
        )
    })?;
    let store = RefreshStore::new(file.to_owned());
    let unwritable = |error| AuthError::unwritable(file, error);
    let lock = store.lock().await.map_err(unwritable)?;
    let reservation = store.reserve(&lock).map_err(unwritable)?;
    save_token(reservation, token, file)?;
    save_consent(&ConsentFile::beside(file.to_owned()), consent);
    Ok(())
}

/// One request in which the refresh token is exchanged for an access token and the next refresh
/// token.
struct Spending<'a> {
    authority: &'a AuthorityClient,
    app: &'a config::App,
    scope: &'a str,
    store: RefreshStore,
}

impl Spending<'_> {
    /// Uses the stored token; the configured one is tried once if the authority refuses the stored
    /// one, or if there is none.
    async fn run(
        &self,
        initial: Option<&SecretString>,
        after_refusal: bool,
    ) -> Result<Token, AuthError> {
        let file = self.store.path();
        let unwritable = |error| AuthError::unwritable(file, error);
        // Held to the end, so that another process reads the token that this one stores.
        let lock = self.store.lock().await.map_err(unwritable)?;
        let stored = self
            .store
            .load()
            .map_err(|error| AuthError::StoreUnreadable {
                path: file.to_owned(),
                source: Arc::new(error),
            })?;
        let mut last = AuthError::NoRefreshToken {
            path: file.to_owned(),
        };
        let is_stored = |candidate: &SecretString| {
            stored
                .as_ref()
                .is_some_and(|stored| stored.expose_secret() == candidate.expose_secret())
        };
        let fallback = initial.filter(|initial| !is_stored(initial));
        for candidate in stored.iter().chain(fallback) {
            let reservation = self.store.reserve(&lock).map_err(unwritable)?;
            let form = [
                ("grant_type", "refresh_token"),
                ("refresh_token", candidate.expose_secret()),
                ("scope", self.scope),
            ];
            let grant = Grant::RefreshToken;
            match self.authority.request_token(self.app, grant, &form).await {
                Ok(response) => {
                    // Stored first, even if the rest of the response is unusable: the authority may
                    // have revoked the old token.
                    if let Some(next) = response.next_refresh_token() {
                        save_token(reservation, next, file)?;
                        self.record_renewal(is_stored(candidate), response.refresh_lifetime());
                    }
                    return self.authority.access_token(&response, after_refusal);
                }
                Err(error) if error.is_invalid_refresh_token() => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }

    /// Saves when the token was renewed. `is_stored`: the dates on disk are of the token that was
    /// renewed, not of an earlier consent.
    fn record_renewal(&self, is_stored: bool, lifetime: Duration) {
        let file = ConsentFile::beside(self.store.path().to_owned());
        // Dates that cannot be read are replaced.
        let before = file.load().ok().flatten().filter(|_| is_stored);
        let now = self.authority.now();
        let consent = match before {
            Some(before) => before.renewed(now, lifetime),
            None => Consent::found(now, lifetime),
        };
        save_consent(&file, &consent);
    }
}

fn save_token(
    reservation: Reservation,
    token: &SecretString,
    file: &Path,
) -> Result<(), AuthError> {
    reservation
        .commit(token.expose_secret().as_bytes())
        .map_err(|error| AuthError::NotSaved {
            path: file.to_owned(),
            source: Arc::new(error),
        })
}

/// A failure is only logged: no sign-in depends on the dates.
fn save_consent(file: &ConsentFile, consent: &Consent) {
    if let Err(error) = file.save(consent) {
        warn!(%error, "The age of the consent cannot be saved beside the refresh token");
    }
}
