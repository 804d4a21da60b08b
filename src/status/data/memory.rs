//! Tables of what is kept in memory, in the forms in which Postgres writes the others.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};

use crate::store::FileFormat;

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

/// As `COPY` writes a value; a text that a spreadsheet would take for a formula has an apostrophe
/// before it.
fn field(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => "".into(),
        Value::Bool(true) => "t".into(),
        Value::Bool(false) => "f".into(),
        Value::String(text) => {
            let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\n', '\r']);
            let guard = if is_formula { "'" } else { "" };
            if text.is_empty() || text.contains([',', '"', '\n', '\r']) {
                format!("\"{guard}{}\"", text.replace('"', "\"\"")).into()
            } else {
                format!("{guard}{text}").into()
            }
        }
        other => other.to_string().into(),
    }
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
