//! The front page.

mod tiles;
mod workloads;

use askama::Template;
use chrono::NaiveDate;

use super::format;
use super::layout::Layout;
use crate::store::{Figures, RunRecord};
use tiles::TileView;
use workloads::WorkloadView;

/// What the front page shows.
#[derive(Template)]
#[template(path = "front/page.html")]
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
    /// None until they are computed.
    pub(crate) figures: Option<FiguresView>,
}

/// The figures, made ready for the page.
pub(crate) struct FiguresView {
    tiles: Vec<TileView>,
    workloads: Vec<WorkloadView>,
}

impl FiguresView {
    pub(crate) fn new(figures: &Figures) -> Self {
        Self {
            tiles: tiles::tiles(&figures.tiles),
            workloads: workloads::workloads(&figures.workloads),
        }
    }
}
