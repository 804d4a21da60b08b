//! The daemon on its schedule: when it runs, when it does not, and what it shows in the meantime.

use serde_json::Value;

use crate::support::{self, Finished, Running, Server, World, until};

async fn until_runs(world: &World, what: &str, least: i64) {
    let sql = format!("select count(*) from sync_run where {what}");
    until(&format!("{least} runs are {what}"), async || {
        let runs: i64 = world.value(&sql).await;
        (runs >= least).then_some(())
    })
    .await;
}

async fn runs(world: &World) -> Vec<String> {
    world
        .lines("select kind, outcome from sync_run order by run_id")
        .await
}

/// Stops an idle daemon.
async fn stop(daemon: Running) -> Finished {
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    finished.assert_code(0);
    finished
}

/// Starts the daemon and stops it once it waits for its next run.
async fn start_and_stop(world: &World) {
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    stop(daemon).await;
}

/// The status and the JSON of an answer of the status address.
async fn get(url: &str) -> (u16, Value) {
    let (status, body) = support::get(url).await;
    (status, serde_json::from_str(&body).unwrap())
}

#[tokio::test]
async fn a_run_begins_at_each_tick() {
    let mut world = World::new().await;
    world.set("schedule.cron", "* * * * * *");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    until_runs(&world, "kind = 'schedule' and outcome = 'succeeded'", 3).await;
    stop(daemon).await;
    assert_eq!(
        world
            .lines("select distinct kind, outcome, whole_list from sync_run")
            .await,
        ["schedule|succeeded|true"]
    );
    // A token that is still valid is not renewed for each run.
    assert_eq!(world.simulator.requests("token").await.len(), 1);
}

#[tokio::test]
async fn a_tick_missed_while_down_is_caught_up_at_start() {
    let world = World::new().await;
    // With an empty ledger, every tick counts as missed.
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    stop(daemon).await;
    assert_eq!(runs(&world).await, ["startup|succeeded"]);
    // The last run has just ended: no tick was missed.
    start_and_stop(&world).await;
    assert_eq!(runs(&world).await.len(), 1);
    world
        .execute(
            "update sync_run set started_at = now() - interval '25 hours', finished_at = now() - \
            interval '25 hours', tick = tick - interval '25 hours'",
        )
        .await;
    start_and_stop(&world).await;
    assert_eq!(
        runs(&world).await,
        ["startup|succeeded", "startup|succeeded"]
    );
}

#[tokio::test]
async fn partial_runs_do_not_count_as_the_missed_run() {
    let world = World::new().await;
    world
        .execute(
            "insert into sync_run (kind, whole_list, started_at, finished_at, outcome) values
                ('schedule', true, now() - interval '2 days', now() - interval '2 days', \
                'succeeded'),
                ('backfill', false, now(), now(), 'succeeded'),
                ('schedule', true, now(), now(), 'interrupted'),
                ('schedule', true, now(), null, 'running');
             insert into sync_run (kind, whole_list, asked_date, started_at, finished_at, outcome) \
             values
                ('backfill', true, '2026-01-31', now(), now(), 'succeeded')",
        )
        .await;
    start_and_stop(&world).await;
    assert_eq!(
        runs(&world).await[2..],
        [
            "schedule|interrupted",
            "schedule|interrupted",
            "backfill|succeeded",
            "startup|succeeded"
        ]
    );
}

#[tokio::test]
async fn a_run_recorded_in_the_future_does_not_suppress_the_missed_run() {
    let mut world = World::new().await;
    world.set("schedule.cron", "0 0 * * * *");
    let finished = |ago: &str| {
        format!(
            "insert into sync_run (kind, whole_list, started_at, finished_at, outcome) values
                ('schedule', true, now() - interval '{ago}', now() - interval '{ago}', 'succeeded')"
        )
    };
    // The record in the future looks as if no tick was missed. In fact one was, after the run of
    // two hours ago.
    world.execute(&finished("2 hours")).await;
    world.execute(&finished("-5 years")).await;
    start_and_stop(&world).await;
    assert_eq!(runs(&world).await.last().unwrap(), "startup|succeeded");
    // The startup run of just now counts, and the record in the future still does not: no tick was
    // missed.
    world.execute(&finished("-5 years")).await;
    start_and_stop(&world).await;
    assert_eq!(runs(&world).await.len(), 4);
}

#[tokio::test]
async fn run_on_start_can_be_always_or_never() {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "never");
    start_and_stop(&world).await;
    assert!(runs(&world).await.is_empty());
    world.set("schedule.run_on_start", "always");
    for _ in 0..2 {
        start_and_stop(&world).await;
    }
    assert_eq!(
        runs(&world).await,
        ["startup|succeeded", "startup|succeeded"]
    );
}

#[tokio::test]
async fn a_run_longer_than_the_time_between_ticks_never_overlaps_another() {
    let mut world = World::new().await;
    world.set("schedule.cron", "* * * * * *");
    world.set("partner_center.max_concurrency", "1");
    world
        .simulator
        .patch(serde_json::json!({ "latency_ms": 300 }))
        .await;
    let daemon = world.start(&[]);
    until_runs(&world, "outcome = 'succeeded'", 3).await;
    let said = daemon.stderr();
    stop(daemon).await;
    assert!(said.contains("is left out"), "{said}");
    assert_eq!(
        world
            .lines(
                "select count(*) from sync_run as a join sync_run as b on a.run_id < b.run_id \
                and a.finished_at > b.started_at"
            )
            .await,
        ["0"]
    );
}

#[tokio::test]
async fn the_next_run_is_shown_in_the_configured_zone() {
    let mut world = World::new().await;
    world.set("schedule.cron", "0 30 6 * * *");
    world.set("schedule.timezone", "Asia/Kathmandu");
    let daemon = world.start(&[]);
    daemon.says("06:30:00 +0545").await;
    stop(daemon).await;
}

#[tokio::test]
async fn the_status_address_shows_the_last_and_the_next_run() {
    let mut world = World::new().await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.cron", "0 0 6 * * *");
    let daemon = world.start(&[]);
    let url = daemon.idle_address().await;
    let status = until("the end of the run is known", async || {
        let (_, status) = get(&url).await;
        (status["last_run"]["outcome"] == "succeeded").then_some(status)
    })
    .await;
    assert_eq!(status["database"], "available");
    assert_eq!(status["last_run"]["customers_succeeded"], 5);
    let at = status["next_run"]["at"].as_str().unwrap();
    assert!(at.contains("T06:00:00"), "{status}");
    // The log shows the same time.
    let local = status["next_run"]["local"].as_str().unwrap();
    daemon
        .says(&format!("Waiting for the next run at {local}"))
        .await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_port_in_use_is_tried_again_and_keeps_the_daemon_from_nothing() {
    let mut world = World::new().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    world.set("status.listen", &address);
    let daemon = world.start(&[]);
    let refused = format!("The status address {address} cannot be served and is tried again");
    daemon.says(&refused).await;
    until_runs(&world, "outcome = 'succeeded'", 1).await;
    daemon.says("Waiting for the next run").await;
    drop(taken);
    daemon.says("Serving the status address").await;
    let alive = support::get(&format!("http://{address}/healthz")).await;
    assert_eq!(alive, (200, "alive\n".to_owned()));
    stop(daemon).await;
}

#[tokio::test]
async fn the_status_address_says_when_the_database_is_away() {
    let server = Server::start();
    let mut world = World::on_server(&server, 2).await;
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let url = daemon.status_address().await;
    daemon.says("Waiting for the next run").await;
    let answers = async |code| {
        until("the state of the database is known", async || {
            Some(get(&url).await).filter(|(found, _)| *found == code)
        })
        .await
        .1
    };
    answers(200).await;
    server.stop();
    let status = answers(503).await;
    assert!(status["next_run"]["at"].is_string(), "{status}");
    assert!(status["database_away_since"].is_string(), "{status}");
    server.start_again();
    answers(200).await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_dead_grant_ends_the_daemon_at_its_start() {
    let world = World::new().await;
    world
        .simulator
        .patch(serde_json::json!({ "grant_error": 700_082 }))
        .await;
    let finished = world.run(&[]).await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("AADSTS700082"),
        "{}",
        finished.stderr
    );
    assert!(finished.stderr.contains("login"), "{}", finished.stderr);
}

#[tokio::test]
async fn an_authority_that_is_away_at_the_start_is_waited_for_and_no_tick_is_lost() {
    let mut world = World::new().await;
    world.set("schedule.cron", "* * * * * *");
    world.set("schedule.run_on_start", "never");
    world.set("retry.max_elapsed_time", "100ms");
    world
        .simulator
        .script_for_ever("token", serde_json::json!([{ "status": 503 }]))
        .await;
    let daemon = world.start(&[]);
    daemon
        .says("Signing in failed and is tried again in 2 s")
        .await;
    assert!(runs(&world).await.is_empty());
    world.simulator.unscript().await;
    until_runs(&world, "outcome = 'succeeded'", 2).await;
    stop(daemon).await;
    assert_eq!(runs(&world).await[0], "schedule|succeeded");
}

#[tokio::test]
async fn a_hanging_request_to_the_status_address_does_not_delay_the_end() {
    let mut world = World::new().await;
    world.set("status.listen", "127.0.0.1:0");
    let daemon = world.start(&[]);
    let url = daemon.status_address().await;
    daemon.says("Waiting for the next run").await;
    let mut holder = world.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table sync_run")
        .execute(&mut *holder)
        .await
        .unwrap();
    let question = async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let _cut_off = client.get(&url).send().await;
    };
    let end = async {
        until("the question waits for the lock", async || {
            let waiting: i64 = world
                .value(
                    "select count(*) from pg_stat_activity where application_name = \
                    'seatledger' and datname = current_database() and wait_event_type = 'Lock'",
                )
                .await;
            (waiting == 1).then_some(())
        })
        .await;
        daemon.signal("TERM");
        daemon.finish().await.assert_code(0);
    };
    tokio::join!(question, end);
}
