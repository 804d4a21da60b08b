//! The age of the consent and how long it lasts: where that is recorded and shown, and the warnings
//! before it ends.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{World, until};

const DAY_SECS: u64 = 86_400;

fn path(world: &World) -> std::path::PathBuf {
    world.folder.path().join("refresh_token.consent")
}

fn written(world: &World) -> Value {
    serde_json::from_slice(&std::fs::read(path(world)).unwrap()).unwrap()
}

async fn status(world: &World) -> Value {
    let finished = world.run(&["status", "--json"]).await;
    finished.assert_code(0);
    finished.summary()["consent"].clone()
}

async fn login(world: &World) -> String {
    world
        .simulator
        .patch(json!({ "device_code_polls": 0 }))
        .await;
    let finished = world.run(&["login", "--device-code"]).await;
    finished.assert_code(0);
    finished.stdout
}

#[tokio::test]
async fn a_renewal_moves_the_end_of_the_consent_and_not_its_date() {
    let world = World::new().await;
    let said = login(&world).await;
    assert!(said.contains("renewed at every use"), "{said}");
    let given = written(&world);
    assert!(
        said.contains(&given["token_expires_at"].as_str().unwrap()[..10]),
        "{said}"
    );
    let mode = std::fs::metadata(path(&world))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(world.refresh_token_path()).unwrap();
    assert!(!given.to_string().contains(&kept));
    // The sign-in has recorded the consent in the database, too, from which `status` reads it.
    let shown = status(&world).await;
    assert_eq!(shown["signed_in_at"], given["signed_in_at"], "{shown}");
    assert_eq!(
        (&shown["age_days"], &shown["days_left"]),
        (&json!(0), &json!(89))
    );
    world.backfill().await.assert_code(0);
    let renewed = written(&world);
    assert_eq!(renewed["signed_in_at"], given["signed_in_at"]);
    assert_ne!(renewed["token_issued_at"], given["token_issued_at"]);
    assert_eq!(
        status(&world).await["token_issued_at"],
        renewed["token_issued_at"]
    );
    let text = world.run(&["status"]).await.stdout;
    assert!(
        text.contains("Consent: signed in on") && text.contains("89 days"),
        "{text}"
    );
}

#[tokio::test]
async fn a_sign_in_needs_no_database() {
    let mut world = World::new().await;
    world.set("database.url", "postgres://x@localhost/x?host=/nowhere");
    login(&world).await;
    assert!(written(&world)["signed_in_at"].is_string());
}

#[tokio::test]
async fn a_token_brought_from_elsewhere_is_dated_from_its_first_use() {
    let world = World::new().await;
    assert_eq!(status(&world).await, Value::Null);
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("no sign-in is known"), "{text}");
    world.backfill().await.assert_code(0);
    let first = written(&world);
    assert_eq!(first["signed_in_at"], Value::Null);
    world.backfill().await.assert_code(0);
    assert_eq!(written(&world)["first_used_at"], first["first_used_at"]);
    let text = world.run(&["status"]).await.stdout;
    assert!(text.contains("brought from elsewhere"), "{text}");
    // The sign-in was for another token than the one in the setting, so its date does not apply.
    login(&world).await;
    std::fs::write(world.refresh_token_path(), "worn-out").unwrap();
    world.backfill().await.assert_code(0);
    assert_eq!(written(&world)["signed_in_at"], Value::Null);
}

#[tokio::test]
async fn a_refused_backfill_is_shown_until_somebody_signs_in() {
    let world = World::new().await;
    world.backfill().await.assert_code(0);
    world
        .simulator
        .patch(json!({ "grant_error": 700_082 }))
        .await;
    world.backfill().await.assert_code(4);
    let shown = status(&world).await;
    let refusal = shown["refusal"].as_str().unwrap_or_default();
    assert!(refusal.contains("AADSTS700082"), "{shown}");
    world.simulator.patch(json!({ "grant_error": null })).await;
    login(&world).await;
    assert_eq!(status(&world).await["refusal"], Value::Null);
}

#[tokio::test]
async fn consent_is_shown_only_where_a_person_signed_in() {
    let mut world = World::new().await;
    world.backfill().await.assert_code(0);
    world.set("auth.method", "client_credentials");
    assert_eq!(status(&world).await, Value::Null);
    let text = world.run(&["status"]).await.stdout;
    assert!(!text.contains("Consent"), "{text}");
}

#[tokio::test]
async fn fourteen_days_before_the_end_every_run_and_the_daemon_warn() {
    let mut world = World::new().await;
    let warnings = |said: &str| said.matches("sign in again while there is time").count();
    for (days, expected) in [(16, 0), (14, 1), (3, 1)] {
        let lifetime = json!({ "refresh_token_ttl_secs": days * DAY_SECS });
        world.simulator.patch(lifetime).await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        assert_eq!(warnings(&finished.stderr), expected, "{}", finished.stderr);
        assert_eq!(status(&world).await["days_left"], days - 1);
    }
    world.set("schedule.run_on_start", "always");
    let daemon = world.start(&[]);
    daemon.says("Waiting for the next run").await;
    daemon.signal("TERM");
    let finished = daemon.finish().await;
    finished.assert_code(0);
    // The startup run has warned, and the daemon does not repeat the warning before it waits.
    assert_eq!(warnings(&finished.stderr), 1, "{}", finished.stderr);
    assert!(finished.stderr.contains("seatledger --config FILE login"));
    // The daemon also warns if no run is due.
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    daemon.says("sign in again while there is time").await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn a_consent_that_cannot_be_written_or_read_costs_only_its_figures() {
    let world = World::new().await;
    std::fs::write(path(&world), "not JSON").unwrap();
    world.backfill().await.assert_code(0);
    assert!(written(&world)["first_used_at"].is_string());
    std::fs::remove_file(path(&world)).unwrap();
    std::fs::create_dir(path(&world)).unwrap();
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert!(
        finished.stderr.contains("age of the consent"),
        "{}",
        finished.stderr
    );
}

#[tokio::test]
async fn the_daemon_records_the_consent_as_soon_as_it_has_signed_in() {
    let mut world = World::new().await;
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    until("the consent is recorded", async || {
        let table: Option<String> = world.value("select to_regclass('consent')::text").await;
        table.as_ref()?;
        let rows: i64 = world.value("select count(*) from consent").await;
        (rows == 1).then_some(())
    })
    .await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
