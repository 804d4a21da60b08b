//! Fits a rejected item into `jsonb`.

use serde_json::value::RawValue;

use crate::ledger::MAX_PAYLOAD_BYTES;

/// Numbers with more digits, or a greater exponent, are no figures. Postgres' `numeric` ends far
/// beyond, at 16,383 digits behind the point.
const MAX_DIGITS: usize = 1_000;

/// JSON that Postgres can hold: the item as it came, or else a JSON string with its text.
/// `jsonb` refuses U+0000, halves of surrogate pairs and numbers beyond measure.
pub(super) fn storable(item: &str) -> Box<RawValue> {
    let fits = item.len() <= MAX_PAYLOAD_BYTES
        && !item.contains(r"\u0000")
        && serde_json::from_str::<serde_json::Value>(item).is_ok()
        && numbers_fit(item);
    let json = if fits {
        item.to_owned()
    } else {
        let end = item.floor_char_boundary(MAX_PAYLOAD_BYTES);
        let text = item[..end].replace('\0', "\u{fffd}");
        serde_json::Value::String(text).to_string()
    };
    RawValue::from_string(json).expect("the text was read as JSON or was just written as JSON")
}

/// Whether every number in JSON text is of a size that `numeric` takes. A double can be too small
/// for that.
fn numbers_fit(json: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    // Without escaped quotes, every other piece between quotes is outside of strings.
    json.replace(r"\\", "")
        .replace(r#"\""#, "")
        .split('"')
        .step_by(2)
        .flat_map(|outside| outside.split(|c| !is_part(c)))
        .all(|number| {
            let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
            let exponent_fits = exponent.is_empty()
                || exponent
                    .parse::<i32>()
                    .is_ok_and(|exponent| exponent.unsigned_abs() as usize <= MAX_DIGITS);
            mantissa.len() <= MAX_DIGITS && exponent_fits
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_can_hold_is_kept_as_it_came() {
        for item in [
            "{\"a\": 1.50}",
            "null",
            "[1,2]",
            "\"x\"",
            r#"{"a\\":[1e-300,true,false],"\"1e-20000":"\\","b":-2.5E+7}"#,
        ] {
            assert_eq!(storable(item).get(), item);
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_kept_as_text() {
        for item in [
            r#"{"a":"\u0000"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e400}"#,
            r#"{"\\":1e-20000}"#,
            r#"["\"",0E99999999999]"#,
        ] {
            let kept: String = serde_json::from_str(storable(item).get()).unwrap();
            assert_eq!(kept, item);
        }
        let long = format!("\"{}\"", "語".repeat(MAX_PAYLOAD_BYTES));
        assert!(storable(&long).get().len() <= MAX_PAYLOAD_BYTES + 8);
    }
}
