//! Spends the refresh token for an access token and keeps the one that comes in its place.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;

use super::Token;
use super::answers::TokenAnswer;
use super::authority::Authority;
use super::consent_file::ConsentFile;
use super::error::AuthError;
use super::kept_file::Slot;
use super::refresh_store::RefreshStore;
use super::refusal::Presented;
use crate::config;
use crate::consent::Consent;

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

/// Writes the dates of the consent down. Only figures depend on it, so that a failure is no reason
/// to give up a token.
fn note(file: &ConsentFile, consent: &Consent) {
    if let Err(error) = file.keep(consent) {
        warn!(%error, "The age of the consent cannot be written down beside the refresh token");
    }
}

impl Authority {
    /// The file's token first; the setting's once, if the authority refuses the file's.
    pub(super) async fn spend_refresh_token(
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
            match self.post(app, Presented::RefreshToken, &form).await {
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

    /// Writes down that the token was renewed. `is_kept`: it is the one whose consent was written
    /// down before.
    fn note_renewal(&self, file: &Path, is_kept: bool, lifetime: Duration) {
        let known = ConsentFile::beside(file.to_owned());
        // What cannot be read is replaced.
        let before = known.load().ok().flatten().filter(|_| is_kept);
        let now = self.now();
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
        let token = answer.renewed().ok_or_else(|| {
            self.no_token(
                "refresh token (is offline_access in auth.scope?)",
                &answer.seen,
            )
        })?;
        let store = RefreshStore::new(file.to_owned());
        let unwritable = |error| AuthError::unwritable(file, error);
        let lock = store.lock().await.map_err(unwritable)?;
        let slot = store.reserve(&lock).map_err(unwritable)?;
        keep(slot, token, file)?;
        note(&ConsentFile::beside(file.to_owned()), consent);
        Ok(())
    }
}
