//! Waits for the ticks of a [`Schedule`]. The only user of the cron scheduler, which is used as a
//! plain alarm clock: it is set to one moment in UTC and says no more than that it is time to look
//! at the clock. What is due is decided by the plan, so that an alarm that rings late, twice or
//! never costs a second and no tick.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Datelike as _, TimeDelta, Timelike as _, Utc};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tracing::{debug, info};

use super::Schedule;
use super::plan::Plan;
use crate::clock::Clock;

/// The alarm is set a minute before a tick. Its scheduler looks at the clock twice a second, which
/// nobody needs all day.
const NEAR: Duration = Duration::from_mins(1);

/// How often the clock is looked at in any case. The machine may sleep, and its clock may be set.
const LOOK: Duration = Duration::from_secs(30);

/// An alarm that has not rung by then is not waited for.
const LATE: Duration = Duration::from_secs(1);

/// A clock that is set by less than this, as time synchronisation does it, is not worth a line in
/// the log.
const WORTH_TELLING: TimeDelta = TimeDelta::seconds(10);

/// Gives the ticks of a [`Schedule`], one at a time, and says which is next.
pub struct Ticker {
    clock: Arc<dyn Clock>,
    plan: Plan,
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
        let plan = Plan::new(schedule, clock.now());
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

    /// The moment of the next tick, for everybody who tells of it. It changes at each tick and when
    /// the clock was set; none when the schedule names no further tick.
    #[must_use]
    pub fn next_tick(&self) -> watch::Receiver<Option<DateTime<Utc>>> {
        self.next.subscribe()
    }

    /// The newest tick up to `moment` does not come (again): a run that ended then, or begins now,
    /// has brought what it would bring. This matters where the clock is set back later.
    pub fn take_as_had(&mut self, moment: DateTime<Utc>) {
        self.plan.take_as_had(moment);
        self.tell_next();
    }

    /// Waits for the next tick and returns the moment it was set for. Ticks that passed unheard,
    /// because the machine slept or its clock leapt, come as one. Dropping the future loses no
    /// tick.
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
        self.tell_next();
        if look.leapt.abs() >= WORTH_TELLING {
            info!(
                leapt_secs = look.leapt.num_seconds(),
                "The clock was set, or the machine slept: the next run is worked out again"
            );
        }
        look.due
    }

    fn tell_next(&self) {
        let next = self.plan.next();
        self.next.send_if_modified(|told| {
            let is_news = *told != next;
            *told = next;
            is_news
        });
    }

    /// Until it is worth while to look at the clock again.
    async fn wait(&mut self) {
        let now = self.clock.now();
        let next = self.plan.next();
        let left = next.map(|next| (next - now).to_std().unwrap_or_default());
        match next.zip(left) {
            Some((next, left)) if left <= NEAR => {
                if let Err(error) = self.set_alarm(next).await {
                    debug!(%error, "The alarm could not be set");
                }
                tokio::select! {
                    // The sender lives as long as the ticker, so the channel never closes.
                    _ = self.alarms.recv() => {}
                    () = sleep((left + LATE).min(LOOK)) => {}
                }
            }
            _ => {
                self.end_alarm().await;
                let until_near = left.map_or(LOOK, |left| left.saturating_sub(NEAR));
                sleep(until_near.min(LOOK)).await;
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
                // A full channel means that somebody is to look at the clock already.
                let _already_rung = ring.try_send(());
            })
        })?;
        // Where the clock was set back, the moment before it stays set. It rings in vain.
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
