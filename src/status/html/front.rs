//! The front page, from memory.

use axum::http::StatusCode;
use axum::response::Response;

use super::{Forms, page, unavailable};
use crate::pages::{self, Front, RunProgress, Section};
use crate::standing::Standing;
use crate::status::site::Site;

/// Status 503 while the database is away: with what was last known, if anything was.
pub(in crate::status) fn show(site: &Site) -> Response {
    let observer = &site.observer;
    let known = observer.known();
    let Some(overview) = known.overview else {
        return unavailable(site, Section::Overview);
    };
    let (parts, figures) = (observer.parts(), observer.figures());
    let now = observer.inputs.clock.now();
    let attention = figures.as_ref().map(|figures| figures.attention.clone());
    let mut standing = Standing::new(
        now,
        parts.schedule.clone(),
        overview.as_ref().clone(),
        attention.unwrap_or_default(),
        parts.consent.is_some(),
    );
    let upgrade = parts.upgrade.borrow();
    standing.upgrade = upgrade.as_ref().map(|wait| {
        let since = parts.schedule.in_zone(wait.since);
        format!("other sessions use the ledger's tables, since {since}")
    });
    let front = Front::new(
        site.layout(Section::Overview, "Overview"),
        site.away(),
        &standing,
        progress(site),
        figures.as_deref(),
    );
    let status = if known.away.is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    page(status, pages::render(&front), Forms::None)
}

fn progress(site: &Site) -> Option<RunProgress> {
    let progress = *site.observer.inputs.progress.borrow().as_ref()?.borrow();
    let parts = site.observer.parts();
    let pause = parts.client.throttle().paused_until.map(|until| {
        let until = parts.schedule.in_zone(until);
        format!(", paused by Partner Center until {until}")
    });
    Some(RunProgress {
        words: format!("{progress}{}", pause.unwrap_or_default()),
        done: progress.done,
        total: progress.total,
    })
}
