//! How state that connections share is locked.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks, also after another thread has panicked while it held the lock: every change made under
/// one of these locks leaves the value consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
