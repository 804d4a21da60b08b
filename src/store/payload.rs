//! Fits a rejected item into `jsonb`.

use serde_json::value::RawValue;

/// More than this explains nothing more.
const MAX_BYTES: usize = 64 * 1024;

/// JSON that Postgres can hold: the item as it came, or else a JSON string with its text.
/// `jsonb` refuses U+0000, halves of surrogate pairs and numbers beyond measure.
pub(super) fn storable(item: &str) -> Box<RawValue> {
    let fits = item.len() <= MAX_BYTES
        && !item.contains(r"\u0000")
        && serde_json::from_str::<serde_json::Value>(item).is_ok();
    let json = if fits {
        item.to_owned()
    } else {
        let end = item.floor_char_boundary(MAX_BYTES);
        let text = item[..end].replace('\0', "\u{fffd}");
        serde_json::Value::String(text).to_string()
    };
    RawValue::from_string(json).expect("the text was read as JSON or was just written as JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_can_hold_is_kept_as_it_came() {
        for item in ["{\"a\": 1.50}", "null", "[1,2]", "\"x\""] {
            assert_eq!(storable(item).get(), item);
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_kept_as_text() {
        for item in [r#"{"a":"\u0000"}"#, r#"{"a":"\ud800"}"#, r#"{"a":1e400}"#] {
            let kept: String = serde_json::from_str(storable(item).get()).unwrap();
            assert_eq!(kept, item);
        }
        let long = format!("\"{}\"", "語".repeat(MAX_BYTES));
        assert!(storable(&long).get().len() <= MAX_BYTES + 8);
    }
}
