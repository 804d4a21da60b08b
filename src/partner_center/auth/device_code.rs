//! Signing in as a person: the device-code flow. The person opens a page, types a code and passes multi-factor
//! authentication there; we poll until the tokens come, and keep the refresh token.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::answers::{DeviceCode, seconds};
use super::authority::{Authority, Poll, prove_writable};
use super::error::AuthError;
use crate::clock::Clock;
use crate::config;
use crate::partner_center::http::{SetUpError, http_client};
use crate::retry::Stop;

/// What is asked when the service does not say how often it may be.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a code is good when the service does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);

/// A sign-in under way.
pub struct Login {
    authority: Authority,
    app: config::App,
    scope: String,
    file: std::path::PathBuf,
}

impl Login {
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        settings: &config::PartnerCenter,
        auth: &config::Auth,
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
            authority: Authority::new(http, auth, clock),
            app: app.clone(),
            scope: scope.clone(),
            file: file.clone(),
        }))
    }

    /// Asks for a code.
    ///
    /// # Errors
    /// When the sign-in service refuses or does not answer, or the token could not be kept afterwards.
    pub async fn begin(&self) -> Result<DeviceCode, AuthError> {
        // Before the person goes to the trouble.
        prove_writable(&self.file)?;
        self.authority.device_code(&self.app, &self.scope).await
    }

    /// Waits until the person is done, and keeps the refresh token. Returns where.
    ///
    /// # Errors
    /// When the person declines or lets the code expire, or the token cannot be kept.
    pub async fn finish(
        &self,
        code: &DeviceCode,
        stop: &Stop,
    ) -> Result<&std::path::Path, AuthError> {
        let mut interval = seconds(code.interval.as_ref()).unwrap_or(DEFAULT_INTERVAL);
        let lifetime = seconds(code.expires_in.as_ref()).unwrap_or(DEFAULT_LIFETIME);
        let mut expired = pin!(tokio::time::sleep(lifetime));
        loop {
            tokio::select! {
                biased;
                () = stop.soon.cancelled() => return Err(AuthError::Stopped),
                () = &mut expired => return Err(AuthError::CodeExpired),
                () = tokio::time::sleep(interval) => {}
            }
            match self
                .authority
                .redeem(&self.app, &code.secret, &self.file)
                .await?
            {
                None => return Ok(&self.file),
                Some(Poll::Pending) => {}
                Some(Poll::SlowDown) => interval += Duration::from_secs(5),
            }
        }
    }
}
