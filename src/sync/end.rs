//! The end of a run: what it came to, in the record and in the log.

use tracing::{info, warn};

use super::report::{Report, RunError};
use super::tally::Tally;
use super::writer::Ledger;
use super::{LAST_WORD, Syncer};
use crate::causes::with_causes;
use crate::shutdown::Shutdown;
use crate::store::RunOutcome;

impl Syncer {
    pub(super) async fn record_end(
        &self,
        ledger: Ledger,
        report: &Report,
        shutdown: &Shutdown,
    ) -> Result<(), RunError> {
        let away = matches!(report.fatal, Some(RunError::Store(_)));
        let recorded = if shutdown.graceful.is_cancelled() || away {
            // The stop has been heard, or the database been waited for; the record must not be cut
            // short by the one, nor hold up the end for long.
            let unhurried = Shutdown::default();
            tokio::time::timeout(LAST_WORD, ledger.finish(&report.to_record(), &unhurried))
                .await
                .unwrap_or(Err(RunError::Stopped))
        } else {
            ledger.finish(&report.to_record(), shutdown).await
        };
        match recorded {
            // The next start finds the run unfinished and marks it so.
            Err(RunError::Stopped) => {
                warn!("The end of the run could not be recorded");
                Ok(())
            }
            // The report says already why the database cannot be written to.
            Err(error) if report.fatal.is_some() => {
                warn!(
                    error = with_causes(&error),
                    "The end of the run could not be recorded"
                );
                Ok(())
            }
            recorded => recorded,
        }
    }
}

pub(super) fn outcome(tally: &Tally, error: Option<&RunError>, shutdown: &Shutdown) -> RunOutcome {
    match error {
        Some(RunError::Stopped) if shutdown.graceful.is_cancelled() => RunOutcome::Interrupted,
        Some(RunError::Superseded) => RunOutcome::Interrupted,
        Some(RunError::Halted(_)) if tally.customers.succeeded > 0 => RunOutcome::Partial,
        Some(_) => RunOutcome::Failed,
        None if tally.customers.failed == 0 && !tally.is_dataset_missing() => RunOutcome::Succeeded,
        None if tally.customers.succeeded == 0 => RunOutcome::Failed,
        None => RunOutcome::Partial,
    }
}

pub(super) fn log_end(report: &Report) {
    let Report {
        customers,
        rows,
        http,
        ..
    } = report;
    let outcome = report.outcome.as_str();
    // The journal shows the message alone, so that it says by itself what the fields say to a
    // machine.
    info!(
        outcome,
        duration_ms = (report.finished_at - report.started_at).num_milliseconds(),
        customers.total,
        customers.succeeded,
        customers.failed,
        rows.received,
        rows.inserted,
        rows.updated,
        rows.unchanged,
        rows.rejected,
        http.requests,
        http.retries,
        http.throttled,
        "Run ended: {outcome}, {} of {} customers stored, {} rows received, {} new, {} changed, {} rejected",
        customers.succeeded,
        customers.total,
        rows.received,
        rows.inserted,
        rows.updated,
        rows.rejected
    );
}
