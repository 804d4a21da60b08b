//! Which tick is due, and which is next, while the wall clock is set forward and back. Pure: it is
//! told the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;
use super::had::Had;

/// A look finds the wall clock this far from where the last one expects it, and still it was not
/// set.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// How far back a tick is looked for that an earlier run has brought.
const MEMORY: TimeDelta = TimeDelta::days(400);

/// The ticks of a schedule as a clock comes to them.
///
/// Each tick comes once. It comes when the clock lives through it, or as the newest of several that
/// the clock leapt over: those come as one. After the clock was set, the next tick is the first
/// after the new time that has not come yet, so that a clock set back by an hour brings nothing
/// twice, and one set back by years is not silent for years.
#[derive(Debug)]
pub(super) struct Plan {
    schedule: Schedule,
    had: Had,
    /// When the clock was last looked at.
    seen: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// What a look at the clock finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The tick that is due.
    pub(super) due: Option<DateTime<Utc>>,
    /// How far the wall clock went beyond the time that passed: it was set, or the machine slept.
    /// Zero within the slack.
    pub(super) leapt: TimeDelta,
}

impl Plan {
    /// Begins with the first tick after `now`.
    pub(super) fn new(schedule: Schedule, now: DateTime<Utc>) -> Self {
        let mut plan = Self {
            schedule,
            had: Had::default(),
            seen: now,
            next: None,
        };
        plan.had.add(now, now);
        plan.work_out();
        plan
    }

    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Looks at a clock that shows `now` after `passed` of real time since the last look.
    pub(super) fn look(&mut self, now: DateTime<Utc>, passed: Duration) -> Look {
        let leapt = (now - self.seen) - TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        let leapt = if leapt.abs() <= SLACK {
            TimeDelta::zero()
        } else {
            leapt
        };
        let due = self.newest_not_had(now);
        match due {
            // What it leapt over before the newest was not lived through, and comes where the clock
            // is set back.
            Some(due) if leapt > TimeDelta::zero() => self.had.add(due, now),
            _ => self.had.add(self.seen.min(now), now),
        }
        self.seen = now;
        self.work_out();
        Look { due, leapt }
    }

    /// The newest tick up to `moment` has come: a run that ended then, or begins now, brought what
    /// it would bring.
    pub(super) fn take_as_had(&mut self, moment: DateTime<Utc>) {
        let from = moment.checked_sub_signed(MEMORY);
        if let Some(tick) = from.and_then(|from| self.schedule.newest_between(from, moment)) {
            self.had.add(tick, moment);
            self.work_out();
        }
    }

    fn newest_not_had(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut end = now;
        loop {
            let tick = self.schedule.newest_between(self.seen, end)?;
            let Some(stretch) = self.had.holding(tick) else {
                return Some(tick);
            };
            end = stretch.from - TimeDelta::seconds(1);
        }
    }

    fn work_out(&mut self) {
        let mut next = self.schedule.next_after(self.seen);
        while let Some(stretch) = next.and_then(|tick| self.had.holding(tick)) {
            next = self.schedule.next_after(stretch.to);
        }
        self.next = next;
    }
}

#[cfg(test)]
mod tests;
