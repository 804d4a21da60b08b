//! A link to the database that loses packets, in one direction or in both, while the program waits
//! for an answer or does not.

use futures_util::future::join_all;

use super::pair::{Pair, answer_first, is_superseded, stored_by_first, undisturbed};
use crate::support::{Link, Lost, World, until};

/// What the program is doing when the link begins to lose packets.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Work {
    /// It waits for Partner Center.
    None,
    /// A statement of a batch is under way.
    Statement,
    /// A batch is about to be committed, and is.
    Commit,
}

async fn cut(work: Work, lost: Lost, reference: &[String]) {
    let mut hold = None;
    let mut pair = Pair::start(async |world| {
        answer_first(world, 12).await;
        if work != Work::None {
            hold = Some(world.hold_after(6).await);
        }
    })
    .await;
    match hold {
        None => {
            until("those that were answered are stored", async || {
                (stored_by_first(&pair.world).await.len() == 12).then_some(())
            })
            .await;
            pair.link.lose(lost);
        }
        Some(hold) => {
            pair.world.held().await;
            pair.link.lose(lost);
            hold.release().await;
        }
    }
    if work == Work::Commit {
        pair.link.commit_sent().await;
    }
    pair.strike().await;
    pair.second_goes_on().await;
    let (world, link, first) = pair.end(reference).await;
    link.mend();
    is_superseded(&world, first).await;
    assert_eq!(world.ledger().await, reference, "{work:?} {lost:?}");
}

#[tokio::test]
async fn a_host_whose_link_is_cut_is_followed_in_time_and_writes_nothing_more() {
    let reference = undisturbed().await;
    let cuts = [
        (Work::None, Lost::REQUESTS),
        (Work::None, Lost::ANSWERS),
        (Work::None, Lost::BOTH),
        (Work::Statement, Lost::REQUESTS),
        (Work::Statement, Lost::ANSWERS),
        (Work::Statement, Lost::BOTH),
        (Work::Commit, Lost::FROM_COMMIT),
    ];
    join_all(cuts.map(|(work, lost)| cut(work, lost, &reference))).await;
}

#[tokio::test]
async fn a_link_that_loses_packets_for_a_moment_costs_no_customer() {
    let mut world = World::with_customers(25).await;
    world.backfill().await.assert_code(0);
    let reference = world.ledger().await;
    let link = Link::to(world.database_url()).await;
    world.set("database.url", link.url());
    for lost in [Lost::REQUESTS, Lost::ANSWERS, Lost::BOTH, Lost::FROM_COMMIT] {
        world.simulator.forget_requests().await;
        world.simulator.hold_after("usage", 4).await;
        let run = world.start(&["--backfill", "--json"]);
        world.simulator.received("usage", 5).await;
        link.lose(lost);
        world.simulator.unscript().await;
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
