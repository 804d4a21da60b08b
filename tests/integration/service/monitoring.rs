//! Alerts and dashboards ask for what exists.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

use crate::support::{Server, World, root};

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
