//! The two degrees of stopping, shared by everything that waits or works.

use tokio_util::sync::CancellationToken;

/// What a task watches so that the program can stop.
#[derive(Debug, Clone, Default)]
pub struct Shutdown {
    /// Begin nothing new and wait for nothing; finish what is under way.
    pub graceful: CancellationToken,
    /// Drop what is under way too.
    pub forced: CancellationToken,
}
