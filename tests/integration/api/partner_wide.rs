//! Source "commercial": the partner-wide collections, fetched page by page and stored customer by
//! customer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Finished, World, queries};

/// Every customer that is mentioned in any table.
const KNOWN: &str = "select customer_id from license_usage union select customer_id from \
    license_deployment
                     union select customer_id from customer union select customer_id from \
                     license_usage_collection
                     union select customer_id from sync_customer union select customer_id from \
                     rejected_row";

/// Keys and figures of both datasets. Those of deployment are compared by date only, because a
/// customer's own collection also has the time of day.
const FIGURES: &str =
    "select customer_id, product_name, workload_name, processed_date_time::text as date, \
        customer_name, channel,
            licenses_active, licenses_qualified
     from license_usage
     union all
     select customer_id, product_name, null, (processed_date_time at time zone 'UTC')::date::text, \
     customer_name, channel,
            licenses_deployed, licenses_sold
     from license_deployment
     order by 1, 2, 3, 4";

/// Asserts that a run received only rows that the ledger already held.
#[track_caller]
fn assert_nothing_new(finished: &Finished, rows: &Value, what: &str) {
    finished.assert_code(0);
    let seen = &finished.summary()["rows"];
    assert_eq!(
        (&seen["received"], &seen["unchanged"]),
        (rows, rows),
        "{what}"
    );
}

#[tokio::test]
async fn all_customers_take_few_calls_and_have_the_figures_of_their_own_collections() {
    let mut world = World::commercial(300).await;
    world.simulator.patch(json!({ "max_top": 500 })).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let usage: i64 = world.value("select count(*) from license_usage").await;
    let deployment: i64 = world.value("select count(*) from license_deployment").await;
    assert!(usage > 1_500 && deployment > 500, "{usage}, {deployment}");
    for (kind, rows) in [
        ("commercial_usage", usage),
        ("commercial_deployment", deployment),
    ] {
        let queries = queries(&world, kind).await;
        let pages = (rows + 499) / 500;
        assert_eq!(i64::try_from(queries.len()).unwrap(), pages, "{queries:?}");
        assert_eq!(queries[0], "top=10000");
        assert!(queries.iter().all(|query| !query.contains("filter")));
    }
    assert_eq!(world.simulator.requests("usage").await, [Value::Null; 0]);
    assert_eq!(
        finished.summary()["customers"],
        json!({ "total": 300, "succeeded": 300, "failed": 0 })
    );
    assert_eq!(
        world
            .lines(
                "select source, customers_succeeded, rows_received = rows_inserted, detail from \
                sync_run"
            )
            .await,
        ["commercial|300|true|-"]
    );
    assert_eq!(
        world
            .lines("select distinct outcome, http_status, reason from sync_customer")
            .await,
        ["succeeded|200|-"]
    );
    let ids = "select count(*) from license_usage where product_id is null or workload_code is \
        null or service_code is null";
    assert_eq!(world.value::<i64>(ids).await, 0);
    let partner_wide = world.lines(FIGURES).await;

    world.empty_the_ledger().await;
    world.use_source_customer();
    world.set("partner_center.datasets", "usage,deployment");
    world.backfill().await.assert_code(0);
    assert!(world.lines(FIGURES).await == partner_wide);
}

#[tokio::test]
async fn few_customers_are_requested_by_their_ids_and_no_other_is_stored() {
    let mut world = World::commercial(40).await;
    let ids = world.simulator.customers().await;
    world.want(&ids[..3]);
    world.backfill().await.assert_code(0);
    for kind in ["commercial_usage", "commercial_deployment"] {
        let queries = queries(&world, kind).await;
        let [query] = &queries[..] else {
            panic!("{queries:?}")
        };
        for id in &ids[..3] {
            for id in [id.clone(), id.to_uppercase()] {
                assert!(query.contains(&format!("customerTenantId%20eq%20%27{id}%27")));
            }
        }
    }
    let few: BTreeSet<String> = ids[..3].iter().cloned().collect();
    let known: BTreeSet<String> = world.lines(KNOWN).await.into_iter().collect();
    assert_eq!(known, few);
    assert!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await
            > 3
    );

    world.simulator.forget_requests().await;
    world
        .run(&["--backfill", "--customer", &ids[7]])
        .await
        .assert_code(0);
    let queries = queries(&world, "commercial_usage").await;
    assert!(queries.len() == 1 && queries[0].contains(&ids[7]) && !queries[0].contains(&ids[0]));
}

#[tokio::test]
async fn some_customers_are_named_in_several_filters() {
    let mut world = World::commercial(40).await;
    let ids = world.simulator.customers().await;
    world.want(&ids[..25]);
    world.set("partner_center.datasets", "usage");
    world.backfill().await.assert_code(0);
    let queries = queries(&world, "commercial_usage").await;
    assert_eq!(queries.len(), 3, "{queries:?}");
    assert!(queries.iter().all(|query| query.contains("filter=")));
    let wanted: BTreeSet<String> = ids[..25].iter().cloned().collect();
    let known: BTreeSet<String> = world.lines(KNOWN).await.into_iter().collect();
    assert_eq!(known, wanted);
}

#[tokio::test]
async fn the_collection_is_read_in_every_spelling_and_form_of_link() {
    let world = World::commercial(30).await;
    world.simulator.patch(json!({ "max_top": 60 })).await;
    let first = world.backfill().await;
    first.assert_code(0);
    let rows = first.summary()["rows"]["received"].clone();
    let pages = world.simulator.requests("commercial_usage").await.len();
    assert!(pages > 3);
    for (settings, with_skip) in [
        (
            json!({ "commercial_next_link": "without_v1" }),
            "top=60&skip=60",
        ),
        (
            json!({ "commercial_next_link": "with_v1" }),
            "top=60&skip=60",
        ),
        (
            json!({ "commercial_next_link": "no_slash" }),
            "top=60&skip=60",
        ),
        (
            json!({ "rows_member": "value", "next_member": "@odata.nextLink",
                "total_member": "totalCount" }),
            "top=60&skip=60",
        ),
        (
            json!({ "rows_member": "items", "next_member": "nextLink",
                "active_member": "licenseActive" }),
            "top=60&skip=60",
        ),
        (json!({ "next_member": "none" }), "top=10000&skip=60"),
        (
            json!({ "next_member": "none", "rows_member": "value", "bom": true, "gzip": false }),
            "top=10000&skip=60",
        ),
    ] {
        world.simulator.forget_requests().await;
        world.simulator.patch(settings.clone()).await;
        assert_nothing_new(&world.backfill().await, &rows, &settings.to_string());
        let requests = world.simulator.requests("commercial_usage").await;
        assert_eq!(requests.len(), pages, "{settings}");
        assert_eq!(requests[1]["query"], with_skip, "{settings}");
        let paths: BTreeSet<_> = requests.iter().map(|it| it["path"].as_str()).collect();
        let path = "/v1/analytics/commercial/usage/license/";
        assert_eq!(paths, BTreeSet::from([Some(path)]), "{settings}");
    }
}

#[tokio::test]
async fn if_the_path_does_not_exist_the_other_prefix_is_tried_and_then_used() {
    let mut world = World::commercial(10).await;
    world.set("partner_center.datasets", "usage");
    for form in ["absolute", "without_v1", "with_v1"] {
        world.simulator.forget_requests().await;
        let missing =
            json!({ "status": 404, "json": { "code": 404, "message": "Resource not found" } });
        world
            .simulator
            .script("commercial_usage", json!([missing]))
            .await;
        let settings = json!({ "max_top": 30, "commercial_next_link": form });
        world.simulator.patch(settings).await;
        world.backfill().await.assert_code(0);
        let requests = world.simulator.requests("commercial_usage").await;
        let mut paths = requests.iter().map(|it| it["path"].as_str().unwrap());
        assert_eq!(
            paths.next(),
            Some("/v1/analytics/commercial/usage/license/")
        );
        let rest: Vec<_> = paths.collect();
        assert!(rest.len() > 1);
        for path in rest {
            assert_eq!(
                path, "/partner/v1/analytics/commercial/usage/license/",
                "{form}"
            );
        }
    }
}

/// A partner-wide item of a customer, with figures.
fn item(customer: &str, workload: &str, active: u32) -> Value {
    json!({
        "processedDateTime": "2026-05-02T00:00:00",
        "workloadCode": workload, "workloadName": workload,
        "serviceCode": "o365", "serviceName": "Microsoft Office 365", "channel": "reseller",
        "customerTenantId": customer, "customerName": "Contoso", "productId": "CFQ7TTC0LF8R",
        "productName": "OFFICE 365 E3", "licensesActive": active, "licensesQualified": 10,
    })
}

#[tokio::test]
async fn every_item_of_every_page_becomes_a_row_or_a_rejection() {
    let mut world = World::commercial(3).await;
    world.set("partner_center.datasets", "usage");
    let ids = world.simulator.customers().await;
    let upper = ids[0].to_uppercase();
    let mut nobody = item(&upper, "nobody's", 1);
    nobody.as_object_mut().unwrap().remove("customerTenantId");
    let mut percent = item(&ids[1], "with a percentage", 5);
    percent["usagePercent"] = json!(50.0);
    let mut of_two = item(&ids[1], "of two", 1);
    of_two["customerId"] = json!(ids[2]);
    let first = [
        item(&upper, "EXO", 1),
        item(&ids[0], "TEAMS", 2),
        nobody,
        item("a customer", "somebody's", 1),
    ];
    let second = [
        item(&ids[0], "EXO", 3),
        item(&upper, "TEAMS", 2),
        percent,
        of_two,
        item(&ids[1], "below zero", 1),
    ];
    let mut second = second.to_vec();
    second[4]["licensesActive"] = json!(-1);
    let pages = json!([
        { "json": { "Value": first, "TotalCount": 9,
            "@nextLink": "/v1/analytics/commercial/usage/license/?skip=4" } },
        { "json": { "Value": second, "TotalCount": 9, "@nextLink": null } },
    ]);
    world.simulator.script("commercial_usage", pages).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["rows"]["received"], 9);
    assert_eq!(
        world
            .lines(
                "select customer_id, workload_name, licenses_active, usage_percent from \
                license_usage order by licenses_active"
            )
            .await,
        [
            format!("{}|TEAMS|2|-", ids[0]),
            format!("{}|EXO|3|-", ids[0]),
            format!("{}|with a percentage|5|-", ids[1]),
        ]
    );
    assert_eq!(
        world
            .lines(
                "select dataset, customer_id, reason, payload ->> 'workloadName' from \
                rejected_row order by payload ->> 'workloadName' collate \"C\""
            )
            .await,
        [
            format!("usage|{}|duplicate_key|EXO", ids[0]),
            format!("usage|{}|invalid_value|below zero", ids[1]),
            "usage|-|missing_field|nobody's".to_owned(),
            format!("usage|{}|wrong_customer|of two", ids[1]),
            "usage|-|invalid_value|somebody's".to_owned(),
        ]
    );
    assert_eq!(
        world
            .lines(
                "select rows_received, rows_inserted, rows_unchanged, rows_rejected from sync_run"
            )
            .await,
        ["9|3|1|5"]
    );
    // The third customer had no items, which is a success.
    assert_eq!(
        world
            .lines("select outcome, count(*) from sync_customer group by 1")
            .await,
        ["succeeded|3"]
    );
}

#[tokio::test]
async fn items_of_customers_missing_from_the_list_are_counted() {
    let mut world = World::commercial(20).await;
    world.simulator.patch(json!({ "shrink_list": 0.5 })).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let summary = finished.summary();
    assert_eq!(summary["customers"]["total"], 10);
    let note = summary["notes"][0].as_str().unwrap();
    assert!(
        note.ends_with(
            "items are of customers whom the partner's list does not name, and are not kept"
        ),
        "{note}"
    );
    assert_eq!(world.lines("select detail from sync_run").await, [note]);
    assert_eq!(world.lines(KNOWN).await.len(), 10);

    // An excluded customer is left out on purpose.
    world.simulator.patch(json!({ "shrink_list": null })).await;
    let excluded = &world.simulator.customers().await[0];
    world.set("customers.exclude", excluded);
    let finished = world.backfill().await;
    assert!(finished.summary()["notes"].is_null(), "{}", finished.stdout);
}

#[tokio::test]
async fn a_dry_run_writes_nothing() {
    let world = World::commercial(20).await;
    let finished = world.run(&["--backfill", "--dry-run", "--json"]).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 20);
    assert!(finished.summary()["rows"]["received"].as_u64() > Some(100));
    assert_eq!(world.lines(KNOWN).await, [""; 0]);
    assert_eq!(world.value::<i64>("select count(*) from sync_run").await, 0);
}

#[tokio::test]
async fn the_check_asks_for_one_customer_and_counts_pages() {
    let world = World::commercial(700).await;
    let checked = world.run(&["check"]).await;
    checked.assert_code(0);
    assert!(
        checked.stdout.contains("ok    usage          customer "),
        "{}",
        checked.stdout
    );
    // Two pages of the customer list, and one or two of each collection.
    assert!(
        checked.stdout.contains("a full run takes about 4 calls")
            || checked.stdout.contains("a full run takes about 6 calls"),
        "{}",
        checked.stdout
    );
    let queries = queries(&world, "commercial_usage").await;
    assert!(queries.len() == 1 && queries[0].contains("filter="));
}
