//! Answers of the API, byte by byte: JSON is handled as text and never parsed on the way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The members of a good item, each value as JSON text.
const MEMBERS: [(&str, &str); 9] = [
    ("customerName", "\"Contoso\""),
    ("productName", "\"OFFICE 365 E3\""),
    ("workloadName", "\"Exchange\""),
    ("licensesActive", "3"),
    ("licensesQualified", "10"),
    ("usagePercent", "30.0"),
    ("processedDateTime", "\"2026-09-28T00:00:00Z\""),
    ("serviceName", "\"o365\""),
    ("channel", "\"reseller\""),
];

/// A good item with some members replaced or added. An empty text removes the member.
pub(crate) fn item_with(changes: &[(&str, &str)]) -> String {
    let replaced = |name: &str| changes.iter().find(|(own, _)| *own == name);
    let usual = MEMBERS
        .iter()
        .map(|usual| replaced(usual.0).unwrap_or(usual));
    let added = changes
        .iter()
        .filter(|(name, _)| MEMBERS.iter().all(|(own, _)| own != name));
    let members: Vec<String> = usual
        .chain(added)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A usage collection of these items.
pub(crate) fn collection(items: &[String]) -> String {
    format!(
        r#"{{"totalCount":{},"items":[{}],"attributes":{{"objectType":"Collection"}}}}"#,
        items.len(),
        items.join(",")
    )
}

/// A collection of two good items.
pub(crate) fn two_items() -> String {
    collection(&[item_with(&[]), item_with(&[("workloadName", "\"Teams\"")])])
}

/// A scripted answer with this body and the other `fields`.
pub(crate) fn answer(body: impl AsRef<[u8]>, fields: Value) -> Value {
    let mut answer = fields;
    answer["base64"] = STANDARD.encode(body).into();
    answer
}

/// A scripted answer of exactly these bytes.
pub(crate) fn raw(bytes: impl AsRef<[u8]>) -> Value {
    json!({ "raw_base64": STANDARD.encode(bytes) })
}

/// The bytes packed with gzip.
pub(crate) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
