//! Gets, keeps and renews the token. The only reader of its secrets.
//! One renewal at a time: whoever needs a token meanwhile waits for that one.

mod aadsts;
mod answers;
mod assertion;
mod authority;
mod claims;
mod consent_file;
mod device_code;
mod error;
mod kept_file;
mod login;
mod loopback;
mod oauth;
mod refresh;
mod refresh_store;
mod refusal;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::warn;
use url::Url;

pub use answers::DeviceCode;
pub use claims::Mfa;
pub use consent_file::ConsentFile;
pub use error::AuthError;
pub use login::{BrowserSignIn, Login, SignedIn};
pub use oauth::OauthError;
pub use refusal::Presented;

use super::transport::echo::Echo;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config;
use crate::retry::{Classify as _, Disposition, RetryError, RetryPolicy};
use crate::shutdown::Shutdown;
use authority::Authority;

/// Renewed this long before the end, or after four fifths of a short life.
const RENEWAL_MARGIN: Duration = Duration::from_mins(5);

/// Proves that a renewed refresh token can be kept, by keeping the present one anew. Gives its
/// file; none where no person signs in. Asks nobody and spends nothing.
///
/// # Errors
/// When the file cannot be replaced, as a renewal would find out.
pub async fn prove_token_file(auth: &config::Auth) -> Result<Option<&Path>, AuthError> {
    match &auth.method {
        config::Method::RefreshToken { file, .. } => {
            refresh::prove_writable(file).await?;
            Ok(Some(file))
        }
        config::Method::ClientCredentials { .. } | config::Method::AccessToken(_) => Ok(None),
    }
}

/// An access token, ready to be sent.
pub(super) struct Token {
    pub(super) header: HeaderValue,
    secret: SecretString,
    /// Takes it out of what the API sends back.
    pub(super) echo: Echo,
    renew_at: Option<Instant>,
    /// The API has accepted it at least once.
    proven: AtomicBool,
    /// It replaces one that the API refused.
    after_refusal: bool,
}

impl Token {
    fn new(secret: SecretString, lifetime: Option<Duration>, after_refusal: bool) -> Option<Self> {
        let mut header =
            HeaderValue::from_str(&format!("Bearer {}", secret.expose_secret())).ok()?;
        header.set_sensitive(true);
        Some(Self {
            header,
            echo: Echo::new(secret.expose_secret()),
            secret,
            renew_at: lifetime
                .map(|lifetime| Instant::now() + lifetime - RENEWAL_MARGIN.min(lifetime / 5)),
            proven: AtomicBool::new(false),
            after_refusal,
        })
    }

    /// Notes that the API let a call with it pass.
    pub(super) fn prove(&self) {
        self.proven.store(true, Ordering::Relaxed);
    }

    pub(super) fn secret(&self) -> &str {
        self.secret.expose_secret()
    }

    /// It replaces a refused one and was never accepted itself.
    fn is_hopeless(&self) -> bool {
        self.after_refusal && !self.proven.load(Ordering::Relaxed)
    }

    fn is_fresh(&self) -> bool {
        self.renew_at
            .is_none_or(|renew_at| Instant::now() < renew_at)
    }
}

/// Holds the token of one partner.
pub(super) struct Auth {
    authority: Arc<Authority>,
    policy: RetryPolicy,
    tasks: TaskTracker,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    /// Said to everybody who waited for the renewal that failed, so that each does not try anew.
    dead: Option<AuthError>,
}

impl Auth {
    /// `tasks` must be awaited before the program ends: a renewal under way is finished, not
    /// dropped.
    pub(super) fn new(
        http: reqwest::Client,
        base_url: &Url,
        settings: &config::Auth,
        policy: RetryPolicy,
        tasks: TaskTracker,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            authority: Arc::new(Authority::new(http, base_url, settings, clock)),
            policy,
            tasks,
            state: Mutex::default(),
        }
    }

    /// Forgets an earlier failure: a person may have signed in since. Gets a token, unless the
    /// present one still lives.
    pub(super) async fn begin(&self, shutdown: &Shutdown) -> Result<(), AuthError> {
        let mut state = self.state.lock().await;
        state.dead = None;
        state.token.take_if(|token| token.is_hopeless());
        drop(state);
        self.token(shutdown).await.map(drop)
    }

    /// Looks into the present token for what would make the API refuse every call with it.
    pub(super) async fn examine(&self, shutdown: &Shutdown) -> Result<Mfa, AuthError> {
        let token = self.token(shutdown).await?;
        self.authority.examine(token.secret())
    }

    /// A token that lives long enough for a call.
    pub(super) async fn token(&self, shutdown: &Shutdown) -> Result<Arc<Token>, AuthError> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if token.is_fresh() => Ok(Arc::clone(token)),
            _ => self.renew(&mut state, shutdown, false).await,
        }
    }

    /// Another token after the API refused `refused`; none where a renewal cannot help.
    pub(super) async fn replace(
        &self,
        refused: &Arc<Token>,
        shutdown: &Shutdown,
    ) -> Result<Option<Arc<Token>>, AuthError> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if !Arc::ptr_eq(token, refused) => return Ok(Some(Arc::clone(token))),
            _ => {}
        }
        // A 401 may be a token that died between our check and the call, so renew once. A renewed
        // token that was never accepted is refused for another reason, and no further
        // renewal mends that.
        if refused.is_hopeless()
            || matches!(
                self.authority.settings.method,
                config::Method::AccessToken(_)
            )
        {
            return Ok(None);
        }
        self.renew(&mut state, shutdown, true).await.map(Some)
    }

    async fn renew(
        &self,
        state: &mut State,
        shutdown: &Shutdown,
        after_refusal: bool,
    ) -> Result<Arc<Token>, AuthError> {
        if let Some(dead) = &state.dead {
            return Err(dead.clone());
        }
        let mut attempts = self.policy.attempts(shutdown);
        let renewed = loop {
            let authority = Arc::clone(&self.authority);
            // In a task of its own, so that a stop between the answer and its storing loses no
            // token.
            let task = self
                .tasks
                .spawn(async move { authority.sign_in(after_refusal).await });
            let attempt = async {
                let signed_in = task.await.unwrap_or(Err(AuthError::Stopped));
                signed_in.inspect_err(|error| match error.disposition() {
                    Disposition::Retry { .. } => {
                        let error = with_causes(error);
                        warn!(error, "Signing in failed and may be tried again: {error}");
                    }
                    Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {}
                })
            };
            if let Some(end) = attempts.run(attempt).await {
                break end;
            }
        };
        match renewed {
            Ok(token) => {
                let token = Arc::new(token);
                state.token = Some(Arc::clone(&token));
                Ok(token)
            }
            Err(RetryError::Failed { error, .. }) => {
                state.token = None;
                state.dead = Some(error.clone());
                Err(error)
            }
            Err(RetryError::Stopped { .. }) => Err(AuthError::Stopped),
        }
    }
}
