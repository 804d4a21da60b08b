//! The use of each workload over all customers.

use crate::pages::charts::{Point, Words, line};
use crate::pages::format;
use crate::store::WorkloadLine;

/// A workload with its past.
pub(super) struct WorkloadView {
    pub(super) name: String,
    /// Seats now.
    pub(super) active: String,
    pub(super) qualified: String,
    /// Active seats as a part of the qualified ones.
    pub(super) share: String,
    /// Of active seats, over the days that are drawn.
    pub(super) change: String,
    /// SVG; empty without a past.
    pub(super) days: String,
    pub(super) months: String,
}

pub(super) fn workloads(lines: &[WorkloadLine]) -> Vec<WorkloadView> {
    lines.iter().map(view).collect()
}

fn view(workload: &WorkloadLine) -> WorkloadView {
    let name = workload.workload_name.clone();
    let days = workload.days.iter().map(|day| Point {
        label: format::day(day.date),
        value: day.active,
        is_dotted: day.is_carried,
    });
    let months = workload.months.iter().map(|month| Point {
        label: format::month(month.month),
        value: month.active,
        is_dotted: !month.is_over,
    });
    let (days, months): (Vec<Point>, Vec<Point>) = (days.collect(), months.collect());
    let draw = |what: &str, points: &[Point]| {
        let words = Words {
            title: &format!("Active seats of {name}, {what}"),
            description: &format::describe(points),
        };
        line(words, points)
    };
    let newest = workload.days.iter().rev().find(|day| day.active.is_some());
    let oldest = workload.days.iter().find_map(|day| day.active);
    let (active, qualified) = newest.map_or((None, None), |day| (day.active, day.qualified));
    let change = active.zip(oldest).map(|(active, oldest)| active - oldest);
    WorkloadView {
        active: format::known(active),
        qualified: format::known(qualified),
        share: format::share(active, qualified),
        change: change.map_or_else(String::new, format::signed),
        days: draw("each day", &days),
        months: draw("at the end of each month", &months),
        name,
    }
}
