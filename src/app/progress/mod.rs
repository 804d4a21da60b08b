//! The progress of `--backfill` on a terminal: what the run does, a pause with its end, customers
//! or dates done, rate, remaining time.

mod pace;

use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Local, TimeDelta, Utc};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use crate::clock::Clock;
use crate::partner_center::Client;
use crate::span::span;
use crate::sync::{Phase, Progress};
use pace::{RunPace, in_words};

/// How often it is drawn without news. With a longer interval, the run would seem to stand still.
const REDRAW: Duration = Duration::from_millis(500);

/// What the run does, cut to the terminal's width; and below it the bar, once there is a list.
const WITHOUT_BAR: &str = "{wide_msg}";
const WITH_BAR: &str = "{wide_msg}\n{wide_bar} {prefix}";

/// Draws `progress` until its sender is gone; on anything but a terminal nothing is drawn. That the
/// run waits for another one is written to standard error in any case, whatever the log level: the
/// command would otherwise seem to hang.
pub(crate) async fn draw(
    bars: MultiProgress,
    mut progress: watch::Receiver<Progress>,
    client: Arc<Client>,
    clock: Arc<dyn Clock>,
) {
    let style = |template| {
        ProgressStyle::with_template(template).expect("the template names only known parts")
    };
    let bar = bars.add(ProgressBar::no_length());
    bar.set_style(style(WITHOUT_BAR));
    let mut has_bar = false;
    let mut was_waiting = false;
    let mut pace = RunPace::default();
    loop {
        let progress_now = *progress.borrow_and_update();
        let is_waiting = progress_now.phase == Phase::WaitingForRun;
        if is_waiting && !std::mem::replace(&mut was_waiting, is_waiting) {
            // If standard error is closed, nothing is left to report to.
            let _written = bars.suspend(|| {
                writeln!(
                    io::stderr(),
                    "seatledger: another run is under way, waiting for it to end"
                )
            });
        }
        let now = clock.now();
        let paused_until = client.throttle().paused_until;
        let paused_until = paused_until.filter(|until| *until > now);
        let scale = Scale::of(&progress_now);
        if scale.total > 0 && !std::mem::replace(&mut has_bar, true) {
            bar.set_style(style(WITH_BAR));
        }
        bar.set_length(scale.total);
        bar.set_position(scale.done);
        bar.set_message(doing(&progress_now, paused_until));
        if scale.total > 0 {
            let at = Instant::now();
            pace.observe(at, scale.position);
            let pause = paused_until.map(|until| (until - now).to_std().unwrap_or_default());
            bar.set_prefix(figures(
                &scale,
                pace.rate(at, scale.position),
                pause.unwrap_or_default(),
            ));
        }
        bar.tick();
        // A pause does not change `progress`, so it is looked for at every redraw.
        if let Ok(Err(_)) = timeout(REDRAW, progress.changed()).await {
            break;
        }
    }
    bar.finish_and_clear();
}

/// What is counted: customers, or the dates of a dated backfill.
struct Scale {
    unit: &'static str,
    total: u64,
    done: u64,
    /// With the fraction of the date under way.
    position: f64,
}

impl Scale {
    #[expect(
        clippy::cast_precision_loss,
        reason = "the last digit of a rate does not matter"
    )]
    fn of(progress: &Progress) -> Self {
        let Progress { total, done, .. } = *progress;
        match progress.dates {
            Some(dates) => Self {
                unit: "dates",
                total: dates.total,
                done: dates.done,
                position: dates.done as f64 + done as f64 / total.max(1) as f64,
            },
            None => Self {
                unit: "customers",
                total,
                done,
                position: done as f64,
            },
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the last digit of a rate does not matter"
    )]
    fn pending(&self) -> f64 {
        (self.total as f64 - self.position).max(0.0)
    }
}

/// What the run does.
fn doing(progress: &Progress, paused_until: Option<DateTime<Utc>>) -> String {
    let paused = paused_until.map(|until| {
        let until = until.with_timezone(&Local).format("%H:%M:%S");
        format!("paused by Partner Center until {until}")
    });
    let date = progress.dates.map(|dates| dates.date.to_string());
    let failed = (progress.failed > 0).then(|| format!("{} failed", progress.failed));
    let parts = [Some(progress.phase.to_string()), paused, date, failed];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// How much is done, how fast, and how long it still takes.
fn figures(scale: &Scale, rate: Option<f64>, pause: Duration) -> String {
    let Scale {
        unit, total, done, ..
    } = scale;
    let left = RunPace::left(rate, scale.pending(), pause);
    let left = left.and_then(|left| TimeDelta::from_std(left).ok());
    let left = left.map_or_else(|| "?".to_owned(), span);
    format!("{done}/{total} {unit}, {}, {left} left", in_words(rate))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::sync::DatesProgress;

    #[test]
    fn the_lines_say_what_the_run_does_and_what_is_left() {
        let mut progress = Progress {
            phase: Phase::Fetching,
            total: 455,
            done: 120,
            failed: 2,
            ..Progress::default()
        };
        assert_eq!(doing(&progress, None), "fetching, 2 failed");
        let scale = Scale::of(&progress);
        assert_eq!(
            figures(&scale, None, Duration::ZERO),
            "120/455 customers, ? a second, ? left"
        );
        assert_eq!(
            figures(&scale, Some(0.5), Duration::from_mins(1)),
            "120/455 customers, 30.0 a minute, 12 minutes left"
        );
        progress.dates = Some(DatesProgress {
            date: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
            done: 2,
            total: 4,
        });
        let until = "2026-11-28T06:14:20Z".parse().unwrap();
        let said = doing(&progress, Some(until));
        assert!(
            said.starts_with("fetching, paused by Partner Center until "),
            "{said}"
        );
        assert!(said.ends_with(", 2026-03-01, 2 failed"), "{said}");
        let scale = Scale::of(&progress);
        assert_eq!((scale.done, scale.total), (2, 4));
        assert!(scale.position > 2.26 && scale.pending() < 1.74);
    }
}
