//! Reads one member of an item, or says why it cannot be used.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use compact_str::CompactString;

use crate::ledger::{EARLIEST, LATEST_AHEAD, MAX_TEXT_CHARS, Name, RejectionReason};
use crate::partner_center::decode::date::parse_date;
use crate::partner_center::decode::json::Json;
use crate::partner_center::decode::number::parse_count;
use crate::partner_center::decode::wire::Raw;

/// Why an item cannot become a row.
#[derive(Debug)]
pub(in crate::partner_center) struct ItemError {
    pub(super) reason: RejectionReason,
    /// The field, and what is wrong with it.
    pub(super) detail: String,
}

impl ItemError {
    pub(super) fn new(reason: RejectionReason, field: &str, problem: &str) -> Self {
        Self {
            reason,
            detail: format!("{field} {problem}"),
        }
    }

    pub(super) fn missing(field: &str, problem: &str) -> Self {
        Self::new(RejectionReason::MissingField, field, problem)
    }

    pub(super) fn invalid(field: &str, problem: &str) -> Self {
        Self::new(RejectionReason::InvalidValue, field, problem)
    }

    fn out_of_range(field: &str, problem: &str) -> Self {
        Self::new(RejectionReason::OutOfRange, field, problem)
    }

    pub(super) fn not_storable(field: &str, problem: &str) -> Self {
        Self::new(RejectionReason::NotStorable, field, problem)
    }
}

/// Fails if a field is missing. Called before any field is read, so that the reason of a rejection
/// does not depend on the order in which fields are read.
pub(super) fn require(fields: &[(&str, Raw<'_>)]) -> Result<(), ItemError> {
    match fields.iter().find(|(_, value)| value.is_none()) {
        Some((field, _)) => Err(ItemError::missing(field, "is missing")),
        None => Ok(()),
    }
}

pub(super) fn text<'a>(field: &str, value: Raw<'a>) -> Result<Option<Cow<'a, str>>, ItemError> {
    let Some(value) = value else { return Ok(None) };
    if !value.is_string() {
        return Err(ItemError::invalid(field, "is not a text"));
    }
    // The JSON is known to be valid, so only an unpaired surrogate can be wrong.
    let text = value
        .as_str()
        .ok_or_else(|| ItemError::not_storable(field, "holds an unpaired surrogate"))?;
    // JSON has U+0000 only as an escape, and only a text with escapes is copied.
    if matches!(text, Cow::Owned(_)) && text.contains('\0') {
        return Err(ItemError::not_storable(field, "holds the character U+0000"));
    }
    check_length(field, &text)?;
    Ok(Some(text))
}

pub(super) fn owned_text(field: &str, value: Raw<'_>) -> Result<Option<CompactString>, ItemError> {
    text(field, value).map(|text| text.map(CompactString::from))
}

fn check_length(field: &str, text: &str) -> Result<(), ItemError> {
    if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
        let problem = format!("is over {MAX_TEXT_CHARS} characters long");
        return Err(ItemError::not_storable(field, &problem));
    }
    Ok(())
}

pub(super) fn name(field: &str, value: Raw<'_>) -> Result<Name, ItemError> {
    let name = text(field, value)?.and_then(|text| Name::new(&text));
    let name = name.ok_or_else(|| ItemError::missing(field, "is blank"))?;
    // Normalisation to NFC can lengthen a text.
    check_length(field, name.as_str())?;
    Ok(name)
}

pub(super) fn date(
    field: &str,
    value: Raw<'_>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, ItemError> {
    let text = value
        .and_then(Json::as_str)
        .ok_or_else(|| ItemError::invalid(field, "is not a text"))?;
    if text.trim().is_empty() {
        return Err(ItemError::missing(field, "is blank"));
    }
    let date =
        parse_date(&text).ok_or_else(|| ItemError::invalid(field, "cannot be read as a date"))?;
    if date < EARLIEST {
        return Err(ItemError::out_of_range(field, "is before the year 2000"));
    }
    if date > now + LATEST_AHEAD {
        return Err(ItemError::out_of_range(field, "is over two days ahead"));
    }
    Ok(date)
}

fn is_number(value: Json<'_>) -> bool {
    value
        .get()
        .starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

pub(super) fn count(field: &str, value: Raw<'_>) -> Result<i64, ItemError> {
    let value = value
        .filter(|value| is_number(*value))
        .ok_or_else(|| ItemError::invalid(field, "is not a number"))?;
    parse_count(value.get()).map_err(|error| ItemError::invalid(field, &error.to_string()))
}

pub(super) fn percent(field: &str, value: Raw<'_>) -> Result<Option<f64>, ItemError> {
    let Some(value) = value else { return Ok(None) };
    // Rust parses every JSON number; one beyond the range of f64 becomes infinite.
    let number = Some(value).filter(|value| is_number(*value));
    number
        .and_then(|value| value.get().parse::<f64>().ok())
        .filter(|number| number.is_finite())
        .map(Some)
        .ok_or_else(|| ItemError::invalid(field, "is not a number"))
}
