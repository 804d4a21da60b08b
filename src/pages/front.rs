//! The front page.

use askama::Template;
use chrono::NaiveDate;

use super::format;
use super::layout::Layout;
use crate::store::RunRecord;

/// What the front page shows.
#[derive(Template)]
#[template(path = "front.html")]
pub(crate) struct Front {
    pub(crate) layout: Layout,
    /// Since when the database is away, and why; none if it is there.
    pub(crate) away: Option<String>,
    /// The newest processed date of any customer's usage.
    pub(crate) newest_date: Option<NaiveDate>,
    /// In the schedule's zone; none if it has no further ticks.
    pub(crate) next_run: Option<String>,
    pub(crate) last_run: Option<RunRecord>,
    pub(crate) running: Option<RunRecord>,
}
