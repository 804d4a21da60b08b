//! The front page, from memory.

use axum::http::StatusCode;
use axum::response::Response;

use super::{Forms, page, unavailable};
use crate::pages::{self, FiguresView, Front, Section};
use crate::status::routes::Site;

/// Status 503 while the database is away: with what was last known, if anything was.
pub(in crate::status) fn show(site: &Site) -> Response {
    let observer = &site.observer;
    let known = observer.known();
    let Some(overview) = known.overview else {
        return unavailable(site, Section::Overview);
    };
    let schedule = &observer.parts().schedule;
    let mut layout = site.layout(Section::Overview, "Overview");
    layout.is_live = overview.running.is_some();
    let front = Front {
        layout,
        away: site.away(),
        newest_date: overview.figures.and_then(|it| it.newest_processed_date),
        next_run: observer.next_run().map(|next| schedule.in_zone(next)),
        last_run: overview.last_finished.clone(),
        running: overview.running.clone(),
        figures: observer.figures().as_deref().map(FiguresView::new),
    };
    let status = if known.away.is_some() {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    };
    page(status, pages::render(&front), Forms::None)
}
