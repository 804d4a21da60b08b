//! The next, the present and the last run.

use chrono::{DateTime, Utc};

use crate::pages::format;
use crate::span::span;
use crate::standing::{Standing, main_consent};
use crate::store::RunRecord;

/// How far the run of this daemon is.
pub(crate) struct RunProgress {
    /// In words.
    pub(crate) words: String,
    /// Customers recorded.
    pub(crate) done: u64,
    /// Customers on the list; 0 until it is known.
    pub(crate) total: u64,
}

/// The runs.
pub(super) struct RunsView {
    pub(super) next: Option<Moment>,
    pub(super) running: Option<RunningView>,
    pub(super) last: Option<LastRunView>,
    pub(super) leader: String,
    /// None if no person signs in.
    pub(super) consent: Option<String>,
}

/// A moment: how far it is away, and when exactly, in the schedule's zone.
pub(super) struct Moment {
    pub(super) distance: String,
    pub(super) exact: String,
}

/// The run under way.
pub(super) struct RunningView {
    pub(super) begun: Option<Moment>,
    /// None if another process runs it.
    pub(super) progress: Option<RunProgress>,
}

/// The last run that has ended.
pub(super) struct LastRunView {
    pub(super) run_id: i64,
    pub(super) outcome: String,
    /// `good`, `warn` or `bad`.
    pub(super) class: &'static str,
    pub(super) ended: Moment,
    pub(super) took: String,
    pub(super) customers: String,
    pub(super) rows: String,
    pub(super) detail: Option<String>,
}

impl RunsView {
    pub(super) fn new(standing: &Standing, progress: Option<RunProgress>) -> Self {
        let overview = &standing.overview;
        let running = overview.running.as_ref();
        let next = standing.schedule.next_after(standing.now);
        let consents = standing.consents.as_deref();
        Self {
            next: next.map(|next| moment(standing, next)),
            running: (running.is_some() || progress.is_some()).then(|| RunningView {
                begun: running.map(|run| moment(standing, run.started_at)),
                progress,
            }),
            last: overview
                .last_finished
                .as_ref()
                .and_then(|run| last(standing, run)),
            leader: match &standing.leader {
                Some(leader) => {
                    let since = standing.schedule.in_zone(leader.since);
                    format!("{}, since {since}", leader.host)
                }
                None => "no daemon leads".to_owned(),
            },
            consent: consents.map(|all| match main_consent(all, standing.leader.as_ref()) {
                None => "no sign-in is known yet".to_owned(),
                Some(consent) => {
                    let days = consent.summary.days_left;
                    format!(
                        "{} left, renewed at every use",
                        format::counted(days, "day")
                    )
                }
            }),
        }
    }
}

fn moment(standing: &Standing, at: DateTime<Utc>) -> Moment {
    let distance = at - standing.now;
    Moment {
        distance: if distance.num_seconds() > 0 {
            format!("in {}", span(distance))
        } else {
            format!("{} ago", span(-distance))
        },
        exact: standing.schedule.in_zone(at),
    }
}

fn last(standing: &Standing, run: &RunRecord) -> Option<LastRunView> {
    let ended = run.finished_at?;
    Some(LastRunView {
        run_id: run.run_id,
        outcome: run.outcome.clone(),
        class: match run.outcome.as_str() {
            "succeeded" => "good",
            "partial" => "warn",
            _ => "bad",
        },
        ended: moment(standing, ended),
        took: span(ended - run.started_at),
        customers: format!(
            "{} of {}",
            format::count(run.customers_succeeded),
            format::counted(run.customers_total, "customer")
        ),
        rows: format!(
            "{} new, {} changed, {} unchanged",
            format::count(run.rows_inserted),
            format::count(run.rows_updated),
            format::count(run.rows_unchanged)
        ),
        detail: run.detail.clone(),
    })
}
