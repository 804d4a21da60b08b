//! Obtains, keeps and renews the access token; the only room that reads the token's secrets.
//!
//! [`TokenProvider`] hands the token out and has it renewed, one renewal at a time. A renewal goes
//! through `refresh` (which keeps the next refresh token in `storage`) to `authority`, the HTTP
//! client of Microsoft's sign-in service; `response` parses its responses, `refusal` with `aadsts`
//! and `oauth` says what an error means, `claims` looks into a token. `login` signs a person in.

mod aadsts;
mod assertion;
mod authority;
mod claims;
mod error;
mod login;
mod oauth;
mod refresh;
mod refusal;
mod response;
mod storage;
mod token;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;
use tracing::field::Empty;
use tracing::{Instrument as _, trace_span, warn};

pub(super) use authority::AuthorityClient;
pub use claims::Mfa;
pub use error::AuthError;
pub use login::{BrowserSignIn, Login, SignedIn};
pub use oauth::OauthError;
pub use refusal::Grant;
pub use response::DeviceCode;
pub use storage::consent_file::ConsentFile;
pub(super) use token::Token;

use crate::causes::with_causes;
use crate::config;
use crate::retry::{Classify as _, Disposition, RetryError, RetryPolicy};
use crate::shutdown::{Shutdown, Stopped};

/// Checks that a renewed refresh token can be saved, by writing the present one again. Returns the
/// token's file, or none if no person signs in. Makes no request and spends no token.
///
/// # Errors
/// When the file cannot be replaced; a renewal would fail in the same way.
pub async fn check_token_file(auth: &config::Auth) -> Result<Option<&Path>, AuthError> {
    match &auth.method {
        config::Method::RefreshToken { file, .. } => {
            refresh::check_writable(file).await?;
            Ok(Some(file))
        }
        config::Method::ClientCredentials { .. } | config::Method::AccessToken(_) => Ok(None),
    }
}

/// The longest time that a renewal takes beside its requests: it waits for the locks of another
/// process on the token's folder and file.
const LONGEST_LOCKS: Duration = Duration::from_mins(5);

/// Requests of one renewal: with the stored refresh token, and with the configured one.
const RENEWAL_REQUESTS: u32 = 2;

/// Provides the access token of one partner.
pub(super) struct TokenProvider {
    authority: Arc<AuthorityClient>,
    policy: RetryPolicy,
    /// The longest time that a renewal takes.
    limit: Duration,
    tasks: TaskTracker,
    cache: Mutex<TokenCache>,
}

#[derive(Default)]
struct TokenCache {
    token: Option<Arc<Token>>,
    /// Why the last renewal failed. Until the next run begins, every task that needs a token gets
    /// this error, so that they do not all try again.
    failure: Option<AuthError>,
}

impl TokenProvider {
    /// `tasks` must be awaited before the program ends: a renewal under way is finished, not
    /// dropped.
    pub(super) fn new(
        authority: AuthorityClient,
        policy: RetryPolicy,
        request_timeout: Duration,
        tasks: TaskTracker,
    ) -> Self {
        let requests = request_timeout.saturating_mul(RENEWAL_REQUESTS);
        Self {
            authority: Arc::new(authority),
            policy,
            limit: requests.saturating_add(LONGEST_LOCKS),
            tasks,
            cache: Mutex::default(),
        }
    }

    /// Obtains a token for a new run, unless the present one is still fresh. Forgets an earlier
    /// failure: a person may have signed in since.
    pub(super) async fn begin(&self, shutdown: &Shutdown) -> Result<(), RetryError<AuthError>> {
        let mut cache = self.cache.lock().await;
        cache.failure = None;
        cache.token.take_if(|token| token.is_futile_renewal());
        drop(cache);
        self.token(shutdown).await.map(drop)
    }

    /// Looks into the present token for what would make the API refuse every call with it.
    pub(super) async fn examine(&self, shutdown: &Shutdown) -> Result<Mfa, RetryError<AuthError>> {
        let token = self.token(shutdown).await?;
        Ok(self.authority.examine(token.secret())?)
    }

    /// A token that lives long enough for a call.
    pub(super) async fn token(
        &self,
        shutdown: &Shutdown,
    ) -> Result<Arc<Token>, RetryError<AuthError>> {
        let mut cache = self.cache.lock().await;
        match &cache.token {
            Some(token) if token.is_fresh() => Ok(Arc::clone(token)),
            _ => self.renew(&mut cache, shutdown, false).await,
        }
    }

    /// Another token after the API refused `refused`; none if a renewal cannot help.
    pub(super) async fn replace(
        &self,
        refused: &Arc<Token>,
        shutdown: &Shutdown,
    ) -> Result<Option<Arc<Token>>, RetryError<AuthError>> {
        let mut cache = self.cache.lock().await;
        match &cache.token {
            Some(token) if !Arc::ptr_eq(token, refused) => return Ok(Some(Arc::clone(token))),
            _ => {}
        }
        // The token may have expired between our check and the call, so it is renewed once. If the
        // API refuses the renewed token as well, expiry was not the reason.
        let method = &self.authority.settings.method;
        if refused.is_futile_renewal() || matches!(method, config::Method::AccessToken(_)) {
            return Ok(None);
        }
        self.renew(&mut cache, shutdown, true).await.map(Some)
    }

    async fn renew(
        &self,
        cache: &mut TokenCache,
        shutdown: &Shutdown,
        after_refusal: bool,
    ) -> Result<Arc<Token>, RetryError<AuthError>> {
        if let Some(failure) = &cache.failure {
            return Err(RetryError::Fatal(failure.clone()));
        }
        // The task that is spawned below would outlive the stop.
        if shutdown.forced.is_cancelled() {
            return Err(Stopped.into());
        }
        let span = trace_span!("partner_center.sign_in", otel.status_code = Empty);
        let mut attempts = self.policy.attempts(shutdown);
        let renewed = loop {
            let authority = Arc::clone(&self.authority);
            // In a task of its own: a stop between the response and the moment when the new refresh
            // token is saved must not lose that token.
            let task = self
                .tasks
                .spawn(async move { refresh::request_token(&authority, after_refusal).await });
            let attempt = async {
                let token = match task.await {
                    Ok(token) => token,
                    Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                    // The runtime is shutting down and no longer polls this future.
                    Err(_) => std::future::pending().await,
                };
                token.inspect_err(|error| match error.disposition() {
                    Disposition::Retry { .. } => {
                        let error = with_causes(error);
                        warn!(error, "Signing in failed and will be retried: {error}");
                    }
                    Disposition::SkipCustomer(_) | Disposition::AbortRun(_) => {}
                })
            };
            let attempt = shutdown.pulse.during(self.limit, attempt);
            if let Some(end) = attempts.run(attempt).instrument(span.clone()).await {
                break end;
            }
        };
        match renewed {
            Ok(token) => {
                let token = Arc::new(token);
                cache.token = Some(Arc::clone(&token));
                Ok(token)
            }
            Err(end) => {
                span.record("otel.status_code", "ERROR");
                let error = end.into_error()?;
                cache.token = None;
                cache.failure = Some(error.clone());
                Err(RetryError::Fatal(error))
            }
        }
    }
}
