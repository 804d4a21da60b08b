//! What the daemon tells the service manager: when it is ready, what it does, that it moves on, and
//! what became of a reload.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::net::UnixDatagram;

use crate::support::{Running, World, spawn, try_until, until};

/// A service manager that hears what it is told.
struct Manager {
    heard: Arc<Mutex<Vec<String>>>,
}

impl Manager {
    fn new(world: &mut World) -> Self {
        let path = world.folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        world.set_variable("NOTIFY_SOCKET", path.to_str().unwrap());
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let messages = Arc::clone(&heard);
        spawn(async move {
            let mut buffer = [0; 4_096];
            while let Ok(length) = socket.recv(&mut buffer).await {
                let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
                messages.lock().unwrap().push(message);
            }
        });
        Self { heard }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn is_ready(&self) -> bool {
        self.heard()
            .iter()
            .any(|message| message.contains("READY=1"))
    }

    /// The first message after the first `known` ones that has `text` in it.
    async fn hears(&self, known: usize, text: &str) -> String {
        let found = try_until(async || {
            let heard = self.heard();
            let mut new = heard.into_iter().skip(known);
            new.find(|message| message.contains(text))
        });
        let found = found.await;
        found.unwrap_or_else(|| panic!("no {text:?} in {:#?}", self.heard()))
    }
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

fn set_cron(world: &World, cron: &str) {
    let section = format!("[schedule]\ncron = \"{cron}\"\n");
    std::fs::write(world.config_path(), section).unwrap();
}

#[tokio::test]
async fn it_is_ready_once_database_and_grant_are_proven_and_asks_for_time_until_then() {
    let mut world = World::new().await;
    world.set("retry.max_elapsed_time", "100ms");
    let manager = Manager::new(&mut world);
    // An error of several lines, as a proxy may send one.
    let away = json!([{ "status": 503, "text": "away\nREADY=1\n" }]);
    world.simulator.script_for_ever("token", away).await;
    let daemon = world.start(&[]);
    manager
        .hears(0, "STATUS=Starting: waiting for the database")
        .await;
    let status = manager
        .hears(0, "STATUS=Starting: waiting for the sign-in: ")
        .await;
    assert_eq!(status.trim_end().lines().count(), 1, "{status}");
    manager
        .hears(manager.heard().len(), "EXTEND_TIMEOUT_USEC=")
        .await;
    assert!(!manager.is_ready());
    world.simulator.unscript().await;
    manager.hears(0, "READY=1").await;
    manager.hears(0, "STATUS=The next run is due at").await;
    stop(daemon).await;
    manager.hears(0, "STOPPING=1").await;
}

#[tokio::test]
async fn a_run_under_way_shows_its_number_and_how_far_it_is() {
    let mut world = World::new().await;
    world.set("partner_center.max_concurrency", "1");
    let manager = Manager::new(&mut world);
    world.simulator.patch(json!({ "latency_ms": 600 })).await;
    let daemon = world.start(&[]);
    manager.hears(0, "STATUS=Run 1 (startup): fetching, ").await;
    stop(daemon).await;
}

#[tokio::test]
async fn the_watchdog_hears_of_a_run_that_waits_for_an_answer() {
    let mut world = World::new().await;
    world.set_variable("WATCHDOG_USEC", "8000000");
    let manager = Manager::new(&mut world);
    world.simulator.patch(json!({ "latency_ms": 6_000 })).await;
    let daemon = world.start(&[]);
    manager
        .hears(0, "STATUS=Run 1 (startup): fetching, 0 of 5 customers")
        .await;
    let known = manager.heard().len();
    let fed = || {
        manager.heard()[known..]
            .iter()
            .filter(|said| *said == "WATCHDOG=1\n")
            .count()
    };
    until("the watchdog is fed", async || (fed() >= 2).then_some(())).await;
    stop(daemon).await;
}

#[tokio::test]
async fn a_reload_is_refused_or_in_force_and_is_no_start() {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "always");
    // The environment would override the file.
    world.unset("schedule.cron");
    let manager = Manager::new(&mut world);
    let daemon = world.start(&[]);
    manager.hears(0, "STATUS=The next run is due at").await;

    set_cron(&world, "nonsense");
    let known = manager.heard().len();
    daemon.signal("HUP");
    let reloading = manager.hears(known, "RELOADING=1").await;
    assert!(reloading.contains("MONOTONIC_USEC="), "{reloading}");
    let refused = manager
        .hears(known, "The old configuration stays in force: ")
        .await;
    assert!(
        refused.contains("READY=1") && refused.contains("schedule.cron"),
        "{refused}"
    );
    assert_eq!(refused.trim_end().lines().count(), 2, "{refused}");

    set_cron(&world, "0 17 3 * * *");
    let known = manager.heard().len();
    daemon.signal("HUP");
    manager.hears(known, "READY=1").await;
    let next = manager.hears(known, "STATUS=The next run is due at").await;
    assert!(next.contains("03:17:00"), "{next}");
    assert!(!next.contains("stays in force"), "{next}");
    stop(daemon).await;
    let runs = world.lines("select kind, outcome from sync_run").await;
    assert_eq!(runs, ["startup|succeeded"]);
}

#[tokio::test]
async fn a_refused_configuration_is_told_until_it_is_mended() {
    let mut world = World::new().await;
    world.unset("schedule.cron");
    world.set("partner_center.max_concurrency", "1");
    let manager = Manager::new(&mut world);
    world.simulator.hold_after("usage", 0).await;
    let daemon = world.start(&[]);
    manager.hears(0, "STATUS=Run 1 (startup): fetching, ").await;
    set_cron(&world, "nonsense");
    daemon.signal("HUP");
    let refused = manager.hears(0, "The old configuration stays in").await;
    assert!(refused.contains("READY=1"), "{refused}");
    world.simulator.unscript().await;
    // The run goes on, and its status changes.
    let status = manager.hears(0, "STATUS=The next run is due at").await;
    assert!(status.contains("schedule.cron"), "{status}");
    set_cron(&world, "0 17 3 * * *");
    let known = manager.heard().len();
    daemon.signal("HUP");
    let status = manager.hears(known, "03:17:00").await;
    assert!(!status.contains("stays in force"), "{status}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_reload_is_done_before_a_database_that_is_away_and_another_corrects_it() {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "never");
    let database = world.database_url().to_owned();
    world.unset("database.url");
    let path = world.config_path();
    let set_database = |url: &str| {
        let section = format!("[database]\nurl = \"{url}\"\n");
        std::fs::write(&path, section).unwrap();
    };
    set_database(&database);
    let manager = Manager::new(&mut world);
    let daemon = world.start(&[]);
    manager.hears(0, "STATUS=The next run is due at").await;

    // Nothing listens there.
    set_database("postgres://nobody@127.0.0.1:9/ledger");
    let known = manager.heard().len();
    daemon.signal("HUP");
    let done = manager.hears(known, "READY=1").await;
    assert!(done.contains("The new configuration is in force"), "{done}");
    manager.hears(known, "waiting for the database at").await;

    set_database(&database);
    let known = manager.heard().len();
    daemon.signal("HUP");
    manager.hears(known, "STATUS=The next run is due at").await;
    stop(daemon).await;
}
