//! How long each step of a stop may take. The steps follow each other in the order in which they
//! stand here, and end within ten seconds together, whatever hangs.

use std::time::Duration;

/// From the first signal to the forced stop, unless a second signal comes before: work under way
/// may end by itself.
pub(crate) const GRACE: Duration = Duration::from_secs(3);

/// After the forced stop: what has been fetched is stored.
pub(crate) const STORE_FETCHED: Duration = Duration::from_millis(1_500);

/// The end of the run is recorded.
pub(crate) const RECORD_END: Duration = Duration::from_millis(1_500);

/// A lease is given back, so that another process may take it at once. If the database does not
/// answer, it ends by itself.
pub(crate) const RESIGN: Duration = Duration::from_millis(700);

/// The pool of database connections is closed, some of which may still be in use.
pub(crate) const CLOSE_POOL: Duration = Duration::from_millis(500);

/// The last notifications are delivered.
pub(crate) const NOTIFY: Duration = Duration::from_millis(500);

/// Tasks of the program end. Among them are the last answers of the status address, which take
/// [`LAST_ANSWERS`] from the first signal on: less than this, so that an idle program, which has no
/// other step, waits for them.
pub(crate) const END_TASKS: Duration = Duration::from_secs(1);

/// The last spans are sent, where traces are built in.
#[cfg(any(feature = "otel", test))]
pub(crate) const TRACES: Duration = Duration::from_millis(500);

/// After the first signal, beside the other steps: the status address sends its last answers. A
/// download that is not over by then is cut off.
pub(crate) const LAST_ANSWERS: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest stop: every step takes as long as it may.
    fn sum() -> Duration {
        let steps = [
            GRACE,
            STORE_FETCHED,
            RECORD_END,
            RESIGN,
            CLOSE_POOL,
            NOTIFY,
            END_TASKS,
            TRACES,
        ];
        steps.iter().sum()
    }

    #[test]
    fn the_service_manager_waits_for_the_longest_stop() {
        let unit = include_str!("../../systemd/seatledger.service");
        let secs = unit
            .lines()
            .find_map(|line| line.strip_prefix("TimeoutStopSec="))
            .and_then(|value| value.parse().ok())
            .expect("the unit has a TimeoutStopSec= in seconds");
        assert!(sum() < Duration::from_secs(10), "{:?}", sum());
        // A machine under load may take half as long again.
        assert!(sum() * 3 / 2 <= Duration::from_secs(secs), "{:?}", sum());
        assert!(LAST_ANSWERS < END_TASKS);
        // Leases are given back by a task, too.
        assert!(RESIGN < END_TASKS);
    }
}
