//! Parses the API's dates: with an offset, with `Z`, or with neither, and with up to nine
//! fractional digits.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, Utc};

/// Parses a date; without an offset it is UTC. Digits beyond the microsecond are cut off, not
/// rounded: Postgres stores microseconds, and rounding could change the day.
pub(in crate::partner_center) fn parse_date(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    if let Some(date) = usual(text) {
        return Some(date);
    }
    // chrono would silently ignore digits after the ninth.
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    if fraction.bytes().take_while(u8::is_ascii_digit).count() > 9 {
        return None;
    }
    let moment = with_offset(text)
        .map(|moment| moment.to_utc())
        .or_else(|| without_offset(text).map(|moment| moment.and_utc()))?;
    DateTime::from_timestamp_micros(moment.timestamp_micros())
}

/// The fast path for the usual form, such as `2026-05-04T00:00:00Z`.
fn usual(text: &str) -> Option<DateTime<Utc>> {
    let date_time = text
        .strip_suffix('Z')
        .or_else(|| text.strip_suffix("+00:00"))
        .unwrap_or(text);
    let bytes: &[u8; 19] = date_time.as_bytes().try_into().ok()?;
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, byte)| bytes[at] != byte) {
        return None;
    }
    let number = |range: std::ops::Range<usize>| {
        bytes[range].iter().try_fold(0_u32, |number, byte| {
            byte.is_ascii_digit()
                .then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let year = i32::try_from(number(0..4)?).ok()?;
    NaiveDate::from_ymd_opt(year, number(5..7)?, number(8..10)?)?
        .and_hms_opt(number(11..13)?, number(14..16)?, number(17..19)?)
        .map(|moment| moment.and_utc())
}

fn with_offset(text: &str) -> Option<DateTime<FixedOffset>> {
    ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"]
        .into_iter()
        .find_map(|format| DateTime::parse_from_str(text, format).ok())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok())
}

fn without_offset(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"]
        .into_iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
        .or_else(|| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()?
                .and_hms_opt(0, 0, 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_every_form_that_has_been_seen() {
        for (text, micros) in [
            ("2017-03-09T00:00:00+00:00", "2017-03-09T00:00:00.000000Z"),
            ("2017-10-09T00:00:00Z", "2017-10-09T00:00:00.000000Z"),
            ("2017-10-13T03:55:46.21Z", "2017-10-13T03:55:46.210000Z"),
            ("2018-10-14T00:00:00", "2018-10-14T00:00:00.000000Z"),
            ("2018-10-14T00:00:00.5", "2018-10-14T00:00:00.500000Z"),
            ("2018-10-14t10:00:00z", "2018-10-14T10:00:00.000000Z"),
            ("2018-10-14 10:00:00", "2018-10-14T10:00:00.000000Z"),
            ("2018-10-14", "2018-10-14T00:00:00.000000Z"),
            ("2020-02-29T23:30:00-05:00", "2020-03-01T04:30:00.000000Z"),
            ("2020-01-01T00:00:00+0530", "2019-12-31T18:30:00.000000Z"),
            (
                "2020-01-01T00:00:00.123456789Z",
                "2020-01-01T00:00:00.123456Z",
            ),
            (
                "2020-12-31T23:59:59.999999999Z",
                "2020-12-31T23:59:59.999999Z",
            ),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000000Z"),
        ] {
            let read = parse_date(text).map(|date| date.format("%FT%T%.6fZ").to_string());
            assert_eq!(read.as_deref(), Some(micros), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not_dates() {
        for text in [
            "",
            "yesterday",
            "2017-13-01T00:00:00Z",
            "2017-02-29T00:00:00Z",
            "2017-03-09T24:00:00Z",
            "2017-03-09T00:00:00.1234567890Z",
            "09/03/2017",
            "1489017600",
            "/Date(1489017600000)/",
            "2017-03-09T00:00:00+99:00",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }
}
