//! What goes wrong with a partner-wide collection goes wrong for everybody: nothing is half stored, the reason is one.

use serde_json::{Value, json};
use sqlx::PgPool;

use seatledger::clock::{Clock as _, SystemClock};
use seatledger::config::Database;
use seatledger::store::{NewRun, RunKind, Store};
use seatledger::usage::{Dataset, Rejection, RejectionReason};

use super::support::{Finished, Simulator, World, until};

const USAGE: &str = "commercial_usage";
const DEPLOYMENT: &str = "commercial_deployment";

/// Twelve customers whose usage takes some pages.
async fn world(pool: PgPool) -> World {
    let world = World::commercial(pool, 12).await;
    world.simulator.patch(json!({ "max_top": 20 })).await;
    world
}

/// Twelve customers of whom only usage is fetched.
async fn usage_only(pool: PgPool) -> World {
    let mut world = world(pool).await;
    world.set("partner_center.datasets", "usage");
    world
}

/// How customers ended in the last run, each kind of end once.
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

/// Asserts that everybody failed, with one line on the whole, and the same on each.
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
    // One line for the journal, and not one for each customer.
    let said = finished.stderr.matches("\"ERROR\"").count();
    assert_eq!(said, 1, "{}", finished.stderr);
}

#[sqlx::test]
async fn a_link_to_another_host_is_not_followed_and_fails_everybody(pool: PgPool) {
    let world = usage_only(pool).await;
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

#[sqlx::test]
async fn a_page_that_comes_for_ever_fails_everybody(pool: PgPool) {
    let world = usage_only(pool).await;
    let repeat = json!({ "commercial_next_link": "repeat" });
    world.simulator.patch(repeat).await;
    let finished = world.backfill().await;
    let end = "invalid_response|-|200";
    assert_all_failed(&world, &finished, end, "repeats a page").await;
    assert!(world.simulator.requests(USAGE).await.len() <= 3);
    assert_eq!(stored(&world).await, [0, 0]);
}

#[sqlx::test]
async fn a_page_that_is_cut_off_in_the_midst_is_asked_for_again(pool: PgPool) {
    let world = usage_only(pool).await;
    let cut = json!([{ "normal": true }, { "normal": true, "cut_after": 300 }, { "status": 503 }]);
    world.simulator.script(USAGE, cut).await;
    world.backfill().await.assert_code(0);
    let skips: Vec<String> = super::support::queries(&world, USAGE)
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

#[sqlx::test]
async fn a_page_that_stays_bad_fails_everybody_for_one_reason(pool: PgPool) {
    let world = usage_only(pool).await;
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
                .value::<i64>("select count(*) from customer_date")
                .await,
            0
        );
    }
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
}

#[sqlx::test]
async fn a_collection_that_falls_short_of_what_it_announced_fails_everybody(pool: PgPool) {
    let world = usage_only(pool).await;
    let ids = world.simulator.customers().await;
    let item = |workload: u32| {
        json!({
            "processedDateTime": "2026-05-02T00:00:00", "workloadName": workload.to_string(),
            "customerTenantId": ids[0], "productName": "E3", "licensesActive": 1, "licensesQualified": 2,
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

#[sqlx::test]
async fn one_dataset_is_stored_where_the_other_fails(pool: PgPool) {
    let world = world(pool).await;
    let (error, reset) = (json!({ "status": 500 }), json!({ "reset": true }));
    for (failing, bad, usage_is_here, end, detail) in [
        (DEPLOYMENT, &error, true, "server_error|-|500", "500"),
        (USAGE, &error, false, "server_error|-|500", "500"),
        // Not the other's status.
        (USAGE, &reset, false, "connection|-|-", "connection"),
    ] {
        world.empty_the_ledger().await;
        let bad = json!([{ "normal": true }, bad]);
        world.simulator.script_for_ever(failing, bad).await;
        let finished = world.backfill().await;
        assert_all_failed(&world, &finished, end, detail).await;
        let rows = stored(&world).await;
        assert_eq!(rows.map(|rows| rows > 0), [usage_is_here, !usage_is_here]);
        let prefixed = "select distinct detail like 'deployment: %' from sync_customer";
        assert_eq!(world.lines(prefixed).await, [usage_is_here.to_string()]);
        world.simulator.unscript().await;
        world.backfill().await.assert_code(0);
        let whole = stored(&world).await;
        assert!(whole.iter().all(|rows| *rows > 0));
        assert_eq!(whole.iter().zip(rows).filter(|(a, b)| **a == *b).count(), 1);
    }
}

#[sqlx::test]
async fn a_signal_in_mid_walk_ends_it_with_the_page_under_way_and_nothing_is_stored(pool: PgPool) {
    let world = usage_only(pool).await;
    let settings = json!({ "latency_ms": 300, "max_top": 2 });
    world.simulator.patch(settings).await;
    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received(USAGE, 3).await;
    running.signal("TERM");
    let finished = running.finish().await;
    finished.assert_code(143);
    assert!(world.simulator.requests(USAGE).await.len() <= 5);
    assert_eq!(finished.summary()["outcome"], "interrupted");
    assert_eq!(
        world
            .lines("select outcome, ended_early, customers_total, customers_succeeded, customers_failed from sync_run")
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

#[sqlx::test]
async fn a_kill_while_customers_are_stored_leaves_each_whole_and_the_next_run_mends(pool: PgPool) {
    let world = World::commercial(pool, 300).await;
    // The last transaction waits for the test: one holds no more than 256 customers.
    world
        .execute(
            "create function wait_for_the_test() returns trigger language plpgsql as $$ begin
                 if (select count(*) > 270 from sync_customer) then perform pg_advisory_xact_lock(77); end if;
                 return null;
             end $$;
             create trigger wait_for_the_test after insert on sync_customer
             for each statement execute function wait_for_the_test()",
        )
        .await;
    let mut test = world.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(77)")
        .execute(&mut *test)
        .await
        .unwrap();
    let running = world.start(&["--backfill"]);
    until("a transaction waits for the test", async || {
        let waiting = "select count(*) from pg_stat_activity where wait_event = 'advisory' and datname = current_database()";
        (world.value::<i64>(waiting).await > 0).then_some(())
    })
    .await;
    running.signal("KILL");
    running.finish().await;
    test.commit().await.unwrap();
    world
        .execute("drop trigger wait_for_the_test on sync_customer")
        .await;
    world.database_left().await;
    let done: i64 = world.value("select count(*) from sync_customer").await;
    assert!((1..300).contains(&done), "{done}");
    // What is recorded of a customer is what is stored of it.
    let half = "select from sync_customer as c
                full join (
                    select customer_id, count(*) as rows
                    from (select customer_id from license_usage union all select customer_id from license_deployment) as rows
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

#[sqlx::test]
async fn items_of_nobody_are_kept_once_where_nobody_knew_whether_they_were_kept(pool: PgPool) {
    let world = World::commercial(pool, 1).await;
    let folder = world.folder.path();
    let database = Database::try_new(&world.database_url(), folder, 2).unwrap();
    let store = Store::new(&database).unwrap();
    let mut lock = store.try_lock_run().await.unwrap().unwrap();
    let now = SystemClock.now();
    let run = NewRun {
        kind: RunKind::Backfill,
        source: "commercial",
        only: Vec::new(),
        dated: None,
        resumes: None,
        started_at: now,
    };
    let run_id = lock.begin_run(&run).await.unwrap();
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
