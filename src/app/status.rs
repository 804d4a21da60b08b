//! `seatledger status`: the last runs, how recent each customer's figures are, which host leads and
//! the consent of each, read from the database.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use crate::config::{Config, Method};
use crate::consent::ConsentSummary;
use crate::lifecycle::Exit;
use crate::printable::printable;
use crate::schedule::Schedule;
use crate::store::{Freshness, HostConsent, LeaseName, LeaseRecord, LeaseState, RunRecord, Store};

use super::{complain, say};

/// Runs and customers that the text shows; JSON has all customers.
const SHOWN_RUNS: i64 = 10;
const SHOWN_CUSTOMERS: usize = 20;

pub(super) async fn run(config: &Config, now: DateTime<Utc>, json: bool) -> anyhow::Result<Exit> {
    let store = Store::new(&config.database)?;
    store.reach().await?;
    let upgrade = describe_upgrade(&store).await?;
    if let Some(upgrade) = &upgrade {
        // At once, because the tables may be older than what is read below.
        complain(upgrade);
    }
    let runs = store.load_last_runs(SHOWN_RUNS).await?;
    let customers = store.load_freshness().await?;
    let leases = store.load_leases().await?;
    let lease = lease_of_leader(&leases);
    let leader = lease.and_then(Leader::of);
    let consents = if matches!(config.auth.method, Method::RefreshToken { .. }) {
        Some(shown(store.load_consents().await?, now))
    } else {
        None
    };
    store.close().await;
    if json {
        let consent = consents
            .as_deref()
            .and_then(|all| main_one(all, leader.as_ref()));
        let json = serde_json::json!({
            "runs": runs,
            "customers": customers,
            "leader": leader,
            "consent": consent,
            "consents": consents,
            "migration": upgrade,
        });
        say(&json.to_string())?;
    } else {
        let mut text = report(&runs, &customers, now);
        let schedule = &config.schedule.schedule;
        let leads = describe_leader(leader.as_ref(), lease, schedule);
        let _infallible = write!(text, "\n\n{leads}");
        if let Some(consents) = &consents {
            text.push('\n');
            text.push_str(&describe_consents(consents));
        }
        say(&text)?;
    }
    Ok(Exit::Success)
}

/// The daemon that does the ticks.
#[derive(Debug, Serialize)]
pub(super) struct Leader {
    pub(super) host: String,
    since: DateTime<Utc>,
    renewed_at: DateTime<Utc>,
}

impl Leader {
    /// None if no daemon leads.
    pub(super) fn among(leases: &[LeaseRecord]) -> Option<Self> {
        lease_of_leader(leases).and_then(Self::of)
    }

    /// None if its lease is free or has ended.
    fn of(lease: &LeaseRecord) -> Option<Self> {
        let is_held = lease.state == LeaseState::Held;
        Some(Self {
            host: lease.host.clone().filter(|_| is_held)?,
            since: lease.acquired_at?,
            renewed_at: lease.renewed_at?,
        })
    }
}

fn lease_of_leader(leases: &[LeaseRecord]) -> Option<&LeaseRecord> {
    let mut leases = leases.iter();
    leases.find(|lease| lease.name == LeaseName::Leader.as_str())
}

/// A host's consent, with days counted.
#[derive(Debug, Serialize)]
struct ShownConsent {
    host: String,
    #[serde(flatten)]
    summary: ConsentSummary,
    refused_at: Option<DateTime<Utc>>,
    refusal: Option<String>,
}

impl ShownConsent {
    fn new(known: HostConsent, now: DateTime<Utc>) -> Self {
        let (refused_at, refusal) = known.refusal.map(|it| (it.at, it.reason)).unzip();
        Self {
            host: known.host,
            summary: known.consent.summary(now),
            refused_at,
            refusal,
        }
    }
}

/// The consents, newest token first, without those of hosts that are no longer in use: a daemon,
/// standing by or not, renews its token long before it expires.
fn shown(consents: Vec<HostConsent>, now: DateTime<Utc>) -> Vec<ShownConsent> {
    consents
        .into_iter()
        .enumerate()
        .filter(|(place, known)| *place == 0 || known.consent.token_expires_at > now)
        .map(|(_, known)| ShownConsent::new(known, now))
        .collect()
}

/// The consent of the host that leads, or else the one that was renewed last.
fn main_one<'a>(consents: &'a [ShownConsent], leader: Option<&Leader>) -> Option<&'a ShownConsent> {
    let host = leader.map(|leader| leader.host.as_str());
    consents
        .iter()
        .find(|consent| Some(consent.host.as_str()) == host)
        .or(consents.first())
}

/// What a daemon or `migrate` may be waiting for, if the tables are not up to date.
async fn describe_upgrade(store: &Store) -> anyhow::Result<Option<String>> {
    let missing = store.load_missing_migrations().await?;
    if missing == 0 {
        return Ok(None);
    }
    let users = store.load_users().await?;
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    let mut said = format!(
        "the tables are not up to date (migrations to apply: {missing}); the daemon applies them \
         as it starts, and so does: seatledger migrate"
    );
    if !users.is_empty() {
        said.push_str("; these sessions use the tables, which may keep the migrations waiting: ");
        said.push_str(&users.join("; "));
    }
    Ok(Some(said))
}

fn describe_leader(
    leader: Option<&Leader>,
    lease: Option<&LeaseRecord>,
    schedule: &Schedule,
) -> String {
    match (leader, lease) {
        (Some(Leader { host, since, .. }), _) => {
            let (host, since) = (printable(host), schedule.in_zone(*since));
            format!("{host} leads since {since}")
        }
        (None, Some(last)) if last.host.is_some() => {
            format!("No daemon leads; the last one was that of {last}")
        }
        (None, _) => "No daemon leads".to_owned(),
    }
}

/// A line for each host. It is named if there are several.
fn describe_consents(consents: &[ShownConsent]) -> String {
    let several = consents.len() > 1;
    let lines: Vec<String> = consents
        .iter()
        .map(|consent| {
            let on = if several {
                format!(" on {}", printable(&consent.host))
            } else {
                String::new()
            };
            format!("Consent{on}: {}", describe_consent(consent))
        })
        .collect();
    if lines.is_empty() {
        return "Consent: no sign-in is known yet".to_owned();
    }
    lines.join("\n")
}

fn describe_consent(shown: &ShownConsent) -> String {
    let ConsentSummary {
        consent,
        age_days,
        days_left,
    } = shown.summary;
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let since = match consent.signed_in_at {
        Some(at) => format!("signed in on {}, {age_days} days ago", day(at)),
        None => format!(
            "brought from elsewhere, first used on {}, {age_days} days ago",
            day(consent.first_used_at)
        ),
    };
    if let (Some(at), Some(refusal)) = (shown.refused_at, &shown.refusal) {
        let refusal = printable(refusal);
        return format!("{since}. Signing in was refused on {}: {refusal}", day(at));
    }
    let expires = day(consent.token_expires_at);
    let until = match days_left {
        ..0 => format!("has expired on {expires}; sign in again: seatledger --config FILE login"),
        _ => format!("is valid until {expires}, {days_left} days, and is renewed at every use"),
    };
    format!("{since}. The refresh token {until}")
}

/// How many customers are in each state, such as " (22 active, 3 failing)".
fn count_states(customers: &[Freshness]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for customer in customers {
        *counts.entry(&customer.state).or_default() += 1;
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    if counts.is_empty() {
        return String::new();
    }
    format!(" ({})", counts.join(", "))
}

/// A customer's name, to be shown after the GUID.
fn in_parentheses(name: &str) -> String {
    format!(" ({})", printable(name))
}

fn report(runs: &[RunRecord], customers: &[Freshness], now: DateTime<Utc>) -> String {
    let mut text = String::new();
    if runs.is_empty() {
        text.push_str("No run yet\n");
    } else {
        text.push_str(
            "run      kind      began                 outcome      customers      rows\n",
        );
    }
    for run in runs {
        let began = run.started_at.to_rfc3339_opts(SecondsFormat::Secs, true);
        let customers = format!("{}/{}", run.customers_succeeded, run.customers_total);
        let new = run.rows_inserted + run.rows_updated;
        let _infallible = writeln!(
            text,
            "{:<8} {:<9} {began}  {:<12} {customers:<14} {new} written, {} unchanged, {} rejected",
            run.run_id, run.kind, run.outcome, run.rows_unchanged, run.rows_rejected
        );
        if let Some(detail) = &run.detail {
            let _infallible = writeln!(text, "         {detail}");
        }
    }
    let age = |at: Option<DateTime<Utc>>| {
        at.map_or_else(
            || "never".to_owned(),
            |at| format!("{} h ago", (now - at).num_hours()),
        )
    };
    let _infallible = writeln!(
        text,
        "\n{} customers{}, the stalest first:",
        customers.len(),
        count_states(customers)
    );
    for customer in customers.iter().take(SHOWN_CUSTOMERS) {
        let processed = customer
            .last_processed_date_time
            .map_or_else(|| "none".to_owned(), |at| at.format("%Y-%m-%d").to_string());
        let _infallible = write!(
            text,
            "{}{}  fetched {}, newest figures of {processed}, {}",
            customer.customer_id,
            customer
                .customer_name
                .as_deref()
                .map_or_else(String::new, in_parentheses),
            age(customer.last_success_at),
            customer.state
        );
        if let Some(reason) = &customer.state_reason {
            let _infallible = write!(text, ": {}", printable(reason));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::consent::Consent;
    use crate::store::SignInRefusal;

    fn noon(day: u32) -> DateTime<Utc> {
        format!("2026-05-{day:02}T12:00:00Z").parse().unwrap()
    }

    fn on(host: &str, consent: Consent) -> HostConsent {
        HostConsent {
            host: host.to_owned(),
            consent,
            refusal: None,
        }
    }

    #[test]
    fn a_consent_is_described_by_its_beginning_and_its_end() {
        let lifetime = Duration::from_hours(10 * 24);
        let given = Consent::given(noon(1), lifetime);
        let found = Consent::found(noon(1), lifetime);
        for (consent, now, words) in [
            (
                given,
                noon(3),
                "Consent: signed in on 2026-05-01, 2 days ago",
            ),
            (given, noon(3), "is valid until 2026-05-11, 8 days"),
            (given, noon(12), "has expired on 2026-05-11; sign in again"),
            (found, noon(3), "brought from elsewhere, first used on"),
        ] {
            let said = describe_consents(&shown(vec![on("web1", consent)], now));
            assert!(said.contains(words), "{said}");
        }
        assert!(describe_consents(&[]).contains("no sign-in is known"));
    }

    #[test]
    fn every_host_that_is_in_use_has_its_consent_and_the_leaders_is_the_main_one() {
        let lifetime = Duration::from_hours(10 * 24);
        let refused = HostConsent {
            refusal: Some(SignInRefusal {
                at: noon(9),
                reason: "sign-in refused (AADSTS700082)".to_owned(),
            }),
            ..on("web2", Consent::given(noon(5), lifetime))
        };
        let known = vec![
            on("web1", Consent::given(noon(10), lifetime)),
            refused,
            on("retired", Consent::given(noon(1), lifetime)),
        ];
        let shown = shown(known, noon(12));
        let said = describe_consents(&shown);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines.len(), 2, "{said}");
        assert!(lines[0].starts_with("Consent on web1: signed in on 2026-05-10"));
        assert!(lines[1].starts_with("Consent on web2: signed in on 2026-05-05"));
        let refusal = "Signing in was refused on 2026-05-09: sign-in refused (AADSTS700082)";
        assert!(lines[1].ends_with(refusal), "{said}");
        let host = |leader| main_one(&shown, leader).unwrap().host.clone();
        assert_eq!(host(None), "web1");
        let leader = Leader {
            host: "web2".to_owned(),
            since: noon(1),
            renewed_at: noon(2),
        };
        assert_eq!(host(Some(&leader)), "web2");
    }
}
