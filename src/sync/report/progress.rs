//! How far a run is, for the progress bar, the service manager and the metrics.

use std::fmt;

use chrono::NaiveDate;
use tokio::sync::watch;

/// What a run does at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing yet.
    #[default]
    Starting,
    /// Waits for a database that is away, before the run or in the middle of it.
    WaitingForDatabase,
    /// Waits for another run to end before it begins.
    WaitingForRun,
    /// Asks for the first token.
    SigningIn,
    /// Makes up the list of customers.
    Listing,
    /// Fetches customers and stores them.
    Fetching,
    /// Records the end.
    Ending,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::WaitingForDatabase => "waiting for the database",
            Self::WaitingForRun => "waiting for another run to end",
            Self::SigningIn => "signing in",
            Self::Listing => "listing the customers",
            Self::Fetching => "fetching",
            Self::Ending => "recording the end",
        })
    }
}

/// How far a dated backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatesProgress {
    /// The date under way.
    pub date: NaiveDate,
    /// Dates that are done, including those that were complete before.
    pub done: u64,
    /// All dates.
    pub total: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// What it does at the moment.
    pub phase: Phase,
    /// Its number; none before it has begun, and for a dry run.
    pub run_id: Option<i64>,
    /// How far the dated backfill is, if the run is a pass of one.
    pub dates: Option<DatesProgress>,
    /// Customers on the list; 0 until it is known.
    pub total: u64,
    /// Customers recorded, including those that failed.
    pub done: u64,
    /// Customers recorded as failed.
    pub failed: u64,
}

impl Progress {
    /// Customers of the list that are not recorded yet.
    #[must_use]
    pub fn pending(&self) -> u64 {
        self.total.saturating_sub(self.done)
    }
}

/// The phase, the date of a dated backfill and the counts, such as
/// "fetching, 120 of 455 customers, 2 failed".
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.phase)?;
        if let Some(DatesProgress { date, done, total }) = self.dates {
            let number = done + 1;
            write!(f, ", date {number} of {total} ({date})")?;
        }
        if self.total > 0 {
            write!(f, ", {} of {} customers", self.done, self.total)?;
        }
        if self.failed > 0 {
            write!(f, ", {} failed", self.failed)?;
        }
        Ok(())
    }
}

/// Shows what a run does now.
pub(in crate::sync) fn enter(progress: &watch::Sender<Progress>, phase: Phase) {
    progress.send_if_modified(|progress| std::mem::replace(&mut progress.phase, phase) != phase);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_said_in_words() {
        let mut progress = Progress::default();
        assert_eq!(progress.to_string(), "starting");
        progress.phase = Phase::Fetching;
        (progress.total, progress.done) = (455, 120);
        assert_eq!(progress.to_string(), "fetching, 120 of 455 customers");
        assert_eq!(progress.pending(), 335);
        progress.failed = 2;
        progress.dates = Some(DatesProgress {
            date: NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(),
            done: 2,
            total: 90,
        });
        let said = "fetching, date 3 of 90 (2026-03-01), 120 of 455 customers, 2 failed";
        assert_eq!(progress.to_string(), said);
    }
}
