//! The list of runs, and one run.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::{BEYOND, Forms, missing, page, page_number, prefers_html, unread};
use crate::pages::{self, RunPage, RunRow, Runs, Section};
use crate::schedule::Schedule;
use crate::status::data;
use crate::status::site::Site;
use crate::store::{FileFormat, RunDetail, RunLine, RunList};

/// Programs get the list whole.
pub(in crate::status) async fn show_all(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !prefers_html(&headers) {
        return data::runs(&site, FileFormat::Json).await;
    }
    let number = page_number(&uri);
    let parts = site.observer.parts();
    let list = parts
        .reader
        .read("reading the list of runs", move |connection| {
            Box::pin(RunList::load(connection, number))
        });
    match list.await {
        Ok(RunList { rows, .. }) if rows.is_empty() && number > 0 => {
            missing(&site, &headers, Section::Runs, BEYOND)
        }
        Ok(RunList { rows, total }) => {
            let mut layout = site.layout(Section::Runs, "Runs");
            layout.is_live = rows.iter().any(|run| run.finished_at.is_none());
            let rows = rows.into_iter().map(|run| row(run, &parts.schedule));
            let runs = Runs::new(layout, rows.collect(), total, number);
            page(StatusCode::OK, pages::render(&runs), Forms::None)
        }
        Err(error) => unread(&site, Section::Runs, &error),
    }
}

/// Programs get the failures.
pub(in crate::status) async fn show_one(
    State(site): State<Arc<Site>>,
    Path(run_id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let Ok(run_id) = run_id.parse() else {
        let problem = "Runs have whole numbers, and this is none.";
        return missing(&site, &headers, Section::Runs, problem);
    };
    if !prefers_html(&headers) {
        return data::run(&site, run_id, "failures", FileFormat::Json).await;
    }
    let number = page_number(&uri);
    let parts = site.observer.parts();
    let detail = parts.reader.read("reading a run", move |connection| {
        Box::pin(RunDetail::load(connection, run_id, number))
    });
    match detail.await {
        Ok(Some(detail)) if detail.failures.is_empty() && number > 0 => {
            missing(&site, &headers, Section::Runs, BEYOND)
        }
        Ok(Some(detail)) => {
            let mut layout = site.layout(Section::Runs, &format!("Run {run_id}"));
            layout.is_live = detail.run.finished_at.is_none();
            let row = row(detail.run.clone(), &parts.schedule);
            let run = RunPage::new(layout, row, detail, number);
            page(StatusCode::OK, pages::render(&run), Forms::None)
        }
        Ok(None) => {
            let problem = format!("The ledger has no run {run_id}. It may have been deleted.");
            missing(&site, &headers, Section::Runs, &problem)
        }
        Err(error) => unread(&site, Section::Runs, &error),
    }
}

fn row(line: RunLine, schedule: &Schedule) -> RunRow {
    RunRow {
        started: schedule.minute(line.started_at),
        finished: line.finished_at.map(|at| schedule.minute(at)),
        line,
    }
}
