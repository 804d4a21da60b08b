//! What the page and the report of a customer have in common, ready for the templates.

mod days;
mod seats;

use chrono::NaiveDate;

use crate::pages::charts::{self, Point};
use crate::pages::languages::{Language, fill};
use crate::store::{CustomerDetail, DetailDays, HeldProduct, WorkloadUse};
use days::{legend, weeks};
use seats::{Totals, seat_row};

pub(super) use days::day_words;
pub(crate) use seats::totals;

/// The parts of a page or report, each as it is shown.
pub(super) struct Sections {
    pub(super) summary: String,
    pub(super) tiles: Vec<Figure>,
    pub(super) seats_caption: String,
    pub(super) seats: Vec<SeatRow>,
    pub(super) total: Option<SeatRow>,
    pub(super) uses_caption: String,
    pub(super) past: Vec<String>,
    pub(super) uses: Vec<UseGroup>,
    pub(super) lines_caption: String,
    pub(super) lines: Vec<LineRow>,
    pub(super) days_caption: String,
    pub(super) weeks: Vec<Week>,
    pub(super) legend: Vec<Legend>,
    pub(super) restatements_caption: Option<String>,
    pub(super) restatements: Vec<RestatementRow>,
    pub(super) holdings: Vec<HoldingRow>,
}

/// A figure with its name.
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) note: String,
}

/// A product's seats.
pub(super) struct SeatRow {
    pub(super) product: String,
    pub(super) kind: Option<String>,
    pub(super) cells: Vec<String>,
}

/// A product with its workloads.
pub(super) struct UseGroup {
    pub(super) product: String,
    pub(super) kind: Option<String>,
    pub(super) rows: Vec<UseRow>,
}

/// A workload's use.
pub(super) struct UseRow {
    pub(super) workload: String,
    pub(super) qualified: String,
    pub(super) active: String,
    pub(super) is_held: bool,
    pub(super) past: Vec<PastCell>,
}

/// Active seats of a past day, with the change since.
pub(super) struct PastCell {
    pub(super) value: String,
    pub(super) change: String,
    pub(super) class: &'static str,
}

/// A workload over time.
pub(super) struct LineRow {
    pub(super) workload: String,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) svg: String,
}

/// Seven days of the strip.
pub(super) struct Week {
    pub(super) label: String,
    pub(super) days: Vec<DayCell>,
}

/// A day of the strip; without a class outside of the days asked for.
pub(super) struct DayCell {
    pub(super) class: &'static str,
    pub(super) letter: &'static str,
    pub(super) word: String,
}

/// What a letter of the strip means, and how many days have it.
pub(super) struct Legend {
    pub(super) class: &'static str,
    pub(super) letter: &'static str,
    pub(super) word: String,
    pub(super) days: String,
}

/// Figures that were corrected.
pub(super) struct RestatementRow {
    pub(super) restated: String,
    pub(super) date: String,
    pub(super) product: String,
    pub(super) workload: String,
    pub(super) active: String,
    pub(super) qualified: String,
}

/// A product that is or was held.
pub(super) struct HoldingRow {
    pub(super) product: String,
    pub(super) kind: Option<String>,
    pub(super) first: String,
    pub(super) last: String,
    pub(super) class: &'static str,
    pub(super) status: String,
    pub(super) replaces: Option<String>,
}

/// Makes the parts from a customer's figures of `days`.
pub(super) fn sections(detail: &CustomerDetail, days: &DetailDays, texts: &Language) -> Sections {
    let until = texts.day(days.until);
    let totals = Totals::of(&detail.seats);
    let dated = |text: &str| fill(text, &[("date", &until)]);
    let ranged = |text: &str, first: NaiveDate| {
        fill(text, &[("first", &texts.day(first)), ("last", &until)])
    };
    let first_of_line = detail.lines.first().and_then(|line| line.points.first());
    let lines_caption = if days.is_now {
        &texts.lines_caption_days
    } else {
        &texts.lines_caption_weeks
    };
    let restatements_caption = (detail.restated > 0).then(|| {
        let listed = texts.count(i64::try_from(detail.restatements.len()).unwrap_or(i64::MAX));
        let values = [
            ("first", texts.day(days.since)),
            ("last", until.clone()),
            ("listed", listed),
            ("total", texts.count(detail.restated)),
        ];
        let values: Vec<_> = values
            .iter()
            .map(|(word, it)| (*word, it.as_str()))
            .collect();
        fill(&texts.restatements_caption, &values)
    });
    Sections {
        summary: totals.summary(texts),
        tiles: totals.tiles(texts),
        seats_caption: dated(&texts.seats_caption),
        seats: detail.seats.iter().map(|it| seat_row(it, texts)).collect(),
        total: totals.row(texts),
        uses_caption: dated(&texts.uses_caption),
        past: past_names(days, texts),
        uses: use_groups(&detail.uses, texts),
        lines_caption: ranged(lines_caption, first_of_line.map_or(days.since, |it| it.0)),
        lines: line_rows(detail, texts),
        days_caption: ranged(&texts.days_caption, days.since),
        weeks: weeks(detail, days, texts),
        legend: legend(detail, texts),
        restatements_caption,
        restatements: restatement_rows(detail, texts),
        holdings: detail
            .holdings
            .iter()
            .map(|it| holding_row(it, days, texts))
            .collect(),
    }
}

fn unknown() -> String {
    "–".to_owned()
}

fn known(figure: Option<i64>, texts: &Language) -> String {
    figure.map_or_else(unknown, |figure| texts.count(figure))
}

/// The kind of a product that nobody pays for.
pub(crate) fn kind_in_words(kind: &str, texts: &Language) -> Option<String> {
    match kind {
        "paid" => None,
        "free" => Some(texts.kind_free.clone()),
        "trial" => Some(texts.kind_trial.clone()),
        other => Some(other.to_owned()),
    }
}

/// The headings of the past days: how long ago they are, or their dates.
pub(crate) fn past_names(days: &DetailDays, texts: &Language) -> Vec<String> {
    let name = |day: &NaiveDate| {
        if days.is_now {
            let ago = (days.until - *day).num_days().to_string();
            fill(&texts.days_ago, &[("days", &ago)])
        } else {
            texts.day_short(*day)
        }
    };
    days.past.iter().map(name).collect()
}

fn use_groups(uses: &[WorkloadUse], texts: &Language) -> Vec<UseGroup> {
    let products = uses.chunk_by(|a, b| a.product_name == b.product_name);
    products
        .map(|rows| UseGroup {
            product: rows[0].product_name.clone(),
            kind: kind_in_words(&rows[0].product_kind, texts),
            rows: rows.iter().map(|it| use_row(it, texts)).collect(),
        })
        .collect()
}

fn use_row(row: &WorkloadUse, texts: &Language) -> UseRow {
    let past = row.past.iter().map(|past| {
        let change = past.map_or(0, |past| row.active.saturating_sub(past));
        PastCell {
            value: known(*past, texts),
            change: texts.change(change),
            class: match change {
                0 => "",
                1.. => "good",
                _ => "bad",
            },
        }
    });
    UseRow {
        workload: row.workload_name.clone(),
        qualified: texts.count(row.qualified),
        active: texts.count(row.active),
        is_held: row.is_held,
        past: past.collect(),
    }
}

fn line_rows(detail: &CustomerDetail, texts: &Language) -> Vec<LineRow> {
    let rows = detail.lines.iter().map(|line| {
        let mut known_points = line.points.iter().filter_map(|(_, active)| *active);
        let first = known_points
            .next()
            .map_or_else(unknown, |it| texts.count(it));
        let last = line.points.last().and_then(|(_, active)| *active);
        let last = known(last, texts);
        let day = |point: Option<&(NaiveDate, Option<i64>)>| {
            point.map(|(day, _)| texts.day(*day)).unwrap_or_default()
        };
        let alternative = fill(
            &texts.line_alternative,
            &[
                ("workload", &line.workload_name),
                ("first", &day(line.points.first())),
                ("last", &day(line.points.last())),
                ("from", &first),
                ("to", &last),
            ],
        );
        let points = line.points.iter().map(|(day, active)| Point {
            label: texts.day_short(*day),
            value: *active,
            is_dotted: false,
        });
        let points: Vec<Point> = points.collect();
        LineRow {
            svg: charts::sparkline(
                charts::Words {
                    title: &line.workload_name,
                    description: &alternative,
                },
                &points,
            ),
            workload: line.workload_name.clone(),
            first,
            last,
        }
    });
    rows.collect()
}

fn restatement_rows(detail: &CustomerDetail, texts: &Language) -> Vec<RestatementRow> {
    let from_to = |old: i64, new: i64| {
        if old == new {
            texts.count(new)
        } else {
            format!("{} → {}", texts.count(old), texts.count(new))
        }
    };
    let rows = detail.restatements.iter().map(|it| RestatementRow {
        restated: texts.moment(it.restated_at),
        date: texts.day_short(it.date),
        product: it.product_name.clone(),
        workload: it.workload_name.clone(),
        active: from_to(it.old_active, it.new_active),
        qualified: from_to(it.old_qualified, it.new_qualified),
    });
    rows.collect()
}

/// Whether a product is held, new or ended, in terms of the days that are shown.
pub(crate) fn holding_status<'a>(
    held: &HeldProduct,
    days: &DetailDays,
    texts: &'a Language,
) -> (&'static str, &'a str) {
    if !held.is_current && held.last_date < days.until {
        ("", &texts.ended)
    } else if !held.is_from_the_start && held.first_date >= days.since {
        ("good", &texts.new)
    } else {
        ("", &texts.held)
    }
}

fn holding_row(held: &HeldProduct, days: &DetailDays, texts: &Language) -> HoldingRow {
    let first = texts.day_short(held.first_date);
    let (class, status) = holding_status(held, days, texts);
    let replaces = held.replaces.as_ref();
    HoldingRow {
        product: held.product_name.clone(),
        kind: kind_in_words(&held.product_kind, texts),
        first: if held.is_from_the_start {
            fill(&texts.since_before, &[("date", &first)])
        } else {
            first
        },
        last: texts.day_short(held.last_date),
        class,
        status: status.to_owned(),
        replaces: replaces.map(|old| fill(&texts.replaces, &[("product", old)])),
    }
}
