//! The cost of an answer is bounded, and no customer waits for another's.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::support::World;

/// An answer that unpacks to megabytes of JSON: `before`, `times` times `part`, and `after`. Packed
/// it is small enough for a script of the simulator.
fn bomb(before: &str, part: &str, times: usize, after: &str) -> Value {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(before.as_bytes()).unwrap();
    let thousand = part.repeat(1_000);
    for _ in 0..times / 1_000 {
        packed.write_all(thousand.as_bytes()).unwrap();
    }
    packed.write_all(after.as_bytes()).unwrap();
    let packed = STANDARD.encode(packed.finish().unwrap());
    json!({ "base64": packed, "headers": [["Content-Encoding", "gzip"]] })
}

#[tokio::test]
async fn hostile_answers_fail_their_customers_and_delay_no_other() {
    let mut world = World::with_customers(60).await;
    world.set("partner_center.max_concurrency", "6");
    world.set("partner_center.request_timeout", "60s");
    let ids = world.simulator.customers().await;
    let hostile = [
        bomb(r#"{"items":["#, "0,", 6_000_000, "0]}"),
        bomb(r#"{"items":["#, "{},", 3_000_000, "{}]}"),
        bomb(r#"{"items":["#, r#"{"a":"#, 3_000_000, ""),
        bomb("{", r#""items":1,"#, 1_000_000, r#""items":[0]}"#),
        bomb(r#"{"items":["#, "1", 10_000_000, "]}"),
    ];
    for (id, answer) in ids.iter().zip(&hostile) {
        world.simulator.script_for_ever(id, json!([answer])).await;
    }
    world.ask_in_order();
    world.set("partner_center.max_concurrency", "6");
    let finished = world.backfill().await;
    finished.assert_code(3);
    let failed: Vec<String> = world
        .lines("select customer_id from sync_customer where reason = 'invalid_response' order by 1")
        .await;
    let mut expected = ids[..hostile.len()].to_vec();
    expected.sort();
    assert_eq!(failed, expected);
    assert_eq!(finished.summary()["customers"]["succeeded"], 55);
    // The hostile answers were requested first, and yet other customers succeeded before any of
    // them was read to its end.
    let before = "select count(*) from sync_customer
                  where outcome = 'succeeded'
                      and finished_at < (select min(finished_at) from sync_customer where outcome \
                      = 'failed')";
    let before = world.value::<i64>(before).await;
    assert!(before >= 10, "{before} of 55");
    let asked = world.asked().await;
    let place = |id: &String| asked.iter().position(|other| other == id).unwrap();
    assert!(ids[..hostile.len()].iter().all(|id| place(id) < 60));
}

#[tokio::test]
async fn a_partner_wide_page_of_rubbish_fails_the_run_in_one_message() {
    let mut world = World::commercial(5).await;
    world.set("partner_center.datasets", "usage");
    for (page, told) in [
        (
            bomb(r#"{"Value":["#, "0,", 4_000_000, "0]}"),
            "over 10000 items are unusable",
        ),
        (
            bomb(r#"{"Value":["#, "[", 4_000_000, ""),
            "nested over 128 levels deep",
        ),
    ] {
        world
            .simulator
            .script_for_ever("commercial_usage", json!([page]))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        let notes = finished.summary()["notes"].clone();
        assert_eq!(notes.as_array().unwrap().len(), 1, "{notes}");
        assert!(notes[0].as_str().unwrap().contains(told), "{notes}");
    }
}

#[tokio::test]
async fn a_list_of_customers_of_rubbish_ends_the_run_in_one_message() {
    let mut world = World::with_customers(1).await;
    world.unset("customers.ids");
    world.set("customers.discover", "true");
    let rubbish = bomb(r#"{"items":["#, "0,", 900_000, "0]}");
    world
        .simulator
        .script_for_ever("customers", json!([rubbish]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(1);
    let told = "none of 900001 entries has a usable id";
    assert!(finished.stderr.contains(told), "{}", finished.stderr);
    assert!(finished.stderr.lines().count() < 20, "{}", finished.stderr);
}
