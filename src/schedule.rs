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

/// So near a tick the alarm is set. Its scheduler looks at the clock twice a second, which nobody needs all day.
const NEAR: Duration = Duration::from_mins(1);

/// How often the clock is looked at until then. The machine may sleep, and its clock may leap.
const LOOK: Duration = Duration::from_secs(30);

/// Gives the ticks of a [`Schedule`], one at a time.
pub struct Ticker {
    schedule: Schedule,
    clock: Arc<dyn Clock>,
    /// None while no tick is near.
    alarm: Option<JobScheduler>,
    alarms: mpsc::Receiver<DateTime<Utc>>,
    ring: mpsc::Sender<DateTime<Utc>>,
    next: Option<DateTime<Utc>>,
    /// Whether the alarm is set to the next tick.
    is_set: bool,
}

impl Ticker {
    /// Begins with the first tick after now.
    #[must_use]
    pub fn new(schedule: Schedule, clock: Arc<dyn Clock>) -> Self {
        let (ring, alarms) = mpsc::channel(1);
        let next = schedule.next_after(clock.now());
        Self {
            schedule,
            clock,
            alarm: None,
            alarms,
            ring,
            next,
            is_set: false,
        }
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
    /// When the scheduler refuses the alarm. That comes after a second's wait: the next call tries again.
    pub async fn tick(&mut self) -> Result<DateTime<Utc>, JobSchedulerError> {
        let due = loop {
            if let Err(error) = self.set_alarm_in_time().await {
                tokio::time::sleep(Duration::from_secs(1)).await;
                return Err(error);
            }
            // The sender lives as long as the ticker, so the channel never closes. An alarm that was set twice
            // rings twice; only the first is the one that is waited for.
            match self.alarms.recv().await {
                Some(rung) if self.next == Some(rung) => break rung,
                _ => {}
            }
        };
        // A clock that was set back must not bring the same tick again.
        self.next = self.schedule.next_after(self.clock.now().max(due));
        self.is_set = false;
        Ok(due)
    }

    async fn set_alarm_in_time(&mut self) -> Result<(), JobSchedulerError> {
        while !self.is_set {
            let now = self.clock.now();
            let left = self
                .next
                .map(|next| (next - now).to_std().unwrap_or_default());
            match (self.next, left) {
                (Some(next), Some(left)) if left <= NEAR => self.set_alarm(next).await?,
                _ => {
                    if let Some(mut alarm) = self.alarm.take() {
                        alarm.shutdown().await?;
                    }
                    let until_near = left.map_or(LOOK, |left| left.saturating_sub(NEAR));
                    tokio::time::sleep(until_near.min(LOOK)).await;
                }
            }
        }
        Ok(())
    }

    async fn set_alarm(&mut self, next: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        let alarm = if let Some(alarm) = &self.alarm {
            alarm
        } else {
            let alarm = JobScheduler::new().await?;
            alarm.start().await?;
            self.alarm.insert(alarm)
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
        // A tick that was rung twice would be in the place of this one.
        while self.alarms.try_recv().is_ok() {}
        alarm.add(job).await?;
        self.is_set = true;
        // An alarm whose moment passed while it was being set never rings.
        if self.clock.now() >= next {
            let _already_rung = self.ring.try_send(next);
        }
        Ok(())
    }

    /// Ends the scheduler's own tasks.
    pub async fn stop(self) {
        if let Some(mut alarm) = self.alarm
            && let Err(error) = alarm.shutdown().await
        {
            tracing::debug!(%error, "The scheduler did not end cleanly");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::clock::ManualClock;

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
        let clock = Arc::new(crate::clock::SystemClock);
        let mut ticker = Ticker::new(every_second, clock);
        let first = ticker.tick().await.unwrap();
        let second = ticker.tick().await.unwrap();
        assert!(second > first);
        ticker.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn the_scheduler_is_awake_only_when_a_tick_is_near() {
        let clock = Arc::new(ManualClock::new(at("2026-05-04T12:00:00Z")));
        let daily = schedule("0 0 6 * * *", "UTC");
        let mut ticker = Ticker::new(daily, Arc::clone(&clock) as Arc<dyn Clock>);
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        assert!(timeout(hours(17), ticker.tick()).await.is_err());
        assert!(ticker.alarm.is_none());
        // The machine sleeps through the tick.
        clock.set(at("2026-05-05T06:00:20Z"));
        let due = ticker.tick().await.unwrap();
        assert_eq!(due, at("2026-05-05T06:00:00Z"));
        assert!(ticker.alarm.is_some());
        assert!(timeout(hours(23), ticker.tick()).await.is_err());
        assert!(ticker.alarm.is_none());
        assert_eq!(ticker.next_tick(), Some(at("2026-05-06T06:00:00Z")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_tick_that_is_rung_twice_does_not_hide_the_next() {
        let clock = Arc::new(ManualClock::new(at("2026-05-04T06:00:00Z")));
        let daily = schedule("0 0 6 * * *", "UTC");
        let mut ticker = Ticker::new(daily, Arc::clone(&clock) as Arc<dyn Clock>);
        clock.set(at("2026-05-05T06:00:20Z"));
        let first = ticker.tick().await.unwrap();
        ticker.ring.try_send(first).unwrap();
        clock.set(at("2026-05-06T06:00:20Z"));
        let second = timeout(Duration::from_mins(1), ticker.tick()).await;
        assert_eq!(second.unwrap().unwrap(), at("2026-05-06T06:00:00Z"));
    }
}
