//! The metrics page for Prometheus, rendered for each request. Unknown values are left out.

use std::fmt;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::consent::Consent;
use crate::store::RunRecord;

/// The format of the page: the oldest one, which every scraper accepts.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The outcomes of a run that has ended.
const OUTCOMES: [&str; 4] = ["succeeded", "partial", "failed", "interrupted"];

/// The values of the metrics.
pub(super) struct MetricValues {
    pub(super) now: DateTime<Utc>,
    pub(super) database_up: bool,
    /// The newest run that has ended.
    pub(super) last_run: Option<RunRecord>,
    pub(super) next_run: Option<DateTime<Utc>>,
    pub(super) consent: Option<Consent>,
}

type Labelled = Family<[(&'static str, &'static str); 1], Gauge>;

struct MetricsPage(Registry);

impl MetricsPage {
    fn put(&mut self, name: &str, help: &str, value: i64) {
        let gauge: Gauge = Gauge::default();
        gauge.set(value);
        self.0.register(name, help, gauge);
    }

    fn put_each<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: [(&'static str, i64); N],
    ) {
        let family = Labelled::default();
        for (name, value) in values {
            family.get_or_create(&[(label, name)]).set(value);
        }
        self.0.register(name, help, family);
    }
}

/// Renders the page. The names of the metrics are an interface.
pub(super) fn render(values: &MetricValues) -> Result<String, fmt::Error> {
    let mut page = MetricsPage(Registry::with_prefix("seatledger"));
    page.put(
        "database_up",
        "Whether the database answers",
        i64::from(values.database_up),
    );
    if let Some(next) = values.next_run {
        let help = "When the next run is due";
        page.put("next_run_timestamp_seconds", help, next.timestamp());
    }
    if let Some(consent) = &values.consent {
        page.put(
            "consent_age_seconds",
            "Since a person signed in, or since the token was first used where that is not known",
            consent.age(values.now).num_seconds(),
        );
        page.put(
            "refresh_token_left_seconds",
            "Until the refresh token expires unless it is renewed; below zero once it has",
            consent.left(values.now).num_seconds(),
        );
    }
    if let Some(run) = &values.last_run {
        put_run(&mut page, run);
    }
    let mut text = String::new();
    encode(&mut text, &page.0)?;
    Ok(text)
}

fn put_run(page: &mut MetricsPage, run: &RunRecord) {
    page.put_each(
        "last_run_outcome",
        "1 for the outcome of the last run that has ended",
        "outcome",
        OUTCOMES.map(|outcome| (outcome, i64::from(run.outcome == outcome))),
    );
    if let Some(finished_at) = run.finished_at {
        page.put(
            "last_run_finished_timestamp_seconds",
            "When the last run ended",
            finished_at.timestamp(),
        );
        let took = finished_at - run.started_at;
        let help = "How long the last run took";
        // If the clock was set back during the run, it seems to end before it began.
        let took = took.num_seconds().max(0);
        page.put("last_run_duration_seconds", help, took);
    }
    page.put(
        "last_run_customers",
        "Customers on the list of the last run",
        run.customers_total,
    );
    page.put_each(
        "last_run_customers_done",
        "What became of the customers of the last run",
        "outcome",
        [
            ("succeeded", run.customers_succeeded),
            ("failed", run.customers_failed),
        ],
    );
    page.put_each(
        "last_run_rows",
        "What became of the items of the last run; received counts all",
        "kind",
        [
            ("received", run.rows_received),
            ("inserted", run.rows_inserted),
            ("updated", run.rows_updated),
            ("unchanged", run.rows_unchanged),
            ("rejected", run.rows_rejected),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_left_out() {
        let values = MetricValues {
            now: DateTime::UNIX_EPOCH,
            database_up: false,
            last_run: None,
            next_run: None,
            consent: None,
        };
        insta::assert_snapshot!(render(&values).unwrap(), @"
        # HELP seatledger_database_up Whether the database answers.
        # TYPE seatledger_database_up gauge
        seatledger_database_up 0
        ");
    }
}
