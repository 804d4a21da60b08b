//! `seatledger status`: the last runs, and how recent each customer's figures are, read from the
//! database.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::config::{Config, Method};
use crate::consent::ConsentSummary;
use crate::lifecycle::Exit;
use crate::printable::printable;
use crate::store::{Freshness, RunRecord, Store};

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
    let has_user = matches!(config.auth.method, Method::RefreshToken { .. });
    let consent = if has_user {
        store.load_consent().await?
    } else {
        None
    };
    let consent = consent.map(|consent| consent.summary(now));
    store.close().await;
    if json {
        let json = serde_json::json!({
            "runs": runs,
            "customers": customers,
            "consent": consent,
            "migration": upgrade,
        });
        say(&json.to_string())?;
    } else {
        let mut text = report(&runs, &customers, now);
        if has_user {
            text.push_str("\n\n");
            text.push_str(&describe_consent(consent.as_ref()));
        }
        say(&text)?;
    }
    Ok(Exit::Success)
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

fn describe_consent(consent: Option<&ConsentSummary>) -> String {
    let Some(ConsentSummary {
        consent,
        age_days,
        days_left,
    }) = consent
    else {
        return "Consent: no sign-in is known yet".to_owned();
    };
    let day = |at: DateTime<Utc>| at.format("%Y-%m-%d").to_string();
    let since = match consent.signed_in_at {
        Some(at) => format!("signed in on {}, {age_days} days ago", day(at)),
        None => format!(
            "brought from elsewhere, first used on {}, {age_days} days ago",
            day(consent.first_used_at)
        ),
    };
    let expires = day(consent.token_expires_at);
    let until = match days_left {
        ..0 => format!("has expired on {expires}; sign in again: seatledger --config FILE login"),
        _ => format!("is valid until {expires}, {days_left} days, and is renewed at every use"),
    };
    format!("Consent: {since}. The refresh token {until}")
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

    fn noon(day: u32) -> DateTime<Utc> {
        format!("2026-05-{day:02}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn a_consent_is_described_by_its_beginning_and_its_end() {
        let lifetime = Duration::from_hours(10 * 24);
        let given = Consent::given(noon(1), lifetime);
        let found = Consent::found(noon(1), lifetime);
        for (consent, now, words) in [
            (given, noon(3), "signed in on 2026-05-01, 2 days ago"),
            (given, noon(3), "is valid until 2026-05-11, 8 days"),
            (given, noon(12), "has expired on 2026-05-11; sign in again"),
            (found, noon(3), "brought from elsewhere, first used on"),
        ] {
            let said = describe_consent(Some(&consent.summary(now)));
            assert!(said.contains(words), "{said}");
        }
        assert!(describe_consent(None).contains("no sign-in is known"));
    }
}
