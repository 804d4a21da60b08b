//! Interrupted runs: the next run begins with the missing customers, and `--resume` fetches only
//! those.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{World, item, until};

/// Scripts one item of this day as the answer for every customer without a script of its own.
async fn answer_all(world: &World, day: &str) {
    let items = json!([item(&json!({ "processedDateTime": day }))]);
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": items }]))
        .await;
}

/// Like [`answer_all`], but only for `calls` calls. Further calls get no answer.
async fn answer_some(world: &World, day: &str, calls: usize) {
    let items = json!([item(&json!({ "processedDateTime": day }))]);
    let mut answers = vec![json!({ "items": items }); calls];
    answers.push(json!({ "text": "", "delay_ms": 600_000 }));
    world
        .simulator
        .script_for_ever("usage", json!(answers))
        .await;
}

/// The customers that `run` and all later runs stored.
async fn stored(world: &World, run: &str) -> BTreeSet<String> {
    let ids = format!(
        "select distinct customer_id from sync_customer where outcome = 'succeeded' and run_id >= \
            ({run})"
    );
    world.lines(&ids).await.into_iter().collect()
}

const LAST_RUN: &str = "select max(run_id) from sync_run";

/// Starts a run, ends it with `signal` once this number of `customers` is recorded, and waits until
/// its connections to Postgres are closed.
async fn cut_off(world: &World, arguments: &[&str], signal: &str, customers: i64) {
    let before: i64 = world
        .value("select coalesce(max(run_id), 0) from sync_run")
        .await;
    let running = world.start(arguments);
    let recorded = format!("select count(*) from sync_customer where run_id > {before}");
    until("some customers are recorded", async || {
        (world.value::<i64>(&recorded).await >= customers).then_some(())
    })
    .await;
    running.signal(signal);
    if signal != "KILL" {
        // The first signal waits for the calls under way, which never end. The second does not.
        running.says("Stopping:").await;
        running.signal(signal);
    }
    running.finish().await;
    world.database_left().await;
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}

#[tokio::test]
async fn after_a_run_was_cut_off_the_next_begins_with_those_it_did_not_reach() {
    let mut world = World::with_customers(24).await;
    world.ask_in_order();
    let all = set(&world.simulator.customers().await);
    answer_all(&world, "2026-09-27").await;
    world.backfill().await.assert_code(0);
    for (signal, day) in [("KILL", "2026-09-28"), ("TERM", "2026-09-29")] {
        answer_some(&world, day, 9).await;
        cut_off(&world, &["--backfill"], signal, 9).await;
        let done = stored(&world, LAST_RUN).await;
        assert_eq!(done.len(), 9, "{signal}");

        answer_all(&world, day).await;
        world.simulator.forget_requests().await;
        world.backfill().await.assert_code(0);
        let asked = world.asked().await;
        let (first, then) = asked.split_at(all.len() - done.len());
        assert_eq!(set(first), &all - &done, "{signal}");
        assert_eq!(set(then), done, "{signal}");
    }
    assert_eq!(
        world
            .lines(
                "select outcome, ended_early, newest_processed_date from sync_run order by run_id"
            )
            .await,
        [
            "succeeded|false|2026-09-27",
            "interrupted|true|2026-09-28",
            "succeeded|false|2026-09-28",
            "interrupted|true|2026-09-29",
            "succeeded|false|2026-09-29",
        ]
    );
}

#[tokio::test]
async fn customers_that_failed_come_before_those_that_are_fresh() {
    let mut world = World::with_customers(12).await;
    world.ask_in_order();
    let ids = world.simulator.customers().await;
    answer_all(&world, "2026-09-28").await;
    for (failing, answer) in [
        (&ids[7], json!({ "status": 403 })),
        (&ids[10], json!({ "status": 400 })),
    ] {
        world
            .simulator
            .script_for_ever(failing, json!([answer]))
            .await;
    }
    world.backfill().await.assert_code(3);
    // The last customer of the list fails, too. It has figures, but not of the newest date.
    answer_all(&world, "2026-09-29").await;
    world
        .simulator
        .script(&ids[11], json!([{ "status": 400 }]))
        .await;
    world.backfill().await.assert_code(3);

    world.simulator.forget_requests().await;
    world.backfill().await.assert_code(3);
    let asked = world.asked().await;
    assert_eq!(
        set(&asked[..2]),
        set(&[ids[7].clone(), ids[10].clone()]),
        "{asked:?}"
    );
    assert_eq!(asked[2], ids[11]);
    assert_eq!(set(&asked).len(), 12);
}

#[tokio::test]
async fn resuming_asks_only_for_what_the_unfinished_backfill_has_not_stored() {
    let mut world = World::with_customers(16).await;
    world.ask_in_order();
    let ids = world.simulator.customers().await;
    let all = set(&ids);
    world
        .simulator
        .script_for_ever(&ids[0], json!([{ "status": 403 }]))
        .await;
    // What was stored before the backfill began does not count.
    answer_all(&world, "2026-09-28").await;
    world.backfill().await.assert_code(3);

    // Five customers are recorded: four successes and the refused customer, which is requested
    // first.
    answer_some(&world, "2026-09-28", 4).await;
    cut_off(&world, &["--backfill"], "KILL", 5).await;
    let mut done = stored(&world, "2").await;
    for signal in ["TERM", "KILL"] {
        world.simulator.forget_requests().await;
        answer_some(&world, "2026-09-28", 3).await;
        cut_off(&world, &["--backfill", "--resume"], signal, 4).await;
        let asked = world.asked().await;
        assert!(
            asked.iter().all(|id| !done.contains(id)) && asked.contains(&ids[0]),
            "{signal}: {asked:?}"
        );
        done = stored(&world, "2").await;
    }
    assert_eq!(done.len(), 10);

    answer_all(&world, "2026-09-28").await;
    world.simulator.forget_requests().await;
    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(3);
    assert_eq!(set(&world.asked().await), &all - &done);
    assert_eq!(
        finished.summary()["customers"],
        json!({ "total": 6, "succeeded": 5, "failed": 1 })
    );
    assert_eq!(
        world
            .lines("select resumes, kind, whole_list, outcome from sync_run order by run_id")
            .await,
        [
            "-|backfill|true|partial",
            "-|backfill|true|interrupted",
            "2|backfill|true|interrupted",
            "2|backfill|true|interrupted",
            "2|backfill|true|partial",
        ]
    );
}

#[tokio::test]
async fn resume_without_an_unfinished_backfill_says_so_and_does_nothing() {
    let world = World::new().await;
    for runs in 0..2 {
        let finished = world.run(&["--backfill", "--resume"]).await;
        finished.assert_code(0);
        assert!(
            finished.stderr.contains("there is nothing to resume"),
            "{}",
            finished.stderr
        );
        assert_eq!(
            world.value::<i64>("select count(*) from sync_run").await,
            runs
        );
        assert_eq!(world.simulator.get("requests").await, json!([]));
        world.backfill().await.assert_code(0);
        world.simulator.forget_requests().await;
    }
}

#[tokio::test]
async fn a_backfill_from_the_other_source_is_not_resumed_from_this_one() {
    let world = World::new().await;
    world.run(&["migrate"]).await.assert_code(0);
    world
        .execute(
            "insert into sync_run (kind, whole_list, source, started_at, finished_at, outcome, \
                ended_early, asked_date, date_from, date_to)
             values ('backfill', true, 'commercial', now(), now(), 'interrupted', true, \
             '2026-09-03', '2026-09-01', '2026-09-05')",
        )
        .await;
    let finished = world.run(&["--backfill", "--resume"]).await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("there is nothing to resume"),
        "{}",
        finished.stderr
    );
    assert_eq!(world.simulator.get("requests").await, json!([]));
}

#[tokio::test]
async fn a_resumed_run_for_some_customers_is_still_for_those() {
    let world = World::new().await;
    let ids = world.simulator.customers().await;
    let stuck = json!([{ "normal": true, "delay_ms": 60_000 }]);
    world.simulator.script(&ids[3], stuck).await;
    let chosen = [
        "--backfill",
        "--customer",
        &ids[1],
        "--customer",
        &ids[3],
        "--customer",
        &ids[4],
    ];
    cut_off(&world, &chosen, "KILL", 2).await;
    world.simulator.forget_requests().await;
    world.run(&["--backfill", "--resume"]).await.assert_code(0);
    assert_eq!(world.asked().await, [ids[3].as_str()]);
    assert_eq!(
        world
            .lines(
                "select whole_list, cardinality(only_customers), resumes, customers_total from \
                sync_run order by run_id"
            )
            .await,
        ["false|3|-|3", "false|3|1|1"]
    );
}

#[tokio::test]
async fn resume_excludes_options_that_would_change_the_run() {
    let world = World::new().await;
    let id = &world.simulator.customers().await[0];
    for arguments in [
        &["--backfill", "--resume", "--customer", id][..],
        &["--backfill", "--resume", "--dry-run"],
        &["--backfill", "--resume", "--force"],
        &[
            "--backfill",
            "--resume",
            "--from",
            "2026-01-01",
            "--to",
            "2026-01-02",
        ],
        &["--resume"],
    ] {
        let finished = world.run(arguments).await;
        assert_eq!(finished.code(), 2, "{arguments:?}: {}", finished.stderr);
    }
    assert_eq!(world.simulator.requests("token").await, [Value::Null; 0]);
}

#[tokio::test]
async fn a_backfill_of_one_customer_does_not_hide_an_unfinished_one_of_all() {
    let world = World::new().await;
    let customers = world.simulator.customers().await;
    world
        .run(&["--backfill", "--customer", &customers[0]])
        .await
        .assert_code(0);
    // The record of a run that was interrupted after its first customer.
    world
        .execute(
            "update sync_run set whole_list = true, only_customers = null, outcome = \
            'interrupted', ended_early = true",
        )
        .await;
    world
        .run(&["--backfill", "--customer", &customers[1]])
        .await
        .assert_code(0);
    world.simulator.forget_requests().await;
    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["total"], 4);
    assert_eq!(world.simulator.requests("usage").await.len(), 4);
    // Nothing is left to fetch, and the summary says so.
    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["total"], 0);
    assert!(finished.stderr.contains("there is nothing to resume"));
}

#[tokio::test]
async fn customers_that_are_equally_urgent_are_asked_in_the_order_of_their_ids() {
    let mut world = World::with_customers(8).await;
    world.ask_in_order();
    let mut ids = world.simulator.customers().await;
    ids.sort();
    let backwards: Vec<_> = ids.iter().rev().cloned().collect();
    world.set("customers.ids", &backwards.join(","));
    world.backfill().await.assert_code(0);
    assert_eq!(world.asked().await, ids);
}
