//! Each item becomes a row, or a rejection with its reason.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use seatledger::clock::{Clock as _, SystemClock};

use crate::support::World;
use crate::support::answers::{answer, collection, item_with};

macro_rules! table {
    ($($member:literal: $value:expr => $outcome:expr;)*) => {
        vec![$(($member, String::from($value), String::from($outcome))),*]
    };
}

/// A member, its JSON text (empty: the member is missing), and the outcome of an item with it: the
/// reason for its rejection, or active seats, qualified seats, percentage and date as stored.
type Case = (&'static str, String, String);

const DAY: &str = "2026-09-28 00:00:00";

fn numbers() -> Vec<Case> {
    let long = format!("0.{}1", "0".repeat(17_000));
    table! {
        "attributes": "{\"objectType\":\"x\"}" => "3|10|30|2026-09-28 00:00:00";
        "licensesActive": "5.0" => format!("5|10|30|{DAY}");
        "licensesActive": "1e2" => format!("100|10|30|{DAY}");
        "licensesActive": "50e-1" => format!("5|10|30|{DAY}");
        "licensesActive": "-0" => format!("0|10|30|{DAY}");
        "licensesActive": "-0.0" => format!("0|10|30|{DAY}");
        "licensesActive": "0" => format!("0|10|30|{DAY}");
        "licensesActive": "9007199254740993" => format!("9007199254740993|10|30|{DAY}");
        "licensesActive": "9223372036854775807" => format!("9223372036854775807|10|30|{DAY}");
        "licensesQualified": "9223372036854775807.00" => format!("3|9223372036854775807|30|{DAY}");
        "licensesActive": "9223372036854775808" => "invalid_value";
        "licensesActive": "1e400" => "invalid_value";
        "licensesActive": "1e-400" => "invalid_value";
        "licensesActive": "1e-20000" => "invalid_value";
        "licensesActive": long.clone() => "invalid_value";
        "licensesActive": "1".repeat(20_000) => "invalid_value";
        "licensesActive": "-1" => "invalid_value";
        "licensesActive": "0.5" => "invalid_value";
        "licensesActive": "\"3\"" => "invalid_value";
        "licensesActive": "\"\"" => "invalid_value";
        "licensesActive": "true" => "invalid_value";
        "licensesActive": "[3]" => "invalid_value";
        "licensesActive": "{}" => "invalid_value";
        "licensesActive": "null" => "missing_field";
        "licensesActive": "" => "missing_field";
        "licensesQualified": "-1" => "invalid_value";
        "licensesQualified": "\"10\"" => "invalid_value";
        "licensesQualified": "null" => "missing_field";
        "licensesQualified": "" => "missing_field";
        "usagePercent": "250.5" => format!("3|10|250.5|{DAY}");
        "usagePercent": "0" => format!("3|10|0|{DAY}");
        "usagePercent": "-1.5" => format!("3|10|-1.5|{DAY}");
        "usagePercent": "1e-400" => format!("3|10|0|{DAY}");
        "usagePercent": long => format!("3|10|0|{DAY}");
        "usagePercent": "null" => format!("3|10|-|{DAY}");
        "usagePercent": "" => format!("3|10|-|{DAY}");
        "usagePercent": "\"30\"" => "invalid_value";
        "usagePercent": "\"NaN\"" => "invalid_value";
        "usagePercent": "1e400" => "invalid_value";
        "usagePercent": "-1e400" => "invalid_value";
        "usagePercent": "false" => "invalid_value";
        "usagePercent": "{}" => "invalid_value";
    }
}

fn dates() -> Vec<Case> {
    let now = SystemClock.now();
    let soon = now + TimeDelta::days(2) - TimeDelta::minutes(5);
    let quoted = |date: DateTime<Utc>| format!("\"{}\"", date.format("%FT%TZ"));
    table! {
        "processedDateTime": "\"2017-03-09T00:00:00+00:00\"" => "3|10|30|2017-03-09 00:00:00";
        "processedDateTime": "\"2017-10-13T03:55:46.21Z\"" => "3|10|30|2017-10-13 03:55:46.21";
        "processedDateTime": "\"2018-10-14T00:00:00\"" => "3|10|30|2018-10-14 00:00:00";
        "processedDateTime": "\"2020-02-29T23:30:00-05:00\"" => "3|10|30|2020-03-01 04:30:00";
        "processedDateTime": "\"2020-12-31T23:59:59.9999999Z\"" => "3|10|30|2020-12-31 \
            23:59:59.999999";
        "processedDateTime": "\"2020-12-31T23:59:59.123456789\"" => "3|10|30|2020-12-31 \
            23:59:59.123456";
        "processedDateTime": "\"2000-01-01T00:00:00Z\"" => "3|10|30|2000-01-01 00:00:00";
        "processedDateTime": "\"2020-12-31T23:59:59.1234567890Z\"" => "invalid_value";
        "processedDateTime": "\"2020-02-30T00:00:00Z\"" => "invalid_value";
        "processedDateTime": "\"28/09/2026\"" => "invalid_value";
        "processedDateTime": "\"yesterday\"" => "invalid_value";
        "processedDateTime": "1790553600" => "invalid_value";
        "processedDateTime": "{}" => "invalid_value";
        "processedDateTime": "\"\"" => "missing_field";
        "processedDateTime": "null" => "missing_field";
        "processedDateTime": "" => "missing_field";
        "processedDateTime": "\"1999-12-31T23:59:59.999999999Z\"" => "out_of_range";
        "processedDateTime": "\"2000-01-01T00:00:00+00:01\"" => "out_of_range";
        "processedDateTime": "\"0001-01-01T00:00:00\"" => "out_of_range";
        "processedDateTime": "\"9999-12-31T23:59:59.9999999Z\"" => "out_of_range";
        "processedDateTime": quoted(soon) => format!("3|10|30|{}", soon.format("%F %T"));
        "processedDateTime": quoted(now + TimeDelta::days(3)) => "out_of_range";
    }
}

fn texts() -> Vec<Case> {
    table! {
        "productName": "null" => "missing_field";
        "productName": "" => "missing_field";
        "productName": "\"\"" => "missing_field";
        "productName": "\" \\t \"" => "missing_field";
        "productName": "7" => "invalid_value";
        "productName": "[\"E3\"]" => "invalid_value";
        "productName": "\"E\\u00003\"" => "not_storable";
        "productName": "\"E\\ud800\"" => "not_storable";
        "productName": "\"\\udc00E\"" => "not_storable";
        "productName": format!("\"{}\"", "x".repeat(513)) => "not_storable";
        "channel": format!("\"{}\"", "x".repeat(70_000)) => "not_storable";
        "channel": format!("\"{}\"", "😀".repeat(512)) => format!("3|10|30|{DAY}");
        "channel": format!("\"{}\"", "\\ud83d\\ude00".repeat(512)) => format!("3|10|30|{DAY}");
        "channel": format!("\"{}\"", "😀".repeat(513)) => "not_storable";
        "customerName": "\"\\u0000\"" => "not_storable";
        "customerName": "\"\"" => format!("3|10|30|{DAY}");
        "customerName": "\"'; drop table license_usage; --\"" => format!("3|10|30|{DAY}");
        "serviceName": "null" => format!("3|10|30|{DAY}");
        "serviceName": "5" => "invalid_value";
        "serviceCode": format!("\"{}\"", "x".repeat(513)) => "not_storable";
        "productId": "\"CFQ7TTC0LF8R\"" => format!("3|10|30|{DAY}");
        "workloadCode": "{}" => "invalid_value";
        "customerId": "\"4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\"" => "wrong_customer";
        "customerTenantId": "\"4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04\"" => "wrong_customer";
        "customerId": "\"OWN\"" => format!("3|10|30|{DAY}");
        "customerTenantId": "\"{OWN}\"" => format!("3|10|30|{DAY}");
        "customerId": "null" => format!("3|10|30|{DAY}");
        "customerId": "\"\"" => format!("3|10|30|{DAY}");
        "customerId": "\"Contoso\"" => "invalid_value";
        "customerId": "7" => "invalid_value";
        "new": "1e-20000" => format!("3|10|30|{DAY}");
        "new\\ud800": "3" => "invalid_value";
    }
}

/// Stores one collection of these items for the first customer.
async fn store(world: &World, items: &[String]) -> String {
    let customer = world.simulator.customers().await[0].clone();
    let body = collection(items).replace("OWN", &customer.to_uppercase());
    world
        .simulator
        .script(&customer, json!([answer(body, json!({}))]))
        .await;
    world
        .run(&["--backfill", "--customer", &customer])
        .await
        .assert_code(0);
    customer
}

#[tokio::test]
async fn every_item_becomes_a_row_or_a_rejection_with_its_reason() {
    let world = World::with_customers(1).await;
    let cases = [numbers(), dates(), texts()].concat();
    // The number of the case is in the workload's name, and in an extra member that only the
    // payload of a rejection shows.
    let items: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(number, (member, value, _))| {
            let (workload, case) = (format!("\"case {number}\""), number.to_string());
            item_with(&[
                ("workloadName", &workload),
                (member, value),
                ("case", &case),
            ])
        })
        .collect();
    store(&world, &items).await;
    let stored = world
        .lines(
            "select substr(workload_name, 6), licenses_active, licenses_qualified, \
                usage_percent::text,
                    (processed_date_time at time zone 'UTC')::text
             from license_usage",
        )
        .await;
    let rejected = world
        .lines(
            "select coalesce(payload ->> 'case', substring(payload #>> '{}' from 'case \
            (\\d+)')), reason from rejected_row",
        )
        .await;
    let told: std::collections::HashMap<&str, &str> = stored
        .iter()
        .chain(&rejected)
        .filter_map(|line| line.split_once('|'))
        .collect();
    let wrong: Vec<String> = cases
        .iter()
        .enumerate()
        .map(|(number, (member, value, outcome))| {
            let value: String = value.chars().take(60).collect();
            let told = told.get(number.to_string().as_str()).copied();
            (
                told != Some(outcome),
                format!("{number} {member} = {value}: {outcome}, but: {told:?}"),
            )
        })
        .filter_map(|(wrong, text)| wrong.then_some(text))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(stored.len() + rejected.len(), cases.len());
    assert_eq!(
        world
            .lines("select rows_received, rows_inserted, rows_rejected from sync_customer")
            .await,
        [format!(
            "{}|{}|{}",
            cases.len(),
            stored.len(),
            rejected.len()
        )]
    );
}

#[tokio::test]
async fn a_rejected_item_is_recorded_exactly_as_received() {
    let world = World::with_customers(1).await;
    let plain = item_with(&[
        ("licensesActive", "-1.50"),
        ("new", r#"{"a":[1,null,"é"]}"#),
    ]);
    let held_as_text = [
        item_with(&[("productName", r#""a\u0000b""#)]),
        item_with(&[("productName", r#""a\ud800b""#)]),
        item_with(&[("licensesActive", "1e400")]),
        item_with(&[("licensesActive", "1e-20000")]),
    ];
    let odd = ["null", "3", "\"x\"", "[]", "{}"].map(str::to_owned);
    let items: Vec<String> = [plain.clone()]
        .iter()
        .chain(&held_as_text)
        .chain(&odd)
        .cloned()
        // Without a single row the customer would fail.
        .chain([item_with(&[])])
        .collect();
    store(&world, &items).await;
    let payloads: Vec<Value> = world
        .rows("select payload from rejected_row order by rejected_row_id")
        .await
        .iter()
        .map(|row| sqlx::Row::get(row, 0))
        .collect();
    let mut expected: Vec<Value> = vec![serde_json::from_str(&plain).unwrap()];
    expected.extend(held_as_text.map(Value::String));
    expected.extend(odd.iter().map(|item| serde_json::from_str(item).unwrap()));
    assert_eq!(payloads, expected);
    assert_eq!(
        world
            .lines(
                "select detail, reason from rejected_row where detail like 'item 7:%' or \
            detail like 'item 10:%' order by 1"
            )
            .await,
        [
            "item 10: productName is missing|missing_field",
            "item 7: the item is not an object with \
            readable members|invalid_value"
        ]
    );
}

#[tokio::test]
async fn of_items_with_the_same_key_the_last_is_stored() {
    let world = World::with_customers(1).await;
    let twice = item_with(&[("workloadName", "\"Teams\"")]);
    let offset = item_with(&[
        ("processedDateTime", "\"2026-09-28T02:00:00+02:00\""),
        ("licensesActive", "6"),
    ]);
    let items = [
        item_with(&[("licensesActive", "4")]),
        twice.clone(),
        item_with(&[("licensesActive", "5")]),
        twice,
        offset,
    ];
    store(&world, &items).await;
    assert_eq!(
        world
            .lines(
                "select product_name, workload_name, licenses_active from license_usage order \
            by 3 desc, product_name collate \"C\""
            )
            .await,
        ["OFFICE 365 E3|Exchange|6", "OFFICE 365 E3|Teams|3"]
    );
    assert_eq!(
        world
            .lines(
                "select reason, payload -> 'licensesActive' from rejected_row order by \
            rejected_row_id"
            )
            .await,
        ["duplicate_key|4", "duplicate_key|5"]
    );
    assert_eq!(
        world
            .lines(
                "select rows_received, rows_inserted, rows_unchanged, rows_rejected from \
            sync_customer"
            )
            .await,
        ["5|2|1|2"]
    );
}

#[tokio::test]
async fn key_texts_are_stored_as_long_as_the_key_can_hold_them() {
    let world = World::with_customers(1).await;
    // Pseudo-random letters, which Postgres cannot compress.
    let letters = |count: usize, salt: u32| -> String {
        let mut state = salt;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x1_0400 + (state >> 8) % 0x4000).unwrap_or('𐀀')
        };
        (0..count).map(|_| next()).collect()
    };
    let item = |product: &str, workload: &str| {
        item_with(&[
            ("productName", &format!("\"{product}\"")),
            ("workloadName", &format!("\"{workload}\"")),
        ])
    };
    let items = [
        item(&letters(512, 1), &letters(138, 2)),
        item(&letters(512, 3), &letters(139, 4)),
        item(&letters(512, 5), &letters(512, 6)),
        item(&"x".repeat(512), &"y".repeat(512)),
    ];
    store(&world, &items).await;
    assert_eq!(
        world
            .lines(
                "select char_length(product_name), char_length(workload_name) from \
            license_usage order by 2"
            )
            .await,
        ["512|138", "512|512"]
    );
    assert_eq!(
        world.lines("select reason from rejected_row").await,
        ["not_storable", "not_storable"]
    );
}

#[tokio::test]
async fn a_long_collection_is_stored_whole() {
    let world = World::with_customers(1).await;
    let item = |number: usize| {
        let workload = format!("\"Workload {number}\"");
        item_with(&[
            ("workloadName", &workload),
            ("licensesActive", &number.to_string()),
        ])
    };
    let items: Vec<String> = (0..12_000).map(item).collect();
    store(&world, &items).await;
    store(&world, &items).await;
    assert_eq!(
        world
            .lines(
                "select rows_received, rows_inserted, rows_unchanged from sync_customer order \
            by run_id"
            )
            .await,
        ["12000|12000|0", "12000|0|12000"]
    );
    assert_eq!(
        world
            .lines("select count(*), sum(licenses_active), max(run_id) from license_usage")
            .await,
        ["12000|71994000|1"]
    );
}
