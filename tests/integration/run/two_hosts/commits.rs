//! Commits whose answers are lost, where no other host takes over: the run finds out what became of
//! them over another connection.

use serde_json::json;

use crate::support::{Link, Lost, World, until};

/// A run whose last of three customers is answered after a while.
async fn slow_run() -> (World, Link) {
    let mut world = World::with_customers(3).await;
    world.ask_in_order();
    let link = Link::to(world.database_url()).await;
    world.set("database.url", link.url());
    let slow = json!({ "normal": true, "delay_ms": 5_000 });
    let answers = json!([{ "normal": true }, { "normal": true }, slow]);
    world.simulator.script("usage", answers).await;
    (world, link)
}

async fn until_lines(world: &World, sql: &str, expected: &str) {
    until(&format!("{sql} is {expected}"), async || {
        (world.lines(sql).await == [expected]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_batch_whose_commit_is_not_answered_is_stored_once() {
    let (world, link) = slow_run().await;
    let run = world.start(&["--backfill", "--json"]);
    until_lines(&world, "select count(*) from sync_customer", "2").await;
    link.lose(Lost::FROM_COMMIT);
    link.commit_sent().await;
    until_lines(&world, "select count(*) from sync_customer", "3").await;
    link.break_connections();
    link.mend();
    let finished = run.finish().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 3);
    let runs = "select run_id, outcome, customers_succeeded from sync_run";
    assert_eq!(world.lines(runs).await, ["1|succeeded|3"]);
}
