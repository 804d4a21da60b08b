//! Whether runs keep to the schedule. Pure: the caller passes the time. `status`, its `--check` and
//! the metrics judge by this rule.

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;

/// How long after its tick a run may end, at least. A shorter time would call the runs of large
/// partners late each day.
const GRACE: TimeDelta = TimeDelta::hours(1);

/// What is known of the runs over the whole list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PastRuns {
    /// Since when there is a ledger. Earlier ticks were nobody's.
    pub ledger_since: DateTime<Utc>,
    /// When a run last ended, however it ended.
    pub last_end: Option<DateTime<Utc>>,
    /// How long that run took.
    pub last_duration: Option<TimeDelta>,
    /// When a run that stored something last ended.
    pub last_success: Option<DateTime<Utc>>,
}

impl PastRuns {
    /// How long after its tick a run may end.
    fn grace(&self) -> TimeDelta {
        let lasted = self.last_duration.unwrap_or_default();
        GRACE.max(lasted * 2)
    }
}

/// How far the runs are behind the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timeliness {
    /// They keep to it.
    OnTime,
    /// No run has ended since the newest tick, though it had an hour, or twice the time of the
    /// run before.
    Late,
    /// No run has succeeded, though two ticks have come since the last that did, and the run of the
    /// second had its time.
    Overdue,
}

impl Schedule {
    /// When a success is overdue: at the second tick after the last one, so that a single run that
    /// failed is not reported, and after the time in which the run of that tick may end. None if
    /// there are no further ticks.
    #[must_use]
    pub fn success_due(&self, past: &PastRuns) -> Option<DateTime<Utc>> {
        let last_success = past.last_success.unwrap_or(past.ledger_since);
        let second = self.next_after(self.next_after(last_success)?)?;
        second.checked_add_signed(past.grace())
    }

    /// When the run of the first tick after the last end is late.
    #[must_use]
    pub fn end_due(&self, past: &PastRuns) -> Option<DateTime<Utc>> {
        let last_end = past.last_end.unwrap_or(past.ledger_since);
        self.next_after(last_end)?.checked_add_signed(past.grace())
    }

    /// How far the runs are behind at `now`.
    #[must_use]
    pub fn timeliness(&self, past: &PastRuns, now: DateTime<Utc>) -> Timeliness {
        let has_come = |due: Option<DateTime<Utc>>| due.is_some_and(|due| due < now);
        if has_come(self.success_due(past)) {
            Timeliness::Overdue
        } else if has_come(self.end_due(past)) {
            Timeliness::Late
        } else {
            Timeliness::OnTime
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day_and_time: &str) -> DateTime<Utc> {
        format!("2026-05-{day_and_time}:00Z").parse().unwrap()
    }

    /// At 06:00 each day.
    fn schedule() -> Schedule {
        Schedule::try_new("0 0 6 * * *", "UTC", at("01T00:00")).unwrap()
    }

    fn ran(last_end: &str, last_success: &str) -> PastRuns {
        PastRuns {
            ledger_since: at("01T12:00"),
            last_end: Some(at(last_end)),
            last_duration: None,
            last_success: Some(at(last_success)),
        }
    }

    #[test]
    fn a_success_is_overdue_from_the_second_tick_after_the_last_one() {
        let failed_since = ran("05T06:10", "04T06:10");
        let due = schedule().success_due(&failed_since);
        assert_eq!(due, Some(at("06T07:00")));
        for (now, expected) in [
            ("05T09:00", Timeliness::OnTime),
            ("06T07:00", Timeliness::OnTime),
            ("06T07:01", Timeliness::Overdue),
            ("13T06:10", Timeliness::Overdue),
        ] {
            assert_eq!(
                schedule().timeliness(&failed_since, at(now)),
                expected,
                "{now}"
            );
        }
    }

    #[test]
    fn a_run_is_late_an_hour_after_its_tick_or_twice_the_time_of_the_run_before() {
        let mut past = ran("04T06:10", "04T06:10");
        assert_eq!(
            schedule().timeliness(&past, at("05T07:00")),
            Timeliness::OnTime
        );
        assert_eq!(
            schedule().timeliness(&past, at("05T07:01")),
            Timeliness::Late
        );
        past.last_duration = Some(TimeDelta::hours(2));
        assert_eq!(
            schedule().timeliness(&past, at("05T10:00")),
            Timeliness::OnTime
        );
        assert_eq!(
            schedule().timeliness(&past, at("05T10:01")),
            Timeliness::Late
        );
    }

    #[test]
    fn runs_that_are_longer_than_the_time_between_ticks_are_not_overdue() {
        let schedule = Schedule::try_new("0 */10 * * * *", "UTC", at("01T00:00")).unwrap();
        let mut past = ran("04T06:25", "04T06:25");
        past.last_duration = Some(TimeDelta::minutes(25));
        // The run of 06:30 is under way, and the ticks of 06:40 and 06:50 have come.
        assert_eq!(
            schedule.timeliness(&past, at("04T06:54")),
            Timeliness::OnTime
        );
        assert_eq!(
            schedule.timeliness(&past, at("04T07:41")),
            Timeliness::Overdue
        );
    }

    #[test]
    fn a_ledger_without_runs_is_judged_from_its_beginning_on() {
        let past = PastRuns {
            ledger_since: at("01T12:00"),
            last_end: None,
            last_duration: None,
            last_success: None,
        };
        assert_eq!(
            schedule().timeliness(&past, at("01T18:00")),
            Timeliness::OnTime
        );
        assert_eq!(
            schedule().timeliness(&past, at("02T07:01")),
            Timeliness::Late
        );
        assert_eq!(
            schedule().timeliness(&past, at("03T07:01")),
            Timeliness::Overdue
        );
    }
}
