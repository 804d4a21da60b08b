//! A dated backfill: one run for each processed date, the newest first, because the API is the most
//! likely to have that one. Dates that are complete are left out, so that a backfill that was cut
//! off goes on where it was.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use tokio::sync::watch;
use tracing::info;

use super::Syncer;
use super::early_end::{FAILED_DATES_IN_A_ROW, dates_are_hopeless};
use super::error::RunError;
use super::report::{DateOutcomes, DatesProgress, Progress, Report};
use super::request::{Mode, Request};
use crate::ledger::CustomerId;
use crate::shutdown::Shutdown;
use crate::store::{DatedPass, RunOutcome};

/// The processed dates that are requested, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The first.
    pub from: NaiveDate,
    /// The last, not before the first.
    pub to: NaiveDate,
    /// Whether complete dates are requested again.
    pub force: bool,
}

impl Dates {
    fn newest_first(self) -> Vec<NaiveDate> {
        let mut dates: Vec<NaiveDate> = self
            .from
            .iter_days()
            .take_while(|date| *date <= self.to)
            .collect();
        dates.reverse();
        dates
    }
}

impl Syncer {
    /// Does one run for each date that is not complete, and sums them up. Requests no further date
    /// after a run that ended early or could not go on, or after several dates in a row that failed
    /// for every customer.
    ///
    /// # Errors
    /// When the complete dates cannot be looked up, or the first run cannot begin.
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
        let days = dates.newest_first();
        let mut sum = DatedSum::new(dates);
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
                    next: days
                        .iter()
                        .find(|next| *next < date && !complete.contains(next))
                        .copied(),
                }),
                ..request.clone()
            };
            let is_last = days.last() == Some(date);
            match Box::pin(self.run(&pass, shutdown, progress)).await {
                Ok(report) => {
                    let is_over = report.fatal.is_some() || report.ended_early;
                    sum.add(*date, report);
                    if is_over || (!is_last && sum.give_up()) {
                        break;
                    }
                }
                // The passes before this one are still reported.
                Err(error) => {
                    sum.end(error)?;
                    break;
                }
            }
        }
        Ok(sum.into_report(self.clock.now()))
    }
}

/// The reports of several passes as one.
struct DatedSum {
    /// None before the first pass.
    report: Option<Report>,
    /// Customers that failed on any date.
    failed: HashSet<CustomerId>,
    outcomes: DateOutcomes,
    /// The highest number of customers that a single pass did not reach.
    unreached: u64,
    /// How the passes ended, in their order.
    passes: Vec<RunOutcome>,
}

impl DatedSum {
    fn new(dates: Dates) -> Self {
        Self {
            report: None,
            failed: HashSet::new(),
            outcomes: DateOutcomes {
                from: dates.from,
                to: dates.to,
                stored: Vec::new(),
                skipped: Vec::new(),
                empty: Vec::new(),
                failed: Vec::new(),
            },
            unreached: 0,
            passes: Vec::new(),
        }
    }

    fn add(&mut self, date: NaiveDate, mut report: Report) {
        self.passes.push(report.outcome);
        let dates = match report.outcome {
            RunOutcome::Succeeded if report.rows_of_date == 0 => &mut self.outcomes.empty,
            RunOutcome::Succeeded => &mut self.outcomes.stored,
            RunOutcome::Partial | RunOutcome::Failed | RunOutcome::Interrupted => {
                &mut self.outcomes.failed
            }
        };
        dates.push(date);
        let counts = report.customers;
        let unreached = counts
            .total
            .saturating_sub(counts.succeeded + counts.failed);
        self.unreached = self.unreached.max(unreached);
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
        sum.finished_at = report.finished_at.max(sum.started_at);
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

    /// Whether to request no further date, because the cause of the failures is not the dates.
    fn give_up(&mut self) -> bool {
        let is_hopeless = dates_are_hopeless(&self.passes);
        if let (true, Some(sum)) = (is_hopeless, &mut self.report) {
            sum.notes.push(format!(
                "{FAILED_DATES_IN_A_ROW} dates in a row failed for every customer, so no further \
                 one was asked for (--resume goes on)"
            ));
        }
        is_hopeless
    }

    /// Ends the sum with a pass that could not begin.
    ///
    /// # Errors
    /// With the same error, if it was the first pass.
    fn end(&mut self, error: RunError) -> Result<(), RunError> {
        let Some(sum) = &mut self.report else {
            return Err(error);
        };
        sum.ended_early = true;
        if matches!(error, RunError::Stopped) {
            sum.outcome = RunOutcome::Interrupted;
        } else {
            sum.outcome = RunOutcome::Partial;
            sum.fatal = Some(error);
        }
        Ok(())
    }

    fn into_report(self, now: DateTime<Utc>) -> Report {
        let mut report = self.report.unwrap_or_else(|| Report::nothing(now));
        report.customers.failed = self.failed.len() as u64;
        report.customers.succeeded = report
            .customers
            .total
            .saturating_sub(report.customers.failed + self.unreached);
        let DateOutcomes { empty, skipped, .. } = &self.outcomes;
        if !empty.is_empty() {
            let dates: Vec<String> = empty.iter().map(ToString::to_string).collect();
            report.notes.push(format!(
                "the API gave nothing of {} (how far back it reaches is not documented)",
                dates.join(", ")
            ));
        }
        if !skipped.is_empty() {
            report.notes.push(format!(
                "{} dates were complete before and not asked for again (--force asks)",
                skipped.len()
            ));
        }
        report.dates = Some(self.outcomes);
        report
    }
}

#[cfg(test)]
mod tests;
