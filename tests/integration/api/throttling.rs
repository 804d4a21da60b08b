//! Limits of the API: whether they are the partner's or one customer's, how they are learned and
//! kept, and how much is retried when every call fails.

use serde_json::{Value, json};

use crate::support::World;

/// When a request was received, in milliseconds.
fn at(request: &Value) -> u64 {
    request["at_ms"].as_u64().unwrap()
}

/// A refusal with this `Retry-After`.
fn refused(retry_after: &str) -> Value {
    json!({ "status": 429, "headers": [["Retry-After", retry_after]] })
}

async fn times(world: &World) -> Vec<u64> {
    let requests = world.simulator.requests("usage").await;
    requests.iter().map(at).collect()
}

#[tokio::test]
async fn a_limit_of_the_partner_pauses_all_customers() {
    let mut world = World::with_customers(40).await;
    world.set("partner_center.max_concurrency", "2");
    world.set("retry.max_elapsed_time", "50s");
    world.simulator.patch(json!({ "latency_ms": 150 })).await;
    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received("usage", 1).await;
    // Three more calls are served, and then none for two seconds. The refusals ask for a wait of at
    // least three seconds, so that only `Retry-After` explains a gap longer than two.
    let limit = json!({ "burst": 3, "rate_schedule": [[0, 0.25], [2, null]] });
    world.simulator.patch(limit).await;
    let finished = running.finish().await;
    finished.assert_code(0);

    let refused = finished.summary()["http"]["throttled"].as_u64().unwrap();
    let times = times(&world).await;
    assert_eq!(times.len() as u64, 40 + refused);
    // The calls under way at the first refusal, and the probes of the limit.
    assert!((2..=5).contains(&refused), "{refused} refused: {times:?}");
    let longest = times.windows(2).map(|pair| pair[1] - pair[0]).max();
    assert!(longest.unwrap() >= 2_500, "{times:?}");
}

#[tokio::test]
async fn a_limit_of_one_customer_delays_no_other() {
    let mut world = World::with_customers(60).await;
    world.set("retry.max_elapsed_time", "20s");
    let ids = world.simulator.customers().await;
    let bad = [&ids[9], &ids[10], &ids[30]];
    for (id, retry_after) in bad.iter().zip(["4", "4", "3600"]) {
        let refused = json!([refused(retry_after)]);
        world.simulator.script(id, refused).await;
    }
    let finished = world.backfill().await;
    finished.assert_code(3);
    let failed = "select customer_id, reason, attempts from sync_customer where outcome = 'failed'";
    assert_eq!(
        world.lines(failed).await,
        [format!("{}|throttled|1", ids[30].to_lowercase())]
    );
    let requests = world.simulator.requests("usage").await;
    assert_eq!(requests.len(), 62);
    // All others were asked before the two came again.
    let others = requests[..60].iter().map(at).max().unwrap();
    let again = requests[60..].iter().map(at).min().unwrap();
    assert!(again > others, "{others} and {again}");
}

#[tokio::test]
async fn absurd_retry_afters_of_a_few_customers_do_not_delay_the_others() {
    let mut world = World::with_customers(60).await;
    world.set("retry.max_elapsed_time", "6s");
    let ids = world.simulator.customers().await;
    for (place, retry_after) in [
        (0, "3600"),
        (1, "99999999999999999999"),
        (2, ""),
        (40, "3600"),
    ] {
        world
            .simulator
            .script_for_ever(&ids[place], json!([refused(retry_after)]))
            .await;
    }
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(finished.summary()["customers"]["failed"], 4);
    // All others were asked before the customer without a usable header was given up.
    let requests = world.simulator.requests("usage").await;
    let last = |of: &dyn Fn(&str) -> bool| {
        let times = requests
            .iter()
            .filter(|request| of(request["path"].as_str().unwrap()));
        times.map(at).max().unwrap()
    };
    let others = last(&|path| {
        let bad = [0, 1, 2, 40];
        !bad.iter().any(|place| path.contains(&ids[*place]))
    });
    let retried = last(&|path| path.contains(&ids[2]));
    assert!(others < retried, "{others} and {retried}");
}

#[tokio::test]
async fn a_limit_is_learned_and_kept() {
    let mut world = World::with_customers(200).await;
    world.set("retry.max_elapsed_time", "50s");
    let limit = json!({ "rate_limit": 50, "burst": 10, "latency_ms": 5 });
    world.simulator.patch(limit).await;
    let finished = world.backfill().await;
    finished.assert_code(0);
    let http = &finished.summary()["http"];
    assert_eq!(http["requests"], 200 + http["throttled"].as_u64().unwrap());
    // Without learning, most customers would be refused at least once.
    assert!(http["throttled"].as_u64().unwrap() < 100, "{http}");
}

#[tokio::test]
async fn when_everything_fails_few_calls_are_retried() {
    let mut world = World::with_customers(200).await;
    world.set("retry.max_elapsed_time", "5s");
    let failing = json!([{ "status": 503 }]);
    world.simulator.script_for_ever("usage", failing).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    let summary = finished.summary();
    assert_eq!(summary["customers"]["failed"], 200);
    let http = &summary["http"];
    let (requests, retries) = (&http["requests"], &http["retries"]);
    let (requests, retries) = (requests.as_u64().unwrap(), retries.as_u64().unwrap());
    let asked: i64 = world
        .value("select count(*) from sync_customer where attempts > 0")
        .await;
    assert_eq!(requests, u64::try_from(asked).unwrap() + retries);
    assert!(retries * 5 < requests, "{http}");
    assert!(retries >= 20, "{http}");
    // The reason is the server's last answer, not that the retry budget was spent.
    assert_eq!(
        world
            .lines("select distinct reason, http_status from sync_customer where attempts > 0")
            .await,
        ["server_error|503"]
    );
}

#[tokio::test]
async fn a_partner_that_is_refused_for_ever_is_given_up_in_time() {
    let mut world = World::with_customers(400).await;
    world.set("retry.max_elapsed_time", "4s");
    // The first calls are served, so that the API does not count as down from the beginning.
    let limit = json!({ "rate_limit": 0.001, "burst": 20 });
    world.simulator.patch(limit).await;
    let finished = world.backfill().await;
    finished.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select outcome, sum(count(*)) over (partition by outcome) from sync_customer \
                group by outcome order by 1"
            )
            .await,
        ["failed|380", "succeeded|20"]
    );
    // Customers that were requested failed as throttled; the others record why they were not
    // requested.
    assert_eq!(
        world
            .lines(
                "select distinct reason, detail like 'not reached: %' from sync_customer where \
                outcome = 'failed' order by 1"
            )
            .await,
        ["interrupted|true", "throttled|false"]
    );
    // Most customers were not requested at all.
    let requests = world.simulator.requests("usage").await.len();
    assert!(requests < 100, "{requests}");
}

#[tokio::test]
async fn without_retries_the_partners_limit_fails_only_the_customers_it_refuses() {
    let mut world = World::with_customers(40).await;
    world.set("partner_center.max_concurrency", "2");
    world.set("retry.max_elapsed_time", "0s");
    world.simulator.patch(json!({ "latency_ms": 150 })).await;
    let running = world.start(&["--backfill", "--json"]);
    world.simulator.received("usage", 1).await;
    let limit = json!({ "burst": 3, "rate_schedule": [[0, 0.25], [2, null]] });
    world.simulator.patch(limit).await;
    let finished = running.finish().await;
    finished.assert_code(3);
    let summary = finished.summary();
    // No customer fails without having been requested.
    assert_eq!(summary["http"]["requests"], 40, "{summary}");
    let refused = &summary["http"]["throttled"];
    assert_eq!(summary["customers"]["failed"], *refused, "{summary}");
    assert!(refused.as_u64().unwrap() <= 5, "{summary}");
}

#[tokio::test]
async fn customers_that_are_all_refused_once_are_served_as_soon_as_they_have_waited() {
    for retry_after in ["0", "1"] {
        let mut world = World::with_customers(40).await;
        world.set("retry.max_elapsed_time", "50s");
        for customer in world.simulator.customers().await {
            world
                .simulator
                .script(&customer, json!([refused(retry_after)]))
                .await;
        }
        let finished = world.backfill().await;
        finished.assert_code(0);
        assert_eq!(finished.summary()["http"]["throttled"], 40);
    }
}

#[tokio::test]
async fn a_pause_shows_in_the_log_and_on_the_status_address_while_it_lasts() {
    let mut world = World::with_customers(30).await;
    world.set("retry.max_elapsed_time", "10m");
    world.set("status.listen", "127.0.0.1:0");
    // The next call after the first one is allowed in a hundred seconds.
    let limit = json!({ "rate_limit": 0.01, "burst": 1 });
    world.simulator.patch(limit).await;
    let daemon = world.start(&[]);
    daemon.says("all calls wait").await;
    let said = daemon.stderr();
    let line = |words: &str| {
        let found = said.lines().find(|line| line.contains(words));
        serde_json::from_str::<Value>(found.unwrap()).unwrap()
    };
    let pause = line("all calls wait");
    assert_eq!(pause["level"], "INFO");
    assert!(pause["wait_ms"].as_u64().unwrap() > 30_000, "{pause}");
    let address = line("Serving the status address")["address"].clone();
    let get = async |path: &str| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://{}{path}", address.as_str().unwrap());
        client.get(url).send().await.unwrap().text().await.unwrap()
    };
    let status: Value = serde_json::from_str(&get("/").await).unwrap();
    let throttle = &status["throttle"];
    assert!(throttle["paused_until"].is_string(), "{throttle}");
    assert!(
        throttle["refused"]["tenant"].as_u64().unwrap() >= 3,
        "{throttle}"
    );
    let metrics = get("/metrics").await;
    assert!(
        metrics.contains("seatledger_throttle_paused 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("seatledger_allowed_requests_per_second"),
        "{metrics}"
    );
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
