//! The two degrees of stopping, which every task that waits or works listens to, and the pulse that
//! such a task beats.

pub(crate) mod waits;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::watchdog::Pulse;

/// The signals of a stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Begin nothing new and stop waiting; finish the work under way.
    pub graceful: CancellationToken,
    /// Drop the work under way as well.
    pub forced: CancellationToken,
    /// Beats while the work moves on; one for the whole program.
    pub pulse: Pulse,
}

/// The program was asked to stop before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stopped")]
pub struct Stopped;

impl Shutdown {
    /// A shutdown of its own for a part of the program, which the program's stop ends as well.
    #[must_use]
    pub fn child(&self) -> Self {
        Self {
            graceful: self.graceful.child_token(),
            forced: self.forced.child_token(),
            pulse: self.pulse.clone(),
        }
    }

    /// Waits for as long as `wait` says, and beats meanwhile: the end of the wait is known.
    ///
    /// # Errors
    /// When a graceful stop comes first.
    pub async fn pause(&self, wait: Duration) -> Result<(), Stopped> {
        self.unless_graceful(self.pulse.sleep(wait)).await
    }

    /// Does `work`, unless a graceful stop comes first.
    ///
    /// # Errors
    /// When it does; `work` is dropped.
    pub async fn unless_graceful<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.graceful.cancelled() => Err(Stopped),
            done = work => Ok(done),
        }
    }

    /// Does `work`, unless a forced stop comes first.
    ///
    /// # Errors
    /// When it does; `work` is dropped.
    pub async fn unless_forced<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.forced.cancelled() => Err(Stopped),
            done = work => Ok(done),
        }
    }
}
