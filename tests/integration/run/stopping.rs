//! Stopping by signals: what is finished, what is dropped, how long it takes, and what is recorded.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Finished, Running, World, until};

/// How long systemd waits after its SIGTERM before it kills the service.
const SERVICE_MANAGER: Duration = Duration::from_secs(90);

/// Much less than the time that the program gives requests after a first signal.
const SOON: Duration = Duration::from_secs(4);

/// A world whose customers are requested four at a time.
async fn world(customers: usize) -> World {
    let mut world = World::with_customers(customers).await;
    world.set("partner_center.max_concurrency", "4");
    world.set("schedule.run_on_start", "always");
    world
}

async fn asked(world: &World) -> usize {
    world.simulator.requests("usage").await.len()
}

/// Sends a signal and waits for the end.
async fn stop(running: Running, signal: &str) -> Finished {
    running.signal(signal);
    let finished = running.finish().await;
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    finished
}

/// Like [`stop`], and asserts that the program ends within `bound`.
async fn stop_within(bound: Duration, running: Running, signal: &str) -> Finished {
    let began = Instant::now();
    let finished = stop(running, signal).await;
    let took = began.elapsed();
    assert!(took < bound, "{took:?}\n{}", finished.stderr);
    finished
}

async fn outcomes(world: &World) -> Vec<String> {
    world
        .lines(
            "select outcome, coalesce(reason, ''), count(*) from sync_customer group by 1, 2 \
            order by 1, 2",
        )
        .await
}

async fn run_outcome(world: &World) -> String {
    world
        .value("select outcome from sync_run order by run_id desc limit 1")
        .await
}

#[tokio::test]
async fn after_a_signal_customers_under_way_are_finished_and_no_other_begun() {
    let world = world(40).await;
    for (arguments, signal, code) in [
        (&[][..], "TERM", 0),
        (&[], "INT", 0),
        (&["--backfill", "--json"], "TERM", 143),
        (&["--backfill", "--json"], "INT", 130),
        (&["--backfill", "--json"], "HUP", 129),
    ] {
        world.simulator.forget_requests().await;
        world.simulator.hold_after("usage", 6).await;
        let running = world.start(arguments);
        // Four wait for their answers.
        world.simulator.received("usage", 10).await;
        running.signal(signal);
        running.says("Stopping:").await;
        world.simulator.unscript().await;
        let finished = running.finish().await;
        finished.assert_code(code);
        assert_eq!(asked(&world).await, 10);
        assert_eq!(run_outcome(&world).await, "interrupted");
        let stored: i64 = world
            .value(
                "select count(*) from sync_customer where outcome = 'succeeded' and run_id = \
                (select max(run_id) from sync_run)",
            )
            .await;
        assert_eq!(stored, 10, "{arguments:?} {signal}");
        if code != 0 {
            let summary = finished.summary();
            assert_eq!(summary["outcome"], "interrupted");
            assert_eq!(summary["customers"]["succeeded"], stored);
            assert_eq!(summary["customers"]["total"], 40);
        }
    }
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_is_not_sent_after_a_signal() {
    let mut world = world(40).await;
    world.set("partner_center.max_requests_per_second", "5");
    let running = world.start(&["--backfill"]);
    world.simulator.received("usage", 3).await;
    running.signal("TERM");
    running.says("Stopping:").await;
    let before = asked(&world).await;
    running.finish().await.assert_code(143);
    let after = asked(&world).await;
    assert!(after <= before + 1, "{before} asked, then {after}");
    let stored: i64 = world.value("select count(*) from sync_customer").await;
    assert_eq!(usize::try_from(stored).unwrap(), after);
}

#[tokio::test]
async fn an_idle_daemon_stops_at_once() {
    for signal in ["TERM", "INT"] {
        let world = world(1).await;
        let daemon = world.start(&[]);
        daemon.says("Waiting for the next run").await;
        stop(daemon, signal).await.assert_code(0);
    }
}

#[tokio::test]
async fn a_customer_that_hangs_is_dropped_after_a_while_and_recorded() {
    let world = world(6).await;
    let stuck = &world.simulator.customers().await[1];
    world
        .simulator
        .script_for_ever(stuck, json!([{ "normal": true, "stall_after": 10 }]))
        .await;
    let daemon = world.start(&[]);
    until("all others are stored", async || {
        let stored: i64 = world.value("select count(*) from sync_customer").await;
        (stored == 5).then_some(())
    })
    .await;
    stop_within(SERVICE_MANAGER, daemon, "TERM")
        .await
        .assert_code(0);
    assert_eq!(
        outcomes(&world).await,
        ["failed|interrupted|1", "succeeded||5"]
    );
    assert_eq!(run_outcome(&world).await, "interrupted");
}

#[tokio::test]
async fn a_second_signal_drops_what_is_under_way() {
    let world = world(6).await;
    world
        .simulator
        .script_for_ever("usage", json!([{ "normal": true, "stall_after": 10 }]))
        .await;
    for (arguments, code) in [(&[][..], 0), (&["--backfill"], 130)] {
        world.simulator.forget_requests().await;
        let running = world.start(arguments);
        world.simulator.received("usage", 4).await;
        running.signal("INT");
        running.says("Stopping:").await;
        stop_within(SOON, running, "TERM").await.assert_code(code);
        assert_eq!(run_outcome(&world).await, "interrupted");
    }
    assert_eq!(outcomes(&world).await, ["failed|interrupted|8"]);
}

#[tokio::test]
async fn a_long_wait_for_the_next_attempt_ends_with_the_signal() {
    let mut world = world(6).await;
    world.set("retry.max_elapsed_time", "1h");
    world
        .simulator
        .script_for_ever(
            "usage",
            json!([{ "status": 429, "headers": [["Retry-After", "600"]] }]),
        )
        .await;
    let daemon = world.start(&[]);
    world.simulator.received("usage", 6).await;
    daemon.says("Attempt 1 for customer").await;
    stop_within(SOON, daemon, "TERM").await.assert_code(0);
    assert_eq!(asked(&world).await, 6);
    assert_eq!(outcomes(&world).await, ["failed|interrupted|6"]);
}

/// Stops a command while it waits for the sign-in service, and asserts that it requested no
/// customer.
async fn is_stopped_while_signing_in(
    answer: &serde_json::Value,
    bound: Duration,
    arguments: &[&str],
    code: i32,
) {
    let mut world = world(6).await;
    world.set("retry.max_elapsed_time", "1h");
    world
        .simulator
        .script_for_ever("token", json!([answer]))
        .await;
    let running = world.start(arguments);
    world.simulator.received("token", 1).await;
    let stopped = stop_within(bound, running, "TERM").await;
    stopped.assert_code(code);
    assert_eq!(world.simulator.requests("token").await.len(), 1);
    assert_eq!(asked(&world).await, 0);
}

#[tokio::test]
async fn a_wait_for_the_sign_in_service_ends_with_the_signal() {
    let later = json!({ "status": 503, "headers": [["Retry-After", "600"]] });
    let never = json!({ "text": "…", "stall_after": 0 });
    let backfill = &["--backfill"];
    tokio::join!(
        is_stopped_while_signing_in(&later, SOON, &[], 0),
        is_stopped_while_signing_in(&later, SOON, backfill, 143),
        is_stopped_while_signing_in(&never, SERVICE_MANAGER, &[], 0),
        is_stopped_while_signing_in(&never, SERVICE_MANAGER, backfill, 143),
    );
}

#[tokio::test]
async fn a_renewal_in_mid_run_ends_with_the_signal() {
    let mut world = world(40).await;
    world.set("retry.max_elapsed_time", "1h");
    let mut answers = vec![json!({ "normal": true }); 8];
    answers.push(json!({ "status": 401 }));
    world
        .simulator
        .script_for_ever("usage", json!(answers))
        .await;
    let sign_ins = json!([{ "normal": true }, { "text": "…", "stall_after": 0 }]);
    world.simulator.script_for_ever("token", sign_ins).await;
    let running = world.start(&["--backfill"]);
    world.simulator.received("token", 2).await;
    stop_within(SERVICE_MANAGER, running, "TERM")
        .await
        .assert_code(143);
    assert_eq!(run_outcome(&world).await, "interrupted");
    assert_eq!(world.simulator.requests("token").await.len(), 2);
}

#[tokio::test]
async fn a_command_that_waits_for_the_database_can_be_stopped() {
    let world = World::new().await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table _sqlx_migrations, sync_run, customer")
        .execute(&mut *holder)
        .await
        .unwrap();
    let waiting = async || -> i64 {
        world
            .value(
                "select count(*) from pg_stat_activity where application_name = 'seatledger' and \
                 datname = current_database() and wait_event_type = 'Lock'",
            )
            .await
    };
    for command in ["status", "migrate"] {
        let running = world.start(&[command]);
        until("the program waits for the lock", async || {
            (waiting().await > 0).then_some(())
        })
        .await;
        let finished = stop_within(SERVICE_MANAGER, running, "INT").await;
        assert_ne!(finished.code(), 0, "{command}");
        until("Postgres has noticed the end of the program", async || {
            (waiting().await == 0).then_some(())
        })
        .await;
    }
}
