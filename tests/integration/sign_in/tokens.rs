//! Tokens as they are issued, spent and stored: what the authority and the API receive, and what is
//! in the folder.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::{Value, json};

use crate::support::{World, until};

const FIRST: &str = "sim-refresh-0";

fn kept(world: &World) -> String {
    std::fs::read_to_string(world.refresh_token_path()).unwrap_or_default()
}

async fn spent(world: &World) -> Vec<String> {
    world.simulator.token_forms("refresh_token").await
}

async fn count(world: &World, kind: &str) -> usize {
    world.simulator.requests(kind).await.len()
}

/// An answer of the token endpoint that issues `access_token`.
fn issued(access_token: &str) -> Value {
    json!({ "json": { "token_type": "Bearer", "expires_in": 3600, "access_token": access_token } })
}

#[tokio::test]
async fn a_renewed_token_is_stored_before_the_access_token_is_used() {
    let world = World::new().await;
    world
        .simulator
        .patch(json!({ "single_use_refresh_tokens": true }))
        .await;
    world
        .simulator
        .script_for_ever("usage", json!([{ "normal": true, "stall_after": 0 }]))
        .await;
    let killed = world.start(&["--backfill"]);
    world.simulator.received("usage", 1).await;
    killed.signal("KILL");
    killed.finish().await;

    assert_eq!(kept(&world), "sim-refresh-1");
    let file = std::fs::metadata(world.refresh_token_path()).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    let mut names: Vec<_> = world
        .folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["config.toml", "refresh_token", "refresh_token.consent"]
    );

    world.simulator.unscript().await;
    world.backfill().await.assert_code(0);
    assert_eq!(spent(&world).await, [FIRST, "sim-refresh-1"]);
    assert_eq!(kept(&world), "sim-refresh-2");
}

#[tokio::test]
async fn a_kill_at_any_moment_of_a_renewal_loses_no_token() {
    let world = World::new().await;
    for _ in 0..20 {
        let running = world.start(&["--backfill"]);
        let before = count(&world, "token").await;
        world.simulator.received("token", before + 1).await;
        running.signal("KILL");
        running.finish().await;
        let kept = kept(&world);
        assert!(
            kept.is_empty() || kept.starts_with("sim-refresh-"),
            "{kept:?}"
        );
    }
    // Temporary files that a killed program left beside the token must not disturb the next one.
    world.backfill().await.assert_code(0);
}

#[tokio::test]
async fn the_files_token_wins_over_the_setting() {
    let mut world = World::new().await;
    std::fs::write(world.refresh_token_path(), format!("{FIRST}\n")).unwrap();
    world.set("auth.refresh_token", "an-older-one");
    world.backfill().await.assert_code(0);
    assert_eq!(spent(&world).await, [FIRST]);
    assert_eq!(kept(&world), "sim-refresh-1");
}

#[tokio::test]
async fn the_token_of_the_setting_is_tried_once_if_that_of_the_file_is_refused() {
    let mut world = World::new().await;
    std::fs::write(world.refresh_token_path(), "worn-out").unwrap();
    world.backfill().await.assert_code(0);
    assert_eq!(spent(&world).await, ["worn-out", FIRST]);
    assert_eq!(kept(&world), "sim-refresh-1");

    std::fs::write(world.refresh_token_path(), "worn-out").unwrap();
    world.set("auth.refresh_token", "worn-out-too");
    world.simulator.forget_requests().await;
    world.backfill().await.assert_code(4);
    assert_eq!(spent(&world).await, ["worn-out", "worn-out-too"]);
    assert_eq!(kept(&world), "worn-out");
}

#[tokio::test]
async fn a_token_is_not_spent_if_its_successor_could_not_be_stored() {
    let mut world = World::new().await;
    let file = world.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for folder in [
        world.folder.path().join("missing"),
        file,
        "/proc".into(),
        "/dev/full".into(),
    ] {
        let path = folder.join("refresh_token");
        let path = path.to_str().unwrap();
        world.set("auth.refresh_token_file", path);
        let finished = world.backfill().await;
        finished.assert_code(4);
        assert!(finished.stderr.contains(path), "{}", finished.stderr);
        assert_eq!(finished.summary()["outcome"], "failed");
        assert_eq!(count(&world, "token").await, 0, "{path}");
    }
}

#[tokio::test]
async fn without_any_token_the_message_says_to_sign_in() {
    let mut world = World::new().await;
    world.unset("auth.refresh_token");
    let finished = world.backfill().await;
    finished.assert_code(4);
    assert!(finished.stderr.contains("login"), "{}", finished.stderr);
    assert_eq!(count(&world, "token").await, 0);
}

#[tokio::test]
async fn one_renewal_serves_all_that_wait_for_it() {
    let mut world = World::with_customers(20).await;
    world.set("partner_center.max_concurrency", "20");
    world
        .simulator
        .script("token", json!([issued("refused-by-the-api")]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(spent(&world).await, [FIRST, FIRST]);
    let summary = finished.summary();
    assert_eq!(summary["customers"]["succeeded"], 20);
    let refused = summary["http"]["retries"].as_u64().unwrap();
    assert!((1..=20).contains(&refused), "{summary}");
}

#[tokio::test]
async fn tokens_revoked_in_mid_run_are_renewed_once() {
    let mut world = World::with_customers(40).await;
    world.set("partner_center.max_concurrency", "6");
    world.simulator.hold_after("usage", 12).await;
    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received("usage", 18).await;
    world
        .simulator
        .post("revoke-access-tokens", String::new())
        .await;
    world.simulator.unscript().await;
    let finished = running.finish().await;
    finished.assert_code(0);
    assert_eq!(spent(&world).await, [FIRST, "sim-refresh-1"]);
    assert_eq!(kept(&world), "sim-refresh-2");
    assert_eq!(finished.summary()["customers"]["succeeded"], 40);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let mut world = World::with_customers(30).await;
    world.set("partner_center.max_concurrency", "1");
    world
        .simulator
        .patch(json!({ "access_token_ttl_secs": 2, "latency_ms": 100 }))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["http"]["retries"], 0);
    assert!(count(&world, "token").await >= 2);
}

#[tokio::test]
async fn client_credentials_are_sent_as_such_and_each_customers_refusal_is_recorded() {
    let mut world = World::new().await;
    world.set("auth.method", "client_credentials");
    let finished = world.backfill().await;
    finished.assert_code(3);
    let grants = world.simulator.token_forms("grant_type").await;
    assert_eq!(grants, ["client_credentials"]);
    assert_eq!(
        world
            .lines(
                "select distinct outcome, reason, http_status, detail like '%900329%' from \
                sync_customer"
            )
            .await,
        ["failed|forbidden|403|true"]
    );
    assert!(!world.refresh_token_path().exists());
}

#[tokio::test]
async fn a_given_access_token_is_used_as_it_is() {
    let mut world = World::new().await;
    let token = world.simulator.post("access-token", String::new()).await;
    world.set("auth.method", "access_token");
    world.set("auth.access_token", token.trim());
    world.backfill().await.assert_code(0);
    assert_eq!(count(&world, "token").await, 0);

    world.simulator.forget_requests().await;
    world.set("auth.access_token", "long-expired");
    let finished = world.backfill().await;
    finished.assert_code(1);
    assert!(
        finished.stderr.contains("refuses every call"),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.summary()["outcome"], "failed");
    assert_eq!(count(&world, "token").await, 0);
    assert!(count(&world, "usage").await <= 5);
}

#[tokio::test]
async fn a_dead_grant_ends_the_run_before_the_first_customer() {
    let world = World::new().await;
    for (code, advice) in [
        (50_076, "login"),
        (50_078, "login"),
        (50_079, "login"),
        (50_126, "login"),
        (50_173, "login"),
        (53_003, "login"),
        (65_001, "login"),
        (70_043, "login"),
        (700_082, "login"),
        (9_002_313, "login"),
        (700_016, "auth.client_id"),
        (90_002, "auth.tenant_id"),
        (7_000_215, "auth.client_secret"),
        (7_000_218, "auth.client_secret"),
        (7_000_222, "auth.client_secret"),
    ] {
        world.simulator.patch(json!({ "grant_error": code })).await;
        let finished = world.backfill().await;
        finished.assert_code(4);
        let said = finished.stderr.lines().last().unwrap();
        assert!(said.contains(&format!("AADSTS{code}")), "{said}");
        assert!(said.contains(advice), "{code}: {said}");
        assert_eq!(finished.summary()["outcome"], "failed");
        assert_eq!(finished.summary()["failures"], json!([]));
    }
    assert_eq!(count(&world, "token").await, 15);
    assert_eq!(count(&world, "usage").await, 0);
    assert_eq!(
        world
            .lines(
                "select distinct outcome, detail like '%AADSTS%', finished_at is null from sync_run"
            )
            .await,
        ["failed|true|false"]
    );
}

#[tokio::test]
async fn a_grant_that_dies_in_mid_run_ends_it_and_what_was_stored_stays() {
    let mut world = World::with_customers(60).await;
    world.set("partner_center.max_concurrency", "4");
    world.simulator.hold_after("usage", 8).await;
    let running = world.start(&["--backfill", "--json"]);
    until("some customers are stored", async || {
        let stored: i64 = world.value("select count(*) from sync_customer").await;
        (stored == 8).then_some(())
    })
    .await;
    world.simulator.received("usage", 12).await;
    world
        .simulator
        .patch(json!({ "grant_error": 700_082 }))
        .await;
    world
        .simulator
        .post("revoke-access-tokens", String::new())
        .await;
    world.simulator.unscript().await;
    let finished = running.finish().await;
    finished.assert_code(4);
    assert!(finished.stderr.contains("AADSTS700082"));
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "failed");
    let succeeded = summary["customers"]["succeeded"].as_i64().unwrap();
    assert!((8..60).contains(&succeeded), "{summary}");
    let stored: i64 = world
        .value("select count(*) from sync_customer where outcome = 'succeeded'")
        .await;
    assert_eq!(stored, succeeded);
    // Once the token was known to be dead, no further customer was requested.
    let asked = i64::try_from(count(&world, "usage").await).unwrap();
    assert!(asked <= succeeded + 8, "{asked} asked, {succeeded} stored");
    assert_eq!(spent(&world).await, [FIRST, "sim-refresh-1", FIRST]);
    assert_eq!(
        world
            .lines(
                "select r.outcome, r.customers_succeeded = count(*) filter (where c.outcome = \
                'succeeded')
                    from sync_run as r join sync_customer as c using (run_id) group by r.run_id"
            )
            .await,
        ["failed|true"]
    );
}

#[tokio::test]
async fn a_token_that_the_api_refuses_for_all_customers_ends_the_run() {
    let world = World::with_customers(500).await;
    world.simulator.patch(json!({ "mfa": false })).await;
    let finished = world.backfill().await;
    finished.assert_code(4);
    assert!(
        finished.stderr.contains("900421") && finished.stderr.contains("login"),
        "{}",
        finished.stderr
    );
    assert_eq!(finished.summary()["outcome"], "failed");
    assert_eq!(count(&world, "token").await, 2);
    let asked = count(&world, "usage").await;
    // The run ended before every customer was requested with the second token.
    assert!(asked < 900, "{asked} requests with a token that is refused");
}

#[tokio::test]
async fn one_customer_that_refuses_the_token_is_that_customers_failure() {
    let world = World::new().await;
    let bad = &world.simulator.customers().await[3];
    let fault = json!({ "code": "400", "description": "Access denied." });
    world
        .simulator
        .script_for_ever(bad, json!([{ "status": 401, "json": fault }]))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select reason, http_status, attempts, count(*) from sync_customer group by 1, \
                2, 3 order by 1 nulls last"
            )
            .await,
        ["unauthorized|401|2|1", "-|200|1|4"]
    );
    assert!(count(&world, "token").await <= 2);
}
