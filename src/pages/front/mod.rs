//! The front page: how things stand, what needs a person, the runs and the figures.

mod needs;
mod runs;
mod strip;
mod tables;
mod tiles;
mod workloads;

use askama::Template;

use super::data_links::DataLinks;
use super::format;
use super::layout::Layout;
use crate::schedule::Timeliness;
use crate::span::span;
use crate::standing::Standing;
use crate::store::{Figures, FrontTable};
use needs::Needs;
pub(crate) use runs::RunProgress;
use runs::RunsView;
use strip::Strip;
use tables::{EventView, MoverView, WasteView};
use tiles::TileView;
use workloads::WorkloadView;

/// What the front page shows.
#[derive(Template)]
#[template(path = "front/page.html")]
pub(crate) struct Front {
    pub(crate) layout: Layout,
    /// Since when the database is away, and why; none if it is there.
    away: Option<String>,
    verdict: String,
    mood: Mood,
    needs: Needs,
    runs: RunsView,
    /// None until they are computed.
    figures: Option<FiguresView>,
}

/// The verdict in a word or two.
#[derive(Clone, Copy)]
struct Mood {
    words: &'static str,
    /// `good`, `warn` or `bad`, as in the style sheet.
    class: &'static str,
}

/// The figures, made ready for the page.
struct FiguresView {
    newest_date: Option<String>,
    /// How long ago they were computed.
    age: String,
    tiles: Vec<TileView>,
    workloads: Vec<WorkloadView>,
    strip: Strip,
    movers: Vec<MoverView>,
    waste: Vec<WasteView>,
    wasted_seats: String,
    wasting_customers: String,
    events: Vec<EventView>,
    files: Files,
}

/// The files and the SQL of each table.
struct Files {
    workloads: String,
    workload_months: String,
    completeness: String,
    movers: String,
    waste: String,
    events: String,
}

impl Files {
    fn new(layout: &Layout, figures: &Figures) -> Self {
        let of = |table: FrontTable| {
            let path = format!("/data/{}", table.name());
            super::render(&DataLinks::new(
                layout,
                &path,
                "",
                table.query(figures).sql(),
            ))
        };
        Self {
            workloads: of(FrontTable::Workloads),
            workload_months: of(FrontTable::WorkloadMonths),
            completeness: of(FrontTable::Completeness),
            movers: of(FrontTable::Movers),
            waste: of(FrontTable::Waste),
            events: of(FrontTable::ProductEvents),
        }
    }
}

impl Front {
    pub(crate) fn new(
        layout: Layout,
        away: Option<String>,
        standing: &Standing,
        progress: Option<RunProgress>,
        figures: Option<&Figures>,
    ) -> Self {
        let needs = Needs::new(standing, away.is_some(), figures);
        let mut layout = layout;
        layout.is_live = progress.is_some() || standing.overview.running.is_some();
        Self {
            verdict: standing.verdict(),
            mood: mood(standing, &needs, away.is_some()),
            away,
            needs,
            runs: RunsView::new(standing, progress),
            figures: figures.map(|figures| FiguresView::new(figures, standing, &layout)),
            layout,
        }
    }
}

fn mood(standing: &Standing, needs: &Needs, is_away: bool) -> Mood {
    let (words, class) = match standing.timeliness {
        _ if is_away => ("Database away", "bad"),
        Timeliness::Overdue => ("Overdue", "bad"),
        Timeliness::Late => ("Late", "warn"),
        Timeliness::OnTime if standing.last_run_failed() => ("Last run failed", "bad"),
        Timeliness::OnTime if !needs.is_empty() => ("Needs you", "warn"),
        Timeliness::OnTime if standing.past.last_success.is_none() => {
            ("Before the first run", "warn")
        }
        Timeliness::OnTime if !needs.is_known => ("On time", "good"),
        Timeliness::OnTime => ("All is well", "good"),
    };
    Mood { words, class }
}

impl FiguresView {
    fn new(figures: &Figures, standing: &Standing, layout: &Layout) -> Self {
        Self {
            newest_date: figures.newest_date.map(format::date),
            age: span(standing.now - figures.as_of),
            tiles: tiles::tiles(&figures.tiles),
            workloads: workloads::workloads(&figures.workloads),
            strip: Strip::new(&figures.completeness),
            movers: tables::movers(&figures.movers),
            waste: tables::waste(&figures.waste),
            wasted_seats: format::count(figures.waste_total.unused),
            wasting_customers: format::counted(figures.waste_total.customers, "customer"),
            events: tables::events(&figures.product_events),
            files: Files::new(layout, figures),
        }
    }
}
