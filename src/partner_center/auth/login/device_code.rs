//! Sign-in by device code (RFC 8628): the person opens a page on any device and enters a code
//! there; we poll until the tokens are issued.

use std::pin::pin;
use std::time::Duration;

use super::sign_in::{Login, SignedIn};
use crate::partner_center::auth::authority::PollResult;
use crate::partner_center::auth::error::AuthError;
use crate::partner_center::auth::refresh::check_writable;
use crate::partner_center::auth::response::DeviceCode;
use crate::retry::RetryError;
use crate::shutdown::{Shutdown, Stopped};

/// Added to the polling interval each time the service asks to slow down (RFC 8628, 3.5).
const SLOW_DOWN: Duration = Duration::from_secs(5);

impl Login {
    /// Requests a code.
    ///
    /// # Errors
    /// When the sign-in service refuses or does not respond, or the token could not be stored
    /// afterwards.
    pub async fn begin_with_code(
        &self,
        shutdown: &Shutdown,
    ) -> Result<DeviceCode, RetryError<AuthError>> {
        // Before the person takes the trouble of signing in.
        check_writable(&self.file).await?;
        let mut attempts = self.policy.attempts(shutdown);
        loop {
            let request = self.authority.request_device_code(&self.app, &self.scope);
            if let Some(end) = attempts.run(request).await {
                return end;
            }
        }
    }

    /// Polls until the person has signed in, and stores the refresh token.
    ///
    /// # Errors
    /// When the person declines, the code expires, or the token is not usable or cannot be stored.
    pub async fn finish_with_code(
        &self,
        code: &DeviceCode,
        shutdown: &Shutdown,
    ) -> Result<SignedIn, RetryError<AuthError>> {
        let mut interval = code.interval();
        let mut wait = interval;
        let mut expired = pin!(tokio::time::sleep(code.lifetime()));
        loop {
            tokio::select! {
                biased;
                () = shutdown.graceful.cancelled() => return Err(Stopped.into()),
                () = &mut expired => return Err(AuthError::CodeExpired.into()),
                () = tokio::time::sleep(wait) => {}
            }
            match self
                .authority
                .poll_device_code(&self.app, &code.secret)
                .await?
            {
                PollResult::Done(response) => return Ok(self.store(&response).await?),
                PollResult::Pending => wait = interval,
                PollResult::SlowDown => {
                    interval += SLOW_DOWN;
                    wait = interval;
                }
                PollResult::Failed { retry_after } => {
                    wait = retry_after.unwrap_or_default().max(interval + SLOW_DOWN);
                }
            }
        }
    }
}
