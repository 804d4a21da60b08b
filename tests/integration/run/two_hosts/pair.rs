//! A backfill in mid-run over a link of its own, and another of the same ledger that waits for it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Finished, Link, Running, World, until};

pub(super) const CUSTOMERS: usize = 25;

/// The longest that a ledger may stand still before another host goes on.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What a run with nothing in its way stores.
pub(super) async fn undisturbed() -> Vec<String> {
    let world = World::with_customers(CUSTOMERS).await;
    world.backfill().await.assert_code(0);
    world.ledger().await
}

pub(super) struct Pair {
    pub(super) world: World,
    pub(super) link: Link,
    pub(super) first: Running,
    second: Running,
    /// When the first was struck.
    struck: Option<Instant>,
}

impl Pair {
    /// `prepare` sets up what the first run meets. The second, when it waits, has met nothing yet.
    pub(super) async fn start(prepare: impl AsyncFnOnce(&mut World)) -> Self {
        let mut world = World::with_customers(CUSTOMERS).await;
        world.set("partner_center.max_concurrency", "3");
        prepare(&mut world).await;
        let link = Link::to(world.database_url()).await;
        let direct = world.set("database.url", link.url()).unwrap();
        let first = world.start(&["--backfill"]);
        first.says("Run begun").await;
        world.set("database.url", &direct);
        let second = world.start(&["--backfill", "--json"]);
        second.says("Another run is under way").await;
        Self {
            world,
            link,
            first,
            second,
            struck: None,
        }
    }

    /// Call it at once after the first was struck.
    pub(super) async fn strike(&mut self) {
        self.struck = Some(Instant::now());
        // What the first has asked for has arrived by now, or never will.
        self.world.simulator.requests("usage").await;
        self.world.simulator.forget_requests().await;
        self.world.simulator.unscript().await;
    }

    /// Waits until the second has taken over and has done the rest, and asserts that it began in
    /// time and asked for no customer that the first has stored.
    pub(super) async fn second_goes_on(&mut self) {
        until("the second run begins", async || {
            let begun = "select count(*) from sync_run where run_id > 1";
            (self.world.value::<i64>(begun).await > 0).then_some(())
        })
        .await;
        let paused = self.struck.unwrap().elapsed();
        assert!(paused < LONGEST_PAUSE, "{paused:?}");
    }

    /// Waits for the end of the second run. Returns the first one, which may still be there.
    pub(super) async fn end(self, reference: &[String]) -> (World, Link, Running) {
        let Self {
            world,
            link,
            first,
            second,
            ..
        } = self;
        let second = second.finish().await;
        second.assert_code(0);
        let stored: HashSet<String> = stored_by_first(&world).await.into_iter().collect();
        let asked = world.asked().await;
        let again: Vec<_> = asked.iter().filter(|id| stored.contains(*id)).collect();
        assert!(
            again.is_empty(),
            "asked again: {again:?}\n{}",
            second.stderr
        );
        assert_eq!(asked.len(), CUSTOMERS - stored.len(), "{}", second.stderr);
        assert_eq!(world.ledger().await, reference);
        let runs = world
            .lines("select run_id, outcome, resumes from sync_run order by run_id")
            .await;
        assert_eq!(runs, ["1|interrupted|-", "2|succeeded|1"]);
        (world, link, first)
    }
}

pub(super) async fn stored_by_first(world: &World) -> Vec<String> {
    let stored = "select customer_id from sync_customer where run_id = 1 and outcome = 'succeeded' \
                  order by 1";
    world.lines(stored).await
}

/// Lets a first run store `customers`, and answers no further request until [`Pair::strike`].
pub(super) async fn answer_first(world: &World, customers: usize) {
    let mut answers = vec![json!({ "normal": true }); customers];
    answers.push(json!({ "text": "", "delay_ms": 600_000 }));
    let answers = json!(answers);
    world.simulator.script_for_ever("usage", answers).await;
}

/// Waits for a run that another has followed. It says so, and has written nothing since.
pub(super) async fn is_superseded(world: &World, first: Running) -> Finished {
    let before = stored_by_first(world).await;
    let finished = first.finish().await;
    assert_ne!(finished.code(), 0, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("another process took over"),
        "{}",
        finished.stderr
    );
    assert_eq!(stored_by_first(world).await, before);
    let outcome = "select outcome from sync_run where run_id = 1";
    assert_eq!(world.lines(outcome).await, ["interrupted"]);
    finished
}
