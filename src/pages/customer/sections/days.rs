//! The strip of days.

use chrono::{Datelike as _, Days};

use super::{DayCell, Legend, Week};
use crate::pages::languages::Language;
use crate::store::{CustomerDetail, DetailDays};

/// Class, letter and words of a state of `coverage`.
fn day_state<'a>(state: &'a str, texts: &'a Language) -> (&'static str, &'static str, &'a str) {
    match state {
        "stored" => ("good", "S", &texts.day_stored),
        "empty" => ("none", "E", &texts.day_empty),
        "no_relationship" => ("none", "N", &texts.day_no_relationship),
        "denied" => ("bad", "D", &texts.day_denied),
        "throttled" => ("warn", "T", &texts.day_throttled),
        "failed" => ("bad", "F", &texts.day_failed),
        "missed" => ("bad", "M", &texts.day_missed),
        other => ("none", "?", other),
    }
}

/// A state of `coverage` in words.
pub(in crate::pages::customer) fn day_words<'a>(state: &'a str, texts: &'a Language) -> &'a str {
    day_state(state, texts).2
}

pub(super) fn weeks(detail: &CustomerDetail, days: &DetailDays, texts: &Language) -> Vec<Week> {
    let to_monday = u64::from(days.since.weekday().num_days_from_monday());
    let mut monday = days.since - Days::new(to_monday);
    let mut weeks = Vec::new();
    while monday <= days.until {
        let cells = monday.iter_days().take(7).map(|day| {
            if day < days.since || day > days.until {
                return DayCell {
                    class: "outside",
                    letter: "",
                    word: String::new(),
                };
            }
            let found = detail.days.iter().find(|it| it.date == day);
            let state = found.map(|it| day_state(&it.state, texts));
            let (class, letter, word) = state.unwrap_or(("", "", &texts.day_none));
            DayCell {
                class,
                letter,
                word: format!("{}: {word}", texts.day_short(day)),
            }
        });
        weeks.push(Week {
            label: texts.day_short(monday),
            days: cells.collect(),
        });
        monday = monday + Days::new(7);
    }
    weeks
}

/// The states that occur, in a fixed order.
pub(super) fn legend(detail: &CustomerDetail, texts: &Language) -> Vec<Legend> {
    let states = [
        "stored",
        "empty",
        "no_relationship",
        "denied",
        "throttled",
        "failed",
        "missed",
    ];
    let found = states.into_iter().filter_map(|state| {
        let days = detail.days.iter().filter(|it| it.state == state).count();
        let (class, letter, word) = day_state(state, texts);
        (days > 0).then(|| Legend {
            class,
            letter,
            word: word.to_owned(),
            days: days.to_string(),
        })
    });
    found.collect()
}
