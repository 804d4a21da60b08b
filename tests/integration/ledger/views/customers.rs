//! The views of customers, days, adoption and renamings equal their definitions in plain SQL on the
//! ledger alone.

use crate::support::World;

/// A small ledger with every case.
const LEDGER: &str = include_str!("customers/ledger.sql");
/// Views that show the ledger without what is kept beside it.
const NAIVE: &str = include_str!("customers/naive.sql");
/// Each view by its definition: a heading with the view's name and columns, and a query.
const DEFINITIONS: &str = include_str!("customers/definitions.sql");

async fn world() -> World {
    let world = World::new().await;
    world.execute(LEDGER).await;
    world.execute(NAIVE).await;
    world
        .execute("insert into adoption_target values ('Teams', 0.07)")
        .await;
    world
}

/// Asserts that every view equals its definition.
async fn assert_definitions(world: &World, when: &str) {
    world
        .execute("refresh materialized view naive_usage; refresh materialized view naive_follower")
        .await;
    for part in DEFINITIONS.split("-- name: ").skip(1) {
        let (heading, definition) = part.split_once(")\n").unwrap();
        let (view, columns) = heading.split_once(" (").unwrap();
        let columns = columns.replace("-- ", "");
        let view = format!("select {columns} from {view}");
        let others = format!(
            "((select 'view' as of, * from ({view}) as v) except all (select 'view', * from \
            ({definition}) as d)) union all ((select 'definition', * from ({definition}) as d) \
            except all (select 'definition', * from ({view}) as v)) limit 10"
        );
        let others = world.lines(&others).await;
        assert!(others.is_empty(), "{when}: {view}\n{}", others.join("\n"));
        let rows = format!("select count(*) from ({definition}) as d");
        assert!(world.value::<i64>(&rows).await > 0, "{heading}");
    }
}

#[tokio::test]
async fn each_view_of_customers_and_days_equals_its_definition() {
    let world = world().await;
    assert_definitions(&world, "as loaded").await;

    // Another writer: a customer's newest rows are gone, and another has a product more.
    world
        .execute(
            "delete from license_usage where customer_id = customer(2)
                and processed_date_time >= at(50, 0);
            insert into license_usage select at(58, 0), customer(3), product_name, workload_name,
                null, null, null, 'O365', null, 'direct', 1, 2, null, at(60), at(60), 1
            from license_usage
            where customer_id = customer(1) and processed_date_time = at(58, 0)",
        )
        .await;
    assert_definitions(&world, "after another writer").await;
}

#[tokio::test]
async fn each_customer_has_one_state_and_a_reason_for_it() {
    let world = world().await;
    let states = world
        .lines(
            "select right(f.customer_id::text, 2), f.state, l.state as lifecycle,
                coalesce(regexp_replace(
                    f.state_reason, '2\\d{3}-\\d\\d-\\d\\d',
                    'day ' || substring(f.state_reason, '2\\d{3}-\\d\\d-\\d\\d')::date - day(0)
                ), f.state_reason) as reason
            from customer_freshness as f join customer_lifecycle as l using (customer_id)
            where f.state <> 'active' or l.state <> 'active' order by f.customer_id",
        )
        .await;
    assert_eq!(
        states,
        [
            "03|ended|ended|fetched with success, and no figures have come after day 20",
            "04|gone|gone|not on the partner's list since day 31",
            "05|active|returned|-",
            "06|never_had_usage|never_had_usage|fetched with success, and no figures have come so \
                far",
            "07|failing|active|forbidden: the role is too small",
            "08|failing|never_had_usage|not fetched so far",
            "09|stale|active|newest figures of day 30, over 14 days ago",
        ]
    );
}

#[tokio::test]
async fn a_ledger_without_figures_has_a_date_table_of_this_year_and_no_other_rows() {
    let world = World::new().await;
    assert_eq!(
        world
            .lines(
                "select min(date) = date_trunc('year', now() at time zone 'UTC'),
                    max(date) + 1
                    = date_trunc('year', now() at time zone 'UTC') + interval '1 year',
                    (select count(*) from data_completeness)
                    + (select count(*) from license_adoption)
                    + (select count(*) from license_waste_monthly)
                    + (select count(*) from product_rename_suspect)
                    + (select count(*) from customer_lifecycle) as others
                from date_dimension"
            )
            .await,
        ["true|true|0"]
    );
}

/// Each part is read alone, from fewer collections than all days are.
#[tokio::test]
async fn the_completeness_of_some_days_is_that_of_these_days_in_the_view() {
    let world = world().await;
    let differing = "select first, last
        from generate_series(0, 75, 5) as first
        cross join generate_series(0, 75, 5) as last
        where exists (
            (
                table data_completeness
                except all
                select * from data_completeness_between(day(first), day(last))
            )
            intersect all
            select * from data_completeness where date between day(first) and day(last)
        )
            or exists (
                select * from data_completeness_between(day(first), day(last))
                except all
                table data_completeness
            )";
    assert_eq!(world.lines(differing).await, Vec::<String>::new());
    let all = "select count(*) from data_completeness";
    assert!(world.value::<i64>(all).await > 100);
}

#[tokio::test]
async fn of_two_products_renamed_on_one_day_each_is_paired_with_its_own_new_name() {
    let world = world().await;
    let suspects = "select old_product_name, new_product_name, customers,
            round(share_of_holders::numeric, 3) as share, since = day(45) as since
        from product_rename_suspect order by 1";
    assert_eq!(
        world.lines(suspects).await,
        [
            // Six others have it, of which two are in force for the last time.
            "Business Premium|Business Premium (new)|6|0.500|true",
            "Office 365 E3|Microsoft 365 E3|6|0.750|true",
        ]
    );
    let replaced = "select right(customer_id::text, 2), product_name, replaces
        from license_holding where replaces is not null and customer_id >= customer(15)
        order by 1, 2";
    let of_others = [
        "16|Microsoft 365 E3|Office 365 E3",
        "17|Business Premium (new)|Business Premium",
    ];
    assert_eq!(world.lines(replaced).await[2..], of_others);

    // Ready to copy, and what it names is one product from then on.
    let statement: String = world
        .value("select alias_statement from product_rename_suspect where customers = 6 limit 1")
        .await;
    world.execute(&statement).await;
    assert_eq!(world.lines(suspects).await.len(), 1);
}

#[tokio::test]
async fn equal_seats_of_two_renamed_products_are_told_apart_by_who_held_which() {
    let world = World::new().await;
    world.execute(LEDGER).await;
    // All that have both have as many seats of one as of the other.
    world
        .execute(
            "update license_usage set licenses_qualified = 30
            where customer_id between customer(11) and customer(17)",
        )
        .await;
    assert_eq!(
        world
            .lines(
                "select old_product_name, new_product_name, customers from product_rename_suspect \
                order by 1"
            )
            .await,
        [
            "Business Premium|Business Premium (new)|6",
            "Office 365 E3|Microsoft 365 E3|6",
        ]
    );
}
