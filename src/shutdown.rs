//! The two degrees of stopping, shared by everything that waits or works.

pub(crate) mod waits;

use tokio_util::sync::CancellationToken;

/// What a task watches so that the program can stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Begin nothing new and wait for nothing; finish what is under way.
    pub graceful: CancellationToken,
    /// Drop what is under way too.
    pub forced: CancellationToken,
}

/// The program was asked to stop before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped;

impl Shutdown {
    /// Does `work`, unless a graceful stop comes first.
    ///
    /// # Errors
    /// When it does. What `work` had begun is dropped.
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
    /// When it does. What `work` had begun is dropped.
    pub async fn unless_forced<T>(&self, work: impl Future<Output = T>) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.forced.cancelled() => Err(Stopped),
            done = work => Ok(done),
        }
    }
}
