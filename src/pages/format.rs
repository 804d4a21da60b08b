//! Numbers and dates as people read them, in English.

use chrono::NaiveDate;

use super::charts::Point;
use crate::text::is_invisible;

/// A customer's name, if there is anything to see in it: a link needs a text.
pub(crate) fn name(name: Option<&str>) -> Option<&str> {
    let is_seen = |c: char| !c.is_whitespace() && !c.is_control() && !is_invisible(c);
    name.filter(|name| name.contains(is_seen))
}

/// A count with a comma between thousands: "12,345".
pub(crate) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut shown = String::from(if number < 0 { "−" } else { "" });
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// A count, or a dash if it is not known.
pub(crate) fn known(number: Option<i64>) -> String {
    number.map_or_else(|| "–".to_owned(), count)
}

/// A count with what is counted: "1 customer", "12 customers".
pub(crate) fn counted(number: i64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// A difference with its sign: "+12", "−3", "±0".
pub(crate) fn signed(number: i64) -> String {
    let sign = match number {
        0 => "±",
        1.. => "+",
        _ => "",
    };
    format!("{sign}{}", count(number))
}

/// A part of a whole in whole percent, rounded down: 100 % is all of it.
pub(crate) fn share(part: Option<i64>, whole: Option<i64>) -> String {
    let percent = part.zip(whole).filter(|(_, whole)| *whole > 0);
    percent.map_or_else(
        || "–".to_owned(),
        |(part, whole)| format!("{} %", i128::from(part) * 100 / i128::from(whole)),
    )
}

/// A date with its year: "25 Nov 2026".
pub(crate) fn date(date: NaiveDate) -> String {
    date.format("%-d %b %Y").to_string()
}

/// A date below an axis: "25 Nov".
pub(crate) fn day(date: NaiveDate) -> String {
    date.format("%-d %b").to_string()
}

/// A month below an axis: "Nov".
pub(crate) fn month(month: NaiveDate) -> String {
    month.format("%b").to_string()
}

/// What is to be seen in a line: "From 12 (1 Sep) to 15 (25 Nov); lowest 11, highest 15."
pub(crate) fn describe(points: &[Point]) -> String {
    let drawn = || points.iter().filter(|point| point.value.is_some());
    let (Some(first), Some(last)) = (drawn().next(), drawn().next_back()) else {
        return String::new();
    };
    let values = || points.iter().filter_map(|point| point.value);
    let at = |point: &Point| format!("{} ({})", known(point.value), point.label);
    let dotted = if drawn().any(|point| point.is_dotted) {
        " Dotted: carried forward, or not final."
    } else {
        ""
    };
    format!(
        "From {} to {}; lowest {}, highest {}.{dotted}",
        at(first),
        at(last),
        known(values().min()),
        known(values().max()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_which_nothing_is_to_be_seen_is_none() {
        for empty in ["", " \t", "\u{a0}\u{200b}\u{feff}", "\u{202e}\u{2067}\u{1}"] {
            assert_eq!(name(Some(empty)), None, "{empty:?}");
        }
        assert_eq!(name(None), None);
        assert_eq!(name(Some(" \u{202e}x")), Some(" \u{202e}x"));
    }

    #[test]
    fn a_count_has_a_comma_between_thousands_and_a_difference_its_sign() {
        for (number, shown, difference) in [
            (0, "0", "±0"),
            (999, "999", "+999"),
            (12_345, "12,345", "+12,345"),
            (-1_234_567, "−1,234,567", "−1,234,567"),
        ] {
            assert_eq!(count(number), shown);
            assert_eq!(signed(number), difference);
        }
        assert_eq!(count(i64::MIN), "−9,223,372,036,854,775,808");
    }

    #[test]
    fn a_share_is_all_only_if_it_is_all() {
        for (part, whole, shown) in [
            (Some(999), Some(1_000), "99 %"),
            (Some(1_000), Some(1_000), "100 %"),
            (Some(i64::MAX), Some(i64::MAX), "100 %"),
            (Some(1), Some(0), "–"),
            (None, Some(1), "–"),
        ] {
            assert_eq!(share(part, whole), shown);
        }
    }
}
