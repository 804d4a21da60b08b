//! Judges one member of an item: what it says, or why it cannot be used.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use compact_str::CompactString;

use super::Unusable;
use crate::ledger::{EARLIEST, LATEST_AHEAD, MAX_TEXT_CHARS, Name, RejectionReason};
use crate::partner_center::decode::date::parse_date;
use crate::partner_center::decode::number::parse_count;
use crate::partner_center::decode::wire::{Json, Raw};

/// What is missing is told before what is wrong, so that the reason does not depend on the order of
/// members.
pub(super) fn demand(fields: &[(&str, Raw<'_>)]) -> Result<(), Unusable> {
    match fields.iter().find(|(_, value)| value.is_none()) {
        Some((field, _)) => Err((RejectionReason::MissingField, format!("{field} is missing"))),
        None => Ok(()),
    }
}

pub(super) fn invalid(field: &str, what: &str) -> Unusable {
    (RejectionReason::InvalidValue, format!("{field} {what}"))
}

pub(super) fn text<'a>(field: &str, value: Raw<'a>) -> Result<Option<Cow<'a, str>>, Unusable> {
    let Some(value) = value else { return Ok(None) };
    if !value.is_text() {
        return Err(invalid(field, "is not a text"));
    }
    let not_storable = |what: &str| (RejectionReason::NotStorable, format!("{field} {what}"));
    // The text was scanned before, so that all that can be wrong now is half a surrogate pair.
    let text = value
        .as_text()
        .ok_or_else(|| not_storable("holds half of a character that takes two"))?;
    // Unless it was escaped, it would be no JSON.
    if matches!(text, Cow::Owned(_)) && text.contains('\0') {
        return Err(not_storable("holds the character U+0000"));
    }
    check_length(field, &text)?;
    Ok(Some(text))
}

pub(super) fn owned(field: &str, value: Raw<'_>) -> Result<Option<CompactString>, Unusable> {
    text(field, value).map(|text| text.map(CompactString::from))
}

fn check_length(field: &str, text: &str) -> Result<(), Unusable> {
    if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
        return Err((
            RejectionReason::NotStorable,
            format!("{field} is over {MAX_TEXT_CHARS} characters long"),
        ));
    }
    Ok(())
}

pub(super) fn name(field: &str, value: Raw<'_>) -> Result<Name, Unusable> {
    let name = text(field, value)?.and_then(|text| Name::new(&text));
    let name = name.ok_or_else(|| (RejectionReason::MissingField, format!("{field} is blank")))?;
    // Form NFC may be the longer one.
    check_length(field, name.as_str())?;
    Ok(name)
}

pub(super) fn date(
    field: &str,
    value: Raw<'_>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Unusable> {
    let text = value
        .and_then(Json::as_text)
        .ok_or_else(|| invalid(field, "is not a text"))?;
    if text.trim().is_empty() {
        return Err((RejectionReason::MissingField, format!("{field} is blank")));
    }
    let date = parse_date(&text).ok_or_else(|| invalid(field, "cannot be read as a date"))?;
    let out_of_range = |what: &str| (RejectionReason::OutOfRange, format!("{field} is {what}"));
    if date < EARLIEST {
        return Err(out_of_range("before the year 2000"));
    }
    if date > now + LATEST_AHEAD {
        return Err(out_of_range("over two days ahead"));
    }
    Ok(date)
}

fn is_number(value: Json<'_>) -> bool {
    value
        .get()
        .starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

pub(super) fn count(field: &str, value: Raw<'_>) -> Result<i64, Unusable> {
    let value = value
        .filter(|value| is_number(*value))
        .ok_or_else(|| invalid(field, "is not a number"))?;
    parse_count(value.get()).map_err(|error| invalid(field, &error.to_string()))
}

pub(super) fn percent(field: &str, value: Raw<'_>) -> Result<Option<f64>, Unusable> {
    let Some(value) = value else { return Ok(None) };
    // A number of JSON's is one of Rust's too. What is beyond a double would become an infinity.
    let number = Some(value).filter(|value| is_number(*value));
    number
        .and_then(|value| value.get().parse::<f64>().ok())
        .filter(|number| number.is_finite())
        .map(Some)
        .ok_or_else(|| invalid(field, "is not a number"))
}
