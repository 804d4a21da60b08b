//! The only reader of the wall clock. Every other module takes a [`Clock`], or the moment itself.
//! Waits do not come from here: they are `tokio::time`, which tests can pause.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> DateTime<Utc>;
}

/// The machine's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now()
    }
}

/// A clock that is set by hand and goes on from there. Under paused time it stands still.
#[derive(Debug)]
pub struct ManualClock(Mutex<(DateTime<Utc>, Instant)>);

impl ManualClock {
    /// A clock that shows `now`.
    #[must_use]
    pub fn new(now: DateTime<Utc>) -> Self {
        Self(Mutex::new((now, Instant::now())))
    }

    /// Moves the hands, forwards or backwards.
    pub fn set(&self, now: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (now, Instant::now());
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        let (set_to, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set_to + since.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn a_clock_goes_on_from_where_it_was_set() {
        let noon: DateTime<Utc> = "2026-05-04T12:00:00Z".parse().unwrap();
        let clock = ManualClock::new(noon);
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(clock.now(), noon + Duration::from_secs(5));
        clock.set(noon);
        assert_eq!(clock.now(), noon);
    }
}
