//! Daemons of several hosts on one ledger: one leads and does each tick once, the others stand by,
//! say so, keep their own sign-in alive, and take over. Hosts have names of their own in a
//! namespace, as a container has.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::net::UnixDatagram;

use crate::support::{Running, Server, World, get, until};

/// Within this time another host goes on, whatever became of the first.
const TAKEOVER: Duration = Duration::from_secs(20);

/// Two seconds apart, so that a run ends before the next tick.
const EVERY_TWO_SECONDS: &str = "*/2 * * * * *";

/// Hosts with a token of their own each.
async fn world(customers: usize) -> World {
    let mut world = World::with_customers(customers).await;
    world.set("status.listen", "127.0.0.1:0");
    world
}

/// Starts the daemon of a host, which keeps its token in a file of its own.
fn start(world: &mut World, host: &str) -> Running {
    let file = world.folder.path().join(format!("token-of-{host}"));
    world.set("auth.refresh_token_file", file.to_str().unwrap());
    world.start_on(host, &[])
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

async fn until_runs(world: &World, what: &str, least: i64) {
    let sql = format!("select count(*) from sync_run where {what}");
    until(&format!("{least} runs are {what}"), async || {
        (world.value::<i64>(&sql).await >= least).then_some(())
    })
    .await;
}

/// What one host's daemon says of who leads.
async fn leader(daemon: &Running) -> Value {
    let (_, body) = get(&daemon.status_address().await).await;
    serde_json::from_str::<Value>(&body).unwrap()["leader"].clone()
}

async fn assert_each_tick_once(world: &World) {
    let doubled = "select tick, count(*) from sync_run where tick is not null and outcome in \
        ('succeeded', 'partial') group by tick having count(*) > 1";
    assert_eq!(world.lines(doubled).await, [""; 0]);
    let overlapping = "select a.run_id from sync_run as a join sync_run as b on a.run_id < b.run_id
        and a.finished_at > b.started_at";
    assert_eq!(world.lines(overlapping).await, [""; 0]);
}

/// The customers that were stored so far.
async fn stored(world: &World) -> BTreeSet<String> {
    let stored = "select distinct customer_id from sync_customer where outcome = 'succeeded'";
    world.lines(stored).await.into_iter().collect()
}

/// Waits until this number of customers is stored.
async fn until_stored(world: &World, customers: usize) {
    until(&format!("{customers} customers are stored"), async || {
        (stored(world).await.len() >= customers).then_some(())
    })
    .await;
}

/// Answers this number of calls. Further calls get no answer.
async fn answer_some(world: &World, calls: usize) {
    let mut answers = vec![json!({ "normal": true }); calls];
    answers.push(json!({ "text": "", "delay_ms": 600_000 }));
    let answers = json!(answers);
    world.simulator.script_for_ever("usage", answers).await;
}

#[tokio::test]
async fn of_two_daemons_one_runs_and_each_tick_once() {
    let mut world = world(3).await;
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    world.set("schedule.run_on_start", "never");
    let first = start(&mut world, "web1");
    first.says("This daemon leads").await;
    let second = start(&mut world, "web2");
    second.says("Standing by: web1 leads since").await;
    until_runs(&world, "outcome = 'succeeded'", 3).await;
    assert_eq!(
        world
            .lines("select distinct host, kind from sync_run")
            .await,
        ["web1|schedule"]
    );
    // In order, as before an upgrade: the second leads at once and does the ticks that follow.
    let asked = Instant::now();
    stop(first).await;
    until_runs(&world, "host = 'web2' and outcome = 'succeeded'", 2).await;
    assert!(asked.elapsed() < TAKEOVER, "{:?}", asked.elapsed());
    second.says("This daemon leads: web1 has stopped").await;
    stop(second).await;
    assert_each_tick_once(&world).await;
}

#[tokio::test]
async fn a_daemon_that_stands_by_says_so_and_keeps_its_own_sign_in_alive() {
    let mut world = world(3).await;
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    // So short that every sign-in renews the token.
    let settings = json!({ "access_token_ttl_secs": 1 });
    world.simulator.patch(settings).await;
    let first = start(&mut world, "web1");
    first.says("Waiting for the next run").await;
    let socket = world.folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    world.set_variable("NOTIFY_SOCKET", socket.to_str().unwrap());
    let second = start(&mut world, "web2");
    world.unset_variable("NOTIFY_SOCKET");
    let told = async {
        let mut buffer = [0; 1_024];
        loop {
            let length = manager.recv(&mut buffer).await.unwrap();
            let said = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if said.contains("Standing by") {
                return said;
            }
        }
    };
    let told = tokio::time::timeout(TAKEOVER, told).await.unwrap();
    assert!(
        told.contains("STATUS=Standing by: web1 leads since 20"),
        "{told}"
    );

    let url = second.status_address().await;
    let (_, body) = get(&url).await;
    let status: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(status["host"], "web2");
    assert_eq!(status["leader"]["host"], "web1", "{status}");
    assert_eq!(status["leader"]["is_this_process"], false, "{status}");
    assert!(status["next_run"]["at"].is_string(), "{status}");
    assert_eq!(leader(&first).await["is_this_process"], true);
    for (daemon, leads) in [(&first, 1), (&second, 0)] {
        let (_, page) = get(&format!("{}metrics", daemon.status_address().await)).await;
        assert!(
            page.contains(&format!("\nseatledger_leader {leads}\n")),
            "{page}"
        );
        let since = "\nseatledger_leader_since_timestamp_seconds{host=\"web1\"} 1";
        assert!(page.contains(since), "{page}");
    }

    // Each renews its own token, and each has its own row.
    let renewed = "select count(*) from consent where token_issued_at > now() - interval '1 minute'
        and token_issued_at > first_used_at";
    until("both tokens were renewed", async || {
        (world.value::<i64>(renewed).await == 2).then_some(())
    })
    .await;
    let shown = world.run(&["status", "--json"]).await.summary();
    assert_eq!(shown["leader"]["host"], "web1", "{shown}");
    let consents = shown["consents"].as_array().unwrap().iter();
    let hosts: BTreeSet<_> = consents.map(|one| one["host"].as_str().unwrap()).collect();
    assert_eq!(hosts, BTreeSet::from(["web1", "web2"]));
    assert_eq!(shown["consent"]["host"], "web1", "{shown}");
    let text = world.run(&["status"]).await.stdout;
    for said in [
        "web1 leads since 20",
        "Consent on web1: ",
        "Consent on web2: ",
    ] {
        assert!(text.contains(said), "{text}");
    }
    stop(second).await;
    stop(first).await;
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("No daemon leads"), "{text}");
}

/// The daemon of `web1` leads and is in mid-run, with a few customers stored, when it gets
/// `signal`. The daemon of `web2` goes on: it asks for the customers that are missing, and for no
/// other. Returns both.
async fn go_on_after(world: &mut World, signal: &str) -> (Running, Running) {
    world.ask_in_order();
    let all: BTreeSet<String> = world.simulator.customers().await.into_iter().collect();
    answer_some(world, 5).await;
    let first = start(world, "web1");
    until_stored(world, 5).await;
    let second = start(world, "web2");
    second.says("Standing by: web1 leads").await;
    world.simulator.received("usage", 6).await;
    let before = stored(world).await;
    world.simulator.unscript().await;
    world.simulator.forget_requests().await;
    let cut_off = Instant::now();
    first.signal(signal);
    world.simulator.received("usage", 1).await;
    assert!(cut_off.elapsed() < TAKEOVER, "{:?}", cut_off.elapsed());
    until_runs(world, "host = 'web2' and outcome = 'succeeded'", 1).await;
    let asked: BTreeSet<String> = world.asked().await.into_iter().collect();
    assert_eq!(asked, &all - &before);
    assert_eq!(stored(world).await, all);
    assert_eq!(
        world
            .lines("select host, outcome, tick is not null, resumes from sync_run order by run_id")
            .await,
        ["web1|interrupted|true|-", "web2|succeeded|true|1"]
    );
    (first, second)
}

#[tokio::test]
async fn after_a_kill_in_mid_run_the_other_host_goes_on() {
    let mut world = world(12).await;
    let (first, second) = go_on_after(&mut world, "KILL").await;
    first.finish().await;
    second.says("This daemon leads: web1 is gone").await;
    stop(second).await;
}

#[tokio::test]
async fn after_a_stop_in_mid_run_the_other_host_goes_on() {
    let mut world = world(12).await;
    let (first, second) = go_on_after(&mut world, "TERM").await;
    first.finish().await.assert_code(0);
    second.says("This daemon leads: web1 has stopped").await;
    stop(second).await;
}

#[tokio::test]
async fn a_frozen_leader_is_replaced_and_stands_by_when_it_is_thawed() {
    let mut world = world(12).await;
    let (first, second) = go_on_after(&mut world, "STOP").await;
    second
        .says("This daemon leads: web1 has not renewed its lease in time")
        .await;
    let ledger = world.ledger().await;
    first.signal("CONT");
    first.says("Standing by: web2 leads since").await;
    assert_eq!(leader(&first).await["host"], "web2");
    // It has written nothing since, and takes over in its turn.
    assert_eq!(world.ledger().await, ledger);
    stop(second).await;
    first.says("This daemon leads: web2 has stopped").await;
    stop(first).await;
    assert_eq!(world.value::<i64>("select count(*) from sync_run").await, 2);
}

#[tokio::test]
async fn a_leader_whose_run_gave_way_to_a_backfill_still_leads_and_finishes_the_tick() {
    let mut world = world(12).await;
    world.ask_in_order();
    let customers = world.simulator.customers().await;
    answer_some(&world, 5).await;
    let daemon = start(&mut world, "web1");
    until_stored(&world, 5).await;
    let file = world.folder.path().join("token-of-web2");
    world.set("auth.refresh_token_file", file.to_str().unwrap());
    let backfill = world.start_on("web2", &["--backfill", "--customer", &customers[0]]);
    backfill.says("Another run is under way").await;
    world.simulator.unscript().await;
    daemon.signal("STOP");
    backfill.finish().await.assert_code(0);
    daemon.signal("CONT");
    until_runs(&world, "host = 'web1' and outcome = 'succeeded'", 1).await;
    assert_eq!(
        world
            .lines("select host, kind, outcome, resumes from sync_run order by run_id")
            .await,
        [
            "web1|startup|interrupted|-",
            "web2|backfill|succeeded|-",
            "web1|startup|succeeded|1"
        ]
    );
    assert_eq!(stored(&world).await, customers.into_iter().collect());
    assert_eq!(leader(&daemon).await["is_this_process"], true);
    stop(daemon).await;
}

#[tokio::test]
async fn a_leader_with_a_dead_token_ends_and_a_host_with_a_living_one_does_the_tick() {
    // So slow that the run is under way for a minute.
    let mut world = world(60).await;
    world.set("partner_center.max_requests_per_second", "1");
    let settings = json!({ "device_code_polls": 0 });
    world.simulator.patch(settings).await;
    let first = start(&mut world, "web1");
    until_stored(&world, 1).await;
    world
        .simulator
        .post("revoke-refresh-tokens", String::new())
        .await;
    world.unset("partner_center.max_requests_per_second");
    let file = world.folder.path().join("token-of-web2");
    world.set("auth.refresh_token_file", file.to_str().unwrap());
    world.unset("auth.refresh_token");
    world.run(&["login", "--device-code"]).await.assert_code(0);
    let second = start(&mut world, "web2");
    second.says("Standing by: web1 leads").await;
    world
        .simulator
        .post("revoke-access-tokens", String::new())
        .await;
    let finished = first.finish().await;
    finished.assert_code(4);
    until_runs(&world, "host = 'web2' and outcome = 'succeeded'", 1).await;
    assert_eq!(
        world
            .lines(
                "select host, outcome, tick = (select min(tick) from sync_run) from sync_run \
                order by run_id"
            )
            .await,
        ["web1|failed|true", "web2|succeeded|true"]
    );
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("Signing in was refused on"), "{text}");
    assert!(text.contains("AADSTS50173"), "{text}");
    stop(second).await;
}

#[tokio::test]
async fn a_daemon_whose_token_dies_while_it_stands_by_ends() {
    let mut world = world(3).await;
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    world.set("schedule.run_on_start", "never");
    let first = start(&mut world, "web1");
    first.says("This daemon leads").await;
    let settings = json!({ "access_token_ttl_secs": 1 });
    world.simulator.patch(settings).await;
    let second = start(&mut world, "web2");
    second.says("Standing by: web1 leads").await;
    world
        .simulator
        .post("revoke-refresh-tokens", String::new())
        .await;
    let finished = second.finish().await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("AADSTS50173"),
        "{}",
        finished.stderr
    );
    // The leader's access token still lives.
    until_runs(&world, "host = 'web1' and outcome = 'succeeded'", 1).await;
    let shown = world.run(&["status", "--json"]).await.summary();
    let consents = shown["consents"].as_array().unwrap();
    let refused = consents.iter().find(|one| one["host"] == "web2").unwrap();
    let refusal = refused["refusal"].as_str().unwrap();
    assert!(refusal.contains("AADSTS50173"), "{shown}");
    stop(first).await;
}

#[tokio::test]
async fn a_backfill_on_one_host_and_a_tick_on_another_do_not_overlap() {
    let mut world = world(5).await;
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    world.set("schedule.run_on_start", "never");
    let settings = json!({ "latency_ms": 100 });
    world.simulator.patch(settings).await;
    let daemon = start(&mut world, "web1");
    for _ in 0..3 {
        until_runs(&world, "outcome = 'running'", 1).await;
        let backfill = world.start_on("web2", &["--backfill"]);
        backfill.finish().await.assert_code(0);
    }
    stop(daemon).await;
    assert_each_tick_once(&world).await;
    assert_eq!(
        world
            .lines("select distinct host, kind from sync_run order by host")
            .await,
        ["web1|schedule", "web2|backfill"]
    );
}

#[tokio::test]
async fn after_a_crash_of_the_database_one_daemon_leads_and_does_the_ticks() {
    let server = Server::start();
    let mut world = World::on_server(&server, 3).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    world.set("schedule.run_on_start", "never");
    let first = start(&mut world, "web1");
    first.says("This daemon leads").await;
    let second = start(&mut world, "web2");
    second.says("Standing by: web1 leads").await;
    until_runs(&world, "outcome = 'succeeded'", 1).await;
    server.kill();
    server.start_again();
    let back = Instant::now();
    until("a run has succeeded since", async || {
        let since = "select count(*) from sync_run where outcome = 'succeeded' and started_at > \
            pg_postmaster_start_time()";
        (world.value::<i64>(since).await > 0).then_some(())
    })
    .await;
    assert!(back.elapsed() < TAKEOVER, "{:?}", back.elapsed());
    let hosts = [leader(&first).await, leader(&second).await];
    assert_eq!(hosts[0]["host"], hosts[1]["host"]);
    assert_ne!(hosts[0]["is_this_process"], hosts[1]["is_this_process"]);
    stop(first).await;
    stop(second).await;
    assert_each_tick_once(&world).await;
}

/// The library that lies to a program about the time.
fn faketime() -> String {
    let folders = Path::new("/usr/lib").read_dir().unwrap();
    let mut places = folders.map(|folder| folder.unwrap().path().join("faketime/libfaketime.so.1"));
    let found = places.find(|place| place.exists());
    let found = found.expect("`make test` installs the package libfaketime");
    found.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_run_in_which_the_clock_is_set_back_ends_not_before_it_began() {
    let mut world = world(1).await;
    let clock = world.write("clock", "+0");
    for (variable, value) in [
        ("LD_PRELOAD", faketime().as_str()),
        ("FAKETIME_TIMESTAMP_FILE", &clock),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ] {
        world.set_variable(variable, value);
    }
    world.simulator.hold_after("usage", 0).await;
    let run = world.start(&["--backfill", "--json"]);
    world.simulator.received("usage", 1).await;
    // At once, since a part of a file would end the program.
    std::fs::rename(world.write("new clock", "-3h"), &clock).unwrap();
    world.simulator.unscript().await;
    let ended = run.finish().await;
    let summary = ended.assert_code(0).summary();
    let [began, end] = ["started_at", "finished_at"]
        .map(|member| -> DateTime<Utc> { summary[member].as_str().unwrap().parse().unwrap() });
    assert!(began <= end, "{summary}");
    assert!(!ended.stderr.contains("duration_ms\":-"), "{ended:?}");
    // It did go back, by the time of the customer's record.
    let went_back = "select bool_and(c.finished_at < r.started_at)
        from sync_customer as c join sync_run as r using (run_id)";
    assert!(world.value::<bool>(went_back).await);
}

#[tokio::test]
async fn a_host_whose_clock_is_an_hour_ahead_leads_and_does_no_harm() {
    let library = faketime();
    let mut world = world(3).await;
    world.set("schedule.cron", EVERY_TWO_SECONDS);
    world.set("schedule.run_on_start", "never");
    let first = start(&mut world, "web1");
    first.says("This daemon leads").await;
    world.set_variable("LD_PRELOAD", &library);
    world.set_variable("FAKETIME", "+1h");
    world.set_variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let second = start(&mut world, "web2");
    for variable in ["LD_PRELOAD", "FAKETIME", "FAKETIME_DONT_FAKE_MONOTONIC"] {
        world.unset_variable(variable);
    }
    second.says("s ahead of the database's").await;
    until_runs(&world, "outcome = 'succeeded'", 2).await;
    assert_eq!(
        world.lines("select distinct host from sync_run").await,
        ["web1"]
    );
    stop(first).await;
    // The ticks of its hour.
    until_runs(&world, "host = 'web2' and outcome = 'succeeded'", 2).await;
    let first = start(&mut world, "web1");
    first.says("Standing by: web2 leads").await;
    stop(second).await;
    let before: i64 = world.value("select max(run_id) from sync_run").await;
    // The runs of the hour to come do not keep it from its own ticks.
    until_runs(&world, &format!("host = 'web1' and run_id > {before}"), 2).await;
    stop(first).await;
    assert_eq!(
        world
            .lines("select tick, count(*) from sync_run group by tick having count(*) > 1")
            .await,
        [""; 0]
    );
}
