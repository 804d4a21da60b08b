//! `kill -9` at any moment: no customer is half stored, no run stays `running`, and the next run
//! stores what is missing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{World, until};

const CUSTOMERS: usize = 25;

/// Each customer's number of rows.
async fn rows_of_each(world: &World) -> BTreeMap<String, String> {
    world
        .lines("select customer_id, count(*) from license_usage group by 1")
        .await
        .into_iter()
        .map(|line| {
            line.split_once('|')
                .map(|(id, rows)| (id.to_owned(), rows.to_owned()))
                .unwrap()
        })
        .collect()
}

#[tokio::test]
async fn a_killed_runs_lock_is_free_and_the_next_run_closes_its_record() {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("partner_center.max_concurrency", "4");
    // Ten calls are answered; the others hang until the program is killed.
    let mut answers = vec![json!({ "normal": true }); 10];
    answers.push(json!({ "text": "", "delay_ms": 600_000 }));
    let answers = json!(answers);
    world.simulator.script_for_ever("usage", answers).await;
    let killed = world.start(&["--backfill"]);
    until("those that were answered are stored", async || {
        let stored: i64 = world.value("select count(*) from sync_customer").await;
        (stored == 10).then_some(())
    })
    .await;
    killed.signal("KILL");
    killed.finish().await;
    world.simulator.unscript().await;
    let recorded = world
        .lines("select count(*), sum(rows_received), sum(rows_inserted) from sync_customer")
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world
            .lines(
                "select customers_succeeded, rows_received, rows_inserted from sync_run where \
                run_id = 1"
            )
            .await,
        recorded
    );
    assert_eq!(
        world
            .lines(
                "select outcome, customers_failed, customers_total >= customers_succeeded, \
                detail is null from sync_run order by run_id"
            )
            .await,
        ["interrupted|0|true|false", "succeeded|0|true|true"]
    );
    assert!(
        world
            .lines("select from sync_run where finished_at < started_at")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_kill_at_any_moment_leaves_every_customer_whole() {
    let mut world = World::with_customers(CUSTOMERS).await;
    world.set("partner_center.max_concurrency", "3");
    world
        .simulator
        .patch(json!({ "latency_ms": 15, "jitter_ms": 10 }))
        .await;
    let began = Instant::now();
    world.backfill().await.assert_code(0);
    let length = began.elapsed();
    let whole = rows_of_each(&world).await;
    let reference = world.ledger().await;

    // A fixed seed, so that a failure can be reproduced.
    let mut random = 0x5ea7_1ed9_e200_u64;
    for _ in 0..10 {
        world
            .execute(
                "truncate license_usage, sync_customer, sync_run, rejected_row, customer, \
                license_usage_collection, service_date",
            )
            .await;
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = u32::try_from(random >> 48).unwrap();
        let moment = length * share / 65_536 + Duration::from_millis(3);
        let killed = world.start(&["--backfill"]);
        tokio::time::sleep(moment).await;
        killed.signal("KILL");
        killed.finish().await;
        world.database_left().await;
        let stored = rows_of_each(&world).await;
        for (customer, rows) in &stored {
            assert_eq!(
                Some(rows),
                whole.get(customer),
                "{customer} after {moment:?}"
            );
        }
        assert_eq!(
            world
                .lines(
                    "select c.customer_id from sync_customer as c
                        where c.rows_inserted <> (select count(*) from license_usage as u where \
                        u.customer_id = c.customer_id)
                        union all
                        select u.customer_id from license_usage as u
                        where not exists (select from sync_customer as c where c.customer_id = \
                        u.customer_id)"
                )
                .await,
            [""; 0],
            "after {moment:?}"
        );
        // The next run fetches all customers and stores what this one left out.
        world
            .simulator
            .patch(json!({ "latency_ms": 0, "jitter_ms": 0 }))
            .await;
        world.backfill().await.assert_code(0);
        world
            .simulator
            .patch(json!({ "latency_ms": 15, "jitter_ms": 10 }))
            .await;
        assert!(world.ledger().await == reference, "after {moment:?}");
        assert_eq!(
            world
                .lines("select count(*) from sync_run where outcome = 'running'")
                .await,
            ["0"]
        );
    }
}
