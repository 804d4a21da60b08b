//! A cron expression, a time zone, and the ticks that follow from them. Runs no work. [`Schedule`]
//! gives the ticks, `plan` the one that is due while the clock may be set forward and back, and
//! [`Ticker`] waits for it. What a change of the local clock does to a tick is decided here and in
//! `local` (see `docs/decisions/0002-scheduler-as-an-alarm-clock.md`).

mod due_success;
mod history;
mod local;
mod plan;
mod ticker;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SubsecRound as _, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

pub use due_success::{PastRuns, Timeliness};
pub use ticker::Ticker;

/// How far back a tick is looked for. Schedules with longer pauses are not in use.
const LOOK_BACK: TimeDelta = TimeDelta::days(400);

/// When runs are due, in local time of a zone.
///
/// An expression that matches every hour is a list of intervals: when the local clock is set back,
/// the repeated hour has its ticks twice, and when it is set forward, the skipped hour has none.
/// Any other expression is a list of times of day, and each comes once on each local day: when the
/// local clock first reaches or passes it.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    by_intervals: bool,
}

/// A schedule that is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression cannot be parsed.
    #[error("{0}")]
    Expression(String),
    /// The zone is not in the IANA data base.
    #[error("not an IANA time zone")]
    Zone,
    /// The expression matches no moment.
    #[error("it never fires")]
    Never,
}

impl Schedule {
    /// Parses a six-field expression (seconds first; day of month AND day of week must both match)
    /// and a zone.
    ///
    /// # Errors
    /// When either cannot be parsed, or no moment after `now` matches.
    pub fn try_new(cron: &str, zone: &str, now: DateTime<Utc>) -> Result<Self, ScheduleError> {
        let zone: Tz = zone.parse().map_err(|_| ScheduleError::Zone)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build()
            .parse(cron)
            .map_err(|error| ScheduleError::Expression(error.to_string()))?;
        let by_intervals = (0..24).all(|hour| matches!(cron.pattern.hour_match(hour), Ok(true)));
        let schedule = Self {
            cron,
            zone,
            by_intervals,
        };
        schedule.next_after(now).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// The first tick after `moment`; none if the expression matches past years only.
    #[must_use]
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // Ticks are on whole seconds.
        let moment = moment.trunc_subsecs(0);
        if self.by_intervals {
            self.next_of_intervals(moment)
        } else {
            self.next_of_times(moment)
        }
    }

    /// For times of day. Their order on the local clock is their order in time, so that the first
    /// one ahead is the next.
    fn next_of_times(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut wanted = local::time(self.zone, moment)?;
        loop {
            wanted = self.match_after(wanted)?;
            match local::reached(self.zone, wanted) {
                Some(tick) if tick > moment => return Some(tick),
                // The zone skipped that day, or the tick came when the clock first showed this
                // hour.
                _ => {}
            }
        }
    }

    /// For intervals. Follows the local clock from one change of its offset to the next.
    fn next_of_intervals(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = moment;
        let mut wanted = self.match_after(local::time(self.zone, from)?)?;
        loop {
            let tick = local::under_offset_of(self.zone, from, wanted)?;
            let Some(change) = local::next_change(self.zone, from, tick) else {
                return Some(tick);
            };
            from = change;
            wanted = self.match_from(local::time(self.zone, from)?, true)?;
        }
    }

    fn match_after(&self, local: NaiveDateTime) -> Option<NaiveDateTime> {
        self.match_from(local, false)
    }

    /// The next match of the expression on a local clock that is never changed.
    fn match_from(&self, local: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        // Typed as UTC, which has no gaps: in a zone with gaps the parser fails at a skipped day,
        // and in a repeated hour it gives a moment that has passed.
        let found = self.cron.find_next_occurrence(&local.and_utc(), inclusive);
        found.ok().map(|found| found.naive_utc())
    }

    /// The newest tick up to `moment`, if one lies within the last 400 days.
    #[must_use]
    pub fn newest_up_to(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.newest_between(moment.checked_sub_signed(LOOK_BACK)?, moment)
    }

    /// The newest tick after `from` and not after `to`.
    fn newest_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next = |from, to| self.next_after(from).filter(|tick| *tick <= to);
        let mut newest = next(from, to)?;
        let mut end = to;
        // Bisection: with a tick every second over years, this takes a few steps.
        while let Some(following) = next(newest, end) {
            let middle = following + (end - following) / 2;
            if let Some(later) = next(middle, end) {
                newest = later;
            } else {
                newest = following;
                end = middle;
            }
        }
        Some(newest)
    }

    /// The local date of `moment` in the schedule's zone.
    #[must_use]
    pub fn date(&self, moment: DateTime<Utc>) -> NaiveDate {
        moment.with_timezone(&self.zone).date_naive()
    }

    /// `moment` in the schedule's zone, for a person.
    #[must_use]
    pub fn in_zone(&self, moment: DateTime<Utc>) -> String {
        moment
            .with_timezone(&self.zone)
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }

    /// As [`Schedule::in_zone`], to the minute, with the name of the month.
    #[must_use]
    pub fn minute(&self, moment: DateTime<Utc>) -> String {
        let local = moment.with_timezone(&self.zone);
        local.format("%-d %b %Y %H:%M %Z").to_string()
    }
}

#[cfg(test)]
mod tests;
