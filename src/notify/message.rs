//! What is told, as text for a dead man's switch and as JSON for a webhook. Pure. Nothing in it
//! names a customer, and nothing is in the API's words, which may.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::delivery::{NotifyTarget, Outgoing, Ping};
use crate::ledger::{RowCounts, TrafficCounts};
use crate::partner_center::ApiError;
use crate::retry::Remedy;
use crate::store::{RunKind, RunOutcome};
use crate::sync::{CustomerCounts, Report, RunError};

/// The version of the JSON form. Members may be added without another version.
const VERSION: u32 = 1;

/// What is told once.
pub(super) struct Message {
    ping: Option<Ping>,
    text: String,
    event: Option<WebhookEvent>,
}

/// The message to a webhook. An interface: docs/notify.md.
#[derive(Serialize)]
struct WebhookEvent {
    version: u32,
    event: &'static str,
    host: String,
    program: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Problem>,
}

/// How a run ended.
#[derive(Serialize)]
struct RunSummary {
    run_id: Option<i64>,
    kind: &'static str,
    outcome: &'static str,
    started_at: String,
    finished_at: String,
    customers: CustomerCounts,
    rows: RowCounts,
    http: TrafficCounts,
    /// Failed customers by reason.
    failures: BTreeMap<&'static str, u64>,
}

/// Why a run could not begin or go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Problem {
    part: &'static str,
    /// What mends it: `time`, `person` or `configuration`.
    remedy: &'static str,
}

impl Problem {
    /// The database has been away for long.
    pub(super) const AWAY: Self = Self {
        part: "database",
        remedy: "time",
    };

    /// None for what is no problem.
    pub(super) fn of(error: &RunError) -> Option<Self> {
        let part = match error {
            RunError::Api(ApiError::SignIn(_)) => "sign_in",
            RunError::Api(_) => "api",
            RunError::Store(_) | RunError::Blocked { .. } | RunError::Unrecorded => "database",
            RunError::Customers(_) => "customers",
            RunError::Locale { .. } => "locale",
            RunError::EarlyEnd(_) => "early_end",
            RunError::Superseded(_) | RunError::TickDone(_) | RunError::Stopped => return None,
        };
        let remedy = match error.remedy() {
            Remedy::Time => "time",
            Remedy::Person => "person",
            Remedy::Configuration => "configuration",
        };
        Some(Self { part, remedy })
    }

    fn describe(self) -> String {
        let part = match self.part {
            "sign_in" => "the sign-in is refused",
            "api" => "Partner Center cannot be called",
            "database" => "the database cannot be used",
            "customers" => "there is no list of customers",
            "locale" => "the ledger is in another locale",
            _ => "further customers would have failed, too",
        };
        let remedy = match self.remedy {
            "time" => "it may pass by itself",
            "person" => "a person has to act: seatledger check says how",
            _ => "the configuration has to be changed: seatledger check says how",
        };
        format!("{part}; {remedy}")
    }
}

impl Message {
    pub(super) fn started(host: &str, kind: RunKind) -> Self {
        Self {
            ping: Some(Ping::Start),
            text: format!("A run ({}) began on {host}\n", kind.as_str()),
            event: None,
        }
    }

    /// A success, unless no customer could be stored: one bad customer must not raise an alarm
    /// every day. An interrupted run is neither.
    pub(super) fn ended(host: &str, kind: RunKind, report: &Report) -> Self {
        let problem = report.fatal.as_ref().and_then(Problem::of);
        let was_stopped = matches!(report.fatal, Some(RunError::Stopped));
        let ping = match report.outcome {
            RunOutcome::Succeeded => Some(Ping::Success),
            RunOutcome::Partial if report.customers.succeeded > 0 && problem.is_none() => {
                Some(Ping::Success)
            }
            RunOutcome::Interrupted if was_stopped || problem.is_none() => None,
            RunOutcome::Partial | RunOutcome::Failed | RunOutcome::Interrupted => Some(Ping::Fail),
        };
        let mut failures = BTreeMap::new();
        for failure in &report.failures {
            *failures.entry(failure.reason.as_str()).or_default() += 1;
        }
        let run = RunSummary {
            run_id: report.run_id,
            kind: kind.as_str(),
            outcome: report.outcome.as_str(),
            started_at: time(report.started_at),
            finished_at: time(report.finished_at),
            customers: report.customers,
            rows: report.rows,
            http: report.http,
            failures,
        };
        let took = report.finished_at - report.started_at;
        let text = run.describe(host, took.as_seconds_f64(), problem);
        Self {
            ping,
            text,
            event: Some(WebhookEvent {
                run: Some(run),
                problem,
                ..WebhookEvent::new("run", host)
            }),
        }
    }

    /// A problem outside a run: of the `program`, which ends or could not begin a run, or of the
    /// `database`, which it waits for.
    pub(super) fn problem(host: &str, event: &'static str, problem: Problem) -> Self {
        let waits = if event == "database" {
            " (Seatledger goes on waiting for it)"
        } else {
            ""
        };
        Self {
            ping: Some(Ping::Fail),
            text: format!("On {host} {}{waits}\n", problem.describe()),
            event: Some(WebhookEvent {
                problem: Some(problem),
                ..WebhookEvent::new(event, host)
            }),
        }
    }

    pub(super) fn test(host: &str) -> Self {
        Self {
            ping: Some(Ping::Log),
            text: format!("A test by seatledger check on {host}\n"),
            event: Some(WebhookEvent::new("test", host)),
        }
    }

    /// The message in the form of a target; none if it is not told of this.
    pub(super) fn to(&self, target: &NotifyTarget) -> Option<Outgoing> {
        if target.is_switch() {
            return self
                .ping
                .map(|ping| Outgoing::Ping(ping, self.text.clone()));
        }
        let event = self.event.as_ref()?;
        let json = serde_json::to_string(event).expect("counts and words are valid JSON");
        Some(Outgoing::Event(json))
    }
}

impl WebhookEvent {
    fn new(event: &'static str, host: &str) -> Self {
        Self {
            version: VERSION,
            event,
            host: host.to_owned(),
            program: env!("CARGO_PKG_VERSION"),
            run: None,
            problem: None,
        }
    }
}

impl RunSummary {
    fn describe(&self, host: &str, took: f64, problem: Option<Problem>) -> String {
        let name = self
            .run_id
            .map_or_else(|| "Run".to_owned(), |id| format!("Run {id}"));
        let (kind, outcome) = (self.kind, self.outcome);
        let (customers, rows, http) = (&self.customers, &self.rows, &self.http);
        let mut text = format!(
            "{name} ({kind}) on {host}: {outcome} after {:.1} s\n\
             customers  {} of {} stored, {} failed\n\
             rows       {} received: {} new, {} changed, {} unchanged, {} rejected\n\
             requests   {}, {} of them retries, {} throttled\n",
            took.max(0.0),
            customers.succeeded,
            customers.total,
            customers.failed,
            rows.received,
            rows.inserted,
            rows.updated,
            rows.unchanged,
            rows.rejected,
            http.requests,
            http.retries,
            http.throttled,
        );
        for (reason, count) in &self.failures {
            writeln!(text, "failed     {count} with {reason}")
                .expect("writing to a string never fails");
        }
        if let Some(problem) = problem {
            writeln!(text, "problem    {}", problem.describe())
                .expect("writing to a string never fails");
        }
        text
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
