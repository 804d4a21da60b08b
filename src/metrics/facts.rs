//! What was last found out. A fact that is not known is left out of the page, but a count whose
//! labels are known is not.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// The outcomes of a run that has ended.
const OUTCOMES: [&str; 4] = ["succeeded", "partial", "failed", "interrupted"];

/// What was last found out.
#[derive(Debug, Default)]
pub struct Facts {
    /// Customers of the run under way that are not recorded yet; none without a run.
    pub customers_pending: Option<u64>,
    /// The newest run over the whole list that has ended.
    pub last_run: Option<LastRun>,
    /// When a run over the whole list last stored something.
    pub last_success_at: Option<DateTime<Utc>>,
    /// When the next run is due.
    pub next_run_at: Option<DateTime<Utc>>,
    /// When the next success becomes overdue.
    pub success_due_at: Option<DateTime<Utc>>,
    /// What the throttle does.
    pub throttle: ThrottleFacts,
    /// Customers by state.
    pub customers: Option<[(&'static str, u64); 6]>,
    /// The newest processed date in the ledger.
    pub newest_processed_at: Option<DateTime<Utc>>,
    /// When a person signed in, or the token was first used.
    pub consent_at: Option<DateTime<Utc>>,
    /// When the refresh token expires unless it is renewed.
    pub token_expires_at: Option<DateTime<Utc>>,
    /// The daemon that does the ticks.
    pub leader: Option<LeaderFacts>,
    /// The database.
    pub database: DatabaseFacts,
    /// When the main loop last turned.
    pub turned_at: Option<DateTime<Utc>>,
    pub(super) errors: StandingErrors,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// When it ended.
    pub finished_at: DateTime<Utc>,
    /// How long it took.
    pub seconds: i64,
    /// The name in `sync_run`.
    pub outcome: String,
    /// Items that became rows.
    pub rows: i64,
    /// Items that could not become rows.
    pub rejected_rows: i64,
}

/// What the throttle does.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ThrottleFacts {
    /// Requests a second; none without a limit.
    pub allowed_per_second: Option<f64>,
    /// Whether every call waits for the partner's limit.
    pub is_paused: bool,
}

/// The daemon that does the ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderFacts {
    /// Its host.
    pub host: String,
    /// Since when it leads.
    pub since: DateTime<Utc>,
    /// Whether it is this process.
    pub is_this_process: bool,
}

/// The database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// Whether it answered when it was last asked.
    pub is_up: bool,
    /// The newest applied migration.
    pub schema_version: Option<i64>,
    /// Bytes that the ledger takes.
    pub ledger_bytes: Option<i64>,
    /// Connections of the pool that do nothing.
    pub idle_connections: i64,
    /// Connections of the pool in use.
    pub used_connections: i64,
    /// Connections that the pool may have.
    pub max_connections: i64,
}

/// A part of the program that may fail for some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The database does not answer.
    Database,
    /// No token can be obtained.
    SignIn,
    /// The last run failed.
    Run,
    /// The last call of `notify.ping_url` was not delivered.
    Ping,
    /// The last call of `notify.webhook_url` was not delivered.
    Webhook,
}

/// Since when which part of the program does not work.
#[derive(Debug, Default)]
pub(super) struct StandingErrors([Option<DateTime<Utc>>; 5]);

impl StandingErrors {
    /// The parts behind each label; of several, the one that failed first counts.
    const LABELS: [(&str, &[Part]); 4] = [
        ("database", &[Part::Database]),
        ("sign_in", &[Part::SignIn]),
        ("run", &[Part::Run]),
        ("notify", &[Part::Ping, Part::Webhook]),
    ];

    /// Whether it is new.
    pub(super) fn begin(&mut self, part: Part, now: DateTime<Utc>) -> bool {
        let since = &mut self.0[part as usize];
        let is_new = since.is_none();
        since.get_or_insert(now);
        is_new
    }

    /// Whether it was standing.
    pub(super) fn end(&mut self, part: Part) -> bool {
        self.0[part as usize].take().is_some()
    }
}

/// Puts the facts on the page.
#[derive(Debug)]
pub(super) struct FactsPage(pub(super) Arc<Mutex<Facts>>);

impl Collector for FactsPage {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut page = Page(encoder);
        page.put_info(
            "build_info",
            "1, with the version of the program and the commit it was built from",
            &[
                ("version", env!("CARGO_PKG_VERSION")),
                (
                    "commit",
                    option_env!("SEATLEDGER_COMMIT").unwrap_or("unknown"),
                ),
            ],
        )?;
        put_runs(&mut page, &facts)?;
        put_ledger(&mut page, &facts)?;
        put_state(&mut page, &facts)
    }
}

fn put_runs(page: &mut Page<'_>, facts: &Facts) -> fmt::Result {
    page.put(
        "run_in_progress",
        "Whether this process has a run under way",
        i64::from(facts.customers_pending.is_some()),
    )?;
    page.put(
        "run_customers_pending",
        "Customers of the run under way that are not recorded yet; 0 without a run",
        count(facts.customers_pending.unwrap_or_default()),
    )?;
    if let Some(run) = &facts.last_run {
        page.put(
            "last_run_finished_timestamp_seconds",
            "When a run over the whole list last ended, on any host",
            run.finished_at.timestamp(),
        )?;
        page.put(
            "last_run_duration_seconds",
            "How long that run took",
            run.seconds,
        )?;
        let outcome = |outcome| (outcome, i64::from(run.outcome == outcome));
        page.put_each(
            "last_run_outcome",
            "1 for the outcome of that run",
            "outcome",
            OUTCOMES.map(outcome),
        )?;
        page.put(
            "last_run_rows",
            "Items of that run that became rows",
            run.rows,
        )?;
        page.put(
            "rejected_rows",
            "Items of that run that could not become rows",
            run.rejected_rows,
        )?;
    }
    page.put_time(
        "last_success_timestamp_seconds",
        "When a run over the whole list last ended as succeeded or partial, on any host",
        facts.last_success_at,
    )?;
    page.put_time(
        "next_run_timestamp_seconds",
        "When the next run is due",
        facts.next_run_at,
    )?;
    page.put_time(
        "success_due_timestamp_seconds",
        "When the next success is overdue: the second tick after the last one, and time for a run",
        facts.success_due_at,
    )
}

fn put_ledger(page: &mut Page<'_>, facts: &Facts) -> fmt::Result {
    if let Some(customers) = facts.customers {
        page.put_each(
            "customers",
            "Customers in the ledger by state, as in the view customer_freshness",
            "state",
            customers.map(|(state, customers)| (state, count(customers))),
        )?;
    }
    page.put_time(
        "newest_processed_timestamp_seconds",
        "The newest processed date in the ledger",
        facts.newest_processed_at,
    )?;
    let database = &facts.database;
    page.put(
        "database_up",
        "Whether the database answered when it was last asked",
        i64::from(database.is_up),
    )?;
    page.put_each(
        "database_connections",
        "Connections of the pool that reads share, by state",
        "state",
        [
            ("idle", database.idle_connections),
            ("used", database.used_connections),
        ],
    )?;
    page.put(
        "database_connections_max",
        "Connections that this pool may have",
        database.max_connections,
    )?;
    if let Some(version) = database.schema_version {
        page.put("schema_version", "The newest applied migration", version)?;
    }
    if let Some(bytes) = database.ledger_bytes {
        page.put(
            "ledger_size_bytes",
            "The size of the ledger's tables and indexes",
            bytes,
        )?;
    }
    Ok(())
}

fn put_state(page: &mut Page<'_>, facts: &Facts) -> fmt::Result {
    page.put_time(
        "consent_timestamp_seconds",
        "When a person signed in, or the token was first used where that is not known",
        facts.consent_at,
    )?;
    page.put_time(
        "refresh_token_expiry_timestamp_seconds",
        "When the refresh token expires unless it is renewed",
        facts.token_expires_at,
    )?;
    let leads = facts.leader.as_ref().is_some_and(|it| it.is_this_process);
    page.put(
        "leader",
        "Whether this daemon does the ticks, and does not stand by",
        i64::from(leads),
    )?;
    if let Some(leader) = &facts.leader {
        page.put_each(
            "leader_since_timestamp_seconds",
            "Since when the daemon on this host does the ticks",
            "host",
            [(leader.host.as_str(), leader.since.timestamp())],
        )?;
    }
    let ThrottleFacts {
        allowed_per_second,
        is_paused,
    } = facts.throttle;
    page.put(
        "throttle_paused",
        "Whether every call waits for the partner's limit",
        i64::from(is_paused),
    )?;
    if let Some(rate) = allowed_per_second {
        page.put(
            "allowed_requests_per_second",
            "Requests a second that the learned limit and max_requests_per_second allow",
            rate,
        )?;
    }
    let since = |(name, parts): (_, &[Part])| {
        let since = parts
            .iter()
            .filter_map(|part| facts.errors.0[*part as usize]);
        (name, since.min().map_or(0, |since| since.timestamp()))
    };
    page.put_each(
        "standing_error_since_timestamp_seconds",
        "Since when a part of the program does not work; 0 while it does",
        "part",
        StandingErrors::LABELS.map(since),
    )?;
    page.put_time(
        "main_loop_turned_timestamp_seconds",
        "When the daemon's main loop last turned, or a run last moved on",
        facts.turned_at,
    )
}

/// A page under way.
pub(super) struct Page<'a>(pub(super) DescriptorEncoder<'a>);

impl Page<'_> {
    /// A figure without labels.
    pub(super) fn put<N>(&mut self, name: &str, help: &str, value: N) -> fmt::Result
    where
        ConstGauge<N>: EncodeMetric,
    {
        let metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(value).encode(metric)
    }

    fn put_time(&mut self, name: &str, help: &str, at: Option<DateTime<Utc>>) -> fmt::Result {
        at.map_or(Ok(()), |at| self.put(name, help, at.timestamp()))
    }

    fn put_each<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        values: [(&str, i64); N],
    ) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (named, value) in values {
            let labels = [(label, named)];
            ConstGauge::new(value).encode(metric.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn put_info(&mut self, name: &str, help: &str, labels: &impl EncodeLabelSet) -> fmt::Result {
        let mut metric = self
            .0
            .encode_descriptor(name, help, None, MetricType::Gauge)?;
        ConstGauge::new(1_i64).encode(metric.encode_family(labels)?)
    }
}

fn count(customers: u64) -> i64 {
    i64::try_from(customers).unwrap_or(i64::MAX)
}
