//! The list of runs, and one run.

use askama::Template;

use super::data_links::DataLinks;
use super::format;
use super::layout::Layout;
use super::pager::PageLinks;
use crate::span::span;
use crate::standing;
use crate::store::{FailureLine, RejectionLine, RunDetail, RunLine, RunList};

/// A page of the list.
#[derive(Template)]
#[template(path = "runs.html")]
pub(crate) struct Runs {
    layout: Layout,
    rows: Vec<RunRow>,
    pager: PageLinks,
    data: DataLinks,
}

/// A run, with its moments in the schedule's zone.
pub(crate) struct RunRow {
    pub(crate) line: RunLine,
    pub(crate) started: String,
    /// None while it is under way.
    pub(crate) finished: Option<String>,
}

/// One run.
#[derive(Template)]
#[template(path = "run.html")]
pub(crate) struct RunPage {
    layout: Layout,
    row: RunRow,
    failures: Vec<FailureLine>,
    failures_pager: PageLinks,
    failures_data: DataLinks,
    rejections: Vec<RejectionLine>,
    rejections_data: DataLinks,
}

impl Runs {
    /// `page` counts from 0.
    pub(crate) fn new(layout: Layout, rows: Vec<RunRow>, total: i64, page: u32) -> Self {
        let query = RunList::query();
        Self {
            pager: PageLinks::new(&format!("{}/runs?", layout.prefix), page, total),
            data: DataLinks::new(&layout, "/runs", "", query.sql())
                .of_a_list()
                .of_tables(),
            rows,
            layout,
        }
    }
}

impl RunRow {
    /// None while it is under way.
    fn took(&self) -> Option<String> {
        let finished = self.line.finished_at?;
        Some(span(finished - self.line.started_at))
    }

    /// A count of the run, which it writes when it ends.
    fn count(&self, count: i64) -> String {
        format::known(self.finished.as_ref().map(|_| count))
    }

    fn tone(&self) -> &'static str {
        match self.line.outcome.as_str() {
            "succeeded" => "good",
            "partial" => "warn",
            "failed" | "interrupted" => "bad",
            _ => "",
        }
    }

    /// What asked for the run.
    fn kind(&self) -> String {
        match self.line.asked_date {
            Some(date) => format!("{} of {}", self.line.kind, format::date(date)),
            None => self.line.kind.clone(),
        }
    }
}

impl RunPage {
    /// `page` is that of the failures, and counts from 0.
    pub(crate) fn new(layout: Layout, row: RunRow, detail: RunDetail, page: u32) -> Self {
        let run_id = row.line.run_id;
        let path = format!("/runs/{run_id}");
        let data = |table: &str, sql: &str| {
            DataLinks::new(&layout, &format!("{path}/{table}"), "", sql)
                .of_a_list()
                .of_tables()
        };
        Self {
            failures_data: data("failures", RunDetail::failures(run_id).sql()),
            rejections_data: data("rejections", RunDetail::rejections(run_id).sql()),
            failures_pager: PageLinks::new(
                &format!("{}{path}?", layout.prefix),
                page,
                detail.failed,
            ),
            failures: detail.failures,
            rejections: detail.rejections,
            row,
            layout,
        }
    }
}
