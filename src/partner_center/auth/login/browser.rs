//! Sign-in by a browser on this machine: the authorization code flow with PKCE.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::loopback::{Loopback, Redirect};
use super::sign_in::{Login, SignedIn};
use crate::partner_center::auth::error::AuthError;
use crate::partner_center::auth::refresh::check_writable;
use crate::partner_center::auth::refusal::Grant;
use crate::partner_center::auth::response::TokenResponse;
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// A sign-in that waits for the person to open a page.
pub struct BrowserSignIn {
    page: Url,
    state: SecretString,
    verifier: SecretString,
    loopback: Loopback,
}

impl BrowserSignIn {
    /// The page that the person has to open.
    #[must_use]
    pub fn page(&self) -> &Url {
        &self.page
    }
}

impl Login {
    /// Opens the port for the redirect and builds the page's address.
    ///
    /// # Errors
    /// When no port can be opened, or the token could not be stored afterwards.
    pub async fn begin_in_browser(&self) -> Result<BrowserSignIn, AuthError> {
        // Before the person takes the trouble of signing in.
        check_writable(&self.file).await?;
        let loopback = Loopback::bind().await?;
        let [state, verifier] = [random()?, random()?];
        let challenge = digest(&SHA256, verifier.expose_secret().as_bytes());
        let mut page = self.authority.endpoint(&self.app, "authorize");
        page.query_pairs_mut()
            .append_pair("client_id", &self.app.client_id)
            .append_pair("response_type", "code")
            .append_pair("response_mode", "query")
            .append_pair("redirect_uri", &loopback.redirect_uri())
            .append_pair("scope", &self.scope)
            .append_pair("state", state.expose_secret())
            .append_pair("code_challenge", &URL_SAFE_NO_PAD.encode(challenge))
            .append_pair("code_challenge_method", "S256")
            // The browser's current user is seldom one of the partner tenant.
            .append_pair("prompt", "select_account");
        Ok(BrowserSignIn {
            page,
            state,
            verifier,
            loopback,
        })
    }

    /// Waits for the redirect, exchanges its code and stores the refresh token.
    ///
    /// # Errors
    /// When the person declines or does nothing, or the token is not usable or cannot be stored.
    pub async fn finish_in_browser(
        &self,
        sign_in: BrowserSignIn,
        shutdown: &Shutdown,
    ) -> Result<SignedIn, RetryError<AuthError>> {
        let redirect_uri = sign_in.loopback.redirect_uri();
        let state = sign_in.state.expose_secret();
        let code = match sign_in.loopback.redirect(state, shutdown).await? {
            Redirect::Code(code) => code,
            Redirect::Refused(error, description) => {
                let response = TokenResponse::with_description(description);
                let grant = Grant::NoneYet;
                let refused = self
                    .authority
                    .refused(&self.app, grant, &error, &response, None);
                return Err(refused.into());
            }
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", sign_in.verifier.expose_secret()),
            ("scope", &self.scope),
        ];
        let mut attempts = self.policy.attempts(shutdown);
        let response = loop {
            let grant = Grant::AuthorizationCode;
            let request = self.authority.request_token(&self.app, grant, &form);
            if let Some(end) = attempts.run(request).await {
                break end;
            }
        };
        Ok(self.store(&response?).await?)
    }
}

/// 256 random bits, in characters that a URL can have.
fn random() -> Result<SecretString, AuthError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AuthError::NoRandomness)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}
