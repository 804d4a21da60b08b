//! The pulse of the program: when its work last moved on. The service manager's watchdog and the
//! status address go by it. A leaf: uses nothing of the other modules.
//!
//! While the daemon waits for a tick its main loop beats. While a run is under way only the work
//! beats, so that a run that waits for something without a bound is noticed: an answer, a stored
//! batch, the turn of a timer. Waits whose bound is known beat through [`Pulse::during`].

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::Instant;

/// How often a known wait beats. Shorter than the feeder's interval with any sensible watchdog.
const BEAT_INTERVAL: Duration = Duration::from_secs(2);

/// How soon after a beat the service manager hears of it. It replaces a stuck program that much
/// later than its watchdog's time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// After how long without a beat the program counts as stuck where no service manager says so.
const DEFAULT_LIMIT: Duration = Duration::from_secs(90);

/// When the program's work last moved on. Clones share one pulse.
#[derive(Debug, Clone)]
pub struct Pulse(Arc<Beats>);

#[derive(Debug)]
struct Beats {
    began: Instant,
    /// Microseconds from `began` to the last beat.
    last: AtomicU64,
}

impl Default for Pulse {
    /// A pulse that has just beaten.
    fn default() -> Self {
        Self(Arc::new(Beats {
            began: Instant::now(),
            last: AtomicU64::new(0),
        }))
    }
}

impl Pulse {
    /// Says that the work has moved on.
    pub fn beat(&self) {
        let now = self.0.began.elapsed().as_micros();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        self.0.last.fetch_max(now, Ordering::Relaxed);
    }

    /// When it last beat.
    #[must_use]
    pub fn last(&self) -> Instant {
        self.0.began + Duration::from_micros(self.0.last.load(Ordering::Relaxed))
    }

    /// How long ago it last beat.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.last().elapsed()
    }

    /// Waits for `work`, which takes at most `limit`, and beats until then. Work that takes longer
    /// is still waited for, but no longer counts as moving on.
    pub async fn during<T>(&self, limit: Duration, work: impl Future<Output = T>) -> T {
        let beating = async {
            let began = Instant::now();
            while began.elapsed() < limit {
                self.beat();
                tokio::time::sleep(BEAT_INTERVAL).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            done = work => {
                self.beat();
                done
            }
            never = beating => never,
        }
    }

    /// Waits for as long as `wait` says, and beats meanwhile.
    pub async fn sleep(&self, wait: Duration) {
        self.during(wait, tokio::time::sleep(wait)).await;
    }
}

/// Tells the service manager's watchdog, if it watches this process, that the program moves on:
/// once after each beat, so that it hears nothing from a program that is stuck.
pub async fn feed(pulse: &Pulse) {
    if sd_notify::watchdog_enabled().is_some() {
        follow(pulse, || {
            let _told = sd_notify::notify(&[NotifyState::Watchdog]);
        })
        .await;
    }
}

/// Does `work` while the service manager waits for READY, and asks it for more time as long as the
/// work moves on.
pub async fn while_starting<T>(pulse: &Pulse, work: impl Future<Output = T>) -> T {
    let limit = u32::try_from(limit().as_micros()).unwrap_or(u32::MAX);
    let asking = follow(pulse, || {
        let _told = sd_notify::notify(&[NotifyState::ExtendTimeoutUsec(limit)]);
    });
    tokio::select! {
        biased;
        done = work => done,
        never = asking => match never {},
    }
}

/// Calls `tell` at once, and soon after each beat.
async fn follow(pulse: &Pulse, mut tell: impl FnMut()) -> Infallible {
    let mut told = None;
    loop {
        let last = pulse.last();
        if told.replace(last) != Some(last) {
            tell();
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

/// After how long without a beat the program counts as stuck: the service manager's time, if it
/// watches this process.
#[must_use]
pub fn limit() -> Duration {
    sd_notify::watchdog_enabled().unwrap_or(DEFAULT_LIMIT)
}

#[cfg(test)]
mod tests {
    use tokio::time::{advance, sleep, timeout};

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    #[tokio::test(start_paused = true)]
    async fn the_last_beat_is_known_to_all_clones() {
        let pulse = Pulse::default();
        let clone = pulse.clone();
        advance(MINUTE).await;
        assert!(pulse.age() >= MINUTE);
        clone.beat();
        assert_eq!(pulse.age(), Duration::ZERO);
        assert_eq!(pulse.last(), Instant::now());
    }

    #[tokio::test(start_paused = true)]
    async fn a_known_wait_beats_as_long_as_it_may_take() {
        let pulse = Pulse::default();
        let waiting = pulse.during(MINUTE * 60, std::future::pending::<()>());
        let _over = timeout(MINUTE * 60, waiting).await;
        assert!(pulse.age() <= BEAT_INTERVAL, "{:?}", pulse.age());
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_than_it_may_beats_no_more_but_is_waited_for() {
        let pulse = Pulse::default();
        let began = Instant::now();
        let watched = pulse.clone();
        let work = async {
            sleep(MINUTE * 3).await;
            assert!(watched.age() >= MINUTE);
            "done"
        };
        assert_eq!(pulse.during(MINUTE, work).await, "done");
        assert_eq!(began.elapsed(), MINUTE * 3);
        assert_eq!(pulse.age(), Duration::ZERO);
    }

    /// How often `follow` tells in this time.
    async fn told(pulse: &Pulse, time: Duration) -> u32 {
        let mut told = 0;
        let _cut = timeout(time, follow(pulse, || told += 1)).await;
        told
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_while_the_work_moves_on_and_no_longer() {
        let pulse = Pulse::default();
        // Once, since the program has just begun.
        assert_eq!(told(&pulse, MINUTE * 60).await, 1);
        let throttled = pulse.sleep(MINUTE * 60);
        let fed = async {
            for minute in 0..59 {
                assert!(told(&pulse, MINUTE).await >= 20, "minute {minute}");
            }
        };
        tokio::join!(throttled, fed);
        assert_eq!(told(&pulse, MINUTE * 60).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_sleep_beats() {
        let pulse = Pulse::default();
        let hour = MINUTE * 60;
        let _cut = timeout(hour * 23, pulse.sleep(hour * 24)).await;
        assert!(pulse.age() <= BEAT_INTERVAL, "{:?}", pulse.age());
    }
}
