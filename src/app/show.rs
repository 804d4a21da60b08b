//! `seatledger status`: the last runs and how fresh each customer's figures are, read from the
//! database.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::config::{Config, Method};
use crate::consent::Summary;
use crate::lifecycle::Exit;
use crate::printable::printable;
use crate::store::{Freshness, RunRecord, Store};

use super::say;

/// Runs and stale customers shown to a person.
const SHOWN_RUNS: i64 = 10;
const SHOWN_CUSTOMERS: usize = 20;

pub(super) async fn run(config: &Config, now: DateTime<Utc>, json: bool) -> anyhow::Result<Exit> {
    let store = Store::new(&config.database)?;
    store.reach().await?;
    let runs = store.load_last_runs(SHOWN_RUNS).await?;
    let customers = store.load_freshness().await?;
    let by_a_person = matches!(config.auth.method, Method::RefreshToken { .. });
    let consent = if by_a_person {
        store.load_consent().await?
    } else {
        None
    };
    let consent = consent.map(|consent| consent.summary(now));
    store.close().await;
    if json {
        let seen = serde_json::json!({ "runs": runs, "customers": customers, "consent": consent });
        say(&seen.to_string())?;
    } else {
        let mut text = for_a_person(&runs, &customers, now);
        if by_a_person {
            text.push_str("\n\n");
            text.push_str(&described(consent.as_ref()));
        }
        say(&text)?;
    }
    Ok(Exit::Success)
}

fn described(consent: Option<&Summary>) -> String {
    let Some(Summary {
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
        _ => format!("lives until {expires}, {days_left} days, and is renewed at every use"),
    };
    format!("Consent: {since}. The refresh token {until}")
}

/// Beside a GUID.
fn named(name: &str) -> String {
    format!(" ({})", printable(name))
}

fn for_a_person(runs: &[RunRecord], customers: &[Freshness], now: DateTime<Utc>) -> String {
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
    let _infallible = writeln!(text, "\n{} customers, the stalest first:", customers.len());
    for customer in customers.iter().take(SHOWN_CUSTOMERS) {
        let processed = customer
            .last_processed_date_time
            .map_or_else(|| "none".to_owned(), |at| at.format("%Y-%m-%d").to_string());
        let _infallible = write!(
            text,
            "{}{}  fetched {}, newest figures of {processed}",
            customer.customer_id,
            customer
                .customer_name
                .as_deref()
                .map_or_else(String::new, named),
            age(customer.last_success_at)
        );
        if let (Some(at), Some(reason)) = (customer.last_failure_at, &customer.last_failure_reason)
            && customer.last_success_at.is_none_or(|success| success < at)
        {
            let _infallible = write!(text, ", failing: {reason}");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}
