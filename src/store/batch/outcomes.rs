//! Records what became of each customer in the run.

use sqlx::PgConnection;

use super::super::pool::to_db;
use super::copy::CopyIn;
use crate::ledger::{CustomerOutcome, RowCounts};

/// The width of `sync_customer.fault_code`, in characters.
const MAX_FAULT_CODE_CHARS: usize = 64;

/// By COPY, which writes one WAL record for a page of rows: even a run that finds nothing new
/// writes a row per customer to this table, and to no other.
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
            run_id, customer_id, outcome, reason, fault_code, detail, http_status, attempts,
            finished_at, rows_received, rows_inserted, rows_updated, rows_unchanged, rows_rejected,
            ms_request_id, ms_correlation_id
        )
        from stdin (format binary)
        ",
    )
    .await?;
    for (outcome, counts) in outcomes.iter().zip(counts) {
        let failure = outcome.failure.as_ref();
        let fault_code: Option<String> = failure
            .and_then(|failure| failure.code.as_deref())
            .map(|code| code.chars().filter(|c| *c != '\0'))
            .map(|chars| chars.take(MAX_FAULT_CODE_CHARS).collect());
        let note = || {
            outcome
                .usage
                .note
                .as_ref()
                .or(outcome.deployment.note.as_ref())
        };
        let detail = match failure {
            Some(failure) => Some(without_nul(&failure.detail)),
            None => note().cloned(),
        };
        let row = copy.row().await?;
        row.put(run_id)?;
        row.put(outcome.id().as_uuid())?;
        row.put(failure.map_or("succeeded", |_| "failed"))?;
        row.put(failure.map(|failure| failure.reason.as_str()))?;
        row.put(fault_code)?;
        row.put(detail)?;
        row.put(outcome.http_status.map(i32::from))?;
        row.put(i32::try_from(outcome.attempts).unwrap_or(i32::MAX))?;
        row.put(outcome.finished_at)?;
        row.put(to_db(counts.received))?;
        row.put(to_db(counts.inserted))?;
        row.put(to_db(counts.updated))?;
        row.put(to_db(counts.unchanged))?;
        row.put(to_db(counts.rejected))?;
        let call = failure.and_then(|failure| failure.call);
        row.put(call.map(|call| call.request))?;
        row.put(call.map(|call| call.correlation))?;
    }
    copy.finish().await.map(drop)
}

/// Postgres stores no U+0000 in a text.
pub(super) fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
