use insta::assert_debug_snapshot;
use serde_json::json;

use super::*;

/// The result of one item: `row`, or the reason and detail of its rejection.
fn result(item: &str) -> String {
    let collection = decode(format!(r#"{{"items":[{item}]}}"#).as_bytes()).unwrap();
    match collection.rejections.first() {
        None => format!("row {}", collection.rows.len()),
        Some(rejection) => {
            assert_eq!(rejection.payload, item);
            format!("{}: {}", rejection.reason.as_str(), rejection.detail)
        }
    }
}

fn result_with(changes: &serde_json::Value) -> String {
    result(&item(changes).to_string())
}

#[test]
fn the_documented_example_becomes_its_five_rows() {
    let body = include_bytes!("../../../../tests/fixtures/usage_documented_example.json");
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
        assert_eq!(result_with(&changes), expected, "{changes}");
    }
}

#[test]
fn items_that_a_json_parser_refuses_or_rounds_end_as_rows_or_rejections_too() {
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
    ] {
        assert_eq!(result(item), expected, "{item}");
    }
    let valid = concat!(
        r#"{"productName":"p","workloadName":"w","processedDateTime":"2026-09-28","#,
        r#""licensesActive":1,"licensesQualified":1}"#
    );
    for (part, replacement, expected) in [
        (
            r#""p""#,
            r#""\ud800""#,
            "not_storable: item 1: productName holds an unpaired surrogate",
        ),
        ("productName", "PRODUCTNAME", "row 1"),
        (r#"Active":1"#, r#"active":1e2"#, "row 1"),
        (
            r#"Active":1"#,
            r#"Active":1e400"#,
            "invalid_value: item 1: licensesActive is over 63 bits",
        ),
        (
            "}",
            r#","usagePercent":1e400}"#,
            "invalid_value: item 1: usagePercent is not a number",
        ),
    ] {
        let item = valid.replace(part, replacement);
        assert_eq!(result(&item), expected, "{item}");
    }
}

#[test]
fn a_web_token_in_a_rejected_item_is_masked() {
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
