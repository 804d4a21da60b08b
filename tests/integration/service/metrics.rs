//! The metrics for Prometheus. Their names are an interface.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::support::{Server, World};

/// Every sample by its name and labels.
async fn scrape(url: &str) -> BTreeMap<String, f64> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client
        .get(url)
        .timeout(Duration::from_secs(30))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = answer.text().await.unwrap();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let samples = samples.map(|line| line.rsplit_once(' ').unwrap());
    // The name of this machine differs from machine to machine.
    let name = |name: &str| match name.split_once("{host=") {
        Some((name, _)) => format!("{name}{{host}}"),
        None => name.to_owned(),
    };
    samples
        .map(|(named, value)| (name(named), value.parse().unwrap()))
        .collect()
}

#[tokio::test]
async fn the_metrics_show_both_runs_and_the_consent_even_without_a_database() {
    let server = Server::start();
    let mut world = World::on_server(&server, 3).await;
    world.set("status.listen", "127.0.0.1:0");
    let bad = world.simulator.customers().await[2].clone();
    let forbidden = serde_json::json!([{ "status": 403 }]);
    world.simulator.script_for_ever(&bad, forbidden).await;
    let daemon = world.start(&[]);
    let url = format!("{}metrics", daemon.status_address().await);
    daemon.says("Waiting for the next run").await;
    let seen = scrape(&url).await;
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "seatledger_api_paused",
            "seatledger_api_paused_seconds_total",
            "seatledger_api_requests_in_flight",
            "seatledger_api_requests_refused_total{scope=\"customer\"}",
            "seatledger_api_requests_refused_total{scope=\"tenant\"}",
            "seatledger_consent_age_seconds",
            "seatledger_database_up",
            "seatledger_last_run_customers",
            "seatledger_last_run_customers_done{outcome=\"failed\"}",
            "seatledger_last_run_customers_done{outcome=\"succeeded\"}",
            "seatledger_last_run_duration_seconds",
            "seatledger_last_run_finished_timestamp_seconds",
            "seatledger_last_run_outcome{outcome=\"failed\"}",
            "seatledger_last_run_outcome{outcome=\"interrupted\"}",
            "seatledger_last_run_outcome{outcome=\"partial\"}",
            "seatledger_last_run_outcome{outcome=\"succeeded\"}",
            "seatledger_last_run_rows{kind=\"inserted\"}",
            "seatledger_last_run_rows{kind=\"received\"}",
            "seatledger_last_run_rows{kind=\"rejected\"}",
            "seatledger_last_run_rows{kind=\"unchanged\"}",
            "seatledger_last_run_rows{kind=\"updated\"}",
            "seatledger_leader",
            "seatledger_leader_since_timestamp_seconds{host}",
            "seatledger_next_run_timestamp_seconds",
            "seatledger_notifications_total{target=\"ping\",outcome=\"delivered\"}",
            "seatledger_notifications_total{target=\"ping\",outcome=\"failed\"}",
            "seatledger_notifications_total{target=\"webhook\",outcome=\"delivered\"}",
            "seatledger_notifications_total{target=\"webhook\",outcome=\"failed\"}",
            "seatledger_refresh_token_left_seconds",
        ]
    );
    let is = |name: &str, value: f64| {
        let found = seen[&format!("seatledger_{name}")];
        assert!((found - value).abs() < 0.5, "{name} is {found}");
    };
    is("database_up", 1.0);
    is("leader", 1.0);
    is("last_run_customers", 3.0);
    is("last_run_customers_done{outcome=\"failed\"}", 1.0);
    is("last_run_outcome{outcome=\"partial\"}", 1.0);
    is("last_run_outcome{outcome=\"succeeded\"}", 0.0);
    assert!(seen["seatledger_last_run_rows{kind=\"inserted\"}"] > 0.0);
    let left = seen["seatledger_refresh_token_left_seconds"];
    assert!(
        (89.0 * 86_400.0..=90.0 * 86_400.0).contains(&left),
        "{left}"
    );

    server.stop();
    let seen = scrape(&url).await;
    let names: Vec<_> = seen.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "seatledger_api_paused",
            "seatledger_api_paused_seconds_total",
            "seatledger_api_requests_in_flight",
            "seatledger_api_requests_refused_total{scope=\"customer\"}",
            "seatledger_api_requests_refused_total{scope=\"tenant\"}",
            "seatledger_consent_age_seconds",
            "seatledger_database_up",
            "seatledger_leader",
            "seatledger_leader_since_timestamp_seconds{host}",
            "seatledger_next_run_timestamp_seconds",
            "seatledger_notifications_total{target=\"ping\",outcome=\"delivered\"}",
            "seatledger_notifications_total{target=\"ping\",outcome=\"failed\"}",
            "seatledger_notifications_total{target=\"webhook\",outcome=\"delivered\"}",
            "seatledger_notifications_total{target=\"webhook\",outcome=\"failed\"}",
            "seatledger_refresh_token_left_seconds",
        ]
    );
    assert!(seen["seatledger_database_up"].abs() < 0.5);
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
