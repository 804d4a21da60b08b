//! The device-code flow: the person opens a page on any machine, types a code and passes multi-factor authentication
//! there; we poll until the tokens come.

use std::pin::pin;
use std::time::Duration;

use super::answers::{DeviceCode, seconds};
use super::authority::{Poll, prove_writable};
use super::error::AuthError;
use super::login::{Login, SignedIn};
use crate::retry::Stop;

/// What is asked when the service does not say how often it may be.
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// How long a code is good when the service does not say.
const DEFAULT_LIFETIME: Duration = Duration::from_mins(15);

impl Login {
    /// Asks for a code.
    ///
    /// # Errors
    /// When the sign-in service refuses or does not answer, or the token could not be kept afterwards.
    pub async fn begin_with_code(&self) -> Result<DeviceCode, AuthError> {
        // Before the person goes to the trouble.
        prove_writable(&self.file).await?;
        self.authority.device_code(&self.app, &self.scope).await
    }

    /// Waits until the person is done, and keeps the refresh token.
    ///
    /// # Errors
    /// When the person declines or lets the code expire, the token would be of no use, or cannot be kept.
    pub async fn finish_with_code(
        &self,
        code: &DeviceCode,
        stop: &Stop,
    ) -> Result<SignedIn, AuthError> {
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
            match self.authority.redeem(&self.app, &code.secret).await? {
                Poll::Done(answer) => return self.keep(&answer).await,
                Poll::Pending => {}
                Poll::SlowDown => interval += Duration::from_secs(5),
            }
        }
    }
}
