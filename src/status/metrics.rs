//! The metrics page for Prometheus, rendered for each request. Unknown values are left out.

use std::fmt;
use std::sync::atomic::AtomicU64;

use chrono::{DateTime, Utc};
use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Leader;
use crate::consent::Consent;
use crate::partner_center::ThrottleStatus;
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
    /// The daemon that does the ticks.
    pub(super) leader: Option<Leader>,
    pub(super) consent: Option<Consent>,
    pub(super) throttle: ThrottleStatus,
    /// Delivered and failed, by target.
    pub(super) notifications: [(&'static str, (u64, u64)); 2],
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
    put_leader(&mut page, values.leader.as_ref());
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
    put_throttle(&mut page, &values.throttle);
    put_notifications(&mut page, &values.notifications);
    if let Some(run) = &values.last_run {
        put_run(&mut page, run);
    }
    let mut text = String::new();
    encode(&mut text, &page.0)?;
    Ok(text)
}

fn put_leader(page: &mut MetricsPage, leader: Option<&Leader>) {
    page.put(
        "leader",
        "Whether this daemon does the ticks, and does not stand by",
        i64::from(leader.is_some_and(|leader| leader.is_this_process)),
    );
    if let Some(leader) = leader {
        let since = Family::<[(&'static str, String); 1], Gauge>::default();
        since
            .get_or_create(&[("host", leader.host.clone())])
            .set(leader.since.timestamp());
        page.0.register(
            "leader_since_timestamp_seconds",
            "Since when the daemon on this host does the ticks",
            since,
        );
    }
}

fn put_throttle(page: &mut MetricsPage, throttle: &ThrottleStatus) {
    if let Some(rate) = throttle.allowed_per_second {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(rate);
        page.0.register(
            "api_allowed_requests_per_second",
            "Requests a second that the learned limit and max_requests_per_second allow",
            gauge,
        );
    }
    page.put(
        "api_requests_in_flight",
        "Requests to the API under way",
        i64::try_from(throttle.in_flight).unwrap_or(i64::MAX),
    );
    page.put(
        "api_paused",
        "Whether all calls wait for the partner's limit",
        i64::from(throttle.paused_until.is_some()),
    );
    let paused = Counter::<f64, AtomicU64>::default();
    paused.inc_by(throttle.paused_seconds);
    page.0.register(
        "api_paused_seconds",
        "Time in which the limit let nobody through",
        paused,
    );
    let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (scope, count) in [
        ("tenant", throttle.refused.tenant),
        ("customer", throttle.refused.customer),
    ] {
        refused.get_or_create(&[("scope", scope)]).inc_by(count);
    }
    page.0.register(
        "api_requests_refused",
        "Requests that a limit refused, by whose it was",
        refused,
    );
}

fn put_notifications(page: &mut MetricsPage, targets: &[(&'static str, (u64, u64))]) {
    let notifications = Family::<[(&'static str, &'static str); 2], Counter>::default();
    for (target, (delivered, failed)) in targets {
        for (outcome, count) in [("delivered", *delivered), ("failed", *failed)] {
            let labels = [("target", *target), ("outcome", outcome)];
            notifications.get_or_create(&labels).inc_by(count);
        }
    }
    page.0.register(
        "notifications",
        "Notifications of this process, by target and outcome",
        notifications,
    );
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
    use crate::partner_center::RefusedByScope;

    #[test]
    fn what_is_not_known_is_left_out() {
        let values = MetricValues {
            now: DateTime::UNIX_EPOCH,
            database_up: false,
            last_run: None,
            next_run: None,
            leader: None,
            consent: None,
            throttle: ThrottleStatus {
                allowed_per_second: None,
                in_flight: 0,
                paused_until: None,
                paused_seconds: 0.0,
                refused: RefusedByScope::default(),
            },
            notifications: [("ping", (0, 0)), ("webhook", (0, 0))],
        };
        let text = render(&values).unwrap();
        // The counts of these come in any order.
        let is_labelled = |line: &str| line.contains("{scope=") || line.contains("{target=");
        let lines = text.lines().filter(|line| !is_labelled(line));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @"
        # HELP seatledger_database_up Whether the database answers.
        # TYPE seatledger_database_up gauge
        seatledger_database_up 0
        # HELP seatledger_leader Whether this daemon does the ticks, and does not stand by.
        # TYPE seatledger_leader gauge
        seatledger_leader 0
        # HELP seatledger_api_requests_in_flight Requests to the API under way.
        # TYPE seatledger_api_requests_in_flight gauge
        seatledger_api_requests_in_flight 0
        # HELP seatledger_api_paused Whether all calls wait for the partner's limit.
        # TYPE seatledger_api_paused gauge
        seatledger_api_paused 0
        # HELP seatledger_api_paused_seconds_total Time in which the limit let nobody through.
        # TYPE seatledger_api_paused_seconds_total counter
        seatledger_api_paused_seconds_total 0.0
        # HELP seatledger_api_requests_refused_total Requests that a limit refused, by whose it was.
        # TYPE seatledger_api_requests_refused_total counter
        # HELP seatledger_notifications_total Notifications of this process, by target and outcome.
        # TYPE seatledger_notifications_total counter
        ");
    }
}
