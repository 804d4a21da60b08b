//! What proxies and gateways on the way do: they throttle with 503, close HTTP/2 connections,
//! refuse streams, send a request to the wrong server, and pack bodies in ways of their own.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use crate::support::answers::{answer, gzipped, two_items};
use crate::support::{H2Server, Turn, World};

/// A partner whose API is served over HTTP/2.
async fn over_http2(
    customers: usize,
    turns: impl Fn(u64) -> Turn + Send + Sync + 'static,
) -> (World, H2Server) {
    let mut world = World::with_customers(customers).await;
    let server = H2Server::start(world.folder.path(), turns).await;
    world.set("partner_center.base_url", &server.base_url);
    world.set("auth.method", "access_token");
    world.set("auth.access_token", "an-access-token");
    for key in ["auth.client_secret", "auth.refresh_token"] {
        world.unset(key);
    }
    world.set_variable("SSL_CERT_FILE", &server.certificate);
    world.set("log.filter", "info,seatledger=debug");
    (world, server)
}

#[tokio::test]
async fn connections_that_a_server_closes_are_no_failures_of_the_calls() {
    // The first connection is closed at once and none of its requests is processed. The others are
    // closed at every tenth request.
    let (world, server) = over_http2(60, |request| match request % 10 {
        0 => Turn::GoAway,
        _ => Turn::Serve,
    })
    .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let summary = finished.summary();
    assert_eq!(summary["customers"]["succeeded"], 60, "{summary}");
    assert_eq!(
        summary["http"],
        json!({ "requests": 60, "retries": 0, "throttled": 0 })
    );
    assert!(server.connections() > 3, "{}", server.connections());
    // One event for each closed connection, and none of them is a warning.
    let lost = finished
        .stderr
        .matches("took no more requests on a connection")
        .count();
    assert!(lost >= 1 && lost <= server.connections(), "{lost}");
    assert!(!finished.stderr.contains("WARN"), "{}", finished.stderr);
}

#[tokio::test]
async fn requests_on_refused_streams_are_sent_again_and_cost_no_retry() {
    let (world, _server) = over_http2(60, |request| match request % 3 {
        2 => Turn::Refuse,
        _ => Turn::Serve,
    })
    .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(
        finished.summary()["http"],
        json!({ "requests": 60, "retries": 0, "throttled": 0 })
    );
}

#[tokio::test]
async fn a_server_that_refuses_every_stream_is_given_up() {
    let (world, _server) = over_http2(3, |_| Turn::Refuse).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(
        world
            .lines("select distinct reason from sync_customer where attempts > 0")
            .await,
        ["connection"]
    );
}

#[tokio::test]
async fn a_misdirected_request_is_sent_again_on_another_connection() {
    let (world, server) = over_http2(20, |_| Turn::MisdirectedOnFirst).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 20);
    // The first connection is no longer used.
    assert!(server.connections() >= 2, "{}", server.connections());
    let retries = finished.summary()["http"]["retries"].as_u64().unwrap();
    assert!((1..=10).contains(&retries), "{retries}");
}

#[tokio::test]
async fn a_request_that_is_always_misdirected_fails_after_three_attempts() {
    let world = World::with_customers(4).await;
    let customer = &world.simulator.customers().await[1];
    world
        .simulator
        .script_for_ever(customer, json!([{ "status": 421 }]))
        .await;
    world.backfill().await.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select reason, http_status, attempts from sync_customer where outcome = 'failed'"
            )
            .await,
        ["other|421|3"]
    );
}

/// `count` answers of a proxy that throttles.
fn refused(count: usize, status: u16, headers: &serde_json::Value) -> serde_json::Value {
    std::iter::repeat_n(json!({ "status": status, "headers": headers }), count).collect()
}

/// Each customer is refused once with this status and served a second later.
async fn is_throttled_by(status: u16) {
    let mut world = World::with_customers(3).await;
    world.set("retry.max_elapsed_time", "20s");
    let headers = json!([["Retry-After", "1"]]);
    for customer in world.simulator.customers().await {
        let script = refused(1, status, &headers);
        world.simulator.script(&customer, script).await;
    }
    let began = Instant::now();
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["http"]["requests"], 6, "{status}");
    assert!(began.elapsed() >= Duration::from_secs(1), "{status}");
}

#[tokio::test]
async fn a_proxy_may_throttle_with_any_status_that_says_when_to_come_again() {
    let statuses = [403, 413, 429, 430, 502, 503, 504, 509, 529];
    join_all(statuses.map(is_throttled_by)).await;
}

#[tokio::test]
async fn a_throttle_by_503_starves_no_customer() {
    // The first calls are served, so that the API does not count as down from the beginning.
    let mut world = World::with_customers(300).await;
    world.set("retry.initial_interval", "1s");
    world.set("retry.max_interval", "60s");
    world.set("retry.max_elapsed_time", "5m");
    let normal = std::iter::repeat_n(json!({ "normal": true }), 40);
    let refused = refused(25, 503, &json!([]));
    let script = normal.chain(refused.as_array().unwrap().clone()).collect();
    world.simulator.script("usage", script).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(finished.summary()["customers"]["succeeded"], 300);
}

/// Every call is refused for three seconds. A call may wait up to ten times as long, so all
/// succeed.
async fn a_short_throttle_costs_its_own_length(customers: usize) {
    let mut world = World::with_customers(customers).await;
    world.set("retry.initial_interval", "1s");
    world.set("retry.max_interval", "60s");
    world.set("retry.max_elapsed_time", "30s");
    let limit =
        json!({ "burst": 1, "rate_schedule": [[0, 0.0001], [3, null]], "retry_after": "none" });
    world.simulator.patch(limit).await;
    let finished = world.backfill().await;
    assert_eq!(finished.code(), 0, "{customers}: {}", finished.stderr);
}

#[tokio::test]
async fn a_short_throttle_costs_any_number_of_customers_its_own_length() {
    join_all([1, 2, 6, 12, 60].map(a_short_throttle_costs_its_own_length)).await;
}

#[tokio::test]
async fn bodies_are_unpacked_however_a_proxy_names_their_encoding() {
    let world = World::with_customers(8).await;
    let ids = world.simulator.customers().await;
    let body = two_items();
    let packed = gzipped(body.as_bytes());
    let (half, other) = body.as_bytes().split_at(body.len() / 2);
    let members = [gzipped(half), gzipped(other)].concat();
    let coding = |name: &str| json!({ "headers": [["Content-Encoding", name]] });
    for (id, scripted) in ids.iter().zip([
        answer(&packed, coding("GZIP")),
        answer(&packed, coding("x-gzip")),
        answer(&members, coding("gzip")),
        answer(&packed, json!({})),
        answer(&body, coding("identity")),
        answer(gzipped(&packed), coding("gzip, gzip")),
        answer(&packed, coding("br")),
    ]) {
        world.simulator.script(id, json!([scripted])).await;
    }
    world.backfill().await.assert_code(3);
    let failed = world
        .lines(
            "select customer_id, reason, attempts, detail like '%\"br\"%' from sync_customer \
            where outcome = 'failed'",
        )
        .await;
    assert_eq!(
        failed,
        [format!("{}|invalid_response|1|true", ids[6].to_lowercase())]
    );
}

#[tokio::test]
async fn a_failed_attempt_names_its_customer_in_its_message() {
    for format in ["text", "json"] {
        let mut world = World::with_customers(3).await;
        world.set("log.format", format);
        let customer = &world.simulator.customers().await[1];
        world
            .simulator
            .script(customer, json!([{ "status": 500 }]))
            .await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        let told = format!(
            "Attempt 1 for customer {} failed: status 500",
            customer.to_lowercase()
        );
        assert!(finished.stderr.contains(&told), "{}", finished.stderr);
    }
}
