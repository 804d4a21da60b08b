//! A database that starts late, crashes in mid-run, refuses the role, or stops answering.

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Running, Server, World, item, send_signal};

const PASSWORD: &str = "a-database-password";

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

/// Gives one customer an item that is rejected.
async fn spoil_one(world: &World) {
    let customer = &world.simulator.customers().await[4];
    // A product name of its own. With a shared one, the spelling in the ledger would depend on
    // which customer is stored first.
    let item = |active| item(&json!({ "productName": "Spoilt", "licensesActive": active }));
    let items = json!([item(3), item(-1)]);
    world
        .simulator
        .script_for_ever(customer, json!([{ "items": items }]))
        .await;
}

#[tokio::test]
async fn a_database_that_is_away_at_the_start_is_waited_for() {
    let server = Server::start();
    let world = World::on_server(&server, 3).await;
    server.stop();
    let daemon = world.start(&[]);
    daemon.says("away and waited for").await;
    server.start_again();
    daemon.says("Waiting for the next run").await;
    assert_eq!(
        world
            .lines("select kind, outcome, customers_succeeded from sync_run")
            .await,
        ["startup|succeeded|3"]
    );
    stop(daemon).await;
}

#[tokio::test]
async fn a_database_that_crashes_in_mid_run_leaves_no_trace_in_the_ledger() {
    let undisturbed = World::with_customers(40).await;
    spoil_one(&undisturbed).await;
    undisturbed.backfill().await.assert_code(0);

    let server = Server::start();
    let mut world = World::on_server(&server, 40).await;
    spoil_one(&world).await;
    world.set("partner_center.max_concurrency", "2");
    world.simulator.patch(json!({ "latency_ms": 50 })).await;
    world.set("retry.max_interval", "100ms");
    world.run(&["migrate"]).await.assert_code(0);
    let _crash = world.hold_after(6).await;
    let daemon = world.start(&[]);
    world.held().await;
    server.kill();
    daemon.says("away and waited for").await;
    world.simulator.patch(json!({ "latency_ms": 300 })).await;
    server.start_again();
    let _stop = world.hold_after(20).await;
    world.held().await;
    world.simulator.patch(json!({ "latency_ms": 0 })).await;
    server.stop();
    server.start_again();
    daemon.says("Waiting for the next run").await;
    stop(daemon).await;

    let (ledger, reference) = (world.ledger().await, undisturbed.ledger().await);
    assert_eq!(ledger.len(), reference.len());
    let differs = ledger
        .iter()
        .zip(&reference)
        .find(|(one, other)| one != other);
    assert_eq!(differs, None);
    let record = "select outcome, customers_total, customers_succeeded, customers_failed, \
        rows_received, rows_inserted,
                         rows_updated, rows_unchanged, rows_rejected, http_requests from sync_run";
    assert_eq!(world.lines(record).await, undisturbed.lines(record).await);
    let rejected = "select customer_id, reason, payload from rejected_row";
    assert_eq!(
        world.lines(rejected).await,
        undisturbed.lines(rejected).await
    );
    let customers = "select customer_id, outcome, rows_received, rows_inserted, rows_unchanged \
        from sync_customer order by 1";
    assert_eq!(
        world.lines(customers).await,
        undisturbed.lines(customers).await
    );
}

#[tokio::test]
async fn a_backfill_goes_on_after_a_crash_of_the_database() {
    let server = Server::start();
    let mut world = World::on_server(&server, 20).await;
    world.set("retry.max_elapsed_time", "30s");
    world.set("partner_center.max_concurrency", "2");
    world.simulator.patch(json!({ "latency_ms": 50 })).await;
    world.run(&["migrate"]).await.assert_code(0);
    let _hold = world.hold_after(4).await;
    let running = world.start(&["--backfill", "--json"]);
    world.held().await;
    server.kill();
    running.says("away and waited for").await;
    server.start_again();
    let finished = running.finish().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 20);
    let stored: i64 = world.value("select count(*) from license_usage").await;
    assert_eq!(finished.summary()["rows"]["inserted"], stored);
}

#[tokio::test]
async fn a_database_that_refuses_the_role_ends_the_program() {
    let server = Server::start();
    let mut world = World::on_server(&server, 1).await;
    world
        .execute("create role guarded login password 'another'; create role plain login")
        .await;
    let hba = server.data().join("pg_hba.conf");
    let rules = format!(
        "local all guarded scram-sha-256\n{}",
        std::fs::read_to_string(&hba).unwrap()
    );
    std::fs::write(&hba, rules).unwrap();
    let _reloaded: bool = world.value("select pg_reload_conf()").await;
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("guarded").unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    let mut nowhere = url::Url::parse(&server.url()).unwrap();
    nowhere.set_path("no_such_database");
    let mut unprivileged = url::Url::parse(&server.url()).unwrap();
    unprivileged.set_username("plain").unwrap();
    for (url, said) in [(url, "28P01"), (nowhere, "3D000"), (unprivileged, "42501")] {
        world.set("database.url", url.as_str());
        for arguments in [&[][..], &["--backfill"], &["check"], &["migrate"]] {
            let finished = world.run(arguments).await;
            finished.assert_code(4);
            let text = finished.stdout + &finished.stderr;
            assert!(text.contains(said), "{arguments:?}: {text}");
            assert!(!text.contains(PASSWORD), "{arguments:?}: {text}");
        }
    }
}

#[tokio::test]
async fn a_command_line_call_gives_up_soon_on_the_database() {
    let mut world = World::new().await;
    world.set("database.url", "postgres://x@localhost/x?host=/nowhere");
    world.unset("retry.max_interval");
    world.unset("retry.max_elapsed_time");
    // With the default settings, the daemon would retry for a quarter of an hour.
    let finished = world.backfill().await;
    finished.assert_code(1);
    let last = finished.stderr.lines().last().unwrap();
    assert!(
        last.starts_with("seatledger: the database is not available"),
        "{last}"
    );
    assert!(world.simulator.requests("token").await.is_empty());
}

/// Sends a request to the status address without waiting for the answer.
async fn send(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let question = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(question).await.unwrap();
    stream
}

/// Sends a request to the status address and waits for the answer.
async fn ask(address: &str) -> String {
    let mut answer = String::new();
    send(address)
        .await
        .read_to_string(&mut answer)
        .await
        .unwrap();
    answer
}

/// Sends a signal to every process of the server: `-STOP` freezes them, `-CONT` lets them continue.
fn freeze(server: &Server, signal: &str) {
    let main = server.pid();
    let children = std::fs::read_to_string(format!("/proc/{main}/task/{main}/children")).unwrap();
    for process in std::iter::once(main.as_str()).chain(children.split_whitespace()) {
        // A child may have ended by itself in the meantime.
        let _sent = send_signal(signal.trim_start_matches('-'), process);
    }
}

#[tokio::test]
async fn a_frozen_database_does_not_delay_the_end() {
    let server = Server::start();
    let mut world = World::on_server(&server, 200).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("partner_center.max_concurrency", "2");
    world.simulator.patch(json!({ "latency_ms": 100 })).await;
    let daemon = world.start(&[]);
    daemon.says("Serving the status address").await;
    let said = daemon.stderr();
    let address = said
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|event| event["address"].as_str().map(ToOwned::to_owned))
        .unwrap();
    daemon.says("Run begun").await;
    world.simulator.received("usage", 8).await;
    // Opens the database connection that the next status request uses.
    drop(ask(&address).await);
    freeze(&server, "-STOP");
    let _unanswered = send(&address).await;
    let asked = world.simulator.requests("usage").await.len();
    world.simulator.received("usage", asked + 1).await;
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    freeze(&server, "-CONT");
    finished.assert_code(0);
}
