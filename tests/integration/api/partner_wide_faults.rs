//! A partner-wide collection that fails is stored for no customer, and its reason is logged once.

use serde_json::{Value, json};

use seatledger::clock::{Clock as _, SystemClock};
use seatledger::config::Database;
use seatledger::ledger::{Dataset, Rejection, RejectionReason};
use seatledger::store::{NewRun, RunKind, Store};

use crate::support::{Finished, Simulator, World, begin, lease_run};

const USAGE: &str = "commercial_usage";
const DEPLOYMENT: &str = "commercial_deployment";

/// Twelve customers whose usage takes some pages.
async fn world() -> World {
    let world = World::commercial(12).await;
    world.simulator.patch(json!({ "max_top": 20 })).await;
    world
}

/// Twelve customers for which only usage is fetched.
async fn usage_only() -> World {
    let mut world = world().await;
    world.set("partner_center.datasets", "usage");
    world
}

/// The distinct outcomes of the last run's customers.
async fn ends(world: &World) -> Vec<String> {
    world
        .lines(
            "select outcome, reason, fault_code, http_status, count(*) from sync_customer
             where run_id = (select max(run_id) from sync_run) group by 1, 2, 3, 4 order by 1",
        )
        .await
}

async fn stored(world: &World) -> [i64; 2] {
    [
        world.value("select count(*) from license_usage").await,
        world.value("select count(*) from license_deployment").await,
    ]
}

/// Asserts that all customers failed for one reason, which is logged once.
async fn assert_all_failed(world: &World, finished: &Finished, end: &str, detail: &str) {
    finished.assert_code(3);
    assert_eq!(ends(world).await, [format!("failed|{end}|12")]);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(summary["failures"].as_array().unwrap().len(), 12);
    let notes = summary["notes"].as_array().unwrap();
    let [note] = &notes[..] else {
        panic!("{notes:?}")
    };
    let note = note.as_str().unwrap();
    assert!(
        note.contains("and with it every customer's") && note.contains(detail),
        "{note}"
    );
    let run = "select detail from sync_run order by run_id desc limit 1";
    assert_eq!(world.lines(run).await, [note]);
    let like = format!("select count(*) from sync_customer where detail like '%{detail}%'");
    assert!(world.value::<i64>(&like).await >= 12, "{detail}");
    // One line in the log, not one for each customer.
    let said = finished.stderr.matches("\"ERROR\"").count();
    assert_eq!(said, 1, "{}", finished.stderr);
}

#[tokio::test]
async fn a_link_to_another_host_is_not_followed_and_fails_all_customers() {
    let world = usage_only().await;
    let elsewhere = Simulator::start(&["--customers", "12"]).await;
    let foreign =
        json!({ "commercial_next_link": "foreign", "next_link_host": elsewhere.base_url });
    world.simulator.patch(foreign).await;
    let finished = world.backfill().await;
    let end = "invalid_response|-|200";
    assert_all_failed(&world, &finished, end, "goes on at another host").await;
    assert_eq!(elsewhere.get("requests").await, json!([]));
    assert_eq!(stored(&world).await, [0, 0]);
}

#[tokio::test]
async fn a_page_that_repeats_for_ever_fails_all_customers() {
    let world = usage_only().await;
    let repeat = json!({ "commercial_next_link": "repeat" });
    world.simulator.patch(repeat).await;
    let finished = world.backfill().await;
    let end = "invalid_response|-|200";
    assert_all_failed(&world, &finished, end, "repeats a page").await;
    assert!(world.simulator.requests(USAGE).await.len() <= 3);
    assert_eq!(stored(&world).await, [0, 0]);
}

#[tokio::test]
async fn a_page_that_is_cut_off_is_asked_for_again() {
    let world = usage_only().await;
    let cut = json!([{ "normal": true }, { "normal": true, "cut_after": 300 }, { "status": 503 }]);
    world.simulator.script(USAGE, cut).await;
    world.backfill().await.assert_code(0);
    let skips: Vec<String> = crate::support::queries(&world, USAGE)
        .await
        .into_iter()
        .take(5)
        .collect();
    assert_eq!(
        skips,
        [
            "top=10000",
            "top=20&skip=20",
            "top=20&skip=20",
            "top=20&skip=20",
            "top=20&skip=40"
        ]
    );
    let rows = stored(&world).await;
    assert_eq!(
        world
            .value::<i64>("select rows_received from sync_run")
            .await,
        rows[0]
    );
    world.empty_the_ledger().await;
    world.backfill().await.assert_code(0);
    assert_eq!(stored(&world).await, rows);
}

#[tokio::test]
async fn a_page_that_stays_bad_fails_all_customers_for_one_reason() {
    let world = usage_only().await;
    let fault = json!({ "code": "900309", "description": "blocked" });
    for (bad, end, detail) in [
        (json!({ "status": 500 }), "server_error|-|500", "500"),
        (
            json!({ "status": 403, "json": fault }),
            "forbidden|900309|403",
            "900309",
        ),
        (
            json!({ "text": "<html>Sign in</html>" }),
            "invalid_response|-|200",
            "JSON",
        ),
    ] {
        let answers = json!([{ "normal": true }, { "normal": true }, bad]);
        world.simulator.script_for_ever(USAGE, answers).await;
        let finished = world.backfill().await;
        assert_all_failed(&world, &finished, end, detail).await;
        assert_eq!(stored(&world).await, [0, 0], "{end}");
        assert_eq!(
            world
                .value::<i64>("select count(*) from license_usage_collection")
                .await,
            0
        );
    }
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_collection_with_fewer_items_than_announced_fails_all_customers() {
    let world = usage_only().await;
    let ids = world.simulator.customers().await;
    let item = |workload: u32| {
        json!({
            "processedDateTime": "2026-05-02T00:00:00", "workloadName": workload.to_string(),
            "customerTenantId": ids[0], "productName": "E3",
            "licensesActive": 1, "licensesQualified": 2,
        })
    };
    let page = |items: &[Value]| json!({ "json": { "Value": items, "TotalCount": 5 } });
    let pages = [page(&[item(1), item(2)]), page(&[item(3)]), page(&[])];
    world.simulator.script_for_ever(USAGE, json!(pages)).await;
    let finished = world.backfill().await;
    let (end, detail) = ("invalid_response|-|200", "announced 5 items and sent 3");
    assert_all_failed(&world, &finished, end, detail).await;
    assert_eq!(stored(&world).await, [0, 0]);
}

#[tokio::test]
async fn a_failed_usage_fails_all_customers_and_leaves_deployment_stored() {
    let world = world().await;
    let (error, reset) = (json!({ "status": 500 }), json!({ "reset": true }));
    for (bad, end, detail) in [
        (&error, "server_error|-|500", "500"),
        // The recorded status is not that of deployment, which was served.
        (&reset, "connection|-|-", "connection"),
    ] {
        world.empty_the_ledger().await;
        let bad = json!([{ "normal": true }, bad]);
        world.simulator.script_for_ever(USAGE, bad).await;
        let finished = world.backfill().await;
        assert_all_failed(&world, &finished, end, detail).await;
        let rows = stored(&world).await;
        assert!(rows[0] == 0 && rows[1] > 0, "{rows:?}");
        world.simulator.unscript().await;
        world.backfill().await.assert_code(0);
        let whole = stored(&world).await;
        assert!(whole[0] > 0 && whole[1] == rows[1], "{whole:?}");
    }
}

#[tokio::test]
async fn a_failed_deployment_is_one_failure_of_the_run_and_of_no_customer() {
    let world = world().await;
    let useless = json!({ "json": { "TotalCount": 2, "Value": [{ "productName": "A" }, {}] } });
    for (bad, told) in [
        (json!([{ "status": 404 }]), "deployment: status 404"),
        (
            json!([{ "status": 501, "json": { "code": "0" } }]),
            "not promised outside the worldwide cloud",
        ),
        (
            json!([{ "normal": true }, { "status": 500 }]),
            "deployment: status 500",
        ),
        (json!([{ "text": "<html>Sign in</html>" }]), "web page"),
        (
            json!([useless]),
            "deployment: none of its 2 items could become a row: item 1: customerTenantId is \
                missing",
        ),
    ] {
        world.empty_the_ledger().await;
        world
            .simulator
            .script_for_ever(DEPLOYMENT, bad.clone())
            .await;
        let finished = world.backfill().await;
        finished.assert_code(3);
        let summary = finished.summary();
        assert_eq!(summary["outcome"], "partial", "{bad}");
        assert_eq!(
            summary["customers"],
            json!({ "total": 12, "succeeded": 12, "failed": 0 })
        );
        assert_eq!(summary["failures"], json!([]));
        let notes = summary["notes"].as_array().unwrap();
        assert_eq!(notes.len(), 1, "{notes:?}");
        let note = notes[0].as_str().unwrap();
        let whole = "the partner-wide collection of deployment failed, so that this run stored \
            nothing of it: ";
        assert!(note.starts_with(whole) && note.contains(told), "{note}");
        let run = "select outcome, detail, customers_failed from sync_run";
        assert_eq!(world.lines(run).await, [format!("partial|{note}|0")]);
        assert_eq!(
            finished.stderr.matches("\"ERROR\"").count(),
            1,
            "{}",
            finished.stderr
        );
        assert_eq!(ends(&world).await, ["succeeded|-|-|200|12"]);
        let rows = stored(&world).await;
        assert!(rows[0] > 0 && rows[1] == 0, "{rows:?}");
        assert_eq!(
            world
                .lines(
                    "select count(*), count(last_failure_reason) from customer_freshness where \
                    last_success_at is not null"
                )
                .await,
            ["12|0"]
        );
    }
    let useless =
        world.value::<i64>("select count(*) from rejected_row where dataset = 'deployment'");
    assert_eq!(useless.await, 2);
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
    assert!(stored(&world).await[1] > 0);
}

#[tokio::test]
async fn a_failed_deployment_without_usage_fails_all_customers() {
    let mut world = world().await;
    world.set("partner_center.datasets", "deployment");
    let missing = json!([{ "status": 404 }]);
    world.simulator.script_for_ever(DEPLOYMENT, missing).await;
    let finished = world.backfill().await;
    assert_all_failed(&world, &finished, "not_found|-|404", "404").await;
}

#[tokio::test]
async fn a_collection_without_customers_fails_all_and_its_items_are_recorded() {
    let world = usage_only().await;
    let page = json!([{ "json": { "TotalCount": 3, "Value": [{ "productName": "A" }, 7, {}] } }]);
    world.simulator.script_for_ever(USAGE, page).await;
    let finished = world.backfill().await;
    let detail = "none of its 3 items could become a row";
    assert_all_failed(&world, &finished, "invalid_response|-|200", detail).await;
    assert_eq!(finished.summary()["rows"]["rejected"], 3);
    let kept = "select count(*) from rejected_row where customer_id is null";
    assert_eq!(world.value::<i64>(kept).await, 3);
}

#[tokio::test]
async fn a_customer_without_a_usable_item_fails_alone() {
    let world = usage_only().await;
    let ids = world.simulator.customers().await;
    let item = |customer: usize, active: Value| {
        json!({
            "processedDateTime": "2026-05-02T00:00:00", "workloadName": "Exchange",
            "licensesQualified": 2,
            "customerTenantId": ids[customer], "productName": "E3", "licensesActive": active,
        })
    };
    let items = json!([
        item(0, json!(1)),
        item(1, json!(-1)),
        item(1, json!(null)),
        item(2, json!("1")),
        item(2, json!(2))
    ]);
    // Customer 2 has a row under the key of its bad item.
    let page = json!([{ "json": { "Value": items } }]);
    world.simulator.script_for_ever(USAGE, page).await;
    world.backfill().await.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select customer_id, reason, rows_received, rows_rejected, detail from \
                sync_customer where outcome = 'failed'"
            )
            .await,
        [format!(
            "{}|invalid_response|2|2|none of its 2 items could become a row: item 2: \
                licensesActive is negative",
            ids[1]
        )]
    );
    let kept = format!(
        "select count(*) from rejected_row where customer_id = '{}'",
        ids[1]
    );
    assert_eq!(world.value::<i64>(&kept).await, 2);
    assert_eq!(stored(&world).await[0], 2);
}

#[tokio::test]
async fn the_pages_go_on_in_every_form_of_their_link() {
    let world = usage_only().await;
    let ids = world.simulator.customers().await;
    let item = |workload: u32| {
        json!({
            "processedDateTime": "2026-05-02T00:00:00", "workloadName": workload.to_string(),
            "customerTenantId": ids[0], "productName": "E3",
            "licensesActive": 1, "licensesQualified": 2,
        })
    };
    let path = "analytics/commercial/usage/license/?page=2";
    for beside in [
        json!({ "links": { "next": { "uri": path,
            "headers": [{ "key": "MS-ContinuationToken", "value": "t" }] } } }),
        json!({ "_links": { "next": { "href": path } } }),
        json!({ "next": "?page=2" }),
    ] {
        world.empty_the_ledger().await;
        let mut first = json!({ "Value": [item(1), item(2)], "TotalCount": 3 });
        for (member, value) in beside.as_object().unwrap() {
            first[member] = value.clone();
        }
        let pages = json!([{ "json": first }, { "json": { "Value": [item(3)], "TotalCount": 3 } }]);
        world.simulator.script(USAGE, pages).await;
        world.backfill().await.assert_code(0);
        assert_eq!(stored(&world).await[0], 3, "{beside}");
        let asked = crate::support::queries(&world, USAGE).await;
        assert_eq!(asked.last().unwrap(), "page=2");
    }
}

#[tokio::test]
async fn a_signal_between_pages_ends_the_run_and_nothing_is_stored() {
    let world = usage_only().await;
    let settings = json!({ "latency_ms": 300, "max_top": 2 });
    world.simulator.patch(settings).await;
    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received(USAGE, 3).await;
    running.signal("TERM");
    running.says("Stopping:").await;
    let asked = world.simulator.requests(USAGE).await.len();
    let finished = running.finish().await;
    finished.assert_code(143);
    assert!(world.simulator.requests(USAGE).await.len() <= asked + 1);
    assert_eq!(finished.summary()["outcome"], "interrupted");
    assert_eq!(
        world
            .lines(
                "select outcome, ended_early, customers_total, customers_succeeded, \
                customers_failed from sync_run"
            )
            .await,
        ["interrupted|true|12|0|0"]
    );
    assert_eq!(stored(&world).await, [0, 0]);
    assert_eq!(ends(&world).await, [""; 0]);

    let settings = json!({ "latency_ms": 0, "max_top": 1000 });
    world.simulator.patch(settings).await;
    world.run(&["--backfill", "--resume"]).await.assert_code(0);
    assert_eq!(ends(&world).await, ["succeeded|-|-|200|12"]);
}

#[tokio::test]
async fn after_a_kill_each_customer_is_whole_and_resume_stores_the_rest() {
    let world = World::commercial(300).await;
    // A transaction holds at most 256 customers, so the run needs two, and the second waits for the
    // test.
    let hold = world.hold_after(270).await;
    let running = world.start(&["--backfill"]);
    world.held().await;
    running.signal("KILL");
    running.finish().await;
    hold.release().await;
    world.database_left().await;
    let done: i64 = world.value("select count(*) from sync_customer").await;
    assert!((1..300).contains(&done), "{done}");
    // The recorded number of rows of each customer is the number stored.
    let half = "select from sync_customer as c
                full join (
                    select customer_id, count(*) as rows
                    from (select customer_id from license_usage union all select customer_id from \
                    license_deployment) as rows
                    group by 1
                ) as s using (customer_id)
                where c.rows_inserted is distinct from coalesce(s.rows, 0)";
    assert_eq!(world.rows(half).await.len(), 0);

    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["total"], 300 - done);
    assert_eq!(world.rows(half).await.len(), 0);
    assert_eq!(
        world
            .lines("select outcome, ended_early from sync_run order by run_id")
            .await,
        ["interrupted|true", "succeeded|false"]
    );
    let rows: i64 = stored(&world).await.iter().sum();
    let again = world.backfill().await;
    again.assert_code(0);
    assert_eq!(again.summary()["rows"]["received"], rows);
    assert_eq!(again.summary()["rows"]["unchanged"], rows);
}

#[tokio::test]
async fn items_without_a_customer_that_are_recorded_twice_are_stored_once() {
    let world = World::commercial(1).await;
    let folder = world.folder.path();
    let database = Database::try_new(world.database_url(), folder, 2).unwrap();
    let store = Store::new(&database).unwrap();
    let mut lock = lease_run(&store).await;
    let now = SystemClock.now();
    let run = NewRun {
        kind: RunKind::Backfill,
        source: "commercial",
        only: Vec::new(),
        dated: None,
        resumes: None,
        tick: None,
        started_at: now,
    };
    let run_id = begin(&mut lock, &run).await;
    let stray = |payload: &str| Rejection {
        reason: RejectionReason::MissingField,
        detail: "customerTenantId is missing".to_owned(),
        payload: payload.to_owned(),
    };
    let strays = [stray("1"), stray("2")];
    for dataset in [Dataset::Usage, Dataset::Usage, Dataset::Deployment] {
        let stored = lock.record_strays(run_id, dataset, &strays, now).await;
        stored.unwrap();
    }
    let kept = "select dataset, count(*) from rejected_row group by 1 order by 1";
    assert_eq!(world.lines(kept).await, ["deployment|2", "usage|2"]);
}
