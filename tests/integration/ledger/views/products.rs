//! The views of products: one name, one count of seats, and only what a customer has today.

use crate::support::World;

/// A ledger that a person writes by hand, with customers 1 to 9. All were last fetched with success
/// on 20 September 2026.
pub(super) async fn ledger() -> World {
    let world = World::with_customers(1).await;
    world
        .execute(
            "insert into customer (customer_id, customer_name, first_seen_at, last_seen_at, \
                last_success_at)
             select ('00000000-0000-4000-8000-00000000000' || n)::uuid, 'Customer ' || n, \
                 '2026-09-01', '2026-09-20', '2026-09-20'
             from generate_series(1, 9) as n",
        )
        .await;
    world
}

/// A quoted text of SQL, or null if it is missing.
fn quoted(field: Option<&str>) -> String {
    field.map_or("null".to_owned(), |text| format!("'{text}'"))
}

/// Stores rows of usage, first seen at six in the morning of the day after. A line is a row: date,
/// customer, product, workload, service, active and qualified seats, and the product's id if the
/// API gave it.
pub(super) async fn add_usage(world: &World, rows: &str) {
    let values = rows.trim().lines().map(|line| {
        let mut field = line.split(", ").map(str::trim);
        let (date, customer) = (field.next().unwrap(), field.next().unwrap());
        let (product, workload) = (quoted(field.next()), quoted(field.next()));
        let (service, active) = (quoted(field.next()), field.next().unwrap());
        let (qualified, id) = (field.next().unwrap(), quoted(field.next()));
        format!(
            "('{date}Z'::timestamptz, '00000000-0000-4000-8000-00000000000{customer}'::uuid, \
                {product}, {workload}, {service}, {active}, {qualified}, {id})"
        )
    });
    let values = values.collect::<Vec<_>>().join(", ");
    world
        .execute(&format!(
            "create temp table brought as select * from (values {values}) as v (date, customer, \
                product, workload, service, active, qualified, id);
             select add_license_usage_partitions(array_agg(date)) from brought;
             insert into license_usage (processed_date_time, customer_id, product_name, \
                 workload_name, service_name, channel, licenses_active, licenses_qualified, \
                 product_id, first_synced_at, last_changed_at, run_id)
             select date, customer, product, workload, service, 'reseller', active, qualified, \
                 id, date + interval '30 hours', date + interval '30 hours', 1
             from brought;
             drop table brought"
        ))
        .await;
    world.reread_if_distributed().await;
}

/// Stores rows of deployment: date and time, customer, product, sold and assigned seats.
async fn add_deployment(world: &World, rows: &str) {
    for line in rows.trim().lines() {
        let field: Vec<_> = line.split(", ").map(str::trim).collect();
        world
            .execute(&format!(
                "insert into license_deployment (processed_date_time, customer_id, product_name, \
                    service_name, licenses_sold, licenses_deployed, first_synced_at, \
                    last_changed_at, run_id)
                 values ('{}Z', '00000000-0000-4000-8000-00000000000{}', '{}', 'o365', {}, {}, \
                     '{0}Z', '{0}Z', 1)",
                field[0], field[1], field[2], field[3], field[4]
            ))
            .await;
    }
    world.reread_if_distributed().await;
}

/// The names that an id has had: kind, id, name, and the newest date under that name.
async fn add_names(world: &World, rows: &str) {
    for line in rows.trim().lines() {
        let field: Vec<_> = line.split(", ").map(str::trim).collect();
        world
            .execute(&format!(
                "insert into name_history values ('{}', '{}', '{}', '{3}Z', '{3}Z', 1)",
                field[0], field[1], field[2], field[3]
            ))
            .await;
    }
}

/// Asserts the rows of a query; a customer is shown by its digit.
pub(super) async fn assert_rows(world: &World, query: &str, expected: &[&str]) {
    let lines = world.lines(query).await;
    let lines: Vec<_> = lines
        .iter()
        .map(|line| line.replace("00000000-0000-4000-8000-00000000000", ""))
        .collect();
    assert_eq!(lines, expected, "{query}");
}

const CURRENT: &str = "select customer_id, product_name, product_id, workload_name, \
    licenses_qualified, licenses_active from license_usage_current \
    order by customer_id, product_name collate \"C\", workload_name collate \"C\"";

const HOLDINGS: &str = "select product_name, first_date, last_date, is_current, is_from_the_start \
    from license_holding order by product_name collate \"C\"";

#[tokio::test]
async fn a_renamed_product_is_one_product_by_its_id_and_else_by_an_alias() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-09-01, 1, Alpha, Teams, o365, 10, 20, p1
         2026-09-01, 1, Alpha, Exchange, o365, 12, 20, p1
         2026-09-01, 1, Beta, Teams, o365, 5, 8
         2026-09-02, 1, Alpha 2, Teams, o365, 9, 21, p1
         2026-09-02, 1, Alpha 2, Exchange, o365, 13, 21, p1
         2026-09-02, 1, Beta 2, Teams, o365, 6, 8",
    )
    .await;
    add_names(
        &world,
        "product, p1, Alpha, 2026-09-01\nproduct, p1, Alpha 2, 2026-09-02",
    )
    .await;

    assert_rows(
        &world,
        CURRENT,
        &[
            "1|Alpha 2|p1|Exchange|21|13",
            "1|Alpha 2|p1|Teams|21|9",
            "1|Beta 2|-|Teams|8|6",
        ],
    )
    .await;
    assert_rows(
        &world,
        HOLDINGS,
        &[
            "Alpha 2|2026-09-01|2026-09-02|true|true",
            "Beta|2026-09-01|2026-09-01|false|true",
            "Beta 2|2026-09-02|2026-09-02|true|false",
        ],
    )
    .await;
    world
        .execute("insert into product_alias values ('Beta', 'Beta 2')")
        .await;
    assert_rows(
        &world,
        HOLDINGS,
        &[
            "Alpha 2|2026-09-01|2026-09-02|true|true",
            "Beta 2|2026-09-01|2026-09-02|true|true",
        ],
    )
    .await;
    // The rows of the old names are the last of their series, and not the month's.
    assert_rows(
        &world,
        "select product_name, product_name_now, product_id, is_month_end
         from license_usage_monthly where workload_name = 'Teams' order by 1",
        &[
            "Alpha|Alpha 2|p1|false",
            "Alpha 2|Alpha 2|p1|true",
            "Beta|Beta 2|-|false",
            "Beta 2|Beta 2|-|true",
        ],
    )
    .await;
    assert_rows(
        &world,
        "select month, product_name, workload_name, customers, licenses_active, \
            licenses_qualified, is_newest
         from license_usage_total order by product_name, workload_name",
        &[
            "2026-09-01|Alpha 2|Exchange|1|13|21|true",
            "2026-09-01|Alpha 2|Teams|1|9|21|true",
            "2026-09-01|Beta 2|Teams|1|6|8|true",
        ],
    )
    .await;
    assert_rows(
        &world,
        "select date, product_name, product_id, customers, licenses_active, is_newest
         from license_usage_daily_total where workload_name = 'Teams' order by date, product_name",
        &[
            "2026-09-01|Alpha 2|p1|1|10|false",
            "2026-09-01|Beta 2|-|1|5|false",
            "2026-09-02|Alpha 2|p1|1|9|true",
            "2026-09-02|Beta 2|-|1|6|true",
        ],
    )
    .await;
}

#[tokio::test]
async fn aliases_are_followed_to_an_id_or_their_end_and_a_circle_ends_where_it_began() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-09-01, 1, Alpha 2, Teams, o365, 1, 10, p1
         2026-09-01, 1, Alpha, Teams, o365, 2, 10
         2026-09-01, 1, To Alpha, Teams, o365, 4, 10
         2026-09-01, 1, Chain 1, Teams, o365, 1, 10
         2026-09-01, 1, Chain 3, Teams, o365, 2, 10
         2026-09-01, 1, Circle 1, Teams, o365, 1, 10
         2026-09-01, 1, Circle 2, Teams, o365, 2, 10
         2026-09-01, 1, To the circle, Teams, o365, 4, 10
         2026-09-01, 1, Unknown id, Teams, o365, 1, 10, p9",
    )
    .await;
    add_names(
        &world,
        "product, p1, Alpha, 2026-08-01\nproduct, p1, Alpha 2, 2026-09-01",
    )
    .await;
    world
        .execute(
            "insert into product_alias values
             ('To Alpha', 'Alpha'), ('Alpha', 'Not for a name with an id'),
             ('Chain 1', 'Chain 2'), ('Chain 2', 'Chain 3'),
             ('Circle 1', 'Circle 2'), ('Circle 2', 'Circle 1'), ('To the circle', 'Circle 1'),
             ('Unknown id', 'Not for a row with an id')",
        )
        .await;
    let names = [
        "1|Alpha 2|p1|Teams|30|7",
        "1|Chain 3|-|Teams|20|3",
        "1|Circle 1|-|Teams|20|5",
        "1|Circle 2|-|Teams|10|2",
        "1|Unknown id|p9|Teams|10|1",
    ];
    assert_rows(&world, CURRENT, &names).await;
    // A customer counts once in a total, however many of its names are one product.
    assert_rows(
        &world,
        "select product_name, customers, licenses_qualified, licenses_active
         from license_usage_total order by product_name collate \"C\"",
        &[
            "Alpha 2|1|30|7",
            "Chain 3|1|20|3",
            "Circle 1|1|20|5",
            "Circle 2|1|10|2",
            "Unknown id|1|10|1",
        ],
    )
    .await;
}

#[tokio::test]
async fn what_a_customer_no_longer_has_is_not_current() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-09-01, 1, Ended, Teams, o365, 1, 1
         2026-09-01, 1, CRM, Sales, crm, 1, 1
         2026-09-03, 1, Alpha, Teams, o365, 1, 1
         2026-09-02, 1, CRM, Sales, crm, 2, 2
         2026-09-03, 2, Alpha, Teams, o365, 1, 1
         2026-09-02, 3, Alpha, Teams, o365, 1, 1
         2026-09-02, 4, Alpha, Teams, o365, 1, 1
         2026-09-03, 5, Alpha, Teams, o365, 1, 1",
    )
    .await;
    // The second is gone. The third was last fetched before the third of September had come, the
    // fourth after it. The fifth was gone and is back.
    world
        .execute(
            "update customer set gone_since = '2026-09-05' where customer_name = 'Customer 2';
             update customer set last_success_at = '2026-09-03 06:00Z'
             where customer_name = 'Customer 3';
             update customer set absent_since = '2026-09-02', returned_at = '2026-09-03'
             where customer_name = 'Customer 5'",
        )
        .await;
    let current = "select customer_id, product_name, processed_date, days_behind
         from license_usage_current order by 1, 2";
    assert_rows(
        &world,
        current,
        &[
            "1|Alpha|2026-09-03|0",
            "1|CRM|2026-09-02|0",
            "3|Alpha|2026-09-02|1",
            "5|Alpha|2026-09-03|0",
        ],
    )
    .await;
    assert_rows(
        &world,
        "select customer_id, product_name, is_current, service_code_now
         from license_usage_latest order by 1, 2",
        &[
            "1|Alpha|true|o365",
            "1|CRM|true|crm",
            "1|Ended|false|o365",
            "2|Alpha|false|o365",
            "3|Alpha|true|o365",
            "4|Alpha|false|o365",
            "5|Alpha|true|o365",
        ],
    )
    .await;
    // A row by hand, of a date that nobody was fetched after: it is the newest of its customer.
    add_usage(&world, "2026-09-25, 1, By hand, Teams, o365, 1, 1").await;
    assert_rows(
        &world,
        current,
        &[
            "1|By hand|2026-09-25|0",
            "1|CRM|2026-09-02|0",
            "3|Alpha|2026-09-02|23",
            "5|Alpha|2026-09-03|22",
        ],
    )
    .await;
}

#[tokio::test]
async fn the_seats_of_a_product_count_once_however_many_workloads_it_has() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-09-02, 1, Alpha, Teams, o365, 10, 20
         2026-09-02, 1, Alpha, Exchange, o365, 10, 22
         2026-09-02, 1, Alpha, SharePoint, o365, 3, 21
         2026-09-02, 1, Over, Teams, o365, 6, 4
         2026-09-02, 1, Flow free, Flow, o365, 1, 100
         2026-09-02, 1, Freedom, Teams, o365, 1, 9
         2026-09-02, 1, Microsoft Teams Exploratory, Teams, o365, 1, 5",
    )
    .await;
    add_deployment(
        &world,
        "2026-09-01T10:00, 1, Ended, 7, 7
         2026-09-02T10:00, 1, Alpha, 24, 24
         2026-09-02T12:00, 1, Alpha, 25, 24
         2026-09-02T12:00, 1, Sold only, 15, 1",
    )
    .await;
    assert_rows(
        &world,
        "select product_name, product_kind, licenses_sold, licenses_assigned, licenses_qualified, \
            licenses_active, most_used_workload, licenses_unassigned, licenses_unused, active_ratio
         from license_product order by product_name collate \"C\"",
        &[
            "Alpha|paid|25|24|22|10|Exchange|1|15|0.4",
            "Flow free|free|-|-|100|1|Flow|-|99|0.01",
            "Freedom|paid|-|-|9|1|Teams|-|8|0.1111111111111111",
            "Microsoft Teams Exploratory|trial|-|-|5|1|Teams|-|4|0.2",
            "Over|paid|-|-|4|6|Teams|-|-2|1.5",
            "Sold only|paid|15|1|-|-|-|14|15|0",
        ],
    )
    .await;
    world
        .execute("insert into product_note values ('Freedom', 'free')")
        .await;
    assert_rows(
        &world,
        "select product_name, licenses_unused, processed_date, deployment_processed_date
         from license_waste",
        &[
            "Alpha|15|2026-09-02|2026-09-02",
            "Sold only|15|-|2026-09-02",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_month_ends_for_each_service_with_its_own_last_collection() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-08-31, 1, Alpha, Teams, o365, 1, 10
         2026-09-15, 1, Alpha, Teams, o365, 2, 10
         2026-09-15, 1, Ended, Teams, o365, 2, 10
         2026-09-28, 1, CRM, Sales, crm, 3, 10
         2026-09-30, 1, Alpha, Teams, o365, 4, 10
         2026-09-10, 2, Alpha, Teams, o365, 5, 10",
    )
    .await;
    assert_rows(
        &world,
        "select month, product_name, customers, licenses_active, is_newest
         from license_usage_total order by 1, 2",
        &[
            "2026-08-01|Alpha|1|1|false",
            "2026-09-01|Alpha|2|9|true",
            "2026-09-01|CRM|1|3|true",
        ],
    )
    .await;
    add_usage(
        &world,
        "2020-01-31, 1, Alpha, Teams, o365, 1, 10\n2099-01-01, 1, Alpha, Teams, o365, 1, 10",
    )
    .await;
    assert_rows(
        &world,
        "select month, is_month_over, is_newest from license_usage_total
         where month < '2026-01-01' or month > '2026-12-01' order by 1",
        &["2020-01-01|true|false", "2099-01-01|false|true"],
    )
    .await;
}

#[tokio::test]
async fn sums_of_seats_beyond_the_range_of_a_column_break_no_view() {
    let world = ledger().await;
    let most = i64::MAX;
    let mut rows = Vec::new();
    for date in ["2026-08-04", "2026-08-27", "2026-09-03", "2026-09-10"] {
        for (customer, product, active) in [
            (1, "Alpha", most),
            (1, "Beta", most),
            (1, "Gamma", 0),
            (2, "Alpha", 0),
            (2, "Beta", most),
        ] {
            rows.push(format!(
                "{date}, {customer}, {product}, Teams, o365, {active}, {most}"
            ));
        }
        let deployed = ["Alpha", "Beta"].map(|name| format!("{date}, 1, {name}, {most}, {most}"));
        add_deployment(&world, &deployed.join("\n")).await;
    }
    add_usage(&world, &rows.join("\n")).await;
    world
        .execute("insert into product_alias values ('Beta', 'Alpha')")
        .await;
    let views = world
        .lines(
            "select relname from pg_class where relkind = 'v' and relnamespace = \
            current_schema()::regnamespace order by 1",
        )
        .await;
    for view in views {
        let rows = format!("select count(*) from {view} as v where v::text is not null");
        world.lines(&rows).await;
    }
    assert_rows(
        &world,
        &format!(
            "select customer_id, licenses_active = {most}, licenses_qualified = {most},
                licenses_qualified_7d_ago = {most}, licenses_qualified_change_7d
             from license_growth where product_name = 'Alpha' order by 1"
        ),
        &["1|true|true|true|0", "2|true|true|true|0"],
    )
    .await;
    assert_rows(
        &world,
        &format!(
            "select licenses_sold = {most}, licenses_assigned = {most}, licenses_unassigned
             from license_product where licenses_sold is not null"
        ),
        &["true|true|0"],
    )
    .await;
}
