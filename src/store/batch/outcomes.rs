//! Records what became of each customer in the run.

use sqlx::PgConnection;

use super::super::to_db;
use super::copy::CopyIn;
use crate::ledger::{CustomerOutcome, RowCounts};

/// By COPY: it writes a page's rows to the log at once, and this is the one table that a run writes
/// to even where nothing is new.
pub(super) async fn insert(
    connection: &mut PgConnection,
    run_id: i64,
    outcomes: &[CustomerOutcome],
    counts: &[RowCounts],
) -> Result<(), sqlx::Error> {
    let mut copy = CopyIn::begin(
        connection,
        "
        copy sync_customer (
            run_id, customer_id, outcome, reason, fault_code, detail, http_status, attempts, finished_at,
            rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected
        )
        from stdin (format binary)
        ",
    )
    .await?;
    for (outcome, counts) in outcomes.iter().zip(counts) {
        let failure = outcome.failure.as_ref();
        let code = failure.and_then(|failure| failure.code.as_deref());
        let code: Option<String> =
            code.map(|code| code.chars().filter(|c| *c != '\0').take(64).collect());
        let detail = match failure {
            Some(failure) => Some(printable(&failure.detail)),
            None => outcome
                .usage
                .note
                .clone()
                .or_else(|| outcome.deployment.note.clone()),
        };
        let row = copy.row().await?;
        row.put(run_id)?;
        row.put(outcome.id().as_uuid())?;
        row.put(failure.map_or("succeeded", |_| "failed"))?;
        row.put(failure.map(|failure| failure.reason.as_str()))?;
        row.put(code)?;
        row.put(detail)?;
        row.put(outcome.http_status.map(i32::from))?;
        row.put(i32::try_from(outcome.attempts).unwrap_or(i32::MAX))?;
        row.put(outcome.finished_at)?;
        for number in [
            counts.received,
            counts.inserted,
            counts.updated,
            counts.unchanged,
            counts.rejected,
        ] {
            row.put(to_db(number))?;
        }
    }
    copy.finish().await.map(drop)
}

/// Postgres holds no U+0000.
pub(super) fn printable(detail: &str) -> String {
    detail.replace('\0', "\u{fffd}")
}
