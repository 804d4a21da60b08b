//! Which tick is due and which is next, while the wall clock may be set forward and back. Pure:
//! the caller passes the time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;
use super::history::TickHistory;

/// By how much the advance of the wall clock may differ from the time that passed before the clock
/// counts as set. Clocks are adjusted by less all the time.
const TOLERANCE: TimeDelta = TimeDelta::seconds(1);

/// The ticks of a schedule as a clock comes to them.
///
/// Each tick comes once: when the clock passes it, or as the newest of several that the clock
/// jumped over, which come as one. After the clock was set, the next tick is the first after the
/// new time that has not come yet. A clock that is set back by an hour brings no tick twice, and
/// one that is set back by years does not stay silent for years.
#[derive(Debug)]
pub(super) struct TickPlan {
    schedule: Schedule,
    history: TickHistory,
    /// The wall clock at the last look.
    seen: DateTime<Utc>,
    next: Option<DateTime<Utc>>,
}

/// The result of a look at the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// The tick that is due.
    pub(super) due: Option<DateTime<Utc>>,
    /// By how much the wall clock advanced beyond the time that passed: it was set, or the machine
    /// slept. Zero within the tolerance.
    pub(super) jumped: TimeDelta,
}

impl TickPlan {
    /// Begins with the first tick after `now`.
    pub(super) fn new(schedule: Schedule, now: DateTime<Utc>) -> Self {
        let mut plan = Self {
            schedule,
            history: TickHistory::default(),
            seen: now,
            next: None,
        };
        plan.history.add(now, now);
        plan.update_next();
        plan
    }

    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Looks at a clock that shows `now` after `passed` of real time since the last look.
    pub(super) fn look(&mut self, now: DateTime<Utc>, passed: Duration) -> Look {
        let jumped = (now - self.seen) - TimeDelta::from_std(passed).unwrap_or(TimeDelta::MAX);
        let jumped = if jumped.abs() <= TOLERANCE {
            TimeDelta::zero()
        } else {
            jumped
        };
        let due = self.newest_pending(now);
        match due {
            // Ticks before the newest that it jumped over may still come, if the clock is set back.
            Some(due) if jumped > TimeDelta::zero() => self.history.add(due, now),
            _ => self.history.add(self.seen.min(now), now),
        }
        self.seen = now;
        self.update_next();
        Look { due, jumped }
    }

    /// Marks the newest tick up to `moment` as done: a run that ended then, or begins now, fetches
    /// the same.
    pub(super) fn mark_done(&mut self, moment: DateTime<Utc>) {
        if let Some(tick) = self.schedule.newest_up_to(moment) {
            self.history.add(tick, moment);
            self.update_next();
        }
    }

    fn newest_pending(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut end = now;
        loop {
            let tick = self.schedule.newest_between(self.seen, end)?;
            let Some(span) = self.history.span_of(tick) else {
                return Some(tick);
            };
            end = span.from - TimeDelta::seconds(1);
        }
    }

    fn update_next(&mut self) {
        let mut next = self.schedule.next_after(self.seen);
        while let Some(span) = next.and_then(|tick| self.history.span_of(tick)) {
            next = self.schedule.next_after(span.to);
        }
        self.next = next;
    }
}

#[cfg(test)]
mod tests;
