//! Figures that the API corrects: the ledger holds the newest, and each correction is recorded
//! once.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{World, item};

/// One product's deployment.
fn deployment(changes: &Value) -> Value {
    let mut item = json!({
        "customerName": "Contoso",
        "productName": "OFFICE 365 E3",
        "licensesDeployed": 30,
        "deploymentPercent": 60.0,
        "licensesSold": 50,
        "processedDateTime": "2026-09-28T03:04:05.67Z",
        "serviceName": "o365",
        "channel": "reseller",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}

/// One backfill in which every customer has these items.
async fn fetch(world: &World, kind: &str, items: Value) -> Value {
    world
        .simulator
        .script_for_ever(kind, json!([{ "items": items }]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    finished.summary()["rows"].clone()
}

#[tokio::test]
async fn a_row_with_corrected_figures_is_recorded_with_old_and_new_values() {
    let world = World::with_customers(2).await;
    let teams = item(&json!({ "workloadName": "Teams" }));
    let day = |changes| json!([item(&changes), teams.clone()]);
    fetch(&world, "usage", day(json!({}))).await;
    let first_synced = "select distinct first_synced_at from license_usage";
    let first = world.lines(first_synced).await;
    let corrected = json!({ "licensesActive": 4, "licensesQualified": 11, "usagePercent": 36.4 });
    for (changes, updated) in [
        (corrected.clone(), 2),
        // Unchanged: nothing is recorded.
        (corrected.clone(), 0),
        // Only the percentage changes, and then it is missing.
        (
            json!({ "licensesActive": 4, "licensesQualified": 11, "usagePercent": 36.36 }),
            2,
        ),
        (
            json!({ "licensesActive": 4, "licensesQualified": 11, "usagePercent": null }),
            0,
        ),
        // A descriptive column is not a figure, so its change is no restatement.
        (
            json!({ "licensesActive": 4, "licensesQualified": 11, "usagePercent": 36.36,
                "channel": "indirect" }),
            2,
        ),
        // Back to the first figures.
        (json!({}), 2),
    ] {
        let rows = fetch(&world, "usage", day(changes.clone())).await;
        assert_eq!(rows["updated"], updated, "{changes}");
        assert_eq!(rows["inserted"], 0, "{changes}");
    }
    assert_eq!(
        world
            .lines(
                "select distinct run_id, product_name, workload_name, processed_date_time at time \
                    zone 'UTC',
                        old_licenses_active, new_licenses_active, old_licenses_qualified, \
                        new_licenses_qualified,
                        old_usage_percent, new_usage_percent
                 from license_usage_restatement order by run_id"
            )
            .await,
        [
            "2|OFFICE 365 E3|Exchange|2026-09-28T00:00:00|3|4|10|11|30|36.4",
            "4|OFFICE 365 E3|Exchange|2026-09-28T00:00:00|4|4|11|11|36.4|36.36",
            "7|OFFICE 365 E3|Exchange|2026-09-28T00:00:00|4|3|11|10|36.36|30",
        ]
    );
    assert_eq!(
        world
            .lines(
                "select count(*), count(distinct customer_id), bool_and(restated_at >= \
                started_at) from license_usage_restatement join sync_run using (run_id)"
            )
            .await,
        ["6|2|true"]
    );
    assert_eq!(
        world
            .lines(
                "select distinct workload_name, licenses_active, licenses_qualified, \
                usage_percent, run_id from license_usage order by 1"
            )
            .await,
        ["Exchange|3|10|30|7", "Teams|3|10|30|1"]
    );
    assert_eq!(world.lines(first_synced).await, first);
}

#[tokio::test]
async fn corrected_deployment_is_recorded_with_old_and_new_values() {
    let mut world = World::with_customers(2).await;
    world.set("partner_center.datasets", "usage,deployment");
    for (changes, updated) in [
        (json!({}), 0),
        (json!({ "licensesSold": 51, "deploymentPercent": 58.8 }), 2),
        (json!({ "licensesSold": 51, "deploymentPercent": 58.8 }), 0),
        (
            json!({ "licensesSold": 51, "licensesDeployed": 31, "deploymentPercent": null }),
            2,
        ),
    ] {
        let rows = fetch(&world, "deployment", json!([deployment(&changes)])).await;
        assert_eq!(rows["updated"], updated, "{changes}");
    }
    assert_eq!(
        world
            .lines(
                "select distinct run_id, product_name, processed_date_time at time zone 'UTC', \
                    old_licenses_deployed,
                        new_licenses_deployed, old_licenses_sold, new_licenses_sold, \
                        old_deployment_percent,
                        new_deployment_percent
                 from license_deployment_restatement order by run_id"
            )
            .await,
        [
            "2|OFFICE 365 E3|2026-09-28T03:04:05.67|30|30|50|51|60|58.8",
            "4|OFFICE 365 E3|2026-09-28T03:04:05.67|30|31|51|51|58.8|-",
        ]
    );
    assert_eq!(
        world
            .lines(
                "select distinct licenses_deployed, licenses_sold, deployment_percent, run_id \
                from license_deployment"
            )
            .await,
        ["31|51|-|4"]
    );
    let others = "select count(*) from license_usage_restatement";
    assert_eq!(world.value::<i64>(others).await, 0);
}

/// The figures of each row by its key.
async fn figures(world: &World) -> BTreeMap<String, String> {
    let rows = world
        .lines(
            "select concat_ws(' ', customer_id, product_name, workload_name, processed_date_time),
                    licenses_active, licenses_qualified, usage_percent from license_usage",
        )
        .await;
    let split = |row: &String| {
        let (key, figures) = row.split_once('|').unwrap();
        (key.to_owned(), figures.to_owned())
    };
    rows.iter().map(split).collect()
}

#[tokio::test]
async fn every_restated_figure_is_recorded() {
    let world = World::with_customers(40).await;
    // Dynamics shows the same date on both days.
    world.simulator.set_today("2026-10-07").await;
    world.backfill().await.assert_code(0);
    let before = figures(&world).await;
    world
        .simulator
        .patch(json!({ "restate": { "from": "2026-10-08", "share": 1.0 } }))
        .await;
    world.simulator.set_today("2026-10-08").await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let after = figures(&world).await;
    let changed: BTreeMap<&String, (&String, &String)> = before
        .iter()
        .filter_map(|(key, old)| {
            let new = after.get(key).unwrap();
            (old != new).then_some((key, (old, new)))
        })
        .collect();
    assert!(!changed.is_empty());
    assert_eq!(finished.summary()["rows"]["updated"], changed.len());
    let kept = world
        .lines(
            "select concat_ws(' ', customer_id, product_name, workload_name, processed_date_time),
                    concat_ws('|', old_licenses_active, old_licenses_qualified, \
                    coalesce(old_usage_percent::text, '-')),
                    concat_ws('|', new_licenses_active, new_licenses_qualified, \
                    coalesce(new_usage_percent::text, '-'))
             from license_usage_restatement",
        )
        .await;
    assert_eq!(kept.len(), changed.len());
    for (key, (old, new)) in changed {
        assert!(
            kept.contains(&format!("{key}|{old}|{new}")),
            "{key}: {old}, {new}"
        );
    }
    world.backfill().await.assert_code(0);
    let restated = "select distinct run_id from license_usage_restatement";
    assert_eq!(world.lines(restated).await, ["2"]);
}
