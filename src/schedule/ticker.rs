//! Waits for the ticks of a [`Schedule`]. The only user of the cron scheduler crate, which serves
//! as a plain alarm clock: it is set to one moment in UTC, and its alarm only means that it is time
//! to look at the clock. The plan decides what is due, so that an alarm that comes late, twice or
//! never costs a second, and no tick.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, info};

use super::Schedule;
use super::plan::TickPlan;
use crate::clock::Clock;

/// How long before a tick the alarm is set. Its scheduler wakes up twice a second, which would be a
/// waste all day.
const ALARM_LEAD: Duration = Duration::from_mins(1);

/// The longest wait between two looks at the clock: the machine may sleep, and its clock may be
/// set.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);

/// How long an alarm is waited for beyond its moment. After that, the clock is looked at without
/// it.
const ALARM_TOLERANCE: Duration = Duration::from_secs(1);

/// Jumps of the clock from which on they are logged. Time synchronisation makes smaller ones.
const LOGGED_JUMP: TimeDelta = TimeDelta::seconds(10);

/// Gives the ticks of a [`Schedule`], one at a time, and says which is next.
pub struct Ticker {
    clock: Arc<dyn Clock>,
    plan: TickPlan,
    /// When the plan last looked at the clock.
    looked: Instant,
    next: watch::Sender<Option<DateTime<Utc>>>,
    alarm: Option<Alarm>,
    alarms: mpsc::Receiver<()>,
    ring: mpsc::Sender<()>,
}

struct Alarm {
    set_to: Option<DateTime<Utc>>,
    scheduler: JobScheduler,
}

impl Ticker {
    /// Begins with the first tick after now.
    #[must_use]
    pub fn new(schedule: Schedule, clock: Arc<dyn Clock>) -> Self {
        let (ring, alarms) = mpsc::channel(1);
        let plan = TickPlan::new(schedule, clock.now());
        let (next, _) = watch::channel(plan.next());
        Self {
            clock,
            plan,
            looked: Instant::now(),
            next,
            alarm: None,
            alarms,
            ring,
        }
    }

    /// The moment of the next tick. It changes at each tick and when the clock is set; none if the
    /// schedule has no further tick.
    #[must_use]
    pub fn next_tick(&self) -> watch::Receiver<Option<DateTime<Utc>>> {
        self.next.subscribe()
    }

    /// Marks the newest tick up to `moment` as done, so that it does not come, not even after the
    /// clock is set back: a run that ended then, or begins now, fetches the same.
    pub fn mark_done(&mut self, moment: DateTime<Utc>) {
        self.plan.mark_done(moment);
        self.publish_next();
    }

    /// Waits for the next tick and returns its moment. Ticks that passed while the machine slept,
    /// or that its clock jumped over, come as one. Dropping the future loses no tick.
    pub async fn tick(&mut self) -> DateTime<Utc> {
        loop {
            if let Some(due) = self.look() {
                return due;
            }
            self.wait().await;
        }
    }

    fn look(&mut self) -> Option<DateTime<Utc>> {
        let (now, instant) = (self.clock.now(), Instant::now());
        let look = self.plan.look(now, instant - self.looked);
        self.looked = instant;
        self.publish_next();
        if look.jumped.abs() >= LOGGED_JUMP {
            info!(
                jumped_secs = look.jumped.num_seconds(),
                "The clock was set, or the machine slept: the next run is worked out again"
            );
        }
        look.due
    }

    fn publish_next(&self) {
        let next = self.plan.next();
        self.next.send_if_modified(|published| {
            let is_new = *published != next;
            *published = next;
            is_new
        });
    }

    /// Waits until it is time to look at the clock again.
    async fn wait(&mut self) {
        let now = self.clock.now();
        let next = self.plan.next();
        let left = next.map(|next| (next - now).to_std().unwrap_or_default());
        match next.zip(left) {
            Some((next, left)) if left <= ALARM_LEAD => {
                if let Err(error) = self.set_alarm(next).await {
                    debug!(%error, "The alarm could not be set");
                }
                tokio::select! {
                    // The sender lives as long as the ticker, so the channel never closes.
                    _ = self.alarms.recv() => {}
                    () = sleep((left + ALARM_TOLERANCE).min(LOOK_INTERVAL)) => {}
                }
            }
            _ => {
                self.end_alarm().await;
                let until_near = left.map_or(LOOK_INTERVAL, |left| left.saturating_sub(ALARM_LEAD));
                sleep(until_near.min(LOOK_INTERVAL)).await;
            }
        }
    }

    async fn set_alarm(&mut self, next: DateTime<Utc>) -> Result<(), JobSchedulerError> {
        let alarm = if let Some(alarm) = &mut self.alarm {
            alarm
        } else {
            let scheduler = JobScheduler::new().await?;
            scheduler.start().await?;
            self.alarm.insert(Alarm {
                set_to: None,
                scheduler,
            })
        };
        if alarm.set_to == Some(next) {
            return Ok(());
        }
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
                // If the channel is full, an alarm is pending already.
                let _already_rung = ring.try_send(());
            })
        })?;
        // After the clock was set back, an earlier alarm may still be set. It does no harm.
        alarm.scheduler.add(job).await?;
        alarm.set_to = Some(next);
        Ok(())
    }

    async fn end_alarm(&mut self) {
        if let Some(mut alarm) = self.alarm.take()
            && let Err(error) = alarm.scheduler.shutdown().await
        {
            debug!(%error, "The scheduler did not end cleanly");
        }
    }

    /// Ends the scheduler's own tasks.
    pub async fn stop(mut self) {
        self.end_alarm().await;
    }
}

#[cfg(test)]
mod tests;
