//! What the service manager shows of a run under way.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;

use super::Daemon;
use crate::lifecycle::notify_status;
use crate::store::RunKind;
use crate::sync::Progress;

/// How often the service manager is told, at most.
const INTERVAL: Duration = Duration::from_secs(1);

impl Daemon {
    /// Tells how far a run is, such as "Run 12 (schedule): fetching, 120 of 455 customers, paused
    /// by Partner Center until 06:14:20".
    pub(super) async fn tell_of_run(
        &self,
        kind: RunKind,
        progress: watch::Receiver<Progress>,
    ) -> Infallible {
        let mut told = String::new();
        loop {
            let now = *progress.borrow();
            let run = now
                .run_id
                .map_or_else(|| "A run".to_owned(), |id| format!("Run {id}"));
            let until = self.syncer.client.throttle().paused_until;
            let pause = until.map_or_else(String::new, |until| {
                let until = self.schedule.in_zone(until);
                format!(", paused by Partner Center until {until}")
            });
            let status = format!("{run} ({}): {now}{pause}", kind.as_str());
            if status != told {
                notify_status(&status);
                told = status;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }
}
