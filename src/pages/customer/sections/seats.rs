//! Seats of products, and their sums.

use super::{Figure, SeatRow, kind_in_words, known, unknown};
use crate::pages::languages::{Language, fill};
use crate::store::ProductSeats;

/// Seats of paid products, and those of them that are active and unused.
pub(crate) fn totals(seats: &[ProductSeats], texts: &Language) -> Vec<String> {
    let totals = Totals::of(seats);
    let figures = [totals.paid, totals.active, totals.unused()];
    figures.map(|figure| texts.count(figure)).into()
}

/// The sums over paid products. Free and trial ones come with thousands of seats that nobody pays
/// for.
pub(super) struct Totals {
    sold: Option<i64>,
    assigned: Option<i64>,
    paid: i64,
    active: i64,
}

impl Totals {
    pub(super) fn of(seats: &[ProductSeats]) -> Self {
        let paid: Vec<&ProductSeats> = seats.iter().filter(|it| it.is_paid()).collect();
        let known = |figure: fn(&ProductSeats) -> Option<i64>| {
            let known = paid.iter().filter_map(|it| figure(it));
            known.reduce(i64::saturating_add)
        };
        Self {
            sold: known(|it| it.sold),
            assigned: known(|it| it.assigned),
            paid: known(ProductSeats::paid).unwrap_or(0),
            active: known(|it| it.active).unwrap_or(0),
        }
    }

    fn unused(&self) -> i64 {
        self.paid - self.active
    }

    pub(super) fn summary(&self, texts: &Language) -> String {
        let Some(percent) = texts.percent_of(self.active, self.paid) else {
            return texts.summary_without_seats.clone();
        };
        let text = if self.unused() > 0 {
            &texts.summary
        } else {
            &texts.summary_all_used
        };
        let values = [
            ("active", texts.count(self.active)),
            ("seats", texts.count(self.paid)),
            ("percent", percent),
            ("unused", texts.count(self.unused())),
        ];
        let values: Vec<_> = values
            .iter()
            .map(|(word, it)| (*word, it.as_str()))
            .collect();
        fill(text, &values)
    }

    pub(super) fn tiles(&self, texts: &Language) -> Vec<Figure> {
        let of_sold = self.sold.map(|sold| {
            let sold = texts.count(sold);
            fill(&texts.of_sold_seats, &[("seats", &sold)])
        });
        let figure = |name: &str, value: Option<i64>, note: &str| Figure {
            name: name.to_owned(),
            value: known(value, texts),
            note: note.to_owned(),
        };
        let percent = texts
            .percent_of(self.unused(), self.paid)
            .unwrap_or_default();
        vec![
            figure(&texts.sold, self.sold, ""),
            figure(
                &texts.assigned,
                self.assigned,
                of_sold.as_deref().unwrap_or_default(),
            ),
            figure(&texts.active, Some(self.active), &texts.active_note),
            figure(&texts.unused, Some(self.unused()), &percent),
        ]
    }

    pub(super) fn row(&self, texts: &Language) -> Option<SeatRow> {
        (self.paid > 0).then(|| SeatRow {
            product: texts.total_of_paid.clone(),
            kind: None,
            cells: vec![
                texts.count(self.paid),
                known(self.assigned, texts),
                texts.count(self.active),
                texts.count(self.unused()),
                texts
                    .percent_of(self.active, self.paid)
                    .unwrap_or_else(unknown),
            ],
        })
    }
}

pub(super) fn seat_row(seats: &ProductSeats, texts: &Language) -> SeatRow {
    let paid = seats.paid().unwrap_or(0);
    let percent = texts.percent_of(seats.active.unwrap_or(0), paid);
    SeatRow {
        product: seats.product_name.clone(),
        kind: kind_in_words(&seats.product_kind, texts),
        cells: vec![
            known(seats.paid(), texts),
            known(seats.assigned, texts),
            known(seats.active, texts),
            known(seats.unused(), texts),
            percent.unwrap_or_else(unknown),
        ],
    }
}
