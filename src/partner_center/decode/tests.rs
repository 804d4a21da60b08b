use insta::assert_debug_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::ledger::MAX_PAYLOAD_BYTES;
use crate::partner_center::decode::wire::Json;

const CUSTOMER: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

fn now() -> DateTime<Utc> {
    "2026-10-01T06:00:00Z".parse().unwrap()
}

fn decode(body: &[u8]) -> Result<Collection<UsageRow>, NotACollection> {
    match page(body, None)?.part {
        Part::Whole(collection) => Ok(collection),
        Part::Piece(piece) => panic!("{piece:?}"),
    }
}

fn page(body: &[u8], before: Option<Before>) -> Result<Page<UsageRow>, NotACollection> {
    let reading = Reading {
        customer: CUSTOMER.parse().unwrap(),
        now: now(),
        before,
    };
    decode_usage(body, &reading, None, "s3cret")
}

/// A good item with some members replaced.
fn item(changes: &serde_json::Value) -> serde_json::Value {
    let mut item = json!({
        "customerName": "Contoso", "productName": "OFFICE 365 E3", "workloadName": "Exchange",
        "licensesActive": 3, "licensesQualified": 10, "usagePercent": 30.0,
        "processedDateTime": "2026-09-28T00:00:00Z", "serviceName": "o365", "channel": "reseller",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}

/// What becomes of one item: `row`, or the reason and detail of its rejection.
fn fate(item: &str) -> String {
    let collection = decode(format!(r#"{{"items":[{item}]}}"#).as_bytes()).unwrap();
    match collection.rejections.first() {
        None => format!("row {}", collection.rows.len()),
        Some(rejection) => {
            assert_eq!(rejection.payload, item);
            format!("{}: {}", rejection.reason.as_str(), rejection.detail)
        }
    }
}

fn fate_with(changes: &serde_json::Value) -> String {
    fate(&item(changes).to_string())
}

#[test]
fn the_documented_example_becomes_its_five_rows() {
    let body = include_bytes!("../../../tests/fixtures/usage_documented_example.json");
    let collection = decode(body).unwrap();
    assert_eq!((collection.rows.len(), collection.rejections.len()), (5, 0));
    assert_eq!(collection.note, None);
    let keys = collection.rows.iter().map(|row| &row.key);
    let (first, _) = keys.enumerate().min_by_key(|(_, key)| *key).unwrap();
    assert_debug_snapshot!(collection.rows[first], @r#"
    UsageRow {
        key: UsageKey {
            processed_date_time: 2017-03-09T00:00:00Z,
            product_name: "EXCHANGE ONLINE (PLAN 1)",
            workload_name: "Exchange",
        },
        licenses_active: 0,
        licenses_qualified: 5,
        usage_percent: Some(
            0.0,
        ),
        workload_code: None,
        attributes: Attributes {
            customer_name: Some(
                "DT DEMO CSP CUSTOMER 005",
            ),
            product_id: None,
            service_name: Some(
                "o365",
            ),
            service_code: None,
            channel: Some(
                "reseller",
            ),
        },
    }
    "#);
}

#[test]
#[expect(
    clippy::too_many_lines,
    reason = "it is one table, a line for each kind of item"
)]
fn every_kind_of_item_ends_as_a_row_or_as_a_rejection_with_its_reason() {
    let long = "x".repeat(513);
    let wide = "語".repeat(512);
    for (changes, expected) in [
        (json!({}), "row 1"),
        (json!({"usagePercent": 250.5}), "row 1"),
        (json!({"usagePercent": null}), "row 1"),
        (json!({"unknown": {"nested": [1, 2]}}), "row 1"),
        (json!({"licensesActive": 5.0}), "row 1"),
        (json!({"licensesActive": null, "licenseActive": 5}), "row 1"),
        (json!({"licensesActive": 5, "licenseActive": -1}), "row 1"),
        (json!({"customerId": CUSTOMER.to_uppercase()}), "row 1"),
        (json!({"customerName": null, "channel": null}), "row 1"),
        (json!({"productName": "語".repeat(512)}), "row 1"),
        (
            json!({"productName": null}),
            "missing_field: item 1: productName is missing",
        ),
        (
            json!({"workloadName": " \t"}),
            "missing_field: item 1: workloadName is blank",
        ),
        (
            json!({"licensesActive": null}),
            "missing_field: item 1: licensesActive is missing",
        ),
        (
            json!({"processedDateTime": null}),
            "missing_field: item 1: processedDateTime is missing",
        ),
        (
            json!({"processedDateTime": ""}),
            "missing_field: item 1: processedDateTime is blank",
        ),
        (
            json!({"licensesActive": -1}),
            "invalid_value: item 1: licensesActive is negative",
        ),
        (
            json!({"licensesActive": 2.5}),
            "invalid_value: item 1: licensesActive is not a whole number",
        ),
        (
            json!({"licensesActive": u64::MAX}),
            "invalid_value: item 1: licensesActive is over 63 bits",
        ),
        (
            json!({"licensesQualified": "5"}),
            "invalid_value: item 1: licensesQualified is not a number",
        ),
        (
            json!({"licensesQualified": true}),
            "invalid_value: item 1: licensesQualified is not a number",
        ),
        (
            json!({"usagePercent": "30"}),
            "invalid_value: item 1: usagePercent is not a number",
        ),
        (
            json!({"productName": 365}),
            "invalid_value: item 1: productName is not a text",
        ),
        (
            json!({"processedDateTime": "soon"}),
            "invalid_value: item 1: processedDateTime cannot be read as a date",
        ),
        (
            json!({"processedDateTime": 20_260_928}),
            "invalid_value: item 1: processedDateTime is not a text",
        ),
        (
            json!({"processedDateTime": "1999-12-31T23:59:59Z"}),
            "out_of_range: item 1: processedDateTime is before the year 2000",
        ),
        (
            json!({"processedDateTime": "2026-10-03T06:00:00.000001Z"}),
            "out_of_range: item 1: processedDateTime is over two days ahead",
        ),
        (
            json!({"processedDateTime": "2026-10-03T06:00:00Z"}),
            "row 1",
        ),
        (
            json!({"productName": long.clone()}),
            "not_storable: item 1: productName is over 512 characters long",
        ),
        (
            json!({"channel": long}),
            "not_storable: item 1: channel is over 512 characters long",
        ),
        (
            json!({"workloadName": "a\u{0}b"}),
            "not_storable: item 1: workloadName holds the character U+0000",
        ),
        (
            json!({"productName": wide.clone(), "workloadName": wide}),
            "not_storable: item 1: productName and workloadName together take over 2600 bytes",
        ),
        (
            json!({"customerId": "11111111-70f4-4e1e-9ff1-b2bfce8d9f04"}),
            "wrong_customer: item 1: customerId is another customer's",
        ),
        (
            json!({"customerTenantId": "11111111-70f4-4e1e-9ff1-b2bfce8d9f04"}),
            "wrong_customer: item 1: customerTenantId is another customer's",
        ),
        (
            json!({"customerId": "contoso"}),
            "invalid_value: item 1: customerId is not a GUID",
        ),
    ] {
        assert_eq!(fate_with(&changes), expected, "{changes}");
    }
}

#[test]
fn items_that_json_libraries_stumble_over_are_judged_all_the_same() {
    for (item, expected) in [
        (
            "null",
            "invalid_value: item 1: the item is not an object with readable members",
        ),
        (
            "7",
            "invalid_value: item 1: the item is not an object with readable members",
        ),
        (
            "[]",
            "invalid_value: item 1: the item is not an object with readable members",
        ),
        ("{}", "missing_field: item 1: productName is missing"),
        (
            r#"{"productName":"\ud800","workloadName":"w","processedDateTime":"2026-09-28","licensesActive":1,"licensesQualified":1}"#,
            "not_storable: item 1: productName holds half of a character that takes two",
        ),
        (
            r#"{"PRODUCTNAME":"p","workloadname":"w","ProcessedDateTime":"2026-09-28","licensesActive":1e2,"LicensesQualified":1}"#,
            "row 1",
        ),
        (
            r#"{"productName":"p","workloadName":"w","processedDateTime":"2026-09-28","licensesActive":1e400,"licensesQualified":1}"#,
            "invalid_value: item 1: licensesActive is over 63 bits",
        ),
        (
            r#"{"productName":"p","workloadName":"w","processedDateTime":"2026-09-28","licensesActive":1,"licensesQualified":1,"usagePercent":1e400}"#,
            "invalid_value: item 1: usagePercent is not a number",
        ),
    ] {
        assert_eq!(fate(item), expected, "{item}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_and_nothing_at_all_is_an_empty_collection() {
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
fn a_body_that_is_no_collection_is_told_apart() {
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
        Err(NotACollection::Unreadable(Unreadable::CutOff))
    );
    assert_eq!(
        decode(b"{\"items\":[\"\xFF\xFE\"]}"),
        Err(NotACollection::Unreadable(Unreadable::NotText))
    );
}

#[test]
fn a_collection_of_rubbish_fails_instead_of_filling_memory() {
    let body = format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(MAX_REJECTIONS));
    assert!(matches!(
        decode(body.as_bytes()),
        Err(NotACollection::TooManyRejections { .. })
    ));
}

#[test]
fn unusable_items_that_are_large_fail_before_they_fill_memory() {
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
fn differing_rows_of_one_key_are_as_many_rejections() {
    let mut body = r#"{"items":["#.to_owned();
    for active in 0..=MAX_REJECTIONS + 1 {
        body += &item(&json!({ "licensesActive": active })).to_string();
        body += ",";
    }
    body.pop();
    let told = decode(format!("{body}]}}").as_bytes()).unwrap_err();
    assert!(matches!(told, NotACollection::TooManyRejections { .. }));
}

#[test]
fn where_too_much_is_unusable_the_rest_is_not_gone_over() {
    // What follows is no JSON, and is not found to be none.
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
    let row = |item: &wire::Item<'_>| usage_row(item, now());
    let mut gathered = Gathered::new(row, 0, Before::default());
    let body = format!(r#"{{"items":[{}]}}"#, "{},".repeat(2 * MAX_REJECTIONS));
    assert!(read_plain(&body, &mut gathered).is_none());
    assert_eq!(gathered.count, MAX_REJECTIONS as u64 + 1);
    let list = format!("[{}0]", "0,".repeat(2 * MAX_REJECTIONS));
    let mut seen = 0;
    let flow = for_each(wire::Json::new(&list), |_| {
        seen += 1;
        if seen == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    assert_eq!((flow.unwrap(), seen), (ControlFlow::Break(()), 3));
}

#[test]
fn a_page_of_several_says_where_the_next_is_and_counts_on() {
    let link = json!({ "uri": "/x?page=2" });
    let first = json!({
        "items": [item(&json!({})), {}], "totalCount": 4, "links": { "next": link },
    });
    let first = page(first.to_string().as_bytes(), None).unwrap();
    assert_eq!((first.received, first.announced), (2, Some(4)));
    assert_eq!(first.next.unwrap().uri.as_deref(), Some("/x?page=2"));
    let Part::Piece(piece) = first.part else {
        panic!("{:?}", first.part);
    };
    let mut pieces = Pieces::default();
    pieces.push(piece, first.announced);
    let second = json!({ "items": [{}, item(&json!({ "licensesActive": 4 }))] });
    let second = page(second.to_string().as_bytes(), Some(pieces.before())).unwrap();
    assert_eq!(second.next, None);
    let Part::Piece(piece) = second.part else {
        panic!("{:?}", second.part);
    };
    pieces.push(piece, second.announced);
    let collection = pieces.finish().unwrap();
    assert_eq!((collection.received, collection.note), (4, None));
    assert_eq!(collection.rows[0].licenses_active, 4);
    let told: Vec<_> = collection
        .rejections
        .iter()
        .map(|r| r.detail.as_str())
        .collect();
    assert_eq!(
        told,
        [
            "item 2: productName is missing",
            "item 3: productName is missing",
            "a later item has the same key and processedDateTime 2026-09-28T00:00:00+00:00, and other values",
        ]
    );
}

#[test]
fn the_rejections_of_all_pages_count_together() {
    let before = Before {
        items: 20_000,
        rejections: MAX_REJECTIONS,
        rejected_bytes: 0,
    };
    let told = page(br#"{"items":[{}]}"#, Some(before)).unwrap_err();
    assert!(matches!(told, NotACollection::TooManyRejections { .. }));
    assert!(page(br#"{"items":[]}"#, Some(before)).is_ok());
}

#[test]
fn a_web_token_in_a_refused_item_is_not_kept() {
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln";
    let items = json!([
        { "authorization": format!("Bearer {token}") },
        item(&json!({ "new": token })),
        item(&json!({ "licensesActive": 4 })),
    ]);
    let collection = decode(json!({ "items": items }).to_string().as_bytes()).unwrap();
    let payloads = collection.rejections.iter().map(|r| r.payload.as_str());
    let payloads: String = payloads.collect();
    assert!(!payloads.contains("eyJ"), "{payloads}");
    assert_eq!(payloads.matches("(not shown)").count(), 2);
}

#[test]
fn a_total_that_does_not_match_is_noted() {
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
    fn no_item_is_dropped_whatever_its_members_hold(
        members in prop::collection::vec((0_usize..10, any_json()), 0..6),
        odd in prop::collection::vec(any_json(), 0..5),
    ) {
        let names = ["productName", "workloadName", "processedDateTime", "licensesActive", "licensesQualified",
            "usagePercent", "customerId", "customerName", "channel", "other"];
        let mut items = odd;
        for (name, value) in members {
            items.push(item(&json!({ names[name]: value })));
        }
        let body = json!({ "items": items }).to_string();
        let collection = decode(body.as_bytes()).unwrap();
        prop_assert_eq!(collection.received, items.len() as u64);
        // Equal items collapse into one row, so rows and rejections may only fall short by such.
        prop_assert!(collection.rows.len() + collection.rejections.len() <= items.len());
        let mut keys: Vec<_> = collection.rows.iter().map(|row| &row.key).collect();
        keys.sort();
        prop_assert!(keys.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn what_is_read_in_one_pass_is_read_as_in_several(
        mut body in prop::collection::vec(any_json(), 0..4).prop_map(|items| json!({
            "items": [item(&json!({})), item(&json!({ "channel": items })), item(&json!({ "licenseActive": 3 }))],
            "totalCount": items.len(),
            "attributes": { "objectType": items },
        }).to_string()),
        change in prop::option::of((any::<prop::sample::Index>(), "[ \"{}\\[\\],:0\\\\]")),
    ) {
        if let Some((at, with)) = change {
            let chars = body.chars().count();
            let at = at.index(chars);
            body = body.chars().take(at).chain(with.chars()).chain(body.chars().skip(at + 1)).collect();
        }
        let row = |item: &wire::Item<'_>| usage_row(item, now());
        let (mut plain, mut any) = (
            Gathered::new(row, body.len(), Before::default()),
            Gathered::new(row, body.len(), Before::default()),
        );
        if check_depth(&body).is_ok() && let Some(envelope) = read_plain(&body, &mut plain) {
            let expected = read(&body, &mut any).unwrap();
            prop_assert_eq!(envelope.total_count.map(Json::get), expected.total_count.map(Json::get));
            prop_assert_eq!(envelope.items.map(Json::get), expected.items.map(Json::get));
            prop_assert_eq!(plain.count, any.count);
            prop_assert_eq!(plain.rejections, any.rejections);
            prop_assert_eq!(plain.rows, any.rows);
            prop_assert_eq!(plain.payloads, any.payloads);
        }
    }

    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _whatever = decode(&body);
    }
}
