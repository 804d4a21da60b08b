//! The four figures over all customers, each with its past.

use crate::pages::charts::{Point, Words, sparkline};
use crate::pages::format;
use crate::store::{Tile, Tiles};

/// A figure with its past.
pub(super) struct TileView {
    pub(super) name: &'static str,
    /// What is counted.
    pub(super) meaning: &'static str,
    /// None if it is not known.
    pub(super) now: Option<String>,
    /// Since the end of the last month.
    pub(super) change: Option<String>,
    /// SVG; empty without a past.
    pub(super) line: String,
}

/// None of them if none is known.
pub(super) fn tiles(tiles: &Tiles) -> Vec<TileView> {
    let views = [
        view("Sold", "seats of paid subscriptions", &tiles.sold),
        view("Assigned", "sold seats that a user has", &tiles.assigned),
        view(
            "Active",
            "used within 28 days, in each product's most used workload",
            &tiles.active,
        ),
        view("Unused", "paid for, and nobody uses them", &tiles.unused),
    ];
    if views.iter().all(|view| view.now.is_none()) {
        return Vec::new();
    }
    views.into()
}

fn view(name: &'static str, meaning: &'static str, tile: &Tile) -> TileView {
    let last = tile.months.last();
    let change = last.and_then(|(month, then)| {
        let change = format::signed(tile.now? - (*then)?);
        Some(format!("{change} since the end of {}", month.format("%B")))
    });
    let months = tile.months.iter().map(|(month, value)| Point {
        label: format::month(*month),
        value: *value,
        is_dotted: false,
    });
    let now = Point {
        label: "now".to_owned(),
        value: tile.now,
        is_dotted: false,
    };
    let points: Vec<Point> = months.chain([now]).collect();
    let words = Words {
        title: &format!("{name} seats at the end of each month"),
        description: &format::describe(&points),
    };
    TileView {
        name,
        meaning,
        now: tile.now.map(format::count),
        change,
        line: sparkline(words, &points),
    }
}
