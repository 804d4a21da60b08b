//! The status for a person: one screen. Pure.

use chrono::{DateTime, Utc};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::printable::{isolated, printable};
use crate::span::span;
use crate::standing::{Standing, describe_consents, lease_of_leader, trouble};
use crate::store::{NeedyCustomer, RunRecord};

use super::SHOWN_IN_JSON;

/// Columns of a terminal for a name, at most.
const NAME_COLUMNS: usize = 26;

/// The whole text.
pub(super) fn screen(standing: &Standing) -> String {
    let mut lines = vec![standing.verdict(), String::new()];
    lines.push(describe_next(standing));
    if let Some(run) = &standing.overview.running {
        lines.push(format!("Run under way: {}", describe_run(standing, run)));
    }
    if let Some(run) = &standing.overview.last_finished {
        lines.push(format!("Last run: {}", describe_run(standing, run)));
        lines.push(describe_counts(run));
        if let Some(detail) = &run.detail {
            lines.push(format!("  {}", printable(detail)));
        }
    }
    lines.push(describe_leader(standing));
    lines.extend(describe_states(standing));
    lines.extend(describe_rejected(standing));
    lines.extend(standing.consents.as_deref().map(describe_consents));
    if let Some(upgrade) = &standing.upgrade {
        lines.push(format!("Migrations: {upgrade}"));
    }
    lines.extend(describe_needy(standing));
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn describe_next(standing: &Standing) -> String {
    let schedule = &standing.schedule;
    match schedule.next_after(standing.now) {
        None => "Next run: none, the schedule has no further ticks".to_owned(),
        Some(next) => {
            let (at, ahead) = (schedule.in_zone(next), span(next - standing.now));
            format!("Next run: {at}, in {ahead}")
        }
    }
}

fn describe_run(standing: &Standing, run: &RunRecord) -> String {
    let at = |moment: DateTime<Utc>| {
        let ago = span(standing.now - moment);
        format!("{}, {ago} ago", standing.schedule.in_zone(moment))
    };
    let RunRecord { run_id, kind, .. } = run;
    match run.finished_at {
        None => format!("{run_id} ({kind}), begun {}", at(run.started_at)),
        Some(end) => {
            let (outcome, took) = (&run.outcome, span(end - run.started_at));
            format!("{run_id} ({kind}), {outcome} after {took}, {}", at(end))
        }
    }
}

fn describe_counts(run: &RunRecord) -> String {
    format!(
        "  {} of {} customers; rows: {} new, {} changed, {} unchanged, {} rejected",
        run.customers_succeeded,
        run.customers_total,
        run.rows_inserted,
        run.rows_updated,
        run.rows_unchanged,
        run.rows_rejected
    )
}

fn describe_leader(standing: &Standing) -> String {
    let in_zone = |at| standing.schedule.in_zone(at);
    if let Some(leader) = &standing.leader {
        let (host, since) = (printable(&leader.host), in_zone(leader.since));
        return format!("Leader: {host} leads since {since}");
    }
    let last = lease_of_leader(&standing.overview.leases);
    let last = last.and_then(|lease| Some((printable(lease.host.as_ref()?), lease.renewed_at?)));
    match last {
        Some((host, at)) => {
            format!("No daemon leads; that of {host} did until {}", in_zone(at))
        }
        None => "No daemon leads".to_owned(),
    }
}

/// How many customers are in each state, such as "22 active, 3 failing".
fn describe_states(standing: &Standing) -> Option<String> {
    let states = standing.overview.figures?.customers.each();
    let counts: Vec<String> = states
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    (!counts.is_empty()).then(|| format!("Customers: {}", counts.join(", ")))
}

fn describe_rejected(standing: &Standing) -> Option<String> {
    let run = standing.overview.last_finished.as_ref()?;
    (run.rows_rejected > 0).then(|| {
        format!(
            "Rejected rows: {}; select * from rejected_row where run_id = {}",
            run.rows_rejected, run.run_id
        )
    })
}

/// The customers that need a person, and what to do for each reason that occurs.
fn describe_needy(standing: &Standing) -> Vec<String> {
    let attention = &standing.attention;
    if attention.shown.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![
        String::new(),
        "These need you, the longest first:".to_owned(),
    ];
    let mut actions: Vec<(&str, &str)> = Vec::new();
    for customer in &attention.shown {
        let trouble = trouble(&customer.state, customer.reason.as_deref());
        lines.push(format!(
            "  {}  {}  {}: {}",
            in_columns(&name(customer)),
            customer.customer_id,
            standing.since(customer),
            trouble.words
        ));
        let action = (trouble.words, trouble.action);
        if !actions.contains(&action) {
            actions.push(action);
        }
    }
    let more = attention.total.saturating_sub(attention.shown.len() as u64);
    if more > 0 {
        lines.push(format!(
            "  and {more} more; up to {SHOWN_IN_JSON} are in: seatledger status --json"
        ));
    }
    lines.extend([String::new(), "What to do:".to_owned()]);
    let actions = actions.into_iter();
    lines.extend(actions.map(|(words, action)| format!("  {words}: {action}")));
    lines
}

fn name(customer: &NeedyCustomer) -> String {
    let name = customer.customer_name.as_deref().map(printable);
    let name = name.filter(|name| !name.is_empty());
    name.unwrap_or_else(|| "(no name known)".to_owned())
}

/// The text padded or cut to the columns of a name: a wide character takes two.
fn in_columns(text: &str) -> String {
    let mut shown = String::new();
    if text.width() <= NAME_COLUMNS {
        shown.push_str(text);
    } else {
        let mut left = NAME_COLUMNS - 1;
        for c in text.chars() {
            let columns = c.width().unwrap_or(0);
            if columns > left {
                break;
            }
            left -= columns;
            shown.push(c);
        }
        shown.push('…');
    }
    let padding = NAME_COLUMNS.saturating_sub(shown.width());
    isolated(&shown) + &" ".repeat(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_the_same_columns_whatever_they_are_written_in() {
        let wide = "漢字".repeat(20);
        for name in [
            "Contoso",
            "漢字 Ltd",
            "🚀 Rockets",
            "שלום 42",
            wide.as_str(),
            "",
        ] {
            assert_eq!(in_columns(name).width(), NAME_COLUMNS, "{name}");
        }
        assert!(in_columns(&wide).contains('…'));
    }
}
