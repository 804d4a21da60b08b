//! What the log says of the throttle: each step of the learned rate, each pause and its end. At
//! most one of each kind a minute is logged at `info`, the others at `debug`.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info};

/// The shortest time between two events of a kind at `info`. Without it, the search for a limit
/// would fill the log.
const INFO_INTERVAL: Duration = Duration::from_mins(1);

/// When an event of each kind was last logged at `info`.
#[derive(Debug, Default)]
pub(super) struct Events {
    rate: Option<Instant>,
    pause: Option<Instant>,
    resume: Option<Instant>,
}

/// Logs at `info` or `debug`.
macro_rules! event {
    ($last:expr, $now:expr, $($arguments:tt)*) => {
        if is_due($last, $now) {
            info!($($arguments)*);
        } else {
            debug!($($arguments)*);
        }
    };
}

fn is_due(last: &mut Option<Instant>, now: Instant) -> bool {
    let is_due = last.is_none_or(|last| now.saturating_duration_since(last) >= INFO_INTERVAL);
    if is_due {
        *last = Some(now);
    }
    is_due
}

/// As whole milliseconds, a number that every log format can show.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl Events {
    /// Logs that a reply has lowered the learned rate, or about doubled it. Its steady rise between
    /// two incidents is not logged.
    pub(super) fn rate(&mut self, now: Instant, before: Option<f64>, after: Option<f64>) {
        let Some(rate) = after else {
            return;
        };
        let lowered = before.is_none_or(|before| rate < before);
        let doubled = before.is_some_and(|before| rate >= before * 1.9);
        if lowered {
            event!(
                &mut self.rate,
                now,
                rate,
                "Partner Center refuses more than {rate:.1} requests a second: sending no more"
            );
        } else if doubled {
            event!(
                &mut self.rate,
                now,
                rate,
                "Partner Center serves more than before: sending {rate:.1} requests a second"
            );
        }
    }

    /// Logs that a pause has begun, goes on or has ended. `before` and `after`: for how long the
    /// tenant's limit had let no call through, before a reply and after it. `left`: what is left of
    /// the pause.
    pub(super) fn pause(
        &mut self,
        now: Instant,
        before: Option<Duration>,
        after: Option<Duration>,
        left: Option<Duration>,
    ) {
        match (before, after, left) {
            (None, Some(_), Some(left)) => {
                let wait_ms = millis(left);
                event!(
                    &mut self.pause,
                    now,
                    wait_ms,
                    "The partner's limit of Partner Center is used up: all calls wait {left:.1?}"
                );
            }
            (Some(paused), None, _) => {
                let paused_ms = millis(paused);
                event!(
                    &mut self.resume,
                    now,
                    paused_ms,
                    "Partner Center serves calls again after a pause of {paused:.1?}"
                );
            }
            (Some(paused), Some(_), Some(left)) => {
                let (paused_ms, wait_ms) = (millis(paused), millis(left));
                debug!(
                    paused_ms,
                    wait_ms, "All calls still wait, for another {left:.1?}"
                );
            }
            _ => {}
        }
    }
}
