//! The progress bar of `--backfill` on a terminal: customers done, rate, remaining time.

use std::io::{self, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;

use crate::sync::Progress;

/// Draws what `progress` says until its sender is gone. On anything but a terminal no bar is drawn.
/// That another run is waited for is said everywhere, whatever is logged: the person at the
/// terminal would take it for hanging.
pub(crate) async fn draw(bars: MultiProgress, mut progress: watch::Receiver<Progress>) {
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(
        ProgressStyle::with_template(
            "{msg} {wide_bar} {pos}/{len} {prefix}, {per_sec}, {eta} left",
        )
        .expect("the template names only known parts"),
    );
    // Half a second without news must not look like standing still.
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
            // Where standard error is closed there is nobody to tell.
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
