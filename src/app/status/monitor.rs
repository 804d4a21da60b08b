//! The status as one line for a monitoring system, by the rules of Nagios' plugins: a state, a text
//! and performance data. Pure.

use chrono::{DateTime, Utc};

use crate::cli::{Bounds, StatusBounds};
use crate::printable::printable;
use crate::schedule::{PastRuns, Timeliness};
use crate::span::counted;
use crate::standing::Standing;

/// What a monitoring system knows. The order is that of severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PluginState {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl PluginState {
    /// The exit code of a plugin.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// The line and its exit code.
#[derive(Debug)]
pub(super) struct PluginLine {
    pub(super) state: PluginState,
    pub(super) text: String,
}

/// When nothing could be read.
pub(super) fn unknown(why: &str) -> PluginLine {
    let words: Vec<&str> = why.split_whitespace().collect();
    PluginLine::new(PluginState::Unknown, &printable(&words.join(" ")), "")
}

pub(super) fn line(standing: &Standing, bounds: &StatusBounds) -> PluginLine {
    let mut said = vec![standing.verdict()];
    let mut data = Vec::new();
    let mut state = match standing.timeliness {
        Timeliness::Overdue => PluginState::Critical,
        Timeliness::Late => PluginState::Warning,
        Timeliness::OnTime if standing.last_run_failed() => PluginState::Warning,
        Timeliness::OnTime => PluginState::Ok,
    };
    if let Some(figures) = standing.overview.figures {
        let customers = figures.customers;
        let all: u64 = customers.each().iter().map(|(_, count)| count).sum();
        let listed = all - customers.gone;
        // A range alerts above its end.
        let of_listed = |percent: u32| listed * u64::from(percent) / 100;
        let Bounds { warning, critical } = bounds.failing;
        let (warning, critical) = (of_listed(warning), of_listed(critical));
        let failing = customers.failing;
        state = state.max(above(failing, warning, critical));
        data.push(format!(
            "customers_failing={failing};{warning};{critical};0;{listed}"
        ));
    }
    if let Some(last) = standing.past.last_success {
        let schedule = &standing.schedule;
        let age = (standing.now - last).num_seconds().max(0);
        let since_success = PastRuns {
            last_end: Some(last),
            ..standing.past
        };
        let bound = |due: Option<DateTime<Utc>>| {
            due.map_or_else(String::new, |due| (due - last).num_seconds().to_string())
        };
        let late = bound(schedule.end_due(&since_success));
        let overdue = bound(schedule.success_due(&standing.past));
        data.push(format!("last_success_age={age}s;{late};{overdue};0"));
    }
    let consents = standing.consents.as_deref().unwrap_or_default();
    if let Some(first) = consents.iter().min_by_key(|it| it.summary.days_left) {
        let days = first.summary.days_left;
        let Bounds { warning, critical } = bounds.consent_days;
        let consent = match days {
            _ if days < i64::from(critical) => PluginState::Critical,
            _ if days < i64::from(warning) => PluginState::Warning,
            _ => PluginState::Ok,
        };
        if consent > PluginState::Ok {
            let ends = match days {
                ..0 => "has expired".to_owned(),
                days => format!("ends in {}", counted(days, "day")),
            };
            said.push(format!("The consent on {} {ends}.", first.host));
        }
        state = state.max(consent);
        data.push(format!("consent_days={days};{warning}:;{critical}:"));
    }
    if let Some(refused) = consents.iter().find(|consent| consent.refusal.is_some()) {
        said.push(format!("Signing in on {} was refused.", refused.host));
        state = state.max(PluginState::Critical);
    }
    if let Some(rejected) = standing.overview.rejected_rows() {
        data.push(format!("rejected_rows={rejected};;;0"));
    }
    PluginLine::new(state, &said.join(" "), &data.join(" "))
}

fn above(count: u64, warning: u64, critical: u64) -> PluginState {
    if count > critical {
        PluginState::Critical
    } else if count > warning {
        PluginState::Warning
    } else {
        PluginState::Ok
    }
}

impl PluginLine {
    fn new(state: PluginState, said: &str, data: &str) -> Self {
        // A bar would begin the performance data, and a line end a second line.
        let said = said.replace('|', "/").replace(char::is_control, " ");
        let data = if data.is_empty() {
            String::new()
        } else {
            format!(" | {data}")
        };
        let text = format!("SEATLEDGER {} - {said}{data}", state.as_str());
        Self { state, text }
    }
}
