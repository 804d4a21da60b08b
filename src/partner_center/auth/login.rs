//! Signing in as a person, once: by a browser on this machine (authorization code with PKCE), or by
//! a code typed on another (device code). Either ends with a refresh token, which is kept only if
//! the token beside it is of use.

use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::answers::TokenAnswer;
use super::authority::Authority;
use super::claims::Mfa;
use super::error::AuthError;
use super::loopback::{Loopback, Redirect};
use super::refresh::prove_writable;
use super::refusal::Presented;
use crate::clock::Clock;
use crate::config;
use crate::consent::Consent;
use crate::partner_center::transport::http::{SetUpError, http_client};
use crate::retry::{RetryError, RetryPolicy};
use crate::shutdown::Shutdown;

/// A sign-in of a person.
pub struct Login {
    pub(super) authority: Authority,
    pub(super) app: config::App,
    pub(super) scope: String,
    pub(super) file: PathBuf,
    pub(super) policy: RetryPolicy,
}

/// How a sign-in ended well.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Where the refresh token is kept.
    pub file: PathBuf,
    /// What the token says of multi-factor authentication.
    pub mfa: Mfa,
    /// Until when the refresh token lives, unless it is renewed before.
    pub lives_until: DateTime<Utc>,
}

/// A page that waits to be opened, and the way back from it.
pub struct BrowserSignIn {
    page: Url,
    state: SecretString,
    verifier: SecretString,
    loopback: Loopback,
}

impl BrowserSignIn {
    /// What the person has to open.
    #[must_use]
    pub fn page(&self) -> &Url {
        &self.page
    }
}

impl Login {
    /// None where the method has no person to sign in.
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
            authority: Authority::new(http, &settings.base_url, auth, clock),
            app: app.clone(),
            scope: scope.clone(),
            file: file.clone(),
            policy,
        }))
    }

    /// Gets ready for the browser to come back.
    ///
    /// # Errors
    /// When there is no port to listen on, or the token could not be kept afterwards.
    pub async fn begin_in_browser(&self) -> Result<BrowserSignIn, AuthError> {
        // Before the person goes to the trouble.
        prove_writable(&self.file).await?;
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
            // The user of the browser's other sessions is seldom the one of the partner tenant.
            .append_pair("prompt", "select_account");
        Ok(BrowserSignIn {
            page,
            state,
            verifier,
            loopback,
        })
    }

    /// Waits until the person is done, and keeps the refresh token.
    ///
    /// # Errors
    /// When the person declines or never comes back, what came back is not what was asked for, the
    /// token would be of no use, or cannot be kept.
    pub async fn finish_in_browser(
        &self,
        sign_in: BrowserSignIn,
        shutdown: &Shutdown,
    ) -> Result<SignedIn, AuthError> {
        let redirect_uri = sign_in.loopback.redirect_uri();
        let state = sign_in.state.expose_secret();
        let code = match sign_in.loopback.redirect(state, shutdown).await? {
            Redirect::Code(code) => code,
            Redirect::Refused(error, description) => {
                let answer = TokenAnswer::describing(description);
                let presented = Presented::Nothing;
                return Err(self
                    .authority
                    .refusal(&self.app, presented, &error, &answer));
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
        let answer = loop {
            let asked = self
                .authority
                .post(&self.app, Presented::AuthorizationCode, &form);
            if let Some(end) = attempts.run(asked).await {
                break end;
            }
        };
        match answer {
            Ok(answer) => self.keep(&answer).await,
            Err(RetryError::Failed { error, .. }) => Err(error),
            Err(RetryError::Stopped { .. }) => Err(AuthError::Stopped),
        }
    }

    /// Keeps the refresh token of an answer, unless the access token beside it shows that it would
    /// be of no use.
    pub(super) async fn keep(&self, answer: &TokenAnswer) -> Result<SignedIn, AuthError> {
        self.authority.judge_type(answer)?;
        let mfa = match &answer.access_token {
            Some(token) => self.authority.examine(token.expose_secret())?,
            None => Mfa::NotSeen,
        };
        let consent = Consent::given(self.authority.now(), answer.refresh_lifetime());
        self.authority
            .keep_first(&self.file, answer, &consent)
            .await?;
        Ok(SignedIn {
            file: self.file.clone(),
            mfa,
            lives_until: consent.token_expires_at,
        })
    }
}

/// What nobody can guess, fit for an address.
fn random() -> Result<SecretString, AuthError> {
    let mut bytes = [0; 32];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| AuthError::NoRandomness)?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(bytes)))
}
