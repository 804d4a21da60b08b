//! The metrics for Prometheus. Their names are an interface.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::support::{Running, Server, World, get, until};

/// Every sample by its name and labels.
type Samples = BTreeMap<String, f64>;

/// The page as text.
async fn scrape(url: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().unwrap();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    answer.text().await.unwrap()
}

fn samples(page: &str) -> Samples {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let samples = lines.map(|line| line.rsplit_once(' ').unwrap());
    samples
        .map(|(named, value)| (named.to_owned(), value.parse().unwrap()))
        .collect()
}

/// The page once `is_there` is true of it.
async fn scrape_until(url: &str, what: &str, is_there: impl Fn(&Samples) -> bool) -> Samples {
    until(what, async || {
        let found = samples(&scrape(url).await);
        is_there(&found).then_some(found)
    })
    .await
}

fn has(samples: &Samples, series: &str, value: f64) -> bool {
    let found = samples.get(&format!("seatledger_{series}"));
    found.is_some_and(|found| (found - value).abs() < 1e-9)
}

/// A daemon that has done a run over three customers, one of which failed.
async fn after_a_run(server: &Server) -> (World, Running, String) {
    let mut world = World::on_server(server, 3).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("partner_center.max_requests_per_second", "1000");
    let bad = world.simulator.customers().await[2].clone();
    let forbidden = json!([{ "status": 403 }]);
    world.simulator.script_for_ever(&bad, forbidden).await;
    let daemon = world.start(&[]);
    let url = format!("{}metrics", daemon.status_address().await);
    daemon.says("Waiting for the next run").await;
    scrape_until(&url, "the run is known", |samples| {
        has(samples, "last_run_outcome{outcome=\"partial\"}", 1.0)
    })
    .await;
    (world, daemon, url)
}

async fn stop(daemon: Running) {
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

/// The metrics of a page as lines of the table in `docs/watching.md`.
fn table(page: &str) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for line in page.lines() {
        let Some((name, help)) = line
            .strip_prefix("# HELP ")
            .and_then(|it| it.split_once(' '))
        else {
            continue;
        };
        let kind = format!("# TYPE {name} ");
        let kind = page
            .lines()
            .find_map(|line| line.strip_prefix(&kind))
            .unwrap();
        let mut labels = BTreeSet::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (named, _) = line.split_once(['{', ' ']).unwrap();
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| named.strip_suffix(end))
                .filter(|_| kind == "histogram")
                .unwrap_or(named);
            let Some((_, rest)) = line.split_once('{').filter(|_| base == name) else {
                continue;
            };
            let rest = rest.rsplit_once('}').unwrap().0;
            let named = rest
                .split("\",")
                .map(|pair| pair.split_once('=').unwrap().0);
            labels.extend(named.map(|label| format!("`{label}`")));
        }
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        let help = help.trim_end_matches('.');
        lines.insert(format!("| `{name}` | {kind} | {labels} | {help} |"));
    }
    lines
}

#[tokio::test]
async fn the_documentation_has_each_metric_with_its_type_labels_and_meaning() {
    let server = Server::start();
    let (_world, daemon, url) = after_a_run(&server).await;
    let rendered = table(&scrape(&url).await);
    let mut text = include_str!("../../../docs/watching.md").to_owned();
    if cfg!(feature = "otel") {
        text.push_str(include_str!("../../../docs/tracing.md"));
    }
    let documented: BTreeSet<String> = text
        .lines()
        .filter(|line| line.starts_with("| `seatledger_") || line.starts_with("| `process_"))
        .map(str::to_owned)
        .collect();
    let rendered_as = rendered.iter().cloned().collect::<Vec<_>>().join("\n");
    assert!(
        rendered == documented,
        "docs/watching.md should have:\n{rendered_as}"
    );
    stop(daemon).await;
}

#[tokio::test]
async fn the_page_is_one_that_prometheus_takes() {
    let promtool = "promtool";
    if Command::new(promtool).arg("--version").output().is_err() {
        let said = "SKIPPED: no promtool; install the package prometheus to check the metrics\n";
        std::io::stderr().write_all(said.as_bytes()).unwrap();
        return;
    }
    let server = Server::start();
    let (_world, daemon, url) = after_a_run(&server).await;
    let page = scrape(&url).await;
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(page.as_bytes()).unwrap();
    drop(stdin);
    let checked = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}");
    stop(daemon).await;
}

#[tokio::test]
async fn the_metrics_count_a_run_and_know_the_ledger_even_without_a_database() {
    let server = Server::start();
    let (world, daemon, url) = after_a_run(&server).await;
    let seen = samples(&scrape(&url).await);
    let is = |series: &str, value: f64| {
        assert!(has(&seen, series, value), "{series} in {seen:#?}");
    };
    is("database_up", 1.0);
    is("leader", 1.0);
    is("run_in_progress", 0.0);
    is("run_customers_pending", 0.0);
    is("runs_total{outcome=\"partial\"}", 1.0);
    is("runs_total{outcome=\"succeeded\"}", 0.0);
    is("customers_done_total{outcome=\"succeeded\"}", 2.0);
    is("customers_done_total{outcome=\"failed\"}", 1.0);
    is("customers{state=\"failing\"}", 1.0);
    is("customers{state=\"active\"}", 2.0);
    is("api_requests_total{dataset=\"usage\",code=\"200\"}", 2.0);
    is("api_requests_total{dataset=\"usage\",code=\"403\"}", 1.0);
    is("api_request_duration_seconds_count", 3.0);
    is("api_requests_in_flight", 0.0);
    is("allowed_requests_per_second", 1000.0);
    is("rejected_rows", 0.0);
    is("last_run_outcome{outcome=\"partial\"}", 1.0);
    is(
        "standing_error_since_timestamp_seconds{part=\"database\"}",
        0.0,
    );
    let rows: i64 = world.value("select count(*) from license_usage").await;
    #[expect(clippy::cast_precision_loss, reason = "the test has few rows")]
    let rows = rows as f64;
    is("last_run_rows", rows);
    is("rows_total{fate=\"inserted\"}", rows);
    is("items_total{fate=\"row\"}", rows);
    let schema: i64 = world
        .value("select max(version) from _sqlx_migrations")
        .await;
    #[expect(clippy::cast_precision_loss, reason = "a version has 14 digits")]
    is("schema_version", schema as f64);
    let at = |name: &str| seen[&format!("seatledger_{name}_timestamp_seconds")];
    let now: f64 = world
        .value("select extract(epoch from now())::float8")
        .await;
    assert!((at("last_success") - now).abs() < 120.0, "{seen:#?}");
    assert!(at("next_run") > now && at("success_due") > at("last_success"));
    let left = at("refresh_token_expiry") - now;
    assert!(
        (89.0 * 86_400.0..=90.0 * 86_400.0).contains(&left),
        "{left}"
    );

    server.stop();
    let seen = scrape_until(&url, "the database is away", |samples| {
        has(samples, "database_up", 0.0)
    })
    .await;
    let since = seen["seatledger_standing_error_since_timestamp_seconds{part=\"database\"}"];
    assert!(since >= now, "{since}");
    // What was known is still shown.
    assert!(has(&seen, "customers{state=\"failing\"}", 1.0));
    assert!(has(
        &seen,
        "customers_done_total{outcome=\"succeeded\"}",
        2.0
    ));
    let (code, body) = get(&url.replace("metrics", "readyz")).await;
    assert_eq!(code, 503, "{body}");
    stop(daemon).await;
}

#[tokio::test]
async fn a_run_under_way_is_counted_while_it_is_under_way() {
    let mut world = World::with_customers(3).await;
    world.set("status.listen", "127.0.0.1:0");
    let held = world.simulator.customers().await[2].clone();
    let slow = json!([{ "delay_ms": 600_000 }]);
    world.simulator.script_for_ever(&held, slow).await;
    let daemon = world.start(&[]);
    let url = format!("{}metrics", daemon.status_address().await);
    let seen = scrape_until(&url, "one customer is left", |samples| {
        has(samples, "run_customers_pending", 1.0)
    })
    .await;
    for (series, value) in [
        ("run_in_progress", 1.0),
        ("api_requests_in_flight", 1.0),
        ("customers_done_total{outcome=\"succeeded\"}", 2.0),
        ("runs_total{outcome=\"succeeded\"}", 0.0),
    ] {
        assert!(has(&seen, series, value), "{series} in {seen:#?}");
    }
    daemon.signal("TERM");
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
