//! The figures of the front page equal plain SQL on the ledger.

use std::time::Duration;

use chrono::DateTime;
use seatledger::config;
use seatledger::store::{Figures, Store};
use serde_json::{Value, json};

use crate::support::{World, get, until};

/// A ledger with customers that are gone, failing, stale and never there, two services, free and
/// trial products, renamed ones, and days that were missed.
const LEDGER: &str = include_str!("../ledger/views/customers/ledger.sql");
/// Views that show the ledger without what is kept beside it.
const NAIVE: &str = include_str!("../ledger/views/customers/naive.sql");

/// Of each section the query that defines it, on the ledger alone.
const DEFINITIONS: &str = include_str!("figures/definitions.sql");

async fn figures(world: &World) -> Figures {
    let url = world.database_url();
    let settings = config::Database::try_new(url, &std::env::temp_dir(), 2).unwrap();
    let store = Store::new(&settings).unwrap();
    store.load_figures(DateTime::default()).await.unwrap()
}

/// A value as [`World::lines`] writes it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap().to_string(),
        Value::Array(values) => values.iter().map(text).collect::<Vec<_>>().join("|"),
        Value::Object(fields) => fields.values().map(text).collect::<Vec<_>>().join("|"),
        other => other.to_string(),
    }
}

/// The rows of a section, with the fields in alphabetical order.
fn lines(rows: &[Value]) -> Vec<String> {
    rows.iter().map(text).collect()
}

/// Each section as lines.
fn sections(figures: &Figures) -> Vec<(&'static str, Vec<String>)> {
    let all = serde_json::to_value(figures).unwrap();
    let rows = |name: &str| lines(all[name].as_array().unwrap());
    let nested = |list: &str, name: &str, points: &str| {
        let mut rows = Vec::new();
        for one in all[list].as_array().unwrap() {
            for point in lines(one[points].as_array().unwrap()) {
                rows.push(format!("{}|{point}", text(&one[name])));
            }
        }
        rows
    };
    let tiles = ["sold", "assigned", "active", "unused"];
    let now = tiles.map(|tile| all["tiles"][tile]["now"].clone());
    let mut months = Vec::new();
    for tile in tiles {
        for month in lines(all["tiles"][tile]["months"].as_array().unwrap()) {
            months.push(format!("{tile}|{month}"));
        }
    }
    let attention = all["attention"]["shown"].as_array().unwrap();
    let attention = attention.iter().map(|row| text(&row["customer_id"]));
    vec![
        ("newest_date", lines(&[all["newest_date"].clone()])),
        ("attention", attention.collect()),
        ("rename_suspects", rows("rename_suspects")),
        ("tiles", lines(&[Value::from(now.to_vec())])),
        ("tile_months", months),
        (
            "workload_days",
            nested("workloads", "workload_name", "days"),
        ),
        (
            "workload_months",
            nested("workloads", "workload_name", "months"),
        ),
        ("completeness", nested("completeness", "service", "days")),
        ("movers", rows("movers")),
        ("waste", rows("waste")),
        ("waste_total", lines(&[all["waste_total"].clone()])),
        ("product_events", rows("product_events")),
    ]
}

async fn assert_defined(world: &World, when: &str) {
    world
        .execute("refresh materialized view naive_usage; refresh materialized view naive_follower")
        .await;
    let figures = figures(world).await;
    let mut definitions = DEFINITIONS.split("-- name: ").skip(1);
    for (section, found) in sections(&figures) {
        let (name, query) = definitions.next().unwrap().split_once('\n').unwrap();
        assert_eq!(name, section);
        assert_eq!(found, world.lines(query).await, "{when}: {section}");
        assert!(!found.is_empty(), "{when}: {section}");
    }
}

#[tokio::test]
async fn each_section_equals_its_definition_on_the_ledger() {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world.execute(NAIVE).await;
    assert_defined(&world, "as loaded").await;

    // A product has another kind, a customer moves within the week, and a product is new.
    world
        .execute(
            "insert into product_note values ('Business Premium', 'free');
            update license_usage set licenses_active = 1
            where customer_id = customer(1) and processed_date_time = at(58, 0)
                and product_name = 'Office 365 E3';
            insert into license_usage (
                processed_date_time, customer_id, product_name, workload_name, service_name,
                channel, licenses_active, licenses_qualified, first_synced_at, last_changed_at,
                run_id
            )
            select at(n, 0), customer(c), product, product, 'O365', 'direct', 1, 2, at(n + 1),
                at(n + 1), 1
            from (values (1, 'Forms', 38, 40), (2, 'Planner', 57, 58)) as p (c, product, a, z)
            cross join generate_series(a, z) as n",
        )
        .await;
    world.reread_if_distributed().await;
    assert_defined(&world, "after edits").await;
}

#[tokio::test]
async fn without_deployment_nothing_is_known_to_be_sold_and_qualified_seats_count() {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world
        .execute(
            "delete from license_deployment;
            delete from service_date where dataset = 'deployment'",
        )
        .await;
    world.reread_if_distributed().await;
    let figures = figures(&world).await;
    let tiles = &figures.tiles;
    assert_eq!((tiles.sold.now, tiles.assigned.now), (None, None));
    let (sold, active) = (&tiles.sold.months, &tiles.active.months);
    assert_eq!(sold.len(), active.len());
    assert!(sold.iter().all(|(_, seats)| seats.is_none()), "{sold:?}");
    assert!(
        active.iter().all(|(_, seats)| seats.is_some()),
        "{active:?}"
    );
    assert_eq!(tiles.unused.now, Some(figures.waste_total.unused));
    let unused = "select sum(licenses_qualified - licenses_active)::bigint from license_product
        where product_kind = 'paid' and licenses_qualified > licenses_active";
    assert_eq!(tiles.unused.now, Some(world.value(unused).await));
}

#[tokio::test]
async fn an_empty_ledger_has_no_figures_but_the_customers_that_fail() {
    let mut world = World::new().await;
    let empty = figures(&world).await;
    assert_eq!(empty.newest_date, None);
    assert_eq!(empty.attention.total, 0);
    assert!(empty.workloads.is_empty() && empty.tiles.active.months.is_empty());

    world.set("partner_center.request_timeout", "5s");
    let customer = world.simulator.customers().await[0].clone();
    world
        .execute(&format!(
            "insert into customer (customer_id, first_seen_at, last_seen_at, last_failure_at,
                last_failure_reason)
            values ('{customer}', now(), now(), now(), 'forbidden')"
        ))
        .await;
    let failing = figures(&world).await;
    assert_eq!(failing.attention.total, 1);
    assert_eq!(failing.newest_date, None);
}

#[tokio::test]
async fn a_daemon_computes_the_figures_at_its_start_and_after_a_run() {
    let mut world = World::with_customers(2).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    let address = format!("{}data/figures.json", daemon.status_address().await);
    let shown = async || {
        let (status, body) = get(&address).await;
        assert!(matches!(status, 200 | 503), "{status} {body}");
        (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap())
    };
    let at_start = until("the figures are computed", shown).await;
    assert_eq!(at_start["version"], json!(1));
    assert_eq!(at_start["newest_date"], Value::Null);

    world.backfill().await.assert_code(0);
    let newest: String = world
        .value("select max(last_processed_date)::text from customer_freshness")
        .await;
    let after = until("the figures are computed again", async || {
        shown().await.filter(|it| it["newest_date"] != Value::Null)
    });
    let after = tokio::time::timeout(Duration::from_mins(2), after)
        .await
        .unwrap();
    assert_eq!(after["newest_date"], json!(newest));
    let active = "select sum(licenses_active)::bigint from license_product
        where product_kind = 'paid'";
    assert_eq!(
        after["tiles"]["active"]["now"],
        json!(world.value::<i64>(active).await)
    );
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}

#[tokio::test]
async fn figures_that_cannot_be_computed_are_reported_once_and_those_before_stay() {
    let mut world = World::with_customers(1).await;
    world.set("status.listen", "127.0.0.1:0");
    world.set("schedule.run_on_start", "never");
    let daemon = world.start(&[]);
    let address = format!("{}data/figures.json", daemon.status_address().await);
    let shown = async || {
        let (status, body) = get(&address).await;
        (status == 200).then(|| serde_json::from_str::<Value>(&body).unwrap())
    };
    let before = until("the figures are computed", shown).await;

    let definition: String = world
        .value("select pg_get_viewdef('product_rename_suspect'::regclass)")
        .await;
    world
        .execute(
            "create or replace view product_rename_suspect as
            select null::varchar(255) as old_product_name, null::varchar(255) as new_product_name,
                1 / (0 * random())::bigint as customers,
                null::double precision as share_of_holders, null::date as since,
                null::varchar(1200) as alias_statement",
        )
        .await;
    world.backfill().await.assert_code(0);
    daemon.says("could not be computed").await;
    assert_eq!(shown().await.unwrap(), before);

    world
        .execute(&format!(
            "create or replace view product_rename_suspect as {definition}"
        ))
        .await;
    world.backfill().await.assert_code(0);
    until("the figures are computed again", async || {
        shown().await.filter(|it| it["newest_date"] != Value::Null)
    })
    .await;
    let said = daemon.stderr();
    assert_eq!(said.matches("\"level\":\"WARN\"").count(), 1, "{said}");
    daemon.signal("TERM");
    daemon.finish().await.assert_code(0);
}
