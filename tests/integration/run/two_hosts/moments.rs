//! A host that is killed or stands still at moments that follow from a seed.

use futures_util::future::join_all;
use serde_json::json;

use super::pair::{Pair, is_superseded, undisturbed};
use crate::support::Draw;

async fn strike(seed: u64, reference: &[String]) {
    let mut draw = Draw::new(seed);
    let (signal, requests) = (draw.pick(&["KILL", "STOP"]), 1 + draw.below(16));
    let mut pair = Pair::start(async |world| {
        // The second run is to wait before the first has ended.
        world.simulator.patch(json!({ "latency_ms": 400 })).await;
    })
    .await;
    let latency = json!({ "latency_ms": 40, "jitter_ms": 40 });
    pair.world.simulator.patch(latency).await;
    pair.world.simulator.received("usage", requests).await;
    pair.first.signal(signal);
    pair.strike().await;
    pair.second_goes_on().await;
    let (world, _link, first) = pair.end(reference).await;
    if signal == "STOP" {
        first.signal("CONT");
        is_superseded(&world, first).await;
        assert_eq!(world.ledger().await, reference, "seed {seed}");
    }
}

#[tokio::test]
async fn a_host_that_dies_or_stands_still_at_any_moment_is_followed_in_time() {
    let reference = undisturbed().await;
    join_all((1..=6).map(|seed| strike(seed, &reference))).await;
}
