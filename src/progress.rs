//! The progress bar of `--backfill` on a terminal: customers done, rate, remaining time.

use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::sync::Progress;

/// Draws `progress` until its sender is gone; on anything but a terminal nothing is drawn. That the
/// run waits for another one is written to standard error in any case, whatever the log level: the
/// command would otherwise seem to hang.
pub(crate) async fn draw(bars: MultiProgress, mut progress: watch::Receiver<Progress>) {
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(
        ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {prefix}, {per_sec}, {eta} left",
        )
        .expect("the template names only known parts"),
    );
    // Without a tick, half a second without news would look like a standstill.
    bar.enable_steady_tick(Duration::from_millis(500));
    while progress.changed().await.is_ok() {
        let Progress {
            dates,
            total,
            done,
            failed,
            waiting,
        } = *progress.borrow_and_update();
        if waiting {
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
        let message: Vec<String> = date.into_iter().chain(failed).collect();
        bar.set_message(message.join(", "));
    }
    bar.finish_and_clear();
}
