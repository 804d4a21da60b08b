//! Which run is due at once when a daemon begins to lead. Pure.

use chrono::{DateTime, Utc};

use crate::config::RunOnStart;
use crate::schedule::Schedule;
use crate::store::RunKind;

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) kind: RunKind,
    /// The tick that it is for; none if it is for no tick.
    pub(super) tick: Option<DateTime<Utc>>,
}

impl Due {
    /// The run of a tick that has just come.
    pub(super) fn at(tick: DateTime<Utc>) -> Self {
        Self {
            kind: RunKind::Schedule,
            tick: Some(tick),
        }
    }
}

/// What a daemon knows when it begins to lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outset {
    pub(super) run_on_start: RunOnStart,
    /// It leads from its start on, and has not taken over from another.
    pub(super) is_start: bool,
    /// Since when this daemon, or the one from which it took over, has waited for ticks.
    pub(super) watched_since: DateTime<Utc>,
}

impl Outset {
    /// `last_finish` is when the last run over the whole list ended that counts; none if there was
    /// none yet.
    pub(super) fn due(
        &self,
        schedule: &Schedule,
        now: DateTime<Utc>,
        last_finish: Option<DateTime<Utc>>,
    ) -> Option<Due> {
        let newest = schedule.newest_up_to(now);
        // A ledger without a run has missed all ticks.
        let is_missed = last_finish.is_none_or(|finish| newest.is_some_and(|tick| tick > finish));
        // A tick that came while a daemon waited for it is done, whatever is to happen at a start.
        let has_come = newest.is_some_and(|tick| tick > self.watched_since);
        let is_due = match self.run_on_start {
            RunOnStart::Always => self.is_start || is_missed,
            RunOnStart::IfMissed => is_missed,
            RunOnStart::Never => is_missed && has_come,
        };
        is_due.then(|| Due {
            kind: if is_missed && has_come {
                RunKind::Schedule
            } else {
                RunKind::Startup
            },
            tick: newest.filter(|_| is_missed),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A time of 4 May 2026; the tick is at 06:00.
    fn at(time: &str) -> DateTime<Utc> {
        format!("2026-05-04T{time}:00Z").parse().unwrap()
    }

    fn schedule() -> Schedule {
        Schedule::try_new("0 0 6 * * *", "UTC", at("00:00")).unwrap()
    }

    /// What is due at 06:30.
    fn due(outset: Outset, last_finish: Option<&str>) -> Option<(RunKind, Option<DateTime<Utc>>)> {
        let due = outset.due(&schedule(), at("06:30"), last_finish.map(at));
        due.map(|due| (due.kind, due.tick))
    }

    /// A daemon that starts at 06:30 and leads at once.
    fn start(run_on_start: RunOnStart) -> Outset {
        Outset {
            run_on_start,
            is_start: true,
            watched_since: at("06:30"),
        }
    }

    #[test]
    fn at_a_start_the_newest_tick_is_caught_up_unless_a_run_ended_after_it() {
        let caught_up = Some((RunKind::Startup, Some(at("06:00"))));
        for (finish, expected) in [
            (None, caught_up),
            (Some("05:00"), caught_up),
            (Some("06:00"), None),
            (Some("06:10"), None),
        ] {
            let found = due(start(RunOnStart::IfMissed), finish);
            assert_eq!(found, expected, "{finish:?}");
            assert_eq!(due(start(RunOnStart::Never), finish), None, "{finish:?}");
        }
    }

    #[test]
    fn always_means_at_the_start_of_a_daemon_that_leads_at_once() {
        let always = start(RunOnStart::Always);
        // It is for no tick: the newest one is done.
        assert_eq!(due(always, Some("06:10")), Some((RunKind::Startup, None)));
        let taken_over = Outset {
            is_start: false,
            ..always
        };
        assert_eq!(due(taken_over, Some("06:10")), None);
        let caught_up = Some((RunKind::Startup, Some(at("06:00"))));
        assert_eq!(due(taken_over, Some("05:00")), caught_up);
    }

    #[test]
    fn a_tick_that_came_while_a_daemon_waited_for_it_is_always_done() {
        for run_on_start in [RunOnStart::Never, RunOnStart::IfMissed, RunOnStart::Always] {
            let outset = Outset {
                run_on_start,
                is_start: false,
                watched_since: at("05:30"),
            };
            let scheduled = Some((RunKind::Schedule, Some(at("06:00"))));
            assert_eq!(due(outset, Some("05:00")), scheduled, "{run_on_start:?}");
            assert_eq!(due(outset, Some("06:10")), None, "{run_on_start:?}");
        }
    }
}
