//! `seatledger check`: the result of each part, and the estimate of a full run.

use serde_json::json;

use crate::support::World;

#[tokio::test]
async fn every_part_is_tried_and_a_full_run_estimated() {
    let mut world = World::with_customers(8).await;
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    let parts: Vec<&str> = check
        .stdout
        .lines()
        .map(|line| line.get(..20).unwrap_or(line).trim_end())
        .collect();
    assert_eq!(
        parts,
        [
            "ok    configuration",
            "ok    database",
            "ok    session",
            "ok    schema",
            "ok    rights",
            "ok    schedule",
            "ok    token file",
            "ok    sign-in",
            "ok    customers",
            "ok    usage",
            "ok    MFA",
            "ok    estimate"
        ],
        "{}",
        check.stdout
    );
    for said in [
        "about 8 calls",
        "the next tick is 20",
        "no daemon runs that would do it",
        " from the environment",
    ] {
        assert!(check.stdout.contains(said), "{said}: {}", check.stdout);
    }
    assert!(
        check.stdout.contains("going by this one customer"),
        "{}",
        check.stdout
    );
    assert_eq!(world.simulator.requests("usage").await.len(), 1);
    let probes = world.simulator.requests("customers").await;
    assert_eq!(probes.len(), 1);
    assert_eq!(probes[0]["headers"]["validatemfa"], "true");

    world.backfill().await.assert_code(0);
    world.set("partner_center.datasets", "usage,deployment");
    world
        .execute(
            "update sync_run set learned_rate = 2, rows_received = 80, customers_succeeded = 8",
        )
        .await;
    let check = world.run(&["check"]).await;
    check.assert_code(0);
    assert!(
        check.stdout.contains(
            "a full run takes about 16 calls, 8 seconds at 2.0 requests a second (as the last \
                run learned), and brings about 80 rows (going by earlier runs)"
        ),
        "{}",
        check.stdout
    );
}

#[tokio::test]
async fn a_token_without_multi_factor_proof_is_named_as_the_thing_to_mend() {
    let world = World::new().await;
    world.simulator.patch(json!({ "mfa": false })).await;
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    let last = check.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("mend"), "{last}");
    assert!(last.contains("multi-factor"), "{last}");
}

#[tokio::test]
async fn a_token_that_passes_for_now_and_is_not_compliant_is_named_too() {
    let world = World::new().await;
    let answer = json!([{ "status": 200, "headers": [["isMfaCompliant", "false"]], "json": {} }]);
    world.simulator.script_for_ever("customers", answer).await;
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    let last = check.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("mend  MFA"), "{last}");
    assert!(last.contains("sign in again"), "{last}");
}

#[tokio::test]
async fn a_refused_call_is_reported_with_what_to_do() {
    let world = World::new().await;
    let customer = &world.simulator.customers().await[0];
    for (status, named, advice, code) in [
        (403, "900329", "auth.method", 4),
        (403, "900308", "role", 4),
        (403, "20002", "commerce relationship", 4),
        // Exit code 1, not 4, because the API has also given this answer while it was out of order.
        (404, "1000", "base_url", 1),
    ] {
        let body = json!({ "code": named, "description": "no" });
        let answer = json!([{ "status": status, "json": body }]);
        world.simulator.script_for_ever(customer, answer).await;
        let check = world.run(&["check"]).await;
        check.assert_code(code);
        let last = check.stdout.lines().last().unwrap_or_default();
        assert!(last.starts_with("mend  usage"), "{last}");
        assert!(last.contains(named) && last.contains(advice), "{last}");
    }
}

#[tokio::test]
async fn a_token_file_that_cannot_be_replaced_is_found_before_a_token_is_spent() {
    let mut world = World::new().await;
    let file = world.folder.path().join("nowhere").join("refresh_token");
    world.set("auth.refresh_token_file", file.to_str().unwrap());
    let check = world.run(&["check"]).await;
    check.assert_code(4);
    let last = check.stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("mend  token file"), "{last}");
    assert!(last.contains(file.to_str().unwrap()), "{last}");
    assert_eq!(world.simulator.requests("token").await.len(), 0);
}

#[tokio::test]
async fn the_same_can_be_had_as_json_which_names_the_first_thing_to_mend() {
    let mut world = World::new().await;
    let check = world.run(&["check", "--json"]).await;
    let form = check.assert_code(0).summary();
    assert_eq!((&form["version"], &form["ok"]), (&json!(1), &json!(true)));
    let parts = form["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 12, "{form}");
    assert_eq!(parts[0]["part"], "configuration", "{form}");
    assert!(parts.iter().all(|part| part["remedy"].is_null()), "{form}");

    world.simulator.patch(json!({ "mfa": false })).await;
    let form = world.run(&["check", "--json"]).await;
    let form = form.assert_code(4).summary();
    assert_eq!(form["ok"], false, "{form}");
    let parts = form["parts"].as_array().unwrap();
    let first = parts.iter().find(|part| part["part"] == form["first"]);
    assert_eq!(first.unwrap()["remedy"], "person", "{form}");

    world.set("schedule.timezone", "Mars");
    let form = world.run(&["check", "--json"]).await;
    let form = form.assert_code(78).summary();
    assert_eq!(form["first"], "configuration", "{form}");
    assert!(form["parts"][0]["what"].as_str().unwrap().contains("Mars"));
}
