//! Alerts and dashboards ask for what exists.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{Server, World, get, root, until};

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The names of the alerts.
fn alerts(rules: &str) -> BTreeSet<&str> {
    let lines = rules.lines().map(str::trim);
    lines
        .filter_map(|line| line.strip_prefix("- alert: "))
        .collect()
}

#[test]
fn each_alert_has_a_section_that_its_runbook_url_leads_to_and_a_test() {
    let rules = read("monitoring/seatledger.rules.yml");
    let tests: String = ["days", "figures", "service"]
        .map(|name| read(&format!("monitoring/tests/{name}.yml")))
        .concat();
    let alerts = alerts(&rules);
    assert!(alerts.len() > 12, "{alerts:?}");
    let text = read("docs/operations.md");
    let sections: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("### Seatledger"))
        .map(|name| format!("Seatledger{name}"))
        .collect();
    assert_eq!(alerts, sections.iter().map(String::as_str).collect());
    for rule in rules.split("- alert: ").skip(1) {
        let alert = rule.lines().next().unwrap();
        let anchor = format!("/docs/operations.md#{}\n", alert.to_lowercase());
        assert!(rule.contains(&anchor), "{alert}");
        assert!(tests.contains(&format!("\"{alert}\"")), "{alert}");
    }
}

/// The values of every member of that name, at any depth.
fn members<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                match inner {
                    Value::String(text) if key == name => found.push(text),
                    _ => members(inner, name, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| members(inner, name, found)),
        _ => {}
    }
}

/// A query as Grafana sends it to Postgres.
fn filled(query: &str, workload: &str, customer: &str) -> String {
    let mut filled = query
        .replace("${workload:sqlstring}", &format!("'{workload}'"))
        .replace("${customer:sqlstring}", &format!("'{customer}'"));
    while let Some((before, after)) = filled.split_once("$__timeFilter(") {
        let (column, after) = after.split_once(')').unwrap();
        filled = format!(
            "{before}{column} BETWEEN '2026-02-04T06:30:00Z' AND '2026-05-05T06:30:00Z'{after}"
        );
    }
    assert!(!filled.contains('$'), "{filled}");
    filled
}

#[tokio::test]
async fn each_query_of_the_dashboard_of_usage_is_answered_to_a_role_that_reads_the_views() {
    let server = Server::start();
    let world = World::on_server(&server, 3).await;
    for day in ["2026-04-20", "2026-05-05"] {
        world.simulator.set_today(day).await;
        world.backfill().await.assert_code(0);
    }
    world.execute("create role grafana_reader login").await;
    let granted = world.run(&["grants", "--bi-role", "grafana_reader"]).await;
    granted.assert_code(0);
    let mut url = url::Url::parse(&server.url()).unwrap();
    url.set_username("grafana_reader").unwrap();
    let role = PgPool::connect(url.as_str()).await.unwrap();

    let dashboard: Value = serde_json::from_str(&read("monitoring/grafana/usage.json")).unwrap();
    let mut choices = Vec::new();
    members(&dashboard["templating"], "query", &mut choices);
    let choose = async |column: &str| -> String {
        let choice = choices.iter().find(|choice| choice.contains(column));
        let choice = format!(
            "select {column} from ({}) as choice limit 1",
            choice.unwrap()
        );
        let chosen = sqlx::query_scalar(AssertSqlSafe(choice));
        chosen.fetch_one(&role).await.unwrap()
    };
    let (workload, customer) = (choose("workload_name").await, choose("__value").await);

    let mut queries = Vec::new();
    members(&dashboard["panels"], "rawSql", &mut queries);
    assert!(queries.len() > 10, "{queries:?}");
    for query in queries {
        let query = filled(query, &workload, &customer);
        let rows = sqlx::query(AssertSqlSafe(query.clone())).fetch_all(&role);
        let rows = rows
            .await
            .unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(!rows.is_empty() || query.contains("'failing'"), "{query}");
    }
}

/// The words of a text that are names of metrics, by their beginning; the name of the package has a
/// version there.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("seatledger_") || word.starts_with("process_"))
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()))
        .collect()
}

/// Each series that is asked for by the value of a label, such as `seatledger_items_total` with
/// `fate` and `row`. Labels that Prometheus adds are left out.
fn labels_in(text: &str) -> BTreeSet<(String, String, String)> {
    let mut asked = BTreeSet::new();
    for (before, after) in text.match_indices('{').map(|(at, _)| text.split_at(at)) {
        let name = before.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let name = name.clone().next().unwrap();
        if metrics_in(name).is_empty() {
            continue;
        }
        let selector = after[1..].split('}').next().unwrap();
        for matcher in selector.split(',').map(str::trim) {
            let (label, values) = matcher.split_once('=').unwrap();
            if ["job", "instance"].contains(&label) {
                continue;
            }
            let values = values.trim_start_matches('~').trim_matches('"');
            for value in values.split('|') {
                asked.insert((name.to_owned(), label.to_owned(), value.to_owned()));
            }
        }
    }
    asked
}

#[tokio::test]
async fn each_metric_in_alerts_dashboards_and_documents_is_rendered_with_the_labels_asked_for() {
    let mut world = World::with_customers(1).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("partner_center.max_requests_per_second", "1000");
    let daemon = world.start(&[]);
    let url = format!("{}metrics", daemon.status_address().await);
    let page = until("the run and the customers are on the page", async || {
        let (_, page) = get(&url).await;
        let is_there = page.contains("seatledger_last_run_outcome{outcome=\"succeeded\"} 1")
            && page.contains("seatledger_customers{");
        is_there.then_some(page)
    })
    .await;
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);

    let dashboard: Value =
        serde_json::from_str(&read("monitoring/grafana/operations.json")).unwrap();
    let mut asked = Vec::new();
    members(&dashboard, "expr", &mut asked);
    members(&dashboard, "query", &mut asked);
    assert!(asked.len() > 20, "{asked:?}");
    let dashboard = asked.join("\n");
    let series: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let mut documents = vec![
        "README.md".to_owned(),
        "monitoring/seatledger.rules.yml".to_owned(),
    ];
    documents.extend(["days", "figures", "service"].map(|it| format!("monitoring/tests/{it}.yml")));
    documents.extend(["operations", "watching"].map(|it| format!("docs/{it}.md")));
    let texts = documents.iter().map(|path| (path.as_str(), read(path)));
    for (path, text) in texts.chain([("monitoring/grafana/operations.json", dashboard)]) {
        for name in metrics_in(&text) {
            // The table has a histogram by the name of its three series.
            let is_there = series.contains(name) || page.contains(&format!("# TYPE {name} "));
            assert!(is_there, "{path}: {name}");
        }
        if !path.starts_with("monitoring/") {
            continue;
        }
        for (name, label, value) in labels_in(&text) {
            let start = format!("{name}{{");
            let wanted = format!("{label}=\"{value}\"");
            let mut lines = page.lines();
            assert!(
                lines.any(|line| line.starts_with(&start) && line.contains(&wanted)),
                "{path}: {name}{{{wanted}}}"
            );
        }
    }
}
