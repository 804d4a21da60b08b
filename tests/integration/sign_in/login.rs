//! `login` and `check`: what an operator sees while setting the program up.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::support::{Running, World};

async fn until_asked(world: &World) {
    world.simulator.received("devicecode", 1).await;
    world.simulator.received("token", 1).await;
}

async fn begin(world: &World) -> Running {
    let login = world.start(&["login", "--device-code"]);
    until_asked(world).await;
    login
}

#[tokio::test]
async fn a_device_code_that_is_approved_gives_a_token_that_runs_live_on() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    world
        .simulator
        .patch(json!({ "single_use_refresh_tokens": true }))
        .await;
    let login = begin(&world).await;
    world.simulator.post("device/approve", String::new()).await;
    let finished = login.finish().await;
    finished.assert_code(0);
    assert!(
        finished.stdout.contains("/_sim/device"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("refresh_token"),
        "{}",
        finished.stdout
    );
    let path = world.refresh_token_path();
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept, "sim-refresh-1");
    assert!(!format!("{}{}", finished.stdout, finished.stderr).contains(&kept));
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for _ in 0..2 {
        world.backfill().await.assert_code(0);
    }
}

#[tokio::test]
async fn a_device_code_is_asked_for_with_the_applications_secret() {
    let mut world = World::new().await;
    let settings = json!({ "device_code_polls": 0, "require_client_secret": true });
    world.simulator.patch(settings).await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    let asked = world.simulator.requests("devicecode").await;
    assert_eq!(asked[0]["form"]["client_secret"], "sim-secret");
    world.set("auth.client_secret", "wrong");
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("AADSTS7000215"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_sign_in_replaces_a_dead_token() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world
        .simulator
        .post("revoke-refresh-tokens", String::new())
        .await;
    world.backfill().await.assert_code(4);
    world
        .simulator
        .patch(json!({ "device_code_polls": 0 }))
        .await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn a_sign_in_that_is_declined_or_let_expire_says_so() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    let login = begin(&world).await;
    world.simulator.post("device/deny", String::new()).await;
    let finished = login.finish().await;
    finished.assert_code(4);
    assert!(finished.stderr.contains("declined"), "{}", finished.stderr);

    world
        .simulator
        .patch(json!({ "device_code_expires_secs": 0 }))
        .await;
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(4);
    assert!(finished.stderr.contains("expired"), "{}", finished.stderr);
    assert!(!world.refresh_token_path().exists());
}

#[tokio::test]
async fn a_sign_in_survives_a_poll_that_fails() {
    let world = World::new().await;
    world
        .simulator
        .patch(json!({ "device_code_polls": 0, "device_code_slow_downs": 1 }))
        .await;
    world.run(&["login", "--device-code"]).await.assert_code(0);
    assert_eq!(world.simulator.requests("token").await.len(), 2);
}

#[tokio::test]
async fn a_sign_in_is_not_begun_if_its_token_could_not_be_stored() {
    let mut world = World::new().await;
    world.set("auth.refresh_token_file", "/proc/refresh_token");
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("/proc/refresh_token"),
        "{}",
        finished.stderr
    );
    assert!(world.simulator.requests("devicecode").await.is_empty());
}

#[tokio::test]
async fn a_sign_in_can_be_stopped_while_it_waits() {
    let world = World::new().await;
    let login = begin(&world).await;
    login.signal("INT");
    let finished = login.finish().await;
    assert_ne!(finished.code(), 0);
    assert!(!world.refresh_token_path().exists());
}

#[tokio::test]
async fn login_needs_a_method_that_a_person_signs_in_with() {
    let mut world = World::new().await;
    world.set("auth.method", "client_credentials");
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("auth.method"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn a_check_tries_each_part_and_writes_nothing() {
    let world = World::new().await;
    let finished = world.run(&["check"]).await;
    finished.assert_code(0);
    assert!(
        finished.stdout.lines().all(|line| line.starts_with("ok")),
        "{}",
        finished.stdout
    );
    assert_eq!(
        world
            .lines(
                "select (select count(*) from sync_run), (select count(*) from license_usage), \
                to_regclass('seatledger_probe')"
            )
            .await,
        ["0|0|-"]
    );
}

#[tokio::test]
async fn a_check_names_the_first_thing_to_mend() {
    let mut world = World::new().await;
    let customer = world.simulator.customers().await[0].clone();
    world
        .simulator
        .script_for_ever(
            &customer,
            json!([{ "status": 403, "json": { "code": "2032" } }]),
        )
        .await;
    // Each fault added here takes precedence over those that are there already. Faults that may
    // pass by themselves come after those that need an operator, and faults of the configuration
    // come first.
    let everybody = world.simulator.customers().await.join(",");
    for (key, value, part, why, code) in [
        (
            "database.url",
            "postgres://x@localhost/x?host=/nowhere",
            "usage",
            "2032",
            4,
        ),
        ("auth.client_secret", "wrong", "sign-in", "AADSTS7000215", 4),
        (
            "customers.exclude",
            &*everybody,
            "customers",
            "no customer",
            78,
        ),
    ] {
        world.set(key, value);
        let finished = world.run(&["check"]).await;
        finished.assert_code(code);
        let last = finished.stdout.lines().last().unwrap();
        assert!(last.starts_with(&format!("mend  {part}")), "{part}: {last}");
        assert!(last.contains(why), "{part}: {last}");
    }
    world.set("retry.max_interval", "soon");
    let finished = world.run(&["check"]).await;
    finished.assert_code(78);
    assert!(
        finished.stderr.contains("retry.max_interval"),
        "{}",
        finished.stderr
    );
}
