//! The requests as Partner Center sees them: headers, connections, rate.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Simulator, World, item};

fn header<'a>(request: &'a Value, name: &str) -> &'a str {
    request["headers"][name]
        .as_str()
        .unwrap_or_else(|| panic!("{name} is missing: {request}"))
}

fn at(request: &Value) -> u64 {
    request["at_ms"].as_u64().unwrap()
}

#[tokio::test]
async fn a_call_carries_the_documented_headers() {
    let mut world = World::new().await;
    world.set("partner_center.locale", "de-DE");
    world.backfill().await.assert_code(0);
    let requests = world.simulator.requests("usage").await;
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(request["method"], "GET");
        assert_eq!(request["query"], "");
        assert!(header(request, "authorization").starts_with("Bearer "));
        assert_eq!(header(request, "accept"), "application/json");
        assert_eq!(header(request, "x-locale"), "de-DE");
        assert_eq!(header(request, "ms-contract-version"), "v1");
        assert!(header(request, "accept-encoding").contains("gzip"));
        assert!(header(request, "user-agent").starts_with("seatledger/"));
        assert!(
            request["headers"].get("referer").is_none()
                && request["headers"].get("cookie").is_none()
        );
        for id in ["ms-requestid", "ms-correlationid"] {
            assert!(
                uuid::Uuid::try_parse(header(request, id)).is_ok(),
                "{request}"
            );
        }
    }
    for id in ["ms-requestid", "ms-correlationid"] {
        let different: HashSet<&str> = requests.iter().map(|request| header(request, id)).collect();
        assert_eq!(different.len(), 5, "{id}");
    }
    let signed_in = world.simulator.requests("token").await;
    assert_eq!(signed_in.len(), 1);
    assert!(signed_in[0]["headers"].get("x-locale").is_none());
}

#[tokio::test]
async fn a_retry_carries_the_ids_of_the_call_that_it_repeats() {
    let world = World::with_customers(3).await;
    let customer = &world.simulator.customers().await[1];
    let served = json!({ "items": [item(&json!({}))] });
    let answers = json!([{ "status": 503 }, { "reset": true }, { "status": 401 }, served]);
    world.simulator.script(customer, answers).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let requests = world.simulator.requests("usage").await;
    let own: Vec<&Value> = requests
        .iter()
        .filter(|request| request["path"].as_str().unwrap().contains(customer))
        .collect();
    assert_eq!(own.len(), 4);
    for id in ["ms-requestid", "ms-correlationid"] {
        let ids: HashSet<&str> = own.iter().map(|request| header(request, id)).collect();
        assert_eq!(ids.len(), 1, "{id}");
        // Microsoft's support asks for these ids.
        assert!(
            finished.stderr.contains(header(own[0], id)),
            "{}",
            finished.stderr
        );
    }
    assert_ne!(
        header(own[2], "authorization"),
        header(own[3], "authorization")
    );
    assert_eq!(
        world
            .value::<i32>("select max(attempts) from sync_customer")
            .await,
        4
    );
    assert_eq!(
        finished.summary()["http"],
        json!({ "requests": 6, "retries": 3, "throttled": 0 })
    );
}

#[tokio::test]
async fn connections_are_reused_and_no_more_requests_are_in_flight_than_allowed() {
    let mut world = World::with_customers(120).await;
    world.set("partner_center.max_concurrency", "3");
    world.simulator.patch(json!({ "latency_ms": 10 })).await;
    world.backfill().await.assert_code(0);
    let stats = world.simulator.get("stats").await;
    assert_eq!(stats["answers"]["usage"]["200"], 120, "{stats}");
    assert_eq!(stats["max_in_flight"], 3, "{stats}");
    // The connections of the sign-in and of the test itself are among them.
    assert!(stats["connections"].as_u64().unwrap() <= 8, "{stats}");
}

#[tokio::test]
async fn throttled_customers_do_not_hold_up_the_others() {
    let mut world = World::with_customers(30).await;
    world.set("partner_center.max_concurrency", "2");
    world.set("retry.max_elapsed_time", "10s");
    let mut ids = world.simulator.customers().await;
    // The order in which customers are requested.
    ids.sort();
    for id in &ids[..10] {
        let later = json!([{ "status": 429, "headers": [["Retry-After", "2"]] }]);
        world.simulator.script(id, later).await;
    }
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert_eq!(
        finished.summary()["http"],
        json!({ "requests": 40, "retries": 10, "throttled": 10 })
    );
    let requests = world.simulator.requests("usage").await;
    let place = |id: &String, nth: usize| {
        let of = |request: &&Value| request["path"].as_str().unwrap().contains(id.as_str());
        requests.iter().filter(of).nth(nth).map(at).unwrap()
    };
    for id in &ids[..10] {
        let waited = place(id, 1) - place(id, 0);
        assert!(waited >= 1_995, "waited {waited} ms");
    }
    let others = ids[10..].iter().map(|id| place(id, 0)).max().unwrap();
    let first_retry = ids[..10].iter().map(|id| place(id, 1)).min().unwrap();
    assert!(others < first_retry, "{others} and {first_retry}");
}

#[tokio::test]
async fn retry_after_is_a_lower_bound_in_seconds_and_as_a_date() {
    let mut world = World::with_customers(2).await;
    world.set("retry.max_elapsed_time", "10s");
    let ids = world.simulator.customers().await;
    let date = json!([
        ["Retry-After", "Wed, 21 Oct 2026 07:28:02 GMT"],
        ["Date", "Wed, 21 Oct 2026 07:28:00 GMT"]
    ]);
    let seconds = json!([["Retry-After", "2"]]);
    world
        .simulator
        .script(&ids[0], json!([{ "status": 429, "headers": date }]))
        .await;
    world
        .simulator
        .script(&ids[1], json!([{ "status": 503, "headers": seconds }]))
        .await;
    world.backfill().await.assert_code(0);
    let requests = world.simulator.requests("usage").await;
    let mut times: Vec<u64> = requests.iter().map(at).collect();
    times.sort_unstable();
    assert_eq!(times.len(), 4);
    assert!(
        times[2] >= times[1] + 1_950 - (times[1] - times[0]),
        "{times:?}"
    );
}

#[tokio::test]
async fn the_rate_of_requests_stays_below_its_bound() {
    let mut world = World::with_customers(30).await;
    world.set("partner_center.max_requests_per_second", "20");
    // Waiting in the queue for the rate limit counts towards a call's elapsed time.
    world.set("retry.max_elapsed_time", "30s");
    let retried = &world.simulator.customers().await[3];
    world
        .simulator
        .script(retried, json!([{ "status": 500 }, { "status": 500 }]))
        .await;
    world.backfill().await.assert_code(0);
    let times: Vec<u64> = world
        .simulator
        .requests("usage")
        .await
        .iter()
        .map(at)
        .collect();
    assert_eq!(times.len(), 32);
    let (first, last) = (times[0], times[31]);
    assert!(last - first >= 1_500, "32 requests in {} ms", last - first);
}

#[tokio::test]
async fn a_redirect_is_followed_within_the_api_and_nowhere_else() {
    let world = World::with_customers(4).await;
    let elsewhere = Simulator::start(&["--customers", "1"]).await;
    let ids = world.simulator.customers().await;
    let local = world.simulator.base_url.replace("127.0.0.1", "localhost");
    let path = |id: &str| format!("/v1/customers/{id}/analytics/licenses/usage");
    let to = |place: String| json!([{ "status": 307, "headers": [["Location", place]] }]);
    world.simulator.script(&ids[0], to(path(&ids[0]))).await;
    world
        .simulator
        .script(
            &ids[1],
            to(format!("{}{}", elsewhere.base_url, path(&ids[1]))),
        )
        .await;
    world
        .simulator
        .script(
            &ids[2],
            to(format!("//{}/", elsewhere.base_url.replace("http://", ""))),
        )
        .await;
    world
        .simulator
        .script(&ids[3], to(format!("{local}{}", path(&ids[3]))))
        .await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(elsewhere.get("requests").await, json!([]));
    let requests = world.simulator.requests("usage").await;
    assert_eq!(requests.len(), 5);
    assert!(
        requests
            .iter()
            .all(|request| header(request, "authorization").starts_with("Bearer "))
    );
    let failed = "select reason, http_status, attempts, detail like '%was not followed' from \
        sync_customer where outcome = 'failed'";
    assert_eq!(
        world.lines(failed).await,
        ["invalid_response|307|1|true"; 3]
    );
    assert_eq!(
        world
            .lines("select customer_id from sync_customer where outcome = 'succeeded'")
            .await,
        ids[..1]
    );
}

#[tokio::test]
async fn no_secret_is_in_the_logs_at_any_level() {
    let mut world = World::new().await;
    world.set("log.filter", "trace");
    let customer = &world.simulator.customers().await[0];
    world
        .simulator
        .script(
            customer,
            json!([{ "status": 401 }, { "status": 503 }, { "reset": true }]),
        )
        .await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    assert!(finished.stderr.contains("TRACE"), "{}", finished.stderr);
    let requests = world.simulator.get("requests").await;
    let requests = requests.as_array().unwrap();
    let mut secrets: HashSet<&str> = HashSet::new();
    for request in requests {
        if let Some(bearer) = request["headers"]["authorization"].as_str() {
            secrets.insert(bearer.strip_prefix("Bearer ").unwrap());
        }
        for field in ["refresh_token", "client_secret"] {
            secrets.extend(request["form"][field].as_str());
        }
    }
    assert!(secrets.len() >= 4, "{secrets:?}");
    for secret in secrets {
        assert!(
            !finished.stderr.contains(secret),
            "{secret} in {}",
            finished.stderr
        );
        assert!(
            !finished.stdout.contains(secret),
            "{secret} in {}",
            finished.stdout
        );
    }
}
