//! `--backfill` and the other commands: one run at a time, what is printed, and the exit codes.

use std::process::Stdio;

use serde_json::json;

use crate::support::{Running, World};

/// Asserts that no two runs overlapped.
async fn assert_one_at_a_time(world: &World) {
    assert_eq!(
        world
            .lines(
                "select a.run_id, b.run_id from sync_run as a join sync_run as b on a.run_id < \
                b.run_id and a.finished_at > b.started_at"
            )
            .await,
        [""; 0]
    );
}

/// Starts the program and waits until its run has begun.
async fn begun(world: &World, arguments: &[&str]) -> Running {
    let running = world.start(arguments);
    running.says("Run begun").await;
    running
}

#[tokio::test]
async fn a_second_backfill_waits_for_the_first_and_says_so() {
    let world = World::new().await;
    let hold = world.hold_after(0).await;
    let first = begun(&world, &["--backfill", "--json"]).await;
    let second = world.start(&["--backfill", "--json"]);
    second.says("Another run is under way").await;
    hold.release().await;
    let (first, second) = (first.finish().await, second.finish().await);
    first.assert_code(0);
    second.assert_code(0);
    assert_eq!(first.summary()["run_id"], 1);
    assert_eq!(second.summary()["run_id"], 2);
    assert_eq!(second.summary()["rows"]["inserted"], 0);
    assert_one_at_a_time(&world).await;
}

#[tokio::test]
async fn a_backfill_and_a_daemon_wait_for_each_other() {
    let mut world = World::new().await;
    let hold = world.hold_after(0).await;
    let daemon = begun(&world, &[]).await;
    let backfill = world.start(&["--backfill", "--json"]);
    backfill.says("Another run is under way").await;
    hold.release().await;
    backfill.finish().await.assert_code(0);
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);

    world.set("schedule.run_on_start", "always");
    let hold = world.hold_after(0).await;
    let backfill = begun(&world, &["--backfill", "--json"]).await;
    let daemon = world.start(&[]);
    daemon.says("Another run is under way").await;
    hold.release().await;
    backfill.finish().await.assert_code(0);
    daemon.says("Waiting for the next run").await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
    assert_one_at_a_time(&world).await;
    assert_eq!(
        world
            .lines("select kind, outcome from sync_run order by run_id")
            .await,
        [
            "startup|succeeded",
            "backfill|succeeded",
            "backfill|succeeded",
            "startup|succeeded"
        ]
    );
}

#[tokio::test]
async fn a_backfill_that_waits_for_another_can_be_stopped() {
    let world = World::new().await;
    let hold = world.hold_after(0).await;
    let first = begun(&world, &["--backfill"]).await;
    let second = world.start(&["--backfill"]);
    second.says("Another run is under way").await;
    second.signal("TERM");
    second.finish().await.assert_code(143);
    hold.release().await;
    first.finish().await.assert_code(0);
    let runs: i64 = world.value("select count(*) from sync_run").await;
    assert_eq!(runs, 1);
}

#[tokio::test]
async fn on_a_terminal_a_bar_is_drawn_and_the_summary_is_for_a_person() {
    let mut world = World::with_customers(30).await;
    world.set("partner_center.max_concurrency", "2");
    world.set("log.format", "auto");
    world.simulator.patch(json!({ "latency_ms": 100 })).await;
    let command = format!(
        "stty cols 150; {} --config {} --backfill",
        env!("CARGO_BIN_EXE_seatledger"),
        world.config_path().display()
    );
    let output = tokio::process::Command::new("script")
        .args(["-qec", &command, "/dev/null"])
        .envs(world.environment())
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(shown.contains("/30 customers, "), "{shown:?}");
    assert!(shown.contains(" a second, "), "{shown:?}");
    assert!(shown.contains(" left"), "{shown:?}");
    assert!(shown.contains("30 of 30 stored, 0 failed"), "{shown:?}");
}

#[tokio::test]
async fn migrations_can_be_applied_twice_and_by_two_at_once() {
    let world = World::before_migrations().await;
    let both = [world.start(&["migrate"]), world.start(&["migrate"])];
    for running in both {
        running.finish().await.assert_code(0);
    }
    world.run(&["migrate"]).await.assert_code(0);
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_database_that_a_newer_version_has_changed_is_left_alone() {
    let world = World::new().await;
    world
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
             values (99990101000000, 'from the future', true, '\\x00', 0)",
        )
        .await;
    for arguments in [&["--backfill"][..], &["migrate"], &[]] {
        let finished = world.run(arguments).await;
        finished.assert_code(4);
        assert!(
            finished
                .stderr
                .contains("this program is older than the database")
                && finished.stderr.contains("99990101000000"),
            "{}",
            finished.stderr
        );
        assert!(!finished.stderr.contains("panicked"));
    }
    assert!(world.simulator.requests("usage").await.is_empty());
}

#[tokio::test]
async fn the_status_command_before_the_first_start_says_what_is_missing() {
    let world = World::before_migrations().await;
    let finished = world.run(&["status"]).await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("seatledger migrate"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_2_before_any_request() {
    let world = World::new().await;
    for arguments in [
        &["--nonsense"][..],
        &["nonsense"],
        &["--json"],
        &["--dry-run"],
        &["--customer", "11111111-70f4-4e1e-9ff1-b2bfce8d9f04"],
        &["--backfill", "--customer", "contoso"],
        &["--backfill", "--customer"],
        &["--backfil"],
        &["--backfill", "check"],
        &["--backfill", "migrate"],
        &["--backfill", "--from", "2026-01-01"],
        &["--backfill", "--from", "yesterday", "--to", "2026-01-01"],
        &["--backfill", "--from", "2026-01-01", "--to", "2026-01-02"],
        &["status", "--backfill"],
        &["status", "--json", "--failing", "1,10"],
        &["status", "--failing", "1,10"],
    ] {
        let finished = world.run(arguments).await;
        assert_eq!(finished.code(), 2, "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.is_empty() && finished.stdout.is_empty());
    }
    assert!(world.simulator.requests("token").await.is_empty());
}

#[tokio::test]
async fn help_and_version_are_not_errors() {
    let world = World::new().await;
    for (argument, said) in [
        ("--help", "--backfill"),
        ("--version", env!("CARGO_PKG_VERSION")),
        ("help", "migrate"),
    ] {
        let finished = world.run(&[argument]).await;
        finished.assert_code(0);
        assert!(finished.stdout.contains(said), "{}", finished.stdout);
    }
}
