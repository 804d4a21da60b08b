use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ledger::MAX_PAYLOAD_BYTES;
use body::BodyError;

#[test]
fn an_empty_body_is_an_empty_collection_and_a_byte_order_mark_is_skipped() {
    let empty = Collection::default();
    for body in [
        "",
        " \r\n",
        "\u{feff}",
        "{}",
        "\u{feff}{}",
        r#"{"items":[]}"#,
        r#"{"items":null,"links":{}}"#,
        r#"{"ITEMS":[],"totalCount":0,"message":"nothing yet"}"#,
    ] {
        assert_eq!(decode(body.as_bytes()), Ok(empty.clone()), "{body}");
    }
}

#[test]
fn a_body_that_is_not_a_collection_is_an_error_that_says_why() {
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(5_000), "]".repeat(5_000));
    for (body, told) in [
        (
            "<!DOCTYPE html><html>Sign in",
            "the body is a web page, perhaps a sign-in page, and not JSON",
        ),
        (
            "surprise",
            "the body is not JSON: fault at line 1, column 1",
        ),
        (
            r#"{"items":[]} x"#,
            "the body is not JSON: fault at line 1, column 14",
        ),
        (
            r#"{"items":[{"a":1}"#,
            "the body ends in the middle of its JSON",
        ),
        (
            "{\"items\":[\"\u{8a9e}",
            "the body ends in the middle of its JSON",
        ),
        ("[]", "the body's JSON is not an object"),
        ("null", "the body's JSON is not an object"),
        (r#""text""#, "the body's JSON is not an object"),
        (r#"{"items":{}}"#, "the member items is not a list"),
        (&deep, "the body's JSON is nested over 128 levels deep"),
        (
            r#"{"code":"400072","description":"Not now"}"#,
            "the body is a fault although the status is 200: code 400072: Not now",
        ),
        (
            r#"{"error":{"code":"x","message":"y"}}"#,
            "the body is a fault although the status is 200: code x: y",
        ),
        (
            r#"{"Message":"An error has occurred."}"#,
            "the body is a fault although the status is 200: An error has occurred.",
        ),
    ] {
        let error = decode(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), told, "{body}");
    }
    assert_eq!(
        decode(b"{\"items\":[\"\xE8\xAA"),
        Err(DecodeError::Body(BodyError::CutOff))
    );
    assert_eq!(
        decode(b"{\"items\":[\"\xFF\xFE\"]}"),
        Err(DecodeError::Body(BodyError::NotText))
    );
}

#[test]
fn a_collection_with_too_many_rejections_fails() {
    let body = format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(MAX_REJECTIONS));
    assert!(matches!(
        decode(body.as_bytes()),
        Err(DecodeError::TooManyRejections { .. })
    ));
}

#[test]
fn a_collection_with_too_many_bytes_of_rejections_fails() {
    let large = format!(r#"{{"x":"{}"}}"#, "y".repeat(100_000));
    let items = vec![large; 300].join(",");
    let told = decode(format!(r#"{{"items":[{items}]}}"#).as_bytes()).unwrap_err();
    let expected = "over 16 MiB of items are unusable; the first: item 1: productName is missing";
    assert_eq!(told.to_string(), expected);
    let huge = format!(r#"{{"items":[{{"x":"{}"}}]}}"#, "y".repeat(1_000_000));
    let kept = &decode(huge.as_bytes()).unwrap().rejections[0].payload;
    assert!((MAX_PAYLOAD_BYTES + 1..=MAX_PAYLOAD_BYTES + 4).contains(&kept.len()));
}

#[test]
fn differing_rows_with_one_key_count_as_rejections() {
    let mut body = r#"{"items":["#.to_owned();
    for active in 0..=MAX_REJECTIONS + 1 {
        body += &item(&json!({ "licensesActive": active })).to_string();
        body += ",";
    }
    body.pop();
    let told = decode(format!("{body}]}}").as_bytes()).unwrap_err();
    assert!(matches!(told, DecodeError::TooManyRejections { .. }));
}

#[test]
fn a_page_is_not_decoded_beyond_the_last_rejection_that_is_allowed() {
    // The rest of the page is not JSON, which is not noticed.
    for unusable in ["{}", "0"] {
        let body = format!(
            r#"{{"items":[{}{unusable}]}}"#,
            format!("{unusable},").repeat(MAX_REJECTIONS + 1),
        );
        let told = decode(body.as_bytes()).unwrap_err().to_string();
        assert!(
            told.starts_with("over 10000 items are unusable; the first: item 1: "),
            "{told}"
        );
    }
    let row = |item: &Item<'_>| usage_row(item, now());
    let mut decoder = ItemsDecoder::new(row, 0, PriorTotals::default());
    let body = format!(r#"{{"items":[{}]}}"#, "{},".repeat(2 * MAX_REJECTIONS));
    assert!(read_in_one_pass(&body, &mut decoder).is_none());
    assert_eq!(decoder.count, MAX_REJECTIONS as u64 + 1);
}

#[test]
fn a_total_that_differs_is_noted() {
    let body = format!(r#"{{"totalCount":3,"items":[{}]}}"#, item(&json!({})));
    assert_eq!(
        decode(body.as_bytes()).unwrap().note.as_deref(),
        Some("the API announced 3 items and sent 1")
    );
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        ".{0,20}".prop_map(serde_json::Value::from),
        Just(json!("2026-09-28T00:00:00Z")),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::hash_map(".{0,8}", inner, 0..4)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_item_is_dropped_whatever_its_members_are(
        members in prop::collection::vec((0_usize..10, any_json()), 0..6),
        odd in prop::collection::vec(any_json(), 0..5),
    ) {
        let names = [
            "productName", "workloadName", "processedDateTime", "licensesActive",
            "licensesQualified", "usagePercent", "customerId", "customerName", "channel", "other",
        ];
        let mut items = odd;
        for (name, value) in members {
            items.push(item(&json!({ names[name]: value })));
        }
        let body = json!({ "items": items }).to_string();
        let collection = decode(body.as_bytes()).unwrap();
        prop_assert_eq!(collection.received, items.len() as u64);
        // There may be fewer rows and rejections than items, because equal rows are merged.
        prop_assert!(collection.rows.len() + collection.rejections.len() <= items.len());
        let mut keys: Vec<_> = collection.rows.iter().map(|row| &row.key).collect();
        keys.sort();
        prop_assert!(keys.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn the_fast_path_reads_what_the_general_path_reads(
        mut body in prop::collection::vec(any_json(), 0..4).prop_map(|items| json!({
            "items": [
                item(&json!({})), item(&json!({ "channel": items })),
                item(&json!({ "licenseActive": 3 })),
            ],
            "totalCount": items.len(),
            "attributes": { "objectType": items },
        }).to_string()),
        change in prop::option::of((any::<prop::sample::Index>(), "[ \"{}\\[\\],:0\\\\]")),
    ) {
        if let Some((at, with)) = change {
            let chars = body.chars().count();
            let at = at.index(chars);
            let (before, after) = (body.chars().take(at), body.chars().skip(at + 1));
            body = before.chain(with.chars()).chain(after).collect();
        }
        let row = |item: &Item<'_>| usage_row(item, now());
        let (mut plain, mut any) = (
            ItemsDecoder::new(row, body.len(), PriorTotals::default()),
            ItemsDecoder::new(row, body.len(), PriorTotals::default()),
        );
        if check_depth(&body).is_ok() && let Some(envelope) = read_in_one_pass(&body, &mut plain) {
            let expected = read_any(&body, &mut any).unwrap();
            let total = envelope.total_count.map(Json::get);
            prop_assert_eq!(total, expected.total_count.map(Json::get));
            prop_assert_eq!(envelope.items.map(Json::get), expected.items.map(Json::get));
            prop_assert_eq!(plain.count, any.count);
            prop_assert_eq!(plain.rejections, any.rejections);
            prop_assert_eq!(plain.rows, any.rows);
            prop_assert_eq!(plain.payloads, any.payloads);
        }
    }

    #[test]
    fn no_body_causes_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _whatever = decode(&body);
    }
}
