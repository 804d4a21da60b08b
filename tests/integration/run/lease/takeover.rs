//! Real processes that are killed and frozen, with the real times.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Running, World, until};

const CUSTOMERS: usize = 25;

/// Customers that the first run stores before it comes to a stand.
const STORED: usize = 10;

/// The longest that a run may wait for one that is gone or frozen.
const BOUND: Duration = Duration::from_secs(20);

/// A first run has stored some customers and gets no answers about others; a second one waits for
/// it, and would get all of its answers.
async fn two_runs() -> (World, Running, Running) {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("partner_center.max_concurrency", "4");
    let mut answers = vec![json!({ "normal": true }); STORED];
    answers.push(json!({ "text": "", "delay_ms": 600_000 }));
    let answers = json!(answers);
    world.simulator.script_for_ever("usage", answers).await;
    let first = world.start(&["--backfill"]);
    until("the first run has stored what was answered", async || {
        let stored = world.lines("select count(*) from sync_customer").await;
        (stored == [STORED.to_string()]).then_some(())
    })
    .await;
    let second = world.start(&["--backfill", "--json"]);
    second.says("Another run is under way").await;
    world.simulator.unscript().await;
    world.simulator.forget_requests().await;
    (world, first, second)
}

/// Asserts that the second run has fetched and stored what the first one had not, and that the
/// first one wrote nothing after it had begun.
async fn assert_went_on(world: &World) {
    let requests = world.simulator.requests("usage").await.len();
    assert_eq!(requests, CUSTOMERS - STORED);
    assert_eq!(
        world
            .lines(
                "select run_id, outcome, resumes, customers_succeeded, customers_failed
                 from sync_run order by run_id"
            )
            .await,
        ["1|interrupted|-|10|0", "2|succeeded|1|15|0"]
    );
    assert_eq!(
        world
            .lines("select run_id, count(*) from sync_customer group by 1 order by 1")
            .await,
        ["1|10", "2|15"]
    );
    let undisturbed = World::with_customers(CUSTOMERS).await;
    undisturbed.backfill().await.assert_code(0);
    assert_eq!(world.ledger().await, undisturbed.ledger().await);
}

/// The first run notices that it was frozen for too long, says so and ends.
async fn assert_gives_up(first: Running) {
    first.signal("CONT");
    let first = first.finish().await;
    first.assert_code(1);
    let said = &first.stderr;
    assert!(said.contains("this run was cut off"), "{said}");
    assert!(said.contains("another process "), "{said}");
}

#[tokio::test]
async fn a_run_that_is_killed_is_followed_at_once_by_the_one_that_waits() {
    let (world, first, second) = two_runs().await;
    let killed = Instant::now();
    first.signal("KILL");
    first.finish().await;
    let second = second.finish().await;
    second.assert_code(0);
    assert!(killed.elapsed() < BOUND, "{:?}", killed.elapsed());
    assert_eq!(second.summary()["customers"]["total"], CUSTOMERS - STORED);
    assert_went_on(&world).await;
}

#[tokio::test]
async fn a_run_that_is_frozen_is_followed_when_its_lease_ends_and_gives_up_when_it_thaws() {
    let (world, first, second) = two_runs().await;
    let frozen = Instant::now();
    first.signal("STOP");
    second
        .says("no longer renews its lease, which ends at")
        .await;
    let second = second.finish().await;
    second.assert_code(0);
    assert!(frozen.elapsed() < BOUND, "{:?}", frozen.elapsed());
    assert_gives_up(first).await;
    assert_went_on(&world).await;
    let epochs = "select name, epoch, holder from lease where name = 'run'";
    assert_eq!(world.lines(epochs).await, ["run|2|-"]);
}

/// Freezes a run whose transaction waits for something, and lets a second run take over. Returns
/// both, and the moment of the freeze.
async fn freeze(world: &World, first: Running) -> (Running, Running, Instant) {
    let second = world.start(&["--backfill", "--json"]);
    second.says("Another run is under way").await;
    first.signal("STOP");
    (first, second, Instant::now())
}

async fn taken_over(world: &World, frozen: Instant) {
    let before: i64 = world
        .value("select max(run_id) from sync_run where outcome <> 'interrupted'")
        .await;
    until("the second run has begun", async || {
        let newest: i64 = world.value("select max(run_id) from sync_run").await;
        (newest > before).then_some(())
    })
    .await;
    assert!(frozen.elapsed() < BOUND, "{:?}", frozen.elapsed());
}

#[tokio::test]
async fn a_run_that_is_frozen_in_the_middle_of_a_transaction_stores_nothing_of_it() {
    let world = World::with_customers(CUSTOMERS).await;
    let hold = world.hold_after(0).await;
    let first = world.start(&["--backfill"]);
    world.held().await;
    let (first, second, frozen) = freeze(&world, first).await;
    taken_over(&world, frozen).await;
    hold.release().await;
    second.finish().await.assert_code(0);
    assert_gives_up(first).await;
    let customers = "select run_id, count(*) from sync_customer group by 1";
    assert_eq!(world.lines(customers).await, [format!("2|{CUSTOMERS}")]);
    let rows = "select distinct run_id from license_usage";
    assert_eq!(world.lines(rows).await, ["2"]);
}

#[tokio::test]
async fn a_run_that_is_frozen_in_the_middle_of_a_copy_stores_nothing_of_it() {
    let world = World::with_customers(CUSTOMERS).await;
    world.backfill().await.assert_code(0);
    // The partitions are there, and without rows.
    world
        .execute(
            "truncate license_usage, license_usage_collection, license_usage_month, sync_customer",
        )
        .await;
    let mut locked = world.pool.begin().await.unwrap();
    let partitions = "select inhrelid::regclass from pg_inherits
                      where inhparent = 'license_usage'::regclass";
    for partition in world.lines(partitions).await {
        let lock = format!("lock table {partition} in share mode");
        sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
            .execute(&mut *locked)
            .await
            .unwrap();
    }
    let first = world.start(&["--backfill"]);
    let copying = |waiting: &str| {
        format!(
            "select count(*) from pg_stat_activity where query ~* '^\\s*copy ' and {waiting} and \
             datname = current_database()"
        )
    };
    let at_lock = copying("wait_event_type = 'Lock'");
    until("the run waits for the partition", async || {
        (world.value::<i64>(&at_lock).await > 0).then_some(())
    })
    .await;
    let (first, second, frozen) = freeze(&world, first).await;
    locked.rollback().await.unwrap();
    // The server waits for rows that the frozen process does not send.
    let for_rows = copying("state = 'active' and wait_event = 'ClientRead'");
    until("the server waits for rows", async || {
        (world.value::<i64>(&for_rows).await > 0).then_some(())
    })
    .await;
    taken_over(&world, frozen).await;
    second.finish().await.assert_code(0);
    assert_gives_up(first).await;
    let rows = "select distinct run_id from license_usage";
    assert_eq!(world.lines(rows).await, ["3"]);
    let customers = "select run_id, count(*) from sync_customer group by 1";
    assert_eq!(world.lines(customers).await, [format!("3|{CUSTOMERS}")]);
}

#[tokio::test]
async fn a_backfill_that_waited_in_vain_for_another_request_asks_for_everybody_of_its_own() {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("partner_center.max_concurrency", "1");
    let customers = world.simulator.customers().await;
    let hold = world.hold_after(0).await;
    let of_one = ["--backfill", "--customer", &customers[3]];
    let first = world.start(&of_one);
    world.held().await;
    let second = world.start(&["--backfill", "--json"]);
    second.says("Another run is under way").await;
    first.signal("KILL");
    first.finish().await;
    hold.release().await;
    let second = second.finish().await;
    second.assert_code(0);
    assert_eq!(second.summary()["customers"]["succeeded"], CUSTOMERS);
    let resumes = "select run_id, outcome, resumes from sync_run order by run_id";
    assert_eq!(
        world.lines(resumes).await,
        ["1|interrupted|-", "2|succeeded|-"]
    );
}
