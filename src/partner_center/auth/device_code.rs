//! The device-code flow: the person opens a page on any machine, types a code and passes
//! multi-factor authentication there; we poll until the tokens come.

use std::pin::pin;
use std::time::Duration;

use super::answers::DeviceCode;
use super::authority::Poll;
use super::error::AuthError;
use super::login::{Login, SignedIn};
use super::refresh::prove_writable;
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// By so much the polls are put farther apart each time the service asks for it (RFC 8628, 3.5).
const SLOWER: Duration = Duration::from_secs(5);

impl Login {
    /// Asks for a code.
    ///
    /// # Errors
    /// When the sign-in service refuses or does not answer, or the token could not be kept
    /// afterwards.
    pub async fn begin_with_code(&self, shutdown: &Shutdown) -> Result<DeviceCode, AuthError> {
        // Before the person goes to the trouble.
        prove_writable(&self.file).await?;
        let mut attempts = self.policy.attempts(shutdown);
        let begun = loop {
            let asked = self.authority.device_code(&self.app, &self.scope);
            if let Some(end) = attempts.run(asked).await {
                break end;
            }
        };
        begun.map_err(|gave_up| match gave_up {
            RetryError::Failed { error, .. } => error,
            RetryError::Stopped { .. } => AuthError::Stopped,
        })
    }

    /// Waits until the person is done, and keeps the refresh token.
    ///
    /// # Errors
    /// When the person declines or lets the code expire, the token would be of no use, or cannot be
    /// kept.
    pub async fn finish_with_code(
        &self,
        code: &DeviceCode,
        shutdown: &Shutdown,
    ) -> Result<SignedIn, AuthError> {
        let mut interval = code.interval();
        let mut wait = interval;
        let mut expired = pin!(tokio::time::sleep(code.lifetime()));
        loop {
            tokio::select! {
                biased;
                () = shutdown.graceful.cancelled() => return Err(AuthError::Stopped),
                () = &mut expired => return Err(AuthError::CodeExpired),
                () = tokio::time::sleep(wait) => {}
            }
            match self.authority.redeem(&self.app, &code.secret).await? {
                Poll::Done(answer) => return self.keep(&answer).await,
                Poll::Pending => wait = interval,
                Poll::SlowDown => {
                    interval += SLOWER;
                    wait = interval;
                }
                Poll::Later(after) => wait = after.unwrap_or_default().max(interval + SLOWER),
            }
        }
    }
}
