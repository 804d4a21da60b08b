//! Secrets appear neither in the output nor in the tables nor on any command line.

use serde_json::json;

use crate::support::World;

const CLIENT_SECRET: &str = "sim-secret";
const PASSWORD: &str = "a-database-password";

/// The contents of the tables, as text.
async fn tables(world: &World) -> String {
    let mut text = String::new();
    for table in [
        "customer",
        "sync_run",
        "sync_customer",
        "rejected_row",
        "license_usage",
    ] {
        text.push_str(
            &world
                .lines(&format!("select * from {table}"))
                .await
                .join("\n"),
        );
    }
    text
}

/// The arguments of every process on this machine.
fn arguments() -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        all.push_str(&String::from_utf8_lossy(&line));
        all.push('\n');
    }
    all
}

#[tokio::test]
async fn a_run_shows_no_secret_even_where_it_is_echoed() {
    let mut world = World::with_customers(12).await;
    world.set("log.filter", "trace");
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    world.set("database.url", url.as_str());
    let token = world.simulator.post("access-token", String::new()).await;
    let token = token.trim();
    let refresh = "a-refresh-token-of-the-authority";
    world
        .simulator
        .script_for_ever(
            "token",
            json!([{ "json": {
                "access_token": token, "expires_in": 3600, "refresh_token": refresh } }]),
        )
        .await;
    let echo = format!("you sent Bearer {token} of contoso");
    let bodies = [
        json!({ "status": 403, "json": { "code": "1", "description": &echo } }),
        json!({ "status": 404, "text": &echo }),
        json!({ "status": 400, "json": { "error": { "code": &echo, "message": &echo } } }),
        json!({ "status": 200, "json": { "code": "1", "description": &echo } }),
        json!({ "status": 200, "json": { "error": { "code": 7, "message": &echo } } }),
        json!({ "status": 200, "text": &echo }),
        json!({ "status": 200, "json": [&echo] }),
        json!({ "status": 200, "json": { "items": &echo } }),
        json!({ "status": 302, "headers": [
            ["Location", format!("https://{token}@elsewhere.example/{token}")]] }),
    ];
    let customers = world.simulator.customers().await;
    for (customer, answer) in customers.iter().zip(&bodies) {
        world
            .simulator
            .script_for_ever(customer, json!([answer]))
            .await;
    }
    world.simulator.patch(json!({ "latency_ms": 200 })).await;

    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received("usage", 1).await;
    let arguments = arguments();
    let finished = running.finish().await;
    finished.assert_code(3);
    assert_eq!(finished.summary()["customers"]["failed"], bodies.len());
    let status = world.run(&["status"]).await;
    let check = world.run(&["check"]).await;
    let places = [
        ("arguments", arguments),
        ("stdout", finished.stdout),
        ("stderr", finished.stderr),
        ("tables", tables(&world).await),
        ("status", status.stdout + &status.stderr),
        ("check", check.stdout + &check.stderr),
    ];
    for (place, text) in places {
        for secret in [token, refresh, "sim-refresh-0", PASSWORD] {
            let at = text.find(secret);
            assert!(
                at.is_none(),
                "{place} shows {secret}: {}",
                text[at.unwrap().saturating_sub(300)..]
                    .chars()
                    .take(700)
                    .collect::<String>()
            );
        }
    }
}

#[tokio::test]
async fn a_sign_in_that_fails_shows_no_secret_even_where_it_is_echoed() {
    let mut world = World::new().await;
    world.set("log.filter", "trace");
    let echo = format!("{CLIENT_SECRET} sim-refresh-0");
    for (answer, code) in [
        (
            json!({ "status": 400, "json": { "error": "invalid_grant",
                "error_description": &echo, "error_codes": [50_173] } }),
            4,
        ),
        (
            json!({ "status": 401, "json": { "error": "invalid_client",
                "error_description": &echo, "error_uri": &echo } }),
            4,
        ),
        (json!({ "status": 400, "json": { "error": &echo } }), 4),
        (json!({ "status": 400, "text": &echo }), 1),
        (json!({ "status": 200, "text": &echo }), 1),
        (json!({ "status": 500, "text": &echo }), 1),
        (
            json!({ "status": 302, "headers": [["Location", format!("/?{echo}")]] }),
            1,
        ),
    ] {
        world
            .simulator
            .script_for_ever("token", json!([answer]))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(code);
        let login = world.run(&["check"]).await;
        let text = format!(
            "{}{}{}{}{}",
            finished.stdout,
            finished.stderr,
            login.stdout,
            login.stderr,
            tables(&world).await
        );
        for secret in [CLIENT_SECRET, "sim-refresh-0"] {
            assert!(!text.contains(secret), "{answer}: {text}");
        }
    }
}

#[tokio::test]
async fn a_database_that_cannot_be_used_does_not_show_its_password() {
    let mut world = World::new().await;
    world.set("log.filter", "trace");
    for (address, code) in [
        ("postgres://me:SECRET@localhost/ledger?host=/nowhere", 1),
        (
            "postgres://me:SECRET@localhost/ledger?sslmode=verify-full&sslrootcert=/nowhere",
            78,
        ),
        ("postgres://me:SECRET@localhost:seven/ledger", 78),
        ("postgres://me:SECRET@localhost/ledger?sslmode=perhaps", 78),
        ("mysql://me:SECRET@localhost/ledger", 78),
    ] {
        let url = address.replace("SECRET", PASSWORD);
        world.set("database.url", &url);
        for arguments in [
            &["--backfill", "--json"][..],
            &["check"],
            &["status"],
            &["migrate"],
        ] {
            let finished = world.run(arguments).await;
            finished.assert_code(code);
            let text = finished.stdout + &finished.stderr;
            assert!(!text.contains(PASSWORD), "{url} {arguments:?}: {text}");
        }
    }
}
