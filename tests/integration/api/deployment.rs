//! Sold and assigned seats beside the active ones.

use serde_json::{Value, json};

use crate::support::answers::{answer, collection, item_with};
use crate::support::{World, item};

/// A deployment item, each value as JSON text.
fn deployed(changes: &[(&str, &str)]) -> String {
    let mut members = vec![
        ("workloadName", ""),
        ("licensesActive", ""),
        ("licensesQualified", ""),
        ("usagePercent", ""),
        ("licensesDeployed", "30"),
        ("licensesSold", "206.0"),
        ("deploymentPercent", "14.56"),
        ("processedDateTime", "\"2026-09-28T03:04:05.123456789Z\""),
    ];
    members.retain(|(name, _)| changes.iter().all(|(own, _)| own != name));
    members.extend(changes);
    item_with(&members)
}

async fn both(customers: usize) -> World {
    let mut world = World::with_customers(customers).await;
    world.set("partner_center.datasets", "usage,deployment");
    world
}

#[tokio::test]
async fn only_usage_is_requested_unless_deployment_is_configured() {
    let mut world = World::with_customers(3).await;
    world.backfill().await.assert_code(0);
    assert_eq!(world.simulator.requests("usage").await.len(), 3);
    assert_eq!(
        world.simulator.requests("deployment").await,
        [Value::Null; 0]
    );
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_deployment")
            .await,
        0
    );
    let usage = world.ledger().await;

    world.set("partner_center.datasets", "usage,deployment");
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(world.simulator.requests("deployment").await.len(), 3);
    let deployed: i64 = world
        .value(
            "select count(*) from license_deployment where licenses_sold >= licenses_deployed \
            and licenses_sold > 0",
        )
        .await;
    assert!(deployed >= 3);
    let rows = &finished.summary()["rows"];
    assert_eq!(rows["inserted"], deployed);
    assert_eq!(rows["unchanged"], usage.len());
    assert_eq!(world.ledger().await, usage);
    let again = world.backfill().await;
    assert_eq!(
        again.summary()["rows"]["unchanged"],
        deployed + i64::try_from(usage.len()).unwrap()
    );
}

#[tokio::test]
async fn a_row_of_deployment_is_read_as_leniently_as_one_of_usage() {
    let world = both(1).await;
    let items = [
        deployed(&[]),
        deployed(&[
            ("productName", "\"Dynamics\""),
            ("deploymentPercent", ""),
            ("licensesDeployed", "0"),
            ("licensesSold", "2.06e2"),
            ("processedDateTime", "\"2026-09-28\""),
        ]),
        deployed(&[("productName", "\" office 365 e3\"")]),
        deployed(&[("productName", "\"A\""), ("licensesSold", "206.5")]),
        deployed(&[("productName", "\"B\""), ("licensesDeployed", "")]),
        deployed(&[
            ("productName", "\"C\""),
            ("processedDateTime", "\"1999-12-31\""),
        ]),
        deployed(&[("customerId", "\"11111111-70f4-4e1e-9ff1-b2bfce8d9f04\"")]),
    ];
    world
        .simulator
        .script_for_ever("deployment", json!([answer(collection(&items), json!({}))]))
        .await;
    let bad = json!([
        item(&json!({ "licensesActive": -1 })),
        item(&json!({ "workloadName": "Teams" }))
    ]);
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": bad }]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(
        finished.summary()["rows"],
        json!({ "received": 9, "inserted": 3, "updated": 0, "unchanged": 1, "rejected": 5 })
    );
    assert_eq!(
        world
            .lines(
                "select product_name, processed_date_time at time zone 'UTC', \
                licenses_deployed, licenses_sold, deployment_percent, service_name, channel from \
                license_deployment order by 1"
            )
            .await,
        [
            "Dynamics|2026-09-28T00:00:00|0|206|-|o365|reseller",
            "OFFICE 365 E3|2026-09-28T03:04:05.123456|30|206|14.56|o365|reseller",
        ]
    );
    assert_eq!(
        world
            .lines(
                "select dataset, reason, payload ->> 'productName' from rejected_row order by \
                1, 2, 3"
            )
            .await,
        [
            "deployment|invalid_value|A",
            "deployment|missing_field|B",
            "deployment|out_of_range|C",
            "deployment|wrong_customer|OFFICE 365 E3",
            "usage|invalid_value|OFFICE 365 E3",
        ]
    );
}

#[tokio::test]
async fn a_dataset_that_fails_fails_the_customer_and_leaves_the_other_stored() {
    let world = both(2).await;
    let refused = json!([{ "status": 403, "json": { "code": "2032", "description": "The role is \
        too small" } }]);
    let stored = "select (select count(*) > 0 from license_usage), (select count(*) > 0 from \
        license_deployment)";
    for (failing, code, prefix, left) in [
        ("deployment", "2032", "deployment: status 403", "true|false"),
        ("usage", "2032", "status 403", "true|true"),
    ] {
        world
            .simulator
            .script_for_ever(failing, refused.clone())
            .await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        assert_eq!(world.lines(stored).await, [left], "{failing}");
        assert_eq!(
            world
                .lines(&format!(
                    "select distinct outcome, reason, fault_code, http_status, attempts, \
                        rows_received > 0, detail like '{prefix}%'
                     from sync_customer where run_id = (select max(run_id) from sync_run)"
                ))
                .await,
            [format!("failed|forbidden|{code}|403|2|true|true")],
            "{failing}"
        );
        world.simulator.unscript().await;
    }
    world.backfill().await.assert_code(0);
    // The usage of the customer whose deployment failed was stored all the same.
    assert_eq!(
        world
            .lines(
                "select distinct state from coverage where processed_date = (select \
                max(processed_date) from service_date where dataset = 'usage')"
            )
            .await,
        ["stored"]
    );
}

#[tokio::test]
async fn sold_assigned_and_active_seats_stand_side_by_side() {
    let world = both(1).await;
    for (day, sold) in [("2026-09-27", "200"), ("2026-09-28", "206.0")] {
        let date = format!("\"{day}T00:00:00Z\"");
        let usage = [
            item_with(&[("processedDateTime", &date)]),
            item_with(&[
                ("processedDateTime", &date),
                ("workloadName", "\"Teams\""),
                ("licensesActive", "5"),
            ]),
            item_with(&[
                ("processedDateTime", &date),
                ("productName", "\"Visio\""),
                ("licensesQualified", "0"),
            ]),
        ];
        let date = format!("\"{day}T01:02:03.45Z\"");
        let deployment = [
            deployed(&[
                ("processedDateTime", &date),
                ("productName", "\"Office 365 E3 \""),
                ("licensesSold", sold),
            ]),
            deployed(&[
                ("processedDateTime", &date),
                ("productName", "\"Project\""),
                ("licensesSold", "0"),
            ]),
        ];
        for (target, items) in [("usage", &usage[..]), ("deployment", &deployment)] {
            let answers = json!([answer(collection(items), json!({}))]);
            world.simulator.script_for_ever(target, answers).await;
        }
        world.backfill().await.assert_code(0);
    }
    assert_eq!(
        world
            .lines(
                "select customer_name, product_name, workload_name, licenses_sold, \
                    licenses_assigned, licenses_qualified,
                        licenses_active, round(deployed_percent::numeric, 2), \
                        round(active_percent::numeric, 2),
                        to_char(deployment_processed_date_time at time zone 'UTC', 'DD \
                        HH24:MI:SS.MS'),
                        to_char(usage_processed_date_time at time zone 'UTC', 'DD HH24:MI')
                 from license_seats order by 2, 3"
            )
            .await,
        [
            "Contoso|OFFICE 365 E3|Exchange|206|30|10|3|14.56|30.00|28 01:02:03.450|28 00:00",
            "Contoso|OFFICE 365 E3|Teams|206|30|10|5|14.56|50.00|28 01:02:03.450|28 00:00",
            "Contoso|Project|-|0|30|-|-|-|-|28 01:02:03.450|-",
            "Contoso|Visio|Exchange|-|-|0|3|-|-|-|28 00:00",
        ]
    );
}
