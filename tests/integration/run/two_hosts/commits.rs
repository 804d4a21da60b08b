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

#[tokio::test]
async fn a_run_whose_end_is_not_answered_has_ended() {
    let (world, link) = slow_run().await;
    // The commit of the end waits for the test, and is under way then.
    world
        .execute(
            "create function wait_for_the_test() returns trigger language plpgsql as $$
             begin
                 perform pg_advisory_xact_lock(77);
                 return null;
             end $$;
             create constraint trigger wait_for_the_test after update on sync_run
             deferrable initially deferred
             for each row when (new.outcome <> 'running') execute function wait_for_the_test()",
        )
        .await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(77)")
        .execute(&mut *holder)
        .await
        .unwrap();
    let run = world.start(&["--backfill", "--json"]);
    world.held().await;
    link.lose(Lost::ANSWERS);
    holder.rollback().await.unwrap();
    until_lines(&world, "select outcome from sync_run", "succeeded").await;
    link.break_connections();
    link.mend();
    let finished = run.finish().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["outcome"], "succeeded");
}
