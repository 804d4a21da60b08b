//! The report in the log and in the trace of its run.

use tracing::{Span, info};

use super::Report;
use crate::store::RunOutcome;

impl Report {
    /// Logs how the run ended.
    pub(in crate::sync) fn log(&self) {
        let Self {
            customers,
            rows,
            http,
            ..
        } = self;
        let outcome = self.outcome.as_str();
        // The journal shows only the message, which therefore repeats the most important fields.
        info!(
            outcome,
            duration_ms = (self.finished_at - self.started_at).num_milliseconds(),
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
            "Run ended: {outcome}, {} of {} customers stored, {} rows received, {} new, {} \
             changed, {} rejected",
            customers.succeeded,
            customers.total,
            rows.received,
            rows.inserted,
            rows.updated,
            rows.rejected
        );
    }

    /// Notes in the span of the run how it ended.
    pub(in crate::sync) fn record_in(&self, span: &Span) {
        span.record("run.outcome", self.outcome.as_str());
        for (field, count) in [
            ("customers.total", self.customers.total),
            ("customers.failed", self.customers.failed),
            ("rows.received", self.rows.received),
            ("rows.inserted", self.rows.inserted),
            ("rows.updated", self.rows.updated),
            ("rows.rejected", self.rows.rejected),
        ] {
            span.record(field, count);
        }
        if self.outcome == RunOutcome::Failed {
            span.record("otel.status_code", "ERROR");
        }
    }
}
