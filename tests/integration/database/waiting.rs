//! What the program waits for, and logs once: an unavailable database, a lock that another session
//! holds, another run.

use std::process::Stdio;

use crate::support::{Finished, Running, Server, World};

/// The number of lines of standard error that contain `text`.
fn count(said: &str, text: &str) -> usize {
    said.lines().filter(|line| line.contains(text)).count()
}

async fn stop(daemon: Running) -> Finished {
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    finished.assert_code(0);
    finished
}

#[tokio::test]
async fn an_outage_of_the_database_is_logged_once_when_it_begins_and_once_when_it_ends() {
    let server = Server::start();
    let mut world = World::on_server(&server, 3).await;
    world.set("log.filter", "seatledger=debug");
    server.stop();
    let daemon = world.start(&[]);
    // Further failed attempts are logged at `debug` only.
    daemon.says("The database is still away").await;
    server.start_again();
    daemon.says("Waiting for the next run").await;
    let said = stop(daemon).await.stderr;
    let folder = server.data().parent().unwrap().display().to_string();
    for text in ["is away and waited for", "is back after"] {
        assert_eq!(count(&said, text), 1, "{text}: {said}");
        let line = said.lines().find(|line| line.contains(text)).unwrap();
        assert!(line.contains(&folder), "{line}");
    }
}

/// A session of a named application that holds a lock on the table.
async fn lock(world: &World, table: &str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = world.pool.begin().await.unwrap();
    let lock = format!("set local application_name = 'monthly report'; lock table {table}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(lock))
        .execute(&mut *holder)
        .await
        .unwrap();
    holder
}

/// Asserts that a command that waits for a lock on the table says so once and names the session
/// that holds it.
async fn names_the_holder(arguments: &[&str], table: &str) {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "always");
    world.set("log.filter", "seatledger=debug");
    let holder = lock(&world, table).await;
    let running = world.start(arguments);
    running
        .says("Waiting for a lock on the ledger, held by monthly report of role seatledger")
        .await;
    holder.rollback().await.unwrap();
    let said = if arguments.is_empty() {
        running.says("Waiting for the next run").await;
        stop(running).await.stderr
    } else {
        let finished = running.finish().await;
        finished.assert_code(0);
        finished.stderr
    };
    let waiting = count(&said, "Waiting for a lock on the ledger");
    assert_eq!(waiting, 1, "{arguments:?} {table}: {said}");
    assert_eq!(count(&said, "is away and waited for"), 0, "{said}");
}

#[tokio::test]
async fn a_wait_for_a_lock_on_the_ledger_names_its_holder() {
    tokio::join!(
        names_the_holder(&["--backfill"], "license_usage"),
        names_the_holder(&["--backfill"], "lease"),
        names_the_holder(&["--backfill"], "_sqlx_migrations"),
        names_the_holder(&["migrate"], "_sqlx_migrations"),
        names_the_holder(&[], "sync_run"),
        names_the_holder(&[], "_sqlx_migrations"),
    );
}

#[tokio::test]
async fn a_wait_for_another_run_names_that_run() {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "always");
    let hold = world.hold_after(0).await;
    let first = world.start(&["--backfill"]);
    first.says("Run begun").await;
    let (second, daemon) = (world.start(&["--backfill"]), world.start(&[]));
    for waiting in [&second, &daemon] {
        waiting
            .says("waiting for it to end: run 1 (backfill), begun at 2")
            .await;
        assert!(waiting.stderr().contains("by host "));
    }
    hold.release().await;
    first.finish().await.assert_code(0);
    second.finish().await.assert_code(0);
    daemon.says("Waiting for the next run").await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_full_or_read_only_database_is_waited_for() {
    let server = Server::start();
    let mut world = World::on_server(&server, 2).await;
    world
        .execute(
            "create role limited login connection limit 0; grant all on schema public to limited",
        )
        .await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("limited").unwrap();
    world.set("database.url", url.as_str());
    // Without `debug`, only the beginning of an outage would be logged.
    world.set("log.filter", "seatledger=debug");
    let daemon = world.start(&[]);
    daemon.says("SQLSTATE 53300").await;
    world
        .execute("alter system set default_transaction_read_only = on")
        .await;
    world.execute("select pg_reload_conf()").await;
    world
        .execute("set transaction read write; alter role limited connection limit 10")
        .await;
    daemon.says("the server only reads for now").await;
    world
        .execute("alter system reset default_transaction_read_only")
        .await;
    world.execute("select pg_reload_conf()").await;
    daemon.says("is back after").await;
    daemon.says("Waiting for the next run").await;
    let said = stop(daemon).await.stderr;
    assert_eq!(count(&said, "is back after"), 1, "{said}");
}

#[tokio::test]
async fn a_lack_of_file_descriptors_is_named_as_such() {
    let mut world = World::with_customers(2).await;
    let ids = world.simulator.customers().await.join("\n");
    let list = world.write("customers", &ids);
    world.unset("customers.ids");
    world.set("customers.file", &list);
    world.set("partner_center.source", "commercial");
    let program = env!("CARGO_BIN_EXE_seatledger");
    let config = world.config_path();
    let limits = 5..30;
    let running: Vec<_> = limits
        .map(|limit| {
            let command = format!(
                "ulimit -n {limit}; exec {program} --config {} --backfill --dry-run",
                config.display()
            );
            let output = tokio::process::Command::new("sh")
                .args(["-c", &command])
                .envs(world.environment())
                .stdin(Stdio::null())
                .kill_on_drop(true)
                .output();
            (limit, output)
        })
        .collect();
    let mut short = 0;
    for (limit, output) in running {
        let output = output.await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(!said.contains("panicked"), "{limit}: {said}");
        if code == Some(0) {
            continue;
        }
        short += 1;
        assert!(matches!(code, Some(1 | 3)), "{limit}: {code:?} {said}");
        assert!(said.contains("oo many open files"), "{limit}: {said}");
    }
    assert!(short > 3, "{short}");
}
