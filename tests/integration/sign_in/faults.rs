//! A sign-in service that misbehaves: what is retried, what is not, and that each command ends in
//! time.

use serde_json::{Value, json};

use crate::support::World;

const FIRST: &str = "sim-refresh-0";
const PAGE: &str = "<!DOCTYPE html><html><body>Sign in to your account</body></html>";

/// A world with two customers and a short time limit for requests.
async fn world() -> World {
    let mut world = World::with_customers(2).await;
    world.set("partner_center.request_timeout", "300ms");
    world
}

/// An access token that the API accepts.
async fn good_token(world: &World) -> String {
    let token = world.simulator.post("access-token", String::new()).await;
    token.trim().to_owned()
}

fn kept(world: &World) -> Option<String> {
    std::fs::read_to_string(world.refresh_token_path()).ok()
}

/// Scripts this answer of the token endpoint for ever, and expects a run to fail with `said` and
/// `code` after at most `most_requests` token requests.
async fn fails(world: &World, answer: Value, said: &str, code: i32, most_requests: usize) {
    world
        .simulator
        .script_for_ever("token", json!([answer]))
        .await;
    world.simulator.forget_requests().await;
    let finished = world.backfill().await;
    finished.assert_code(code);
    let last = finished.stderr.lines().last().unwrap();
    assert!(last.starts_with("seatledger: "), "{answer}: {last}");
    assert!(last.contains(said), "{answer}: {last}");
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
    let summary = finished.summary();
    assert_eq!(summary["outcome"], "failed", "{answer}");
    assert_eq!(summary["http"]["requests"], 0, "{answer}");
    let asked = world.simulator.requests("token").await.len();
    assert!((1..=most_requests).contains(&asked), "{answer}: {asked}");
}

#[tokio::test]
async fn a_passing_fault_of_the_authority_is_tried_again() {
    let world = world().await;
    let busy = json!({ "error": "temporarily_unavailable", "error_codes": [90_033] });
    for answers in [
        json!([{ "status": 500 }, { "status": 503, "text": PAGE }]),
        json!([{ "status": 400, "json": busy }]),
        json!([{ "status": 408 }, { "reset": true }]),
        json!([{ "normal": true, "cut_after": 20 }]),
        json!([{ "normal": true, "stall_after": 20 }]),
        json!([{ "text": "…", "stall_after": 0 }]),
    ] {
        world.simulator.script("token", answers.clone()).await;
        world.simulator.forget_requests().await;
        let finished = world.backfill().await;
        assert_eq!(finished.code(), 0, "{answers}: {}", finished.stderr);
        let asked = world.simulator.requests("token").await.len();
        assert_eq!(asked, answers.as_array().unwrap().len() + 1, "{answers}");
    }
}

#[tokio::test]
async fn retry_after_of_the_authority_is_obeyed() {
    let mut world = world().await;
    world.set("retry.max_elapsed_time", "5s");
    let wait = json!({ "status": 429, "headers": [["Retry-After", "1"]] });
    world.simulator.script("token", json!([wait])).await;
    world.backfill().await.assert_code(0);
    let asked = world.simulator.requests("token").await;
    let at = |n: usize| asked[n]["at_ms"].as_u64().unwrap();
    assert!(at(1) - at(0) >= 1_000, "{} {}", at(0), at(1));
}

#[tokio::test]
async fn an_authority_that_gives_no_answer_ends_the_run_in_time() {
    let world = world().await;
    for (answer, said) in [
        (json!({ "status": 500 }), "status 500"),
        (
            json!({ "status": 429, "headers": [["Retry-After", "600"]] }),
            "status 429",
        ),
        (json!({ "reset": true }), "connection"),
        (json!({ "text": "…", "stall_after": 0 }), "request_timeout"),
        (
            json!({ "normal": true, "stall_after": 30 }),
            "request_timeout",
        ),
    ] {
        fails(&world, answer, said, 1, 200).await;
    }
    assert_eq!(kept(&world), None);
}

#[tokio::test]
async fn an_answer_without_a_usable_token_is_named_as_such() {
    let world = world().await;
    for answer in [
        json!({ "text": PAGE }),
        json!({}),
        json!({ "json": {} }),
        json!({ "json": [] }),
        json!({ "status": 403, "text": PAGE }),
        json!({ "status": 302, "headers": [["Location", "/elsewhere"]] }),
        json!({ "json": { "token_type": "Bearer", "expires_in": 3600 } }),
        json!({ "json": { "access_token": "", "expires_in": 3600 } }),
        json!({ "json": { "access_token": "one\ntwo", "expires_in": 3600 } }),
        json!({ "json": { "access_token": 7 } }),
        json!({ "fill_bytes": 3_000_000 }),
    ] {
        fails(&world, answer, &world.simulator.base_url, 1, 200).await;
    }
}

#[tokio::test]
async fn an_authority_that_is_not_there_ends_the_run_in_time() {
    let mut world = world().await;
    world.set("auth.authority", "http://127.0.0.1:9");
    let finished = world.backfill().await;
    finished.assert_code(1);
    assert!(finished.stderr.contains("http://127.0.0.1:9"));
}

#[tokio::test]
async fn any_lifetime_of_a_token_is_accepted() {
    let world = world().await;
    for lifetime in [
        json!("3599"),
        json!(null),
        json!(-5),
        json!(0),
        json!("0"),
        json!(1e300),
        json!(u64::MAX),
        json!("soon"),
        json!([1]),
    ] {
        let token = good_token(&world).await;
        let answer = json!({ "json": { "access_token": token, "expires_in": lifetime } });
        world
            .simulator
            .script_for_ever("token", json!([answer]))
            .await;
        world.simulator.forget_requests().await;
        let finished = world.backfill().await;
        assert_eq!(finished.code(), 0, "{lifetime}: {}", finished.stderr);
        let asked = world.simulator.requests("token").await.len();
        assert_eq!(asked, 1, "{lifetime}");
    }
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_leaves_the_old_one() {
    let world = world().await;
    let token = good_token(&world).await;
    for refresh_token in [json!(null), json!(""), json!("  ")] {
        for file in [None, Some("the-old-one")] {
            match file {
                Some(old) => std::fs::write(world.refresh_token_path(), old).unwrap(),
                None => drop(std::fs::remove_file(world.refresh_token_path())),
            }
            let answer =
                json!({ "json": { "access_token": token, "refresh_token": refresh_token } });
            world.simulator.script("token", json!([answer])).await;
            world.backfill().await.assert_code(0);
            assert_eq!(kept(&world).as_deref(), file, "{refresh_token}");
        }
    }
    let spent = world.simulator.token_forms("refresh_token").await;
    assert_eq!(spent[..2], [FIRST, "the-old-one"]);
}

#[tokio::test]
async fn a_renewed_refresh_token_is_stored_even_if_the_access_token_is_unusable() {
    let world = world().await;
    let answer = json!({ "json": { "refresh_token": "the-new-one" } });
    world.simulator.script("token", json!([answer])).await;
    world.backfill().await.assert_code(1);
    assert_eq!(kept(&world).as_deref(), Some("the-new-one"));
}

#[tokio::test]
async fn a_refusal_is_read_in_each_of_its_forms() {
    let world = world().await;
    for refusal in [
        json!({ "error": "invalid_grant", "error_description": "AADSTS700082: \
            expired", "error_codes": null }),
        json!({ "error": "invalid_grant", "error_codes": ["700082"], "error_description": null }),
        json!({ "error": "invalid_grant", "error_codes": [700_082], "error_description": 5 }),
    ] {
        let answer = json!({ "status": 400, "json": refusal });
        fails(&world, answer, "AADSTS700082", 4, 1).await;
    }
}
