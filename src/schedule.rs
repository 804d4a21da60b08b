//! A cron expression and a time zone, and the ticks that follow from them. Runs no work.
//! The only user of the cron scheduler, which is used as a plain alarm clock: it is always set to one
//! moment in UTC, computed here in the real zone, so that no clock change can shift a tick
//! (see `docs/decisions/0002-scheduler-as-an-alarm-clock.md`).

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike, SubsecRound as _, Timelike, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use crate::clock::Clock;

/// When runs are due, in local time of a zone.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
}

/// A schedule that cannot be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression cannot be read.
    #[error("{0}")]
    Expression(String),
    /// The zone is not in the IANA data base.
    #[error("not an IANA time zone")]
    Zone,
    /// No moment fits the expression.
    #[error("it never fires")]
    Never,
}

impl Schedule {
    /// Reads a six-field expression (seconds first; day of month AND day of week must both fit) and a zone.
    ///
    /// # Errors
    /// When either cannot be read, or when no moment after `now` fits.
    pub fn try_new(cron: &str, zone: &str, now: DateTime<Utc>) -> Result<Self, ScheduleError> {
        let zone: Tz = zone.parse().map_err(|_| ScheduleError::Zone)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .dom_and_dow(true)
            .build()
            .parse(cron)
            .map_err(|error| ScheduleError::Expression(error.to_string()))?;
        let schedule = Self { cron, zone };
        schedule.next_after(now).ok_or(ScheduleError::Never)?;
        Ok(schedule)
    }

    /// The first tick after `moment`; none when the expression names years that are over.
    #[must_use]
    pub fn next_after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron
            .find_next_occurrence(&moment.with_timezone(&self.zone), false)
            .ok()
            // The search carries the fraction of the second from which it began.
            .map(|tick| tick.with_timezone(&Utc).trunc_subsecs(0))
    }

    /// Whether a tick falls after `from` and not after `to`.
    #[must_use]
    pub fn ticks_between(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.next_after(from).is_some_and(|tick| tick <= to)
    }

    /// `moment` as a person at the schedule's place would write it.
    #[must_use]
    pub fn in_zone(&self, moment: DateTime<Utc>) -> String {
        moment
            .with_timezone(&self.zone)
            .format("%Y-%m-%d %H:%M:%S %Z")
            .to_string()
    }
}

/// Gives the ticks of a [`Schedule`], one at a time.
pub struct Ticker {
    schedule: Schedule,
    clock: Arc<dyn Clock>,
    alarm: JobScheduler,
    alarms: mpsc::Receiver<DateTime<Utc>>,
    ring: mpsc::Sender<DateTime<Utc>>,
    next: Option<DateTime<Utc>>,
    /// A tick that was heard while the next alarm was not yet set.
    heard: Option<DateTime<Utc>>,
}

impl Ticker {
    /// Sets the alarm to the first tick after now.
    ///
    /// # Errors
    /// When the scheduler cannot be started.
    pub async fn start(
        schedule: Schedule,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, JobSchedulerError> {
        let alarm = JobScheduler::new().await?;
        alarm.start().await?;
        let (ring, alarms) = mpsc::channel(1);
        let now = clock.now();
        let mut ticker = Self {
            schedule,
            clock,
            alarm,
            alarms,
            ring,
            next: None,
            heard: None,
        };
        ticker.set_alarm_after(now).await?;
        Ok(ticker)
    }

    /// The moment of the next tick.
    #[must_use]
    pub fn next_tick(&self) -> Option<DateTime<Utc>> {
        self.next
    }

    /// Waits for the next tick and returns the moment it was set for. Ticks that passed unheard, because the machine
    /// slept or its clock leapt, come as one. Dropping the future loses no tick.
    ///
    /// # Errors
    /// When the scheduler refuses the next alarm. That comes after a second's wait: the next call tries again.
    pub async fn tick(&mut self) -> Result<DateTime<Utc>, JobSchedulerError> {
        let due = loop {
            match self.heard {
                Some(due) => break due,
                // The sender lives as long as the ticker, so the channel never closes. An alarm that was set twice
                // rings twice; only the first is the one that is waited for.
                None => {
                    self.heard = self
                        .alarms
                        .recv()
                        .await
                        .filter(|rung| self.next == Some(*rung));
                }
            }
        };
        // A clock that was set back must not bring the same tick again.
        let now = self.clock.now();
        if let Err(error) = self.set_alarm_after(now.max(due)).await {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return Err(error);
        }
        self.heard = None;
        Ok(due)
    }

    async fn set_alarm_after(&mut self, moment: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        self.next = self.schedule.next_after(moment);
        let Some(next) = self.next else {
            return Ok(());
        };
        let at = format!(
            "{} {} {} {} {} * {}",
            next.second(),
            next.minute(),
            next.hour(),
            next.day(),
            next.month(),
            next.year()
        );
        let ring = self.ring.clone();
        // The closure must not panic: the scheduler would never call it again.
        let job = Job::new_async_tz(at, Utc, move |_, _| {
            let ring = ring.clone();
            Box::pin(async move {
                // A full channel means that the same tick has been rung already.
                let _already_rung = ring.try_send(next);
            })
        })?;
        self.alarm.add(job).await?;
        // An alarm whose moment passed while it was being set never rings.
        if self.clock.now() >= next {
            let _already_rung = self.ring.try_send(next);
        }
        Ok(())
    }

    /// Ends the scheduler's own tasks.
    pub async fn stop(mut self) {
        if let Err(error) = self.alarm.shutdown().await {
            tracing::debug!(%error, "The scheduler did not end cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn schedule(cron: &str, zone: &str) -> Schedule {
        Schedule::try_new(cron, zone, at("2026-01-01T00:00:00Z")).unwrap()
    }

    #[test]
    fn a_schedule_keeps_its_local_time_when_the_clocks_change() {
        let berlin = schedule("0 0 6 * * *", "Europe/Berlin");
        for (before, tick) in [
            ("2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"),
            ("2026-03-29T04:00:00Z", "2026-03-30T04:00:00Z"),
            ("2026-10-24T04:00:00Z", "2026-10-25T05:00:00Z"),
            ("2026-11-24T04:59:59.999Z", "2026-11-24T05:00:00Z"),
            ("2026-11-24T05:00:00.001Z", "2026-11-25T05:00:00Z"),
        ] {
            assert_eq!(
                berlin.next_after(at(before)),
                Some(at(tick)),
                "after {before}"
            );
        }
    }

    #[test]
    fn a_time_that_a_clock_change_leaves_out_comes_once_all_the_same() {
        let berlin = schedule("0 30 2 * * *", "Europe/Berlin");
        let ticks: Vec<_> =
            std::iter::successors(berlin.next_after(at("2026-03-28T12:00:00Z")), |tick| {
                berlin.next_after(*tick)
            })
            .take(2)
            .collect();
        assert_eq!(
            ticks,
            [at("2026-03-29T01:00:00Z"), at("2026-03-30T00:30:00Z")]
        );
    }

    #[test]
    fn a_tick_counts_as_passed_from_its_own_moment_on() {
        let daily = schedule("0 0 6 * * *", "UTC");
        let passed = |from, to| daily.ticks_between(at(from), at(to));
        assert!(passed("2026-05-04T05:59:59Z", "2026-05-04T06:00:00Z"));
        assert!(!passed("2026-05-04T06:00:00Z", "2026-05-05T05:59:59Z"));
    }

    #[test]
    fn a_schedule_that_never_fires_is_refused() {
        let refused = Schedule::try_new("0 0 0 30 2 *", "UTC", at("2026-01-01T00:00:00Z"));
        assert_eq!(refused.unwrap_err(), ScheduleError::Never);
    }

    #[test]
    fn an_expression_without_seconds_and_an_unknown_zone_are_refused() {
        let now = at("2026-01-01T00:00:00Z");
        assert!(matches!(
            Schedule::try_new("0 6 * * *", "UTC", now).unwrap_err(),
            ScheduleError::Expression(_)
        ));
        assert_eq!(
            Schedule::try_new("0 0 6 * * *", "Mars/Olympus", now).unwrap_err(),
            ScheduleError::Zone
        );
    }

    #[tokio::test]
    async fn ticks_come_one_after_the_other() {
        let every_second = schedule("* * * * * *", "Asia/Kathmandu");
        let mut ticker = Ticker::start(every_second, Arc::new(crate::clock::SystemClock))
            .await
            .unwrap();
        let first = ticker.tick().await.unwrap();
        let second = ticker.tick().await.unwrap();
        assert!(second > first);
        ticker.stop().await;
    }
}
