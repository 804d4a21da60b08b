//! What others may do to the row of a lease, and what a run says of it.

use serde_json::json;

use crate::support::{World, until};

const KEEPER: &str = "select coalesce(keeper_pid, 0) from lease where name = 'run'";

#[tokio::test]
async fn a_run_whose_renewing_session_is_ended_goes_on_over_another() {
    let world = World::with_customers(5).await;
    let hold = world.hold_after(0).await;
    let run = world.start(&["--backfill", "--json"]);
    world.held().await;
    let before: i32 = world.value(KEEPER).await;
    let _ended: bool = world
        .value("select pg_terminate_backend(keeper_pid) from lease where name = 'run'")
        .await;
    until("another session renews the lease", async || {
        (world.value::<i32>(KEEPER).await != before).then_some(())
    })
    .await;
    hold.release().await;
    let run = run.finish().await;
    run.assert_code(0);
    assert_eq!(run.summary()["customers"]["succeeded"], 5);
    let lease = "select epoch, holder from lease where name = 'run'";
    assert_eq!(world.lines(lease).await, ["1|-"]);
}

/// A run waits for an answer while somebody changes its lease. It ends, stores nothing and says
/// `why`; the next one works.
async fn ends_the_run(change: &str, why: &str) {
    let world = World::with_customers(5).await;
    // Within a transaction of the run, which holds the row, the change would wait, and could come
    // too late: a transaction that follows may be let past it.
    let never = json!([{ "delay_ms": 600_000 }]);
    world.simulator.script_for_ever("usage", never).await;
    let run = world.start(&["--backfill"]);
    world.simulator.received("usage", 1).await;
    world.execute(change).await;
    let run = run.finish().await;
    let said = &run.stderr;
    run.assert_code(1);
    assert!(said.contains(why), "{said}");
    assert_eq!(
        world.lines("select count(*) from license_usage").await,
        ["0"]
    );
    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
    let runs = "select outcome from sync_run order by run_id";
    assert_eq!(world.lines(runs).await, ["interrupted", "succeeded"]);
}

#[tokio::test]
async fn a_lease_that_somebody_deletes_ends_the_run_and_the_next_one_makes_another() {
    ends_the_run(
        "delete from lease where name = 'run'",
        "the row run of the table lease was deleted",
    )
    .await;
}

#[tokio::test]
async fn a_lease_that_somebody_takes_by_hand_ends_the_run() {
    ends_the_run(
        "update lease set holder = null where name = 'run'",
        "the row run of the table lease was changed by hand",
    )
    .await;
}

#[tokio::test]
async fn a_run_that_waits_says_which_run_and_which_host_it_waits_for() {
    let world = World::new().await;
    let hold = world.hold_after(0).await;
    let first = world.start(&["--backfill"]);
    world.held().await;
    let second = world.start(&["--backfill"]);
    let host: String = world
        .value("select host from lease where name = 'run'")
        .await;
    second
        .says("Another run is under way, waiting for it to end: run 1 (backfill), begun at ")
        .await;
    second.says(&format!("by host {host}")).await;
    hold.release().await;
    first.finish().await.assert_code(0);
    second.finish().await.assert_code(0);
    let hosts = "select distinct host from sync_run";
    assert_eq!(world.lines(hosts).await, [host]);
}

#[tokio::test]
async fn check_rehearses_a_run_while_one_is_under_way() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    let hold = world.hold_after(0).await;
    let run = world.start(&["--backfill"]);
    until("the run has begun", async || {
        let begun = "select count(*) from sync_run where outcome = 'running'";
        (world.value::<i64>(begun).await > 0).then_some(())
    })
    .await;
    hold.release().await;
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    run.finish().await.assert_code(0);
    let rehearsed = "select count(*) from lease where name = 'rehearsal'";
    assert_eq!(world.lines(rehearsed).await, ["0"]);
}

#[tokio::test]
async fn customers_that_a_failover_has_lost_are_failed_and_not_stored() {
    let mut world = World::with_customers(10).await;
    world.set("partner_center.max_concurrency", "1");
    let hold = world.hold_after(5).await;
    let run = world.start(&["--backfill", "--json"]);
    world.held().await;
    // As on a standby that takes over without the last transactions.
    let lost: i64 = world
        .value(
            "with lost as (
                 delete from sync_customer where customer_id in (
                     select customer_id from sync_customer order by customer_id limit 2
                 )
                 returning customer_id
             )
             select count(*) from lost",
        )
        .await;
    let _ended: bool = world
        .value("select pg_terminate_backend(writer_pid) from lease where name = 'run'")
        .await;
    hold.release().await;
    let run = run.finish().await;
    run.assert_code(3);
    assert_eq!(run.summary()["customers"]["failed"], lost);
    assert_eq!(
        world
            .lines(
                "select reason, detail like '%lost with the database server%', count(*)
                 from sync_customer where outcome = 'failed' group by 1, 2"
            )
            .await,
        [format!("database|true|{lost}")]
    );
    assert_eq!(
        world.lines("select outcome from sync_run").await,
        ["partial"]
    );
}
