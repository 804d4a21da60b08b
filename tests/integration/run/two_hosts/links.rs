//! A link to the database that loses packets, in one direction or in both, while the program waits
//! for an answer or does not.

use crate::support::{Link, Lost, World};

#[tokio::test]
async fn a_link_that_loses_packets_for_a_moment_costs_no_customer() {
    let mut world = World::with_customers(25).await;
    world.backfill().await.assert_code(0);
    let reference = world.ledger().await;
    let link = Link::to(world.database_url()).await;
    world.set("database.url", link.url());
    let slow = serde_json::json!({ "latency_ms": 15 });
    world.simulator.patch(slow).await;
    for lost in [Lost::REQUESTS, Lost::ANSWERS, Lost::BOTH, Lost::FROM_COMMIT] {
        world.simulator.forget_requests().await;
        let run = world.start(&["--backfill", "--json"]);
        world.simulator.received("usage", 5).await;
        link.lose(lost);
        if lost == Lost::FROM_COMMIT {
            link.commit_sent().await;
        }
        link.mend();
        let finished = run.finish().await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["customers"]["succeeded"], 25, "{lost:?}");
        assert_eq!(world.ledger().await, reference, "{lost:?}");
    }
}
