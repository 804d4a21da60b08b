//! An API that is down: the run ends early with one reason. The customers that it did not reach are
//! recorded and come first in the next run.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::World;

const CUSTOMERS: usize = 600;

/// `after` normal answers, followed by 503 for ever.
fn dying(after: usize) -> Value {
    let normal = std::iter::repeat_n(json!({ "normal": true }), after);
    normal.chain([json!({ "status": 503 })]).collect()
}

#[tokio::test]
async fn a_dead_api_ends_the_run_early_with_one_reason() {
    let world = World::with_customers(CUSTOMERS).await;
    world.simulator.script_for_ever("usage", dying(0)).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(summary["customers"]["failed"], CUSTOMERS);
    let detail: String = world.value("select detail from sync_run").await;
    assert!(
        detail.contains("has not answered a single call") && detail.contains("status 503"),
        "{detail}"
    );
    assert!(finished.stderr.contains(&detail), "{}", finished.stderr);
    assert_eq!(
        world
            .lines("select ended_early, outcome from sync_run")
            .await,
        ["true|failed"]
    );
    // The customers under way failed by their own answers. The others were never requested.
    let reasons = world
        .lines(
            "select reason, attempts > 0, count(*) > 50 from sync_customer group by 1, 2 order \
            by 1",
        )
        .await;
    assert_eq!(
        reasons,
        ["interrupted|false|true", "server_error|true|true"]
    );
    let unreached = "select count(*) from sync_customer where detail like 'not reached: %'";
    assert!(world.value::<i64>(unreached).await > 100);
    // The log has lines for the first failures of each kind, not for every customer.
    let logged = finished.stderr.lines().count();
    assert!(logged < 120, "{logged} lines");
    // The retries of the whole run are bounded.
    let requests = world.simulator.requests("usage").await;
    let asked: HashSet<&str> = requests
        .iter()
        .map(|request| request["path"].as_str().unwrap())
        .collect();
    let retries = requests.len() - asked.len();
    assert!(
        retries <= 20.max(requests.len() / 5),
        "{retries} of {}",
        requests.len()
    );
}

#[tokio::test]
async fn an_api_that_dies_on_the_way_leaves_a_run_in_part_and_the_rest_for_the_next() {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("retry.max_elapsed_time", "4s");
    world.simulator.script_for_ever("usage", dying(150)).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(finished.summary()["outcome"], "partial");
    assert_eq!(finished.summary()["customers"]["succeeded"], 150);
    let stored: HashSet<String> = world
        .lines("select customer_id from sync_customer where outcome = 'succeeded'")
        .await
        .into_iter()
        .collect();

    world.simulator.unscript().await;
    world.simulator.forget_requests().await;
    world.set("partner_center.max_concurrency", "1");
    world
        .run(&["--backfill", "--resume", "--json"])
        .await
        .assert_code(0);
    let asked = world.simulator.requests("usage").await;
    assert_eq!(asked.len(), CUSTOMERS - 150);
    assert!(asked.iter().all(|request| {
        let path = request["path"].as_str().unwrap();
        !stored.iter().any(|id| path.contains(id.as_str()))
    }));
}

#[tokio::test]
async fn many_dead_customers_do_not_starve_the_others() {
    let mut world = World::with_customers(500).await;
    let customers = world.simulator.customers().await;
    // More failing customers than can wait for their next attempt at the same time.
    for customer in &customers[..300] {
        world
            .simulator
            .script_for_ever(customer, json!([{ "status": 503 }]))
            .await;
    }
    // In the second run, the customers that failed in the first are requested first.
    for retried_for in ["0s", "10s"] {
        world.set("retry.max_elapsed_time", retried_for);
        let finished = world.backfill().await;
        finished.assert_code(3);
        let failed = "select reason, attempts, http_status, count(*), left(min(detail), 80)
                      from sync_customer where outcome = 'failed' group by 1, 2, 3 order by 1, 2";
        let failed = world.lines(failed).await;
        assert_eq!(
            finished.summary()["customers"]["succeeded"],
            200,
            "{failed:?}"
        );
        let reasons = "select distinct reason from sync_customer where outcome = 'failed'";
        assert_eq!(world.lines(reasons).await, ["server_error"]);
        let early = "select distinct ended_early from sync_run";
        assert_eq!(world.lines(early).await, ["false"]);
    }
}

#[tokio::test]
async fn an_api_that_never_answers_ends_the_run_early_too() {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("retry.max_elapsed_time", "4s");
    world.set("partner_center.request_timeout", "1s");
    let hanging = json!([{ "normal": true, "delay_ms": 60_000 }]);
    world.simulator.script_for_ever("usage", hanging).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(finished.summary()["outcome"], "failed");
    let detail: String = world.value("select detail from sync_run").await;
    assert!(
        detail.contains("has not answered a single call"),
        "{detail}"
    );
    // Each call takes a second and few are in flight, so not even every customer was requested
    // once.
    let asked = world.simulator.requests("usage").await.len();
    assert!(asked < CUSTOMERS, "{asked}");
}
