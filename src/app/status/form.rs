//! The status as JSON, described in docs/json.md. Pure.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use crate::schedule::Timeliness;
use crate::standing::{RecordedLeader, ShownConsent, Standing, main_consent};
use crate::store::{Attention, CustomersByState, RunRecord};

/// The whole object.
#[derive(Serialize)]
pub(super) struct StatusForm<'a> {
    version: u32,
    as_of: DateTime<Utc>,
    verdict: String,
    timeliness: &'static str,
    next_run_at: Option<DateTime<Utc>>,
    success_due_at: Option<DateTime<Utc>>,
    last_success_at: Option<DateTime<Utc>>,
    running: Option<&'a RunRecord>,
    last_run: Option<&'a RunRecord>,
    leader: Option<&'a RecordedLeader>,
    customers: Option<CustomersByState>,
    newest_processed_date: Option<NaiveDate>,
    attention: &'a Attention,
    consent: Option<&'a ShownConsent>,
    consents: Option<&'a [ShownConsent]>,
    schema_version: Option<i64>,
    migration: Option<&'a str>,
    ledger_bytes: Option<i64>,
}

pub(super) fn form(standing: &Standing) -> StatusForm<'_> {
    let Standing {
        overview, schedule, ..
    } = standing;
    let leader = standing.leader.as_ref();
    let consents = standing.consents.as_deref();
    StatusForm {
        version: 1,
        as_of: standing.now,
        verdict: standing.verdict(),
        timeliness: match standing.timeliness {
            Timeliness::OnTime => "on_time",
            Timeliness::Late => "late",
            Timeliness::Overdue => "overdue",
        },
        next_run_at: schedule.next_after(standing.now),
        success_due_at: schedule.success_due(&standing.past),
        last_success_at: overview.last_success_at,
        running: overview.running.as_ref(),
        last_run: overview.last_finished.as_ref(),
        leader,
        customers: overview.figures.map(|figures| figures.customers),
        newest_processed_date: overview
            .figures
            .and_then(|figures| figures.newest_processed_date),
        attention: &standing.attention,
        consent: consents.and_then(|all| main_consent(all, leader)),
        consents,
        schema_version: overview.schema_version,
        migration: standing.upgrade.as_deref(),
        ledger_bytes: overview.figures.map(|figures| figures.ledger_bytes),
    }
}
