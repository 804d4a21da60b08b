//! A database server that dies in mid-run, and its standby that takes its place.

use std::time::Instant;

use serde_json::json;

use super::pair::{CUSTOMERS, LONGEST_PAUSE, undisturbed};
use crate::support::{Replicated, World, until};

#[tokio::test]
async fn a_run_goes_on_at_the_server_that_takes_over() {
    let reference = undisturbed().await;
    let servers = Replicated::start().await;
    let mut world = World::at(servers.primary.pool(), &servers.url(), CUSTOMERS).await;
    world.set("partner_center.max_concurrency", "3");
    world.simulator.patch(json!({ "latency_ms": 300 })).await;
    let first = world.start(&["--backfill", "--json"]);
    first.says("Run begun").await;
    let second = world.start(&["--backfill", "--json"]);
    second.says("Another run is under way").await;
    until("customers are stored", async || {
        let stored: i64 = world.value("select count(*) from sync_customer").await;
        (stored > 5).then_some(())
    })
    .await;
    servers.primary.kill();
    world.pool = servers.promote().await;
    let promoted = Instant::now();
    let stored = "select count(*) from sync_customer";
    let kept: i64 = world.value(stored).await;
    until("a run goes on", async || {
        (world.value::<i64>(stored).await > kept).then_some(())
    })
    .await;
    let paused = promoted.elapsed();
    assert!(paused < LONGEST_PAUSE, "{paused:?}");
    let (first, second) = tokio::join!(first.finish(), second.finish());
    first.assert_code(0);
    second.assert_code(0);
    assert_eq!(world.ledger().await, reference);
    let runs = "select outcome, customers_succeeded from sync_run order by run_id";
    assert_eq!(world.lines(runs).await, ["succeeded|25", "succeeded|25"]);
}
