//! Which of the daemons on one ledger leads: the one that holds the lease `leader` does the ticks.
//! The others stand by: they ask again every two seconds, and keep their own sign-in alive.

use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{CHECK_INTERVAL, Daemon, while_ticking};
use crate::causes::with_causes;
use crate::lifecycle::notify_status;
use crate::printable::printable;
use crate::schedule::Ticker;
use crate::shutdown::Shutdown;
use crate::status::Leader;
use crate::store::{Attempt, Lease, LeaseName, LeaseRecord, Previous};
use crate::sync::RunError;

/// How often a daemon that stands by tries to take the lease. With the 15 seconds after which a
/// lease that is not renewed ends, another host takes over within 20.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// From which difference on an operator is told that this machine's clock is not the database's.
/// Leases are renewed every few seconds, so that smaller differences could not be seen.
const CLOCK_TOLERANCE: TimeDelta = TimeDelta::minutes(1);

/// The lead, and how it was come by.
pub(super) struct Lead {
    pub(super) lease: Lease,
    /// Since when the daemon that led before has led; none if there was none.
    pub(super) other_since: Option<DateTime<Utc>>,
}

impl Daemon {
    /// Waits until this daemon leads. Stands by while another does.
    ///
    /// # Errors
    /// When the database or the sign-in needs a person, or the program was asked to stop.
    pub(super) async fn stand_by(
        &self,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<Lead, RunError> {
        tokio::select! {
            lead = Box::pin(self.take_the_lead(shutdown)) => lead,
            ended = Box::pin(self.stay_signed_in(ticker, shutdown)) => match ended? {},
        }
    }

    async fn take_the_lead(&self, shutdown: &Shutdown) -> Result<Lead, RunError> {
        let mut other: Option<LeaseRecord> = None;
        loop {
            let found = match self.try_lead(shutdown).await? {
                Attempt::Acquired(lease) => {
                    self.say_that_this_leads(&lease, other.as_ref(), shutdown)
                        .await?;
                    let other_since = other.and_then(|other| other.acquired_at);
                    return Ok(Lead { lease, other_since });
                }
                Attempt::Held(found) => found,
            };
            if other.as_ref().map(|known| known.epoch) != Some(found.epoch) {
                self.say_that_another_leads(&found);
            }
            other = Some(found);
            let paused = shutdown.pause(POLL_INTERVAL).await;
            paused.map_err(|_| RunError::Stopped)?;
        }
    }

    async fn try_lead(&self, shutdown: &Shutdown) -> Result<Attempt, RunError> {
        let retry = self.database_retry.at_start;
        self.syncer.try_lead(retry, shutdown).await
    }

    /// Renews this host's sign-in at each tick, as a run would, so that it can take over at any
    /// time. Returns only an error that a person has to mend.
    async fn stay_signed_in(
        &self,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<Infallible, RunError> {
        loop {
            tokio::select! {
                biased;
                tick = ticker.tick() => {
                    info!(%tick, "A tick came while another daemon leads: signing in only");
                    let signing_in = Box::pin(self.sign_in(shutdown));
                    while_ticking(ticker, signing_in, |_| {}).await?;
                    self.record_consent(shutdown).await;
                    self.consent.warn();
                }
                () = sleep(CHECK_INTERVAL) => self.consent.warn_daily(),
            }
        }
    }

    fn say_that_another_leads(&self, found: &LeaseRecord) {
        let Some(leader) = leader(found, false) else {
            return;
        };
        let (host, since) = (&leader.host, self.schedule.in_zone(leader.since));
        info!(
            leader.host = host,
            lease.epoch = found.epoch,
            "Standing by: {host} leads since {since}"
        );
        notify_status(&format!("Standing by: {host} leads since {since}"));
        self.leader.send_replace(Some(leader));
        if let Some(renewed_at) = found.renewed_at {
            self.compare_clocks(renewed_at);
        }
    }

    async fn say_that_this_leads(
        &self,
        lease: &Lease,
        other: Option<&LeaseRecord>,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let now = self.syncer.clock.now();
        let leases = self
            .syncer
            .load_leases(self.database_retry.at_start, shutdown);
        let leases = leases.await?;
        let own = leases.iter().find(|found| {
            found.name == LeaseName::Leader.as_str() && found.holder == Some(lease.holder())
        });
        let own = own.and_then(|own| leader(own, true));
        let own = own.unwrap_or_else(|| Leader {
            host: self.host().to_owned(),
            since: now,
            is_this_process: true,
        });
        let other = other.and_then(|other| other.host.as_deref());
        let other = other.map_or_else(|| "the daemon that led before".to_owned(), printable);
        let why = match lease.previous() {
            Previous::Free => "no daemon led".to_owned(),
            Previous::Resigned => format!("{other} has stopped"),
            Previous::Gone => format!("{other} is gone"),
            Previous::Expired => format!("{other} has not renewed its lease in time"),
        };
        info!(lease.epoch = lease.epoch(), "This daemon leads: {why}");
        let since = own.since;
        self.leader.send_replace(Some(own));
        self.compare_clocks(since);
        Ok(())
    }

    /// `database` is what the database's clock showed a moment ago.
    fn compare_clocks(&self, database: DateTime<Utc>) {
        let ahead = self.syncer.clock.now() - database;
        if ahead.abs() <= CLOCK_TOLERANCE {
            return;
        }
        let (seconds, direction) = match ahead.num_seconds() {
            seconds @ 0.. => (seconds, "ahead of"),
            seconds => (-seconds, "behind"),
        };
        warn!(
            clock.ahead_secs = ahead.num_seconds(),
            "This machine's clock is {seconds} s {direction} the database's: ticks follow this \
             machine's clock, and would come at another moment on another host; set the clock"
        );
    }

    /// Signs in with this host's own token.
    ///
    /// # Errors
    /// When a person has to act first, or the program was asked to stop.
    pub(super) async fn sign_in(&self, shutdown: &Shutdown) -> Result<(), RunError> {
        let Err(error) = self.syncer.client.begin_session().sign_in(shutdown).await else {
            return Ok(());
        };
        let error = Self::survivable(error.into())?;
        let error = with_causes(&error);
        error!(
            error,
            "Signing in failed and is tried again at the next tick: {error}"
        );
        Ok(())
    }
}

/// None if nobody holds the lease.
fn leader(found: &LeaseRecord, is_this_process: bool) -> Option<Leader> {
    Some(Leader {
        host: printable(found.host.as_deref()?),
        since: found.acquired_at?,
        is_this_process,
    })
}
