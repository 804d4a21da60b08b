//! What the service manager shows of a run under way.

use std::convert::Infallible;
use std::time::Duration;

use tokio::sync::watch;

use crate::lifecycle::notify_status;
use crate::partner_center::Client;
use crate::schedule::Schedule;
use crate::store::RunKind;
use crate::sync::Progress;

/// How often the service manager is told, at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// Tells how far a run is, such as "Run 12 (schedule): fetching, 120 of 455 customers, paused by
/// Partner Center until 06:14:20". Times are those of the schedule's zone.
pub(super) async fn tell_of_run(
    client: &Client,
    schedule: &Schedule,
    kind: RunKind,
    progress: watch::Receiver<Progress>,
) -> Infallible {
    let mut told = String::new();
    loop {
        let now = *progress.borrow();
        let run = now
            .run_id
            .map_or_else(|| "A run".to_owned(), |id| format!("Run {id}"));
        let until = client.throttle().paused_until;
        let pause = until.map_or_else(String::new, |until| {
            let until = schedule.in_zone(until);
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
