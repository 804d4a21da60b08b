//! `seatledger support`: what the bundle has, and what it must not have.

use std::fmt::Write as _;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{Finished, World};

const SECRETS: [(&str, &str); 7] = [
    ("auth.client_secret", "Secret~Of.The_Application"),
    ("auth.refresh_token", "0.AXwA-refresh-token-of-the-setting"),
    ("auth.access_token", "an-access-token-of-the-setting"),
    (
        "notify.ping_url",
        "https://monitor.example/ping/ping-id-0815",
    ),
    (
        "notify.webhook_url",
        "https://monitor.example/hooks?key=hook-key-4711",
    ),
    ("notify.webhook_secret", "secret-of-the-webhook"),
    ("database.url", ""),
];

const PASSWORD: &str = "pass@word+of/the database";

/// Names as customers have them, and one that a stranger chose.
const NAMES: [&str; 4] = [
    "Größenwahn & \"Söhne\" GmbH",
    "'; drop table customer; --",
    "Fabrikam\nInc",
    "北京科技有限公司",
];

async fn bundle(world: &World) -> (Finished, String) {
    let out = world.folder.path().join("bundle.json");
    let _none_before = std::fs::remove_file(&out);
    let finished = world
        .run(&["support", "--out", out.to_str().unwrap()])
        .await;
    finished.assert_code(0);
    let mode = std::fs::metadata(&out).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    (finished, std::fs::read_to_string(out).unwrap())
}

#[tokio::test]
async fn a_bundle_has_neither_secrets_nor_names_even_where_they_are_echoed() {
    let mut world = World::new().await;
    world.run(&["--backfill"]).await.assert_code(0);
    for (key, value) in SECRETS {
        if !value.is_empty() {
            world.set(key, value);
        }
    }
    let mut url = url::Url::parse(world.database_url()).unwrap();
    url.set_password(Some(PASSWORD)).unwrap();
    world.set("database.url", url.as_str());
    let rotated = "1.rotated-refresh-token-in-the-file";
    std::fs::write(world.refresh_token_path(), rotated).unwrap();

    let customers = world.simulator.customers().await;
    let encoded = url.password().unwrap();
    let secrets = SECRETS.map(|(_, value)| value);
    let secrets: Vec<&str> = secrets
        .into_iter()
        .filter(|secret| !secret.is_empty())
        .collect();
    let mut echo = format!(
        "{} {rotated} {PASSWORD} {encoded} ping-id-0815 hook-key-4711 admin@contoso.example \
         https://shop.fabrikam.example/ contoso.onmicrosoft.com sim-client",
        secrets.join(" ")
    );
    for (customer, name) in customers.iter().zip(NAMES) {
        let domain = format!("d{}.customer.example", &customer[..8]);
        let upper = customer.to_uppercase();
        write!(echo, " {customer} {upper} {name} {domain}").unwrap();
        let named = sqlx::query(
            "update customer set customer_name = $1, domain = $2 where customer_id = $3::uuid",
        );
        let named = named.bind(name).bind(domain).bind(customer);
        named.execute(&world.pool).await.unwrap();
    }
    for statement in [
        "update sync_customer set outcome = 'failed', reason = 'forbidden', detail = $1, \
            ms_request_id = gen_random_uuid(), ms_correlation_id = gen_random_uuid()",
        "update sync_run set outcome = 'failed', detail = $1",
        "update consent set refused_at = now(), refusal = $1",
        "insert into rejected_row (run_id, customer_id, dataset, reason, detail, payload, \
            rejected_at)
         select run_id, customer_id, 'usage', 'missing_field', $1, to_jsonb($1), now()
         from sync_customer limit 1",
    ] {
        let changed = sqlx::query(statement)
            .bind(&echo)
            .execute(&world.pool)
            .await;
        assert!(changed.unwrap().rows_affected() > 0, "{statement}");
    }

    let (finished, text) = bundle(&world).await;
    let mut hidden: Vec<String> = secrets.iter().map(ToString::to_string).collect();
    hidden.extend([rotated, PASSWORD, encoded, "ping-id-0815", "hook-key-4711"].map(str::to_owned));
    hidden.extend(["contoso", "fabrikam", "customer.example", "sim-client"].map(str::to_owned));
    hidden.extend(customers.iter().cloned());
    hidden.extend(NAMES.map(str::to_lowercase));
    let json_names = NAMES.map(|name| serde_json::to_string(&name.to_lowercase()).unwrap());
    hidden.extend(json_names.map(|name| name.trim_matches('"').to_owned()));
    for (place, text) in [
        ("bundle", &text),
        ("stdout", &finished.stdout),
        ("stderr", &finished.stderr),
    ] {
        let lower = text.to_lowercase();
        for hidden in &hidden {
            let hidden = hidden.to_lowercase();
            assert!(!lower.contains(&hidden), "{place} shows {hidden}: {text}");
        }
    }

    assert_is_of_use(&world, &text).await;
}

/// The bundle of failed customers has what support asks for.
async fn assert_is_of_use(world: &World, text: &str) {
    let bundle: Value = serde_json::from_str(text).unwrap();
    let ledger = &bundle["ledger"];
    let failures = ledger["failures"].as_array().expect(text);
    assert_eq!(failures.len(), 5);
    let known = world
        .lines("select ms_request_id, ms_correlation_id from sync_customer order by 1")
        .await;
    let mut shown: Vec<String> = failures
        .iter()
        .map(|failure| {
            assert!(
                failure["customer_id"]
                    .as_str()
                    .unwrap()
                    .starts_with("customer-")
            );
            assert_eq!(failure["reason"], "forbidden");
            let id = |member: &str| failure[member].as_str().unwrap().to_owned();
            format!("{}|{}", id("ms_request_id"), id("ms_correlation_id"))
        })
        .collect();
    shown.sort();
    assert_eq!(shown, known);
    let rejected = &ledger["rejected_rows"][0];
    assert_eq!(
        (&rejected["reason"], &rejected["rows"]),
        (&json!("missing_field"), &json!(1))
    );
    let tables = ledger["tables"].as_array().unwrap();
    assert!(tables.iter().any(|table| table["name"] == "license_usage"));
    assert_eq!(bundle["database"]["missing_migrations"], 0);
    let settings = &bundle["configuration"]["settings"];
    assert_eq!(settings["partner_center.source"], "customer (default)");
    assert_eq!(
        settings["auth.client_secret"],
        "set (environment, SEATLEDGER__AUTH__CLIENT_SECRET)"
    );
    assert_eq!(settings["auth.client_certificate_file"], "not set");
}

#[tokio::test]
async fn a_bundle_can_be_made_without_the_database() {
    let mut world = World::new().await;
    let address = "postgres://ledger:hunter2@/contoso_ledger?host=/nowhere";
    world.set("database.url", address);
    let (_, text) = bundle(&world).await;
    for hidden in ["hunter2", "contoso_ledger"] {
        assert!(!text.contains(hidden), "{text}");
    }
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let fault = bundle["database"]["fault"].as_str().unwrap();
    assert!(!fault.is_empty());
    assert_eq!(
        bundle["configuration"]["database_reached_over"],
        json!(["socket"])
    );
}

#[tokio::test]
async fn a_bundle_can_be_made_with_a_faulty_configuration() {
    let mut world = World::new().await;
    world.write(
        "config.toml",
        "[auth]\nclient_secert = \"hunter2\"\n[schedule]\ncron = \"hunter2 daily\"\n",
    );
    world.set("auth.tenant_id", "contoso hunter2");
    let (finished, text) = bundle(&world).await;
    assert!(finished.stderr.contains("the configuration is faulty"));
    assert!(!text.contains("hunter2"), "{text}");
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let configuration = &bundle["configuration"];
    let faults = configuration["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 3, "{text}");
    assert_eq!(
        configuration["settings"]["schedule.cron"],
        "wrong, not shown (file, line 4)"
    );
}

#[tokio::test]
async fn a_bundle_overwrites_nothing() {
    let world = World::new().await;
    let out = world.write("notes.txt", "mine");
    let finished = world.run(&["support", "--out", &out]).await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("exists already"),
        "{}",
        finished.stderr
    );
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    let nowhere = world.folder.path().join("nowhere/bundle.json");
    let finished = world
        .run(&["support", "--out", nowhere.to_str().unwrap()])
        .await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("cannot be written"),
        "{}",
        finished.stderr
    );
}
