//! One run as a user sees it: rows in the tables, the summary, the exit code.

use serde_json::json;

use crate::support::{World, item};

#[tokio::test]
async fn a_run_stores_every_customers_rows_and_says_so() {
    let world = World::new().await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let summary = finished.summary();
    let stored: i64 = world.value("select count(*) from license_usage").await;
    assert!(stored > 0);
    assert_eq!(summary["outcome"], "succeeded");
    assert_eq!(
        summary["customers"],
        json!({"total": 5, "succeeded": 5, "failed": 0})
    );
    assert_eq!(
        summary["rows"],
        json!({"received": stored, "inserted": stored, "updated": 0, "unchanged": 0, "rejected": 0})
    );
    assert_eq!(
        summary["http"],
        json!({"requests": 5, "retries": 0, "throttled": 0})
    );
    assert_eq!(
        world
            .lines("select kind, outcome, customers_succeeded, rows_inserted from sync_run")
            .await,
        [format!("backfill|succeeded|5|{stored}")]
    );
    assert_eq!(
        world
            .lines("select distinct outcome, http_status, attempts from sync_customer")
            .await,
        ["succeeded|200|1"]
    );
}

#[tokio::test]
async fn the_same_run_twice_changes_nothing() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    let versions = "select ctid::text, xmin::text, * from license_usage order by 1";
    let before = world.lines(versions).await;
    let again = world.backfill().await;
    again.assert_code(0);
    assert_eq!(world.lines(versions).await, before);
    let rows = &again.summary()["rows"];
    assert_eq!(rows["unchanged"], rows["received"]);
    assert_eq!(rows["inserted"], 0);
}

#[tokio::test]
async fn a_correction_overwrites_the_row_it_corrects_and_no_other() {
    let world = World::new().await;
    let customer = &world.simulator.customers().await[0];
    let other = item(&json!({"workloadName": "Teams"}));
    for active in [3, 4] {
        let items = json!([item(&json!({"licensesActive": active})), other]);
        world
            .simulator
            .script(customer, json!([{ "items": items }]))
            .await;
        world
            .run(&["--backfill", "--customer", customer])
            .await
            .assert_code(0);
    }
    assert_eq!(
        world
            .lines(
                "select workload_name, licenses_active, run_id, last_changed_at > \
                first_synced_at from license_usage order by 1"
            )
            .await,
        ["Exchange|4|2|true", "Teams|3|1|false"]
    );
}

#[tokio::test]
async fn one_bad_customer_does_not_stop_the_rest() {
    let world = World::new().await;
    let bad = &world.simulator.customers().await[2];
    let fault = json!({"code": "2032", "description": "The role is too small"});
    world
        .simulator
        .script_for_ever(bad, json!([{ "status": 403, "json": fault }]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "partial");
    assert_eq!(
        summary["customers"],
        json!({"total": 5, "succeeded": 4, "failed": 1})
    );
    let requests = world.simulator.requests("usage").await;
    let mut requests = requests.iter();
    let refused = requests.find(|request| request["path"].as_str().unwrap().contains(bad));
    let sent = &refused.unwrap()["headers"];
    let (request, correlation) = (&sent["ms-requestid"], &sent["ms-correlationid"]);
    assert_eq!(
        summary["failures"],
        json!([{
            "customer_id": bad.to_lowercase(),
            "reason": "forbidden",
            "detail": "status 403: code 2032: The role is too small",
            "ms_request_id": request,
            "ms_correlation_id": correlation,
        }])
    );
    let (request, correlation) = (request.as_str().unwrap(), correlation.as_str().unwrap());
    assert_eq!(
        world
            .lines(
                "select outcome, reason, http_status, attempts, rows_received, ms_request_id, \
                    ms_correlation_id
                 from sync_customer where outcome = 'failed' or ms_request_id is not null"
            )
            .await,
        [format!("failed|forbidden|403|1|0|{request}|{correlation}")]
    );
}
