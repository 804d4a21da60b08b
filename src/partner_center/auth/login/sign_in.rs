//! What both ways of signing in share: the registered application, and the storing of the refresh
//! token at the end.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret as _;

use crate::clock::Clock;
use crate::config;
use crate::consent::Consent;
use crate::partner_center::auth::authority::AuthorityClient;
use crate::partner_center::auth::claims::Mfa;
use crate::partner_center::auth::error::AuthError;
use crate::partner_center::auth::refresh::store_first;
use crate::partner_center::auth::response::TokenResponse;
use crate::partner_center::transport::http::{SetUpError, http_client};
use crate::retry::RetryPolicy;

/// Signs a person in.
pub struct Login {
    pub(super) authority: AuthorityClient,
    pub(super) app: config::App,
    pub(super) scope: String,
    pub(super) file: PathBuf,
    pub(super) policy: RetryPolicy,
}

/// A successful sign-in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The file in which the refresh token is stored.
    pub file: PathBuf,
    /// What the token says of multi-factor authentication.
    pub mfa: Mfa,
    /// When the refresh token expires, unless it is renewed before.
    pub expires_at: DateTime<Utc>,
}

impl Login {
    /// None if no person signs in by the configured method.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        settings: &config::PartnerCenter,
        auth: &config::Auth,
        policy: RetryPolicy,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, SetUpError> {
        let http = http_client(settings, &auth.authority, reqwest::redirect::Policy::none())?;
        let config::Method::RefreshToken {
            app, scope, file, ..
        } = &auth.method
        else {
            return Ok(None);
        };
        Ok(Some(Self {
            authority: AuthorityClient::new(http, &settings.base_url, auth, clock),
            app: app.clone(),
            scope: scope.clone(),
            file: file.clone(),
            policy,
        }))
    }

    /// Stores the refresh token of a response, unless the access token beside it shows that
    /// Partner Center would refuse it.
    pub(super) async fn store(&self, response: &TokenResponse) -> Result<SignedIn, AuthError> {
        self.authority.check_token_type(response)?;
        let mfa = match &response.access_token {
            Some(token) => self.authority.examine(token.expose_secret())?,
            None => Mfa::Unknown,
        };
        let consent = Consent::given(self.authority.now(), response.refresh_lifetime());
        store_first(&self.authority, &self.file, response, &consent).await?;
        Ok(SignedIn {
            file: self.file.clone(),
            mfa,
            expires_at: consent.token_expires_at,
        })
    }
}
