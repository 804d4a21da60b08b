//! Brings the ledger's tables up to date while others read them. An attempt that another session's
//! lock stops is repeated after a pause, in which those who came after it get their turn.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::locks::{lost_session, names, watch_locks};
use super::retry::retrying;
use crate::clock::Clock;
use crate::retry::RetryPolicy;
use crate::shutdown::Shutdown;
use crate::store::{Holder, Migrations, Store, StoreError};
use crate::sync::error::RunError;

/// The first pause after an attempt; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the holders of locks are looked up: an attempt waits for two seconds.
const LOOK_UP_INTERVAL: Duration = Duration::from_millis(500);

/// The tables, to be brought up to date.
pub struct Upgrade<'a> {
    /// The ledger's database.
    pub store: &'a Store,
    /// What to apply.
    pub migrations: &'a Migrations,
    /// How long a database that is away is waited for.
    pub retry: RetryPolicy,
    /// For the time since which others have been waited for.
    pub clock: &'a Arc<dyn Clock>,
    /// Ends the waits.
    pub shutdown: &'a Shutdown,
}

/// A wait for other sessions to give up their locks.
#[derive(Debug, Clone)]
pub struct UpgradeWait {
    /// When it began.
    pub since: DateTime<Utc>,
    /// The server processes of the sessions.
    pub backends: Vec<i32>,
}

impl Upgrade<'_> {
    /// Applies the migrations, and shows in `waiting` while others keep it from doing so.
    ///
    /// # Errors
    /// When the database cannot be used, other sessions do not give up their locks in time, or the
    /// program is asked to stop meanwhile.
    pub async fn run(&self, waiting: &watch::Sender<Option<UpgradeWait>>) -> Result<(), RunError> {
        let holders = watch::Sender::new(Vec::new());
        let mut pause = FIRST_PAUSE;
        // When another session was first in the way.
        let mut began = None;
        let attempts = async {
            loop {
                let attempt = async || {
                    tokio::select! {
                        biased;
                        migrated = self.store.migrate(self.migrations) => migrated,
                        () = Box::pin(lost_session(self.store)) => Err(StoreError::TimedOut {
                            operation: "applying the migrations".into(),
                        }),
                    }
                };
                let attempted =
                    retrying(self.store, self.retry, self.shutdown, None, attempt).await;
                let Err(RunError::Store(StoreError::Locked)) = attempted else {
                    return attempted;
                };
                let others = holders.borrow().clone();
                if others.is_empty() {
                    warn!("The tables cannot be brought up to date yet: other sessions use them");
                }
                let (began, since) =
                    *began.get_or_insert_with(|| (Instant::now(), self.clock.now()));
                let backends = others.iter().map(Holder::backend).collect();
                waiting.send_replace(Some(UpgradeWait { since, backends }));
                if began.elapsed() + pause > self.migrations.patience() {
                    return Err(RunError::Blocked {
                        waited: began.elapsed(),
                        holders: names(&others),
                    });
                }
                debug!(pause = ?pause, "A migration waited for a lock in vain");
                let paused = self.shutdown.pause(pause).await;
                paused.map_err(|_| RunError::Stopped)?;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        };
        let pulse = &self.shutdown.pulse;
        let migrated = tokio::select! {
            biased;
            migrated = Box::pin(attempts) => migrated,
            never = watch_locks(self.store, LOOK_UP_INTERVAL, &holders, pulse) => never,
        };
        if waiting.send_replace(None).is_some() && migrated.is_ok() {
            info!("The lock on the ledger is free, and work goes on");
        }
        migrated
    }
}
