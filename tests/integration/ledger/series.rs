//! A series stays one series when the source, the product's name, the language or the letter case
//! of ids changes.

use serde_json::{Value, json};

use crate::support::{TODAY, World};

const OLD: &str = "Microsoft 365 Business Standard";
const NEW: &str = "Microsoft 365 Business Standard (no Teams)";

/// The seats of each customer and processed date, from the ledger's table.
const SEATS: &str = "select customer_id, processed_date_time, sum(licenses_active), \
    sum(licenses_qualified), count(*)
                     from license_usage group by 1, 2 order by 1, 2";

/// The same from the view of series.
const SERIES_SEATS: &str = "select customer_id, processed_date_time, sum(licenses_active), \
    sum(licenses_qualified), count(*)
                            from license_usage_series group by 1, 2 order by 1, 2";

/// Sixty customers for which only usage is fetched.
async fn world() -> World {
    let mut world = World::commercial(60).await;
    world.set("partner_center.datasets", "usage");
    world
}

async fn rows(world: &World) -> Value {
    let finished = world.backfill().await;
    finished.assert_code(0);
    finished.summary()["rows"].clone()
}

async fn restatements(world: &World) -> i64 {
    world
        .value("select count(*) from license_usage_restatement")
        .await
}

/// The number of series.
async fn count_series(world: &World) -> i64 {
    world
        .value(
            "select count(distinct (customer_id, product_name, workload_name)) from \
                license_usage_series",
        )
        .await
}

#[tokio::test]
async fn a_ledger_changes_its_source_and_back_without_new_rows() {
    let mut world = world().await;
    world.use_source_customer();
    let first = rows(&world).await;
    let count = first["received"].clone();
    assert_eq!(first["inserted"], count);
    let percents = "select customer_id, product_name, workload_name, usage_percent from \
        license_usage order by 1, 2, 3";
    let before = world.lines(percents).await;

    world.use_source_commercial();
    let second = rows(&world).await;
    assert_eq!(
        (&second["inserted"], &second["updated"]),
        (&json!(0), &count)
    );
    let unfilled = "select count(*) from license_usage
                    where product_id is null or workload_code is null or service_code is null or \
                    service_name like 'o365'";
    assert_eq!(world.value::<i64>(unfilled).await, 0);
    assert_eq!(world.lines(percents).await, before);

    world.use_source_customer();
    let third = rows(&world).await;
    assert_eq!(third["unchanged"], count);
    world.use_source_commercial();
    assert_eq!(rows(&world).await["unchanged"], count);
    assert_eq!(world.value::<i64>(unfilled).await, 0);
    assert_eq!(world.lines(percents).await, before);
    assert_eq!(restatements(&world).await, 0);

    // A ledger that began with source "commercial" gets its percentages from the other source. That
    // is not a restatement.
    world.empty_the_ledger().await;
    rows(&world).await;
    world.use_source_customer();
    let filled = rows(&world).await;
    assert_eq!(
        (&filled["inserted"], &filled["updated"]),
        (&json!(0), &count)
    );
    assert_eq!(world.lines(percents).await, before);
    assert_eq!(world.value::<i64>(unfilled).await, 0);
    assert_eq!(restatements(&world).await, 0);
}

#[tokio::test]
async fn the_computed_percentage_is_the_same_for_both_sources() {
    let mut world = world().await;
    rows(&world).await;
    let mut computed = Vec::new();
    for source in ["commercial", "customer"] {
        for view in [
            "license_usage_latest",
            "license_usage_change",
            "license_usage_monthly",
            "license_usage_series",
        ] {
            let wrong = format!(
                "select count(*) from {view} where active_percent is distinct from
                     case when licenses_qualified > 0 then 100.0 * licenses_active / \
                     licenses_qualified end"
            );
            assert_eq!(world.value::<i64>(&wrong).await, 0, "{view}");
            let all = format!(
                "select customer_id, product_name, workload_name, active_percent from {view} order \
                    by 1, 2, 3"
            );
            computed.push(world.lines(&all).await);
        }
        if source == "commercial" {
            world.use_source_customer();
            rows(&world).await;
        }
    }
    assert!(!computed[0].is_empty() && computed.iter().all(|lines| *lines == computed[0]));
    let off = "select count(*) from license_usage_latest where abs(active_percent - usage_percent) \
        > 0.006";
    assert_eq!(world.value::<i64>(off).await, 0);
}

#[tokio::test]
async fn a_products_new_name_is_recorded_and_its_series_goes_on() {
    let mut world = world().await;
    // First without ids, as source "customer" has none, then with them.
    world.use_source_customer();
    world.simulator.set_today("2026-05-01").await;
    rows(&world).await;
    world.use_source_commercial();
    world.simulator.set_today("2026-05-03").await;
    rows(&world).await;
    let series = count_series(&world).await;
    world
        .simulator
        .patch(json!({ "renamed_from": TODAY }))
        .await;
    for day in ["2026-05-03", TODAY, "2026-05-05", "2026-05-06"] {
        world.simulator.set_today(day).await;
        rows(&world).await;
    }
    // Source "customer", which knows names only, continues the series too.
    world.use_source_customer();
    world.simulator.set_today("2026-05-08").await;
    rows(&world).await;
    assert_eq!(
        world
            .lines(&format!(
                "select product_name, first_processed_date_time < last_processed_date_time from \
                    product_name_history
                 where product_name in ('{OLD}', '{NEW}') order by first_processed_date_time"
            ))
            .await
            .len(),
        2
    );
    let ids = format!(
        "select count(distinct product_id) from product_name_history where product_name in \
            ('{OLD}', '{NEW}')"
    );
    assert_eq!(world.value::<i64>(&ids).await, 1);
    let then = "select count(distinct product_name_then), count(distinct product_name) from \
        license_usage_series
                where product_name_then like 'Microsoft 365 Business Standard%'";
    assert_eq!(world.lines(then).await, ["2|1"]);
    let present = format!("select count(*) from license_usage_series where product_name = '{OLD}'");
    assert_eq!(world.value::<i64>(&present).await, 0);
    assert!(count_series(&world).await >= series);
    // Each series has each date once, and no seats are lost.
    assert_eq!(
        world.lines(SERIES_SEATS).await,
        world.lines(SEATS).await,
        "the ledger has no date twice"
    );
    let gaps = "select count(*) from (
                    select customer_id, workload_name, count(*) as dates
                    from license_usage_series where product_name_then like 'Microsoft 365 Business \
                    Standard%'
                    group by 1, 2
                ) as s where dates > (select count(distinct processed_date_time) from \
                license_usage)";
    assert_eq!(world.value::<i64>(gaps).await, 0);
}

#[tokio::test]
async fn a_date_that_came_under_two_names_is_counted_once_and_under_the_later() {
    let world = world().await;
    rows(&world).await;
    let seats = world.lines(SERIES_SEATS).await;
    // The same processed date on the same day, so that only the name differs.
    world
        .simulator
        .patch(json!({ "renamed_from": TODAY }))
        .await;
    let again = rows(&world).await;
    assert!(again["inserted"].as_u64() > Some(0), "{again}");
    assert_ne!(world.lines(SEATS).await, seats);
    assert_eq!(world.lines(SERIES_SEATS).await, seats);
    let names = "select distinct product_name, product_name_then from license_usage_series
                 where product_name_then like 'Microsoft 365 Business Standard%'";
    assert_eq!(world.lines(names).await, [format!("{NEW}|{NEW}")]);
}

#[tokio::test]
async fn a_product_renamed_between_two_runs_of_a_date_counts_once_and_under_the_later_name() {
    let mut world = world().await;
    world.set("partner_center.datasets", "usage,deployment");
    let customer = &world.simulator.customers().await[0];
    let seats = |name: &'static str| {
        [
            (
                "license_usage_current",
                "licenses_active, licenses_qualified",
            ),
            (
                "license_product",
                "licenses_sold, licenses_assigned, licenses_active",
            ),
            ("license_waste", "licenses_sold, licenses_unused"),
            ("license_waste_monthly", "licenses_sold, licenses_unused"),
            ("license_growth", "licenses_active, licenses_qualified"),
            ("license_usage_daily", "licenses_active, licenses_qualified"),
            (
                "license_usage_daily_total",
                "customers, licenses_active, licenses_qualified",
            ),
            (
                "license_usage_total",
                "customers, licenses_active, licenses_qualified",
            ),
        ]
        .map(|(view, columns)| {
            format!("select {columns} from {view} where product_name = '{name}'")
        })
    };
    // A product of one name, and one that has two names in each answer.
    for (name, at) in [
        ("Old", "2026-04-01T07:30:00"),
        ("New", "2026-04-01T19:00:00"),
    ] {
        let names = [("A", name), ("T", "Twin"), ("T", "Twin (two)")];
        let usage = names.map(|(id, name)| item(customer, id, name, "2026-04-01", 6));
        let deployed = names.map(|(id, name)| {
            json!({
                "processedDateTime": at, "serviceCode": "o365", "customerTenantId": customer,
                "productId": id, "productName": name,
                "licensesDeployed": 8, "licensesSold": 10,
            })
        });
        let page = json!([{ "json": { "Value": deployed, "TotalCount": deployed.len() } }]);
        world.simulator.script("commercial_deployment", page).await;
        store(&world, &usage).await;
        let figures = [
            "6|10", "10|8|6", "10|4", "10|4", "6|10", "6|10", "1|6|10", "1|6|10",
        ];
        let twins = [
            "12|20", "20|16|12", "20|8", "20|8", "12|20", "12|20", "1|12|20", "1|12|20",
        ];
        for (name, figures) in [(name, figures), ("Twin", twins)] {
            for (query, expected) in seats(name).into_iter().zip(figures) {
                assert_eq!(world.lines(&query).await, [expected], "{query}");
            }
        }
    }
    for query in seats("Old") {
        assert_eq!(world.lines(&query).await, [""; 0], "{query}");
    }
    // The ledger keeps the rows of the earlier name.
    assert_eq!(
        world
            .lines(
                "select product_name, is_current from license_usage_latest
                 order by product_name collate \"C\""
            )
            .await,
        ["New|true", "Old|false", "Twin|true", "Twin (two)|true"]
    );
    // Totals that are computed as they are read leave them out, too.
    world
        .execute("insert into stale_day select distinct date from license_usage_day_total")
        .await;
    let total = &seats("New")[6];
    assert_eq!(world.lines(total).await, ["1|6|10"]);
}

#[tokio::test]
async fn names_of_another_language_are_joined_by_their_ids() {
    let mut world = world().await;
    world
        .simulator
        .patch(json!({ "localized_names": true }))
        .await;
    world.simulator.set_today("2026-05-01").await;
    rows(&world).await;
    world.simulator.set_today(TODAY).await;
    rows(&world).await;
    let seats = world.lines(SERIES_SEATS).await;
    let series = count_series(&world).await;
    world.set("partner_center.locale", "de-DE");
    world.backfill().await.assert_code(78);
    world.set("partner_center.allow_locale_change", "true");
    let german = rows(&world).await;
    assert!(german["inserted"].as_u64() > Some(0), "{german}");
    assert_eq!(world.lines(SERIES_SEATS).await, seats);
    world.simulator.set_today("2026-05-07").await;
    rows(&world).await;
    let german = "select count(distinct product_name_then) > count(distinct product_name) from \
        license_usage_series";
    assert_eq!(world.lines(german).await, ["true"]);
    let english = "select count(*) from license_usage_series where product_name like '%(Plan%'";
    assert_eq!(world.value::<i64>(english).await, 0);
    let later = "select count(distinct (customer_id, product_name, workload_name)) from \
        license_usage_series
                 where processed_date_time <= '2026-05-02'";
    assert_eq!(world.value::<i64>(later).await, series);
}

/// A partner-wide item of a product.
fn item(customer: &str, product_id: &str, product: &str, date: &str, active: u32) -> Value {
    json!({
        "processedDateTime": format!("{date}T00:00:00"),
        "workloadCode": "EXO", "workloadName": "Exchange",
        "serviceCode": "o365", "customerTenantId": customer,
        "productId": product_id, "productName": product,
        "licensesActive": active, "licensesQualified": 10,
    })
}

async fn store(world: &World, items: &[Value]) -> Value {
    let page = json!([{ "json": { "Value": items, "TotalCount": items.len() } }]);
    world.simulator.script("commercial_usage", page).await;
    rows(world).await
}

#[tokio::test]
async fn a_products_guid_is_one_in_any_letter_case() {
    let world = world().await;
    let customer = &world.simulator.customers().await[0];
    let id = "f245ecc8-75af-4f8e-b61f-27d8114de5f3";
    let upper = id.to_uppercase();
    store(&world, &[item(customer, &upper, "Old", "2026-04-01", 1)]).await;
    let again = store(&world, &[item(customer, id, "Old", "2026-04-01", 1)]).await;
    assert_eq!(again["unchanged"], 1);
    store(&world, &[item(customer, id, "New", "2026-04-02", 2)]).await;
    assert_eq!(
        world
            .lines("select product_id, product_name from product_name_history order by 2")
            .await,
        [format!("{id}|New"), format!("{id}|Old")]
    );
    let series = "select product_name, licenses_active from license_usage_series order by \
        processed_date_time";
    assert_eq!(world.lines(series).await, ["New|1", "New|2"]);
}

#[tokio::test]
async fn two_products_that_come_to_share_a_name_stay_two_series() {
    let world = world().await;
    let customer = &world.simulator.customers().await[0];
    let day = |date, first| {
        [
            item(customer, "A", first, date, 1),
            item(customer, "B", "Plan", date, 2),
        ]
    };
    store(&world, &day("2026-04-01", "Plan (legacy)")).await;
    // The second product leaves the catalogue, and the first takes its name.
    store(&world, &[item(customer, "A", "Plan", "2026-04-02", 3)]).await;
    assert_eq!(
        world
            .lines(
                "select product_id, product_name, licenses_active from license_usage_series
                 order by processed_date_time, product_id"
            )
            .await,
        ["A|Plan|1", "B|Plan|2", "A|Plan|3"]
    );
}
