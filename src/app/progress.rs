//! The progress bar of `--backfill` on a terminal: customers done, rate, remaining time.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::Local;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::partner_center::Client;
use crate::sync::{Phase, Progress};

/// How often the bar is drawn without news. With a longer interval, the run would seem to stand
/// still.
const REDRAW: Duration = Duration::from_millis(500);

/// Draws `progress` until its sender is gone; on anything but a terminal nothing is drawn. That the
/// run waits for another one is written to standard error in any case, whatever the log level: the
/// command would otherwise seem to hang.
pub(crate) async fn draw(
    bars: MultiProgress,
    mut progress: watch::Receiver<Progress>,
    client: Arc<Client>,
) {
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(
        ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {prefix}, {per_sec}, {eta} left",
        )
        .expect("the template names only known parts"),
    );
    bar.enable_steady_tick(REDRAW);
    let mut was_waiting = false;
    loop {
        // A pause does not change `progress`, so it is looked for at every redraw.
        if let Ok(Err(_)) = timeout(REDRAW, progress.changed()).await {
            break;
        }
        let Progress {
            phase,
            dates,
            total,
            done,
            failed,
            ..
        } = *progress.borrow_and_update();
        let is_waiting = phase == Phase::WaitingForRun;
        if is_waiting && !std::mem::replace(&mut was_waiting, is_waiting) {
            // If standard error is closed, nothing is left to report to.
            let _written = bars.suspend(|| {
                writeln!(
                    io::stderr(),
                    "seatledger: another run is under way, waiting for it to end"
                )
            });
        }
        let (unit, length, position) = match dates {
            Some(dates) => ("dates", dates.total, dates.done),
            None => ("customers", total, done),
        };
        bar.set_prefix(unit);
        bar.set_length(length);
        bar.set_position(position);
        let date = dates.map(|dates| dates.date.to_string());
        let failed = (failed > 0).then(|| format!("{failed} failed"));
        let paused = client.throttle().paused_until.map(|until| {
            let until = until.with_timezone(&Local).format("%H:%M:%S");
            format!("paused by Partner Center until {until}")
        });
        let message: Vec<String> = paused.into_iter().chain(date).chain(failed).collect();
        bar.set_message(message.join(", "));
    }
    bar.finish_and_clear();
}
