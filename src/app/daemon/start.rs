//! The way to READY: the service manager takes the daemon for started once database, tables and
//! grant are proven. What is away is waited for, for as long as it takes.

use std::time::Duration;

use tracing::error;

use super::{Daemon, while_ticking};
use crate::causes::with_causes;
use crate::lifecycle::{notify_ready, notify_status};
use crate::schedule::Ticker;
use crate::shutdown::Shutdown;
use crate::sync::RunError;
use crate::watchdog::while_starting;

/// The first pause after a sign-in that failed; each further one is twice as long, up to the
/// longest. A sign-in has retried by itself before.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

impl Daemon {
    /// Completes when the daemon can do its work.
    ///
    /// # Errors
    /// When a person has to act first, or the program was asked to stop.
    pub(super) async fn start(
        &self,
        ticker: &mut Ticker,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let preparing = Box::pin(self.prepare(shutdown));
        // Ticks that come meanwhile are looked for when this daemon leads.
        let preparing = while_ticking(ticker, preparing, |_| {});
        while_starting(&shutdown.pulse, preparing).await?;
        notify_ready("Looking for the daemon that leads");
        Ok(())
    }

    /// Waits for the database and signs in.
    async fn prepare(&self, shutdown: &Shutdown) -> Result<(), RunError> {
        let database = self.syncer.store.address();
        notify_status(&format!("Starting: waiting for the database at {database}"));
        let migrate = self.syncer.migrate(self.database_retry.at_start, shutdown);
        self.notifier.unless_away(migrate).await?;
        // A dead token should show now, and not at the first tick, which may be a day away.
        notify_status("Starting: signing in");
        self.prove_grant(shutdown).await?;
        self.syncer.client.reach(shutdown).await?;
        self.record_consent(shutdown).await;
        Ok(())
    }

    /// Signs in, as often as it takes.
    async fn prove_grant(&self, shutdown: &Shutdown) -> Result<(), RunError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let session = self.syncer.client.begin_session();
            let Err(error) = session.sign_in(shutdown).await else {
                return Ok(());
            };
            let failed = Self::survivable(error.into())?;
            let error = with_causes(&failed);
            if pause == FIRST_PAUSE {
                self.notifier.could_not_run(&failed);
            }
            error!(
                error,
                "Signing in failed and is tried again in {} s: {error}",
                pause.as_secs()
            );
            notify_status(&format!("Starting: waiting for the sign-in: {error}"));
            let paused = shutdown.pause(pause).await;
            paused.map_err(|_| RunError::Stopped)?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
