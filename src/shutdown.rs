//! The two degrees of stopping, which every task that waits or works listens to.

pub(crate) mod waits;

use tokio_util::sync::CancellationToken;

/// The signals of a stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Begin nothing new and stop waiting; finish the work under way.
    pub graceful: CancellationToken,
    /// Drop the work under way as well.
    pub forced: CancellationToken,
}

/// The program was asked to stop before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Shutdown {
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
