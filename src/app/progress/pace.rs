//! How fast a run goes, and how long it still takes. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// The rate is that of so much time. A longer time would hide that the API has become slower, a
/// shorter one would jump with every pause.
const WINDOW: Duration = Duration::from_mins(3);

/// No rate is told before so much time has been watched: the first customers come in bursts.
const LEAST: Duration = Duration::from_secs(5);

/// How often a sample is kept.
const STEP: Duration = Duration::from_secs(1);

/// The position of a run over the last minutes, pauses included.
#[derive(Debug, Default)]
pub(super) struct RunPace {
    samples: VecDeque<(Instant, f64)>,
}

impl RunPace {
    /// Takes the position at `now` to account. One behind the last is that of another run.
    pub(super) fn observe(&mut self, now: Instant, position: f64) {
        if let Some((at, last)) = self.samples.back() {
            if position < *last {
                self.samples.clear();
            } else if now < *at + STEP {
                return;
            }
        }
        self.samples.push_back((now, position));
        while self.samples.len() > 2 && self.samples[1].0 + WINDOW <= now {
            self.samples.pop_front();
        }
    }

    /// Units a second over the last minutes; none while it is unknown.
    pub(super) fn rate(&self, now: Instant, position: f64) -> Option<f64> {
        let (since, from) = self.samples.front()?;
        let passed = now - *since;
        let rate = (position - from) / passed.as_secs_f64();
        (passed >= LEAST && rate > 0.0).then_some(rate)
    }

    /// How long `pending` units still take, after a pause that is under way; none while it is
    /// unknown.
    pub(super) fn left(rate: Option<f64>, pending: f64, pause: Duration) -> Option<Duration> {
        let work = Duration::try_from_secs_f64(pending / rate?).ok()?;
        work.checked_add(pause)
    }
}

/// A rate with a unit of time in which it is a number that people can read.
pub(super) fn in_words(rate: Option<f64>) -> String {
    match rate {
        None => "? a second".to_owned(),
        Some(rate) if rate >= 1.0 => format!("{rate:.1} a second"),
        Some(rate) if rate * 60.0 >= 1.0 => format!("{:.1} a minute", rate * 60.0),
        Some(rate) => format!("{:.1} an hour", rate * 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_pause_lowers_the_rate_and_old_minutes_do_not_count() {
        let start = Instant::now();
        let mut pace = RunPace::default();
        for second in 0..60_u32 {
            pace.observe(start + seconds(second.into()), f64::from(second) * 10.0);
        }
        let rate = |pace: &RunPace, second, position| pace.rate(start + seconds(second), position);
        assert_eq!(rate(&pace, 60, 600.0), Some(10.0));
        assert_eq!(rate(&pace, 120, 600.0), Some(5.0), "a minute of pause");
        for second in 60..400_u32 {
            pace.observe(
                start + seconds(second.into()),
                f64::from(second - 60) + 600.0,
            );
        }
        let now = rate(&pace, 400, 940.0).unwrap();
        assert!((0.9..1.1).contains(&now), "{now}");
        assert!(pace.samples.len() < 200, "{}", pace.samples.len());
    }

    #[test]
    fn nothing_is_said_before_it_is_known() {
        let start = Instant::now();
        let mut pace = RunPace::default();
        assert_eq!(pace.rate(start, 0.0), None);
        pace.observe(start, 0.0);
        assert_eq!(pace.rate(start + seconds(1), 50.0), None, "too early");
        assert_eq!(pace.rate(start + seconds(60), 0.0), None, "nothing is done");
        assert_eq!(in_words(None), "? a second");
        assert_eq!(RunPace::left(None, 10.0, Duration::ZERO), None);
    }

    #[test]
    fn the_remaining_time_includes_the_pause_that_is_under_way() {
        assert_eq!(
            RunPace::left(Some(2.0), 100.0, seconds(30)),
            Some(seconds(80))
        );
        assert_eq!(RunPace::left(Some(1e-300), 1e300, Duration::ZERO), None);
    }

    #[test]
    fn another_run_begins_anew() {
        let start = Instant::now();
        let mut pace = RunPace::default();
        pace.observe(start, 500.0);
        pace.observe(start + seconds(10), 0.0);
        assert_eq!(pace.rate(start + seconds(20), 10.0), Some(1.0));
    }

    #[test]
    fn slow_rates_are_told_by_the_minute_or_the_hour() {
        assert_eq!(in_words(Some(12.34)), "12.3 a second");
        assert_eq!(in_words(Some(0.5)), "30.0 a minute");
        assert_eq!(in_words(Some(0.001)), "3.6 an hour");
    }
}
