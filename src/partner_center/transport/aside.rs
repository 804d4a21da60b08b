//! CPU-bound work: the program has one thread for everything that waits, so work on large bodies is
//! done on another.

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// Bodies of this length and more are large: decoding 256 KiB takes about a millisecond, and about
/// ten if the body is crafted to be slow.
const LARGE_BYTES: usize = 256 * 1024;

/// Large bodies that are worked on at a time. More would only share the processors, and each takes
/// several times its length of memory meanwhile.
const MAX_CONCURRENT: usize = 2;

/// Runs CPU-bound work on other threads.
#[derive(Debug)]
pub(in crate::partner_center) struct Aside {
    permits: Semaphore,
    tasks: TaskTracker,
}

impl Aside {
    pub(in crate::partner_center) fn new(tasks: TaskTracker) -> Self {
        Self {
            permits: Semaphore::new(MAX_CONCURRENT),
            tasks,
        }
    }

    /// Does `work` on a body of this many bytes: here if it is small, else on another thread.
    pub(in crate::partner_center) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        if bytes < LARGE_BYTES {
            return work();
        }
        let permit = self.permits.acquire().await;
        let _permit = permit.expect("the semaphore is never closed");
        match self.tasks.spawn_blocking(work).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime is shutting down and no longer polls this future.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn large_work_is_done_on_another_thread() {
        let aside = Aside::new(TaskTracker::new());
        let here = thread::current().id();
        let thread_of = async |bytes| aside.work(bytes, || thread::current().id()).await;
        assert_eq!(thread_of(LARGE_BYTES - 1).await, here);
        assert_ne!(thread_of(LARGE_BYTES).await, here);
    }
}
