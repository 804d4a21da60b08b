//! A dated backfill: one run for each processed date, the newest first, because that is the one the
//! API is surest to have. Dates that are complete are left out, so that a backfill that was cut off
//! goes on where it was.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;
use tokio::sync::watch;
use tracing::info;

use super::{CustomerCounts, Mode, Progress, Report, Request, RunError, Syncer};
use crate::ledger::CustomerId;
use crate::shutdown::Shutdown;
use crate::store::{DatedPass, RunOutcome};

/// So many dates in a row that fail for every customer mean that the cause is not the dates. Each
/// may have been tried again for a quarter of an hour.
const HOPELESS_DATES: u32 = 3;

/// The processed dates that are asked for, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The first.
    pub from: NaiveDate,
    /// The last, not before the first.
    pub to: NaiveDate,
    /// Whether complete dates are asked for again.
    pub force: bool,
}

/// How far a dated backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatesProgress {
    /// The date under way.
    pub date: NaiveDate,
    /// Dates that are done, those that were complete before among them.
    pub done: u64,
    /// All dates.
    pub total: u64,
}

/// What became of each date of a dated backfill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateOutcomes {
    /// The first date.
    pub from: NaiveDate,
    /// The last date.
    pub to: NaiveDate,
    /// Those of which something was stored, newest first.
    pub stored: Vec<NaiveDate>,
    /// Those that were complete before and not asked for.
    pub skipped: Vec<NaiveDate>,
    /// Those of which the API gave no row.
    pub empty: Vec<NaiveDate>,
    /// Those of which not all could be fetched and stored.
    pub failed: Vec<NaiveDate>,
}

impl Syncer {
    /// Does one run for each date that is not complete, and sums them up. Ends after the first that
    /// could not go on.
    ///
    /// # Errors
    /// When not even the first could begin.
    pub async fn run_dates(
        self: &Arc<Self>,
        request: &Request,
        dates: Dates,
        shutdown: &Shutdown,
        progress: &watch::Sender<Progress>,
    ) -> Result<Report, RunError> {
        let complete = match request.mode {
            Mode::Store if !dates.force => {
                self.store.load_complete_dates(dates.from, dates.to).await?
            }
            Mode::Store | Mode::DryRun => HashSet::new(),
        };
        let mut days: Vec<NaiveDate> = dates
            .from
            .iter_days()
            .take_while(|date| *date <= dates.to)
            .collect();
        days.reverse();
        let mut sum = Sum::new(dates);
        for (done, date) in (0..).zip(&days) {
            if complete.contains(date) {
                sum.outcomes.skipped.push(*date);
                continue;
            }
            progress.send_modify(|progress| {
                progress.dates = Some(DatesProgress {
                    date: *date,
                    done,
                    total: days.len() as u64,
                });
            });
            info!(%date, "Asking for {date}");
            let pass = Request {
                dated: Some(DatedPass {
                    asked: *date,
                    from: dates.from,
                    to: dates.to,
                }),
                ..request.clone()
            };
            match self.run(&pass, shutdown, progress).await {
                Ok(report) => {
                    let over = report.fatal.is_some() || report.ended_early;
                    sum.add(*date, report);
                    let is_last = days.last() == Some(date);
                    if over || (!is_last && sum.give_up()) {
                        break;
                    }
                }
                // What was done before is worth telling.
                Err(error) => match sum.report {
                    Some(_) => {
                        sum.end(error);
                        break;
                    }
                    None => return Err(error),
                },
            }
        }
        Ok(sum.finish(self.clock.now()))
    }
}

/// The reports of several runs as one.
struct Sum {
    report: Option<Report>,
    failed: HashSet<CustomerId>,
    outcomes: DateOutcomes,
    /// The most customers that one run has not come to.
    unreached: u64,
    /// Dates in a row that failed for every customer.
    hopeless: u32,
}

impl Sum {
    fn new(dates: Dates) -> Self {
        Self {
            report: None,
            failed: HashSet::new(),
            unreached: 0,
            hopeless: 0,
            outcomes: DateOutcomes {
                from: dates.from,
                to: dates.to,
                stored: Vec::new(),
                skipped: Vec::new(),
                empty: Vec::new(),
                failed: Vec::new(),
            },
        }
    }

    fn add(&mut self, date: NaiveDate, mut report: Report) {
        let outcomes = &mut self.outcomes;
        match report.outcome {
            RunOutcome::Succeeded if report.rows_of_date == 0 => outcomes.empty.push(date),
            RunOutcome::Succeeded => outcomes.stored.push(date),
            RunOutcome::Partial | RunOutcome::Failed | RunOutcome::Interrupted => {
                outcomes.failed.push(date);
            }
        }
        self.hopeless = match report.outcome {
            RunOutcome::Failed => self.hopeless + 1,
            RunOutcome::Succeeded | RunOutcome::Partial | RunOutcome::Interrupted => 0,
        };
        let CustomerCounts {
            total,
            succeeded,
            failed,
        } = report.customers;
        self.unreached = self.unreached.max(total.saturating_sub(succeeded + failed));
        // A customer that fails on many dates is one failed customer.
        report
            .failures
            .retain(|failure| self.failed.insert(failure.customer_id));
        let Some(sum) = &mut self.report else {
            self.report = Some(report);
            return;
        };
        sum.run_id = report.run_id;
        sum.outcome = match (sum.outcome, report.outcome) {
            (_, RunOutcome::Interrupted) => RunOutcome::Interrupted,
            (one, other) if one == other => one,
            _ => RunOutcome::Partial,
        };
        sum.finished_at = report.finished_at;
        sum.customers.total = sum.customers.total.max(report.customers.total);
        sum.rows += report.rows;
        sum.http += report.http;
        sum.failures.append(&mut report.failures);
        sum.fatal = report.fatal;
        sum.ended_early = report.ended_early;
        sum.learned_rate = report.learned_rate;
        for note in report.notes {
            if !sum.notes.contains(&note) {
                sum.notes.push(note);
            }
        }
    }

    /// Whether it is no use to ask for further dates.
    fn give_up(&mut self) -> bool {
        let hopeless = self.hopeless >= HOPELESS_DATES;
        if let (true, Some(sum)) = (hopeless, &mut self.report) {
            sum.notes.push(format!(
                "{HOPELESS_DATES} dates in a row failed for every customer, so no further one was asked for (--resume goes on)"
            ));
        }
        hopeless
    }

    fn end(&mut self, error: RunError) {
        if let Some(sum) = &mut self.report {
            sum.outcome = match error {
                RunError::Stopped => RunOutcome::Interrupted,
                _ => RunOutcome::Partial,
            };
            sum.ended_early = true;
            sum.fatal = Some(error).filter(|error| !matches!(error, RunError::Stopped));
        }
    }

    fn finish(self, now: chrono::DateTime<chrono::Utc>) -> Report {
        let mut report = self.report.unwrap_or_else(|| Report::nothing(now));
        report.customers.failed = self.failed.len() as u64;
        report.customers.succeeded = report
            .customers
            .total
            .saturating_sub(report.customers.failed + self.unreached);
        if !self.outcomes.empty.is_empty() {
            let dates: Vec<String> = self
                .outcomes
                .empty
                .iter()
                .map(ToString::to_string)
                .collect();
            report.notes.push(format!(
                "the API gave nothing of {} (how far back it reaches is not documented)",
                dates.join(", ")
            ));
        }
        if !self.outcomes.skipped.is_empty() {
            report.notes.push(format!(
                "{} dates were complete before and not asked for again (--force asks)",
                self.outcomes.skipped.len()
            ));
        }
        report.dates = Some(self.outcomes);
        report
    }
}
