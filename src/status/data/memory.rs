//! Tables of what is kept in memory, in the forms in which Postgres writes the others.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::store::FileFormat;

/// What begins a formula, half and full width.
const SIGNS: [char; 8] = [
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}',
];

/// Writes rows with these columns.
pub(super) fn write(
    columns: &[&str],
    rows: &[Map<String, Value>],
    as_of: DateTime<Utc>,
    format: FileFormat,
) -> String {
    match format {
        FileFormat::Csv => csv(columns, rows),
        FileFormat::Json => json(columns, rows, as_of),
    }
}

fn csv(columns: &[&str], rows: &[Map<String, Value>]) -> String {
    let mut text = columns.join(",") + "\r\n";
    for row in rows {
        let fields = columns.iter().map(|column| field(&row[*column]));
        text.push_str(&fields.collect::<Vec<_>>().join(","));
        text.push_str("\r\n");
    }
    text
}

/// As `COPY` writes a value, with an apostrophe before what a spreadsheet would take for a formula.
fn field(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::Bool(true) => "t".into(),
        Value::Bool(false) => "f".into(),
        Value::String(text) => {
            let text = without_formulas(text);
            if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
                format!("\"{}\"", text.replace('"', "\"\"")).into()
            } else {
                text.into()
            }
        }
        // As 1, not as 1.0.
        Value::Number(number) if number.is_f64() => {
            number.as_f64().unwrap_or_default().to_string().into()
        }
        other => other.to_string().into(),
    }
}

/// By the rule of the files that Postgres writes.
fn without_formulas(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 1);
    let mut begins_cell = true;
    for (at, character) in text.char_indices() {
        let separates = matches!(character, ';' | '\t' | '\n' | '\r');
        let is_formula = begins_cell && text[at..].trim_start_matches(' ').starts_with(SIGNS);
        if is_formula || (at == 0 && separates && character != ';') {
            written.push('\'');
        }
        written.push(character);
        begins_cell = separates;
    }
    written
}

fn json(columns: &[&str], rows: &[Map<String, Value>], as_of: DateTime<Utc>) -> String {
    let as_of = as_of.to_rfc3339_opts(SecondsFormat::Secs, true);
    let rows = rows.iter().map(|row| {
        let fields = columns
            .iter()
            .map(|column| format!("\"{column}\":{}", row[*column]));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    });
    let rows = rows.collect::<Vec<_>>().join(",\n");
    format!("{{\"version\":1,\"as_of\":\"{as_of}\",\"rows\":[\n{rows}\n]}}\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Map<String, Value>> {
        let rows = json!([
            { "name": "=1+1", "seats": -3, "is_over": true },
            { "name": "a \"b\", c\r\nd", "seats": null, "is_over": false },
            { "name": "", "seats": 0.5, "is_over": null },
        ]);
        serde_json::from_value(rows).unwrap()
    }

    #[test]
    fn csv_quotes_what_needs_it_and_holds_no_formula() {
        let text = write(
            &["seats", "name", "is_over"],
            &rows(),
            DateTime::default(),
            FileFormat::Csv,
        );
        assert_eq!(
            text,
            "seats,name,is_over\r\n-3,'=1+1,t\r\n,\"a \"\"b\"\", c\r\nd\",f\r\n0.5,\"\",\r\n"
        );
        assert_eq!(field(&json!(1.0)), "1");
    }

    #[test]
    fn no_cell_begins_a_formula_whatever_separates_cells() {
        for (text, written) in [
            ("a=1", "a=1"),
            ("a - b @c", "a - b @c"),
            ("  @x", "'  @x"),
            ("a;=1", "a;'=1"),
            ("a; +1;-2", "a;' +1;'-2"),
            ("a;b\tc", "a;b\tc"),
            ("\tx\t=1", "'\tx\t'=1"),
            ("x\r\n=1", "x\r\n'=1"),
            ("\u{ff1d}1", "'\u{ff1d}1"),
            (";", ";"),
            ("", ""),
        ] {
            assert_eq!(without_formulas(text), written, "{text:?}");
        }
    }

    #[test]
    fn json_has_the_values_as_they_are() {
        let text = write(
            &["seats", "name", "is_over"],
            &rows(),
            DateTime::default(),
            FileFormat::Json,
        );
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["rows"], json!(rows()));
        assert!(text.contains("{\"seats\":-3,\"name\":\"=1+1\""), "{text}");
    }
}
