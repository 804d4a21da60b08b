//! Work that would hold up everybody: the program has one thread for all that waits, and what is
//! large is read on another.

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// A body from this length on is large: 256 KiB take a millisecond or so, and some ten of a hostile
/// one.
const LARGE_BYTES: usize = 256 * 1024;

/// Large bodies read at a time. Further ones wait their turn: they would only share the processors,
/// and each takes several times its length of memory meanwhile.
const AT_A_TIME: usize = 2;

/// Where large work is done.
#[derive(Debug)]
pub(in crate::partner_center) struct Aside {
    places: Semaphore,
    tasks: TaskTracker,
}

impl Aside {
    pub(in crate::partner_center) fn new(tasks: TaskTracker) -> Self {
        Self {
            places: Semaphore::new(AT_A_TIME),
            tasks,
        }
    }

    /// Does `work` on so many bytes: at once if they are few, else on another thread. None where
    /// the program ends before it is done.
    pub(in crate::partner_center) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes < LARGE_BYTES {
            return Some(work());
        }
        let _place = self.places.acquire().await.ok()?;
        match self.tasks.spawn_blocking(work).await {
            Ok(done) => Some(done),
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn what_is_large_is_done_on_another_thread() {
        let aside = Aside::new(TaskTracker::new());
        let here = thread::current().id();
        let thread_of = async |bytes| aside.work(bytes, || thread::current().id()).await;
        assert_eq!(thread_of(LARGE_BYTES - 1).await, Some(here));
        assert_ne!(thread_of(LARGE_BYTES).await, Some(here));
    }
}
