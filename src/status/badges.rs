//! Badges, from memory. They hold no name, and are served wherever the metrics are.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::site::Site;
use crate::pages::{self, Badge, Tone};
use crate::standing::past_runs;

/// How many of the customers with products have fresh figures.
pub(super) async fn freshness(State(site): State<Arc<Site>>) -> Response {
    let overview = site.observer.known().overview;
    let states = overview.and_then(|overview| Some(overview.figures?.customers));
    let known = states.map(|states| {
        let with_products = states.active + states.stale + states.failing;
        let tone = match states.active {
            _ if with_products == 0 => Tone::Unknown,
            active if active == with_products => Tone::Good,
            // Half of them or more.
            active if active >= with_products.div_ceil(2) => Tone::Warn,
            _ => Tone::Bad,
        };
        let words = format!("{} of {with_products} customers", states.active);
        (words, tone)
    });
    badge(&site, "fresh figures", known)
}

/// How the last run over the whole list ended, and when; or since when a success is overdue.
pub(super) async fn last_run(State(site): State<Arc<Site>>) -> Response {
    let parts = site.observer.parts();
    let now = site.observer.inputs.clock.now();
    let overview = site.observer.known().overview;
    let known = overview.map(|overview| {
        let due = parts.schedule.success_due(&past_runs(&overview, now));
        if let Some(due) = due.filter(|due| *due < now) {
            let words = format!("overdue since {}", parts.schedule.minute(due));
            return (words, Tone::Bad);
        }
        let ended = overview.last_finished.as_ref();
        let ended = ended.and_then(|run| Some((run, run.finished_at?)));
        match ended {
            Some((run, at)) => {
                let tone = match run.outcome.as_str() {
                    "succeeded" => Tone::Good,
                    "partial" => Tone::Warn,
                    _ => Tone::Bad,
                };
                let words = format!("{} {}", run.outcome, parts.schedule.minute(at));
                (words, tone)
            }
            None if overview.running.is_some() => ("the first is under way".into(), Tone::Unknown),
            None => ("none yet".into(), Tone::Unknown),
        }
    });
    badge(&site, "last run", known)
}

fn badge(site: &Site, label: &'static str, known: Option<(String, Tone)>) -> Response {
    let away = site.observer.known().away.map(|away| {
        let since = site.observer.parts().schedule.minute(away.since);
        (format!("database away since {since}"), Tone::Unknown)
    });
    let known = away.or(known);
    let (words, tone) = known.unwrap_or_else(|| ("not known yet".into(), Tone::Unknown));
    let badge = Badge { label, words, tone };
    (
        [(header::CONTENT_TYPE, "image/svg+xml")],
        pages::render(&badge),
    )
        .into_response()
}
