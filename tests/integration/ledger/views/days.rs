//! The views by day: what is in force on each calendar day, and what was in force before.

use super::products::{add_usage, assert_rows, ledger};

/// What is in force on each calendar day, from the ledger alone.
const IN_FORCE: &str = "select d.date, u.*
    from (
        select distinct on (d.date, customer_id, service_name) d.date, customer_id, service_name,
            processed_date_time
        from (
            select generate_series(min(processed_date_time), max(processed_date_time), '1 day') \
                as date
            from license_usage
        ) as d
        inner join license_usage on processed_date_time between d.date - interval '14 days' and \
            d.date
        order by d.date, customer_id, service_name, processed_date_time desc
    ) as d
    inner join license_usage as u using (customer_id, service_name, processed_date_time)";

#[tokio::test]
async fn each_day_has_the_newest_figures_of_the_fortnight_before() {
    let world = ledger().await;
    // CRM processes every third day, nothing came on the third, and the second customer's figures
    // stop; the third's are there for one day.
    add_usage(
        &world,
        "2026-08-30, 1, CRM, Sales, crm, 1, 9
         2026-09-01, 1, Alpha, Teams, o365, 1, 10
         2026-09-01, 1, Ended, Teams, o365, 1, 10
         2026-09-01, 2, Alpha, Teams, o365, 2, 20
         2026-09-02, 1, Alpha, Teams, o365, 3, 10
         2026-09-02, 1, CRM, Sales, crm, 4, 9
         2026-09-04, 1, Alpha, Teams, o365, 5, 10
         2026-09-05, 1, CRM, Sales, crm, 6, 9
         2026-09-18, 1, Alpha, Teams, o365, 7, 10
         2026-09-18, 3, Alpha, Teams, o365, 8, 10",
    )
    .await;
    assert_rows(
        &world,
        "select date, customer_id, product_name, processed_date, is_carried, days_carried, \
            licenses_active
         from license_usage_daily where date = '2026-09-03' order by 1, 2, 3",
        &[
            "2026-09-03|1|Alpha|2026-09-02|true|1|3",
            "2026-09-03|1|CRM|2026-09-02|true|1|4",
            "2026-09-03|2|Alpha|2026-09-01|true|2|2",
        ],
    )
    .await;
    assert_rows(
        &world,
        "select min(date), max(date), max(days_carried), count(*) from license_usage_daily
         where customer_id = '00000000-0000-4000-8000-000000000002'",
        &["2026-09-01|2026-09-15|14|15"],
    )
    .await;
    let daily = format!(
        "select date::date, customer_id, product_name, workload_name, licenses_active from \
            ({IN_FORCE}) as f"
    );
    assert_rows(
        &world,
        &format!(
            "({daily} except all select date, customer_id, product_name, workload_name, \
                licenses_active from license_usage_daily)
             union all (select date, customer_id, product_name, workload_name, licenses_active \
                 from license_usage_daily except all {daily})"
        ),
        &[],
    )
    .await;
    let total = format!(
        "select date::date, product_name, count(*), \
            count(*) filter (where processed_date_time < date), sum(licenses_active)::bigint, \
            sum(licenses_qualified)::bigint
         from ({IN_FORCE}) as f group by 1, 2"
    );
    let view = "select date, product_name, customers, customers_carried, licenses_active, \
        licenses_qualified from license_usage_daily_total";
    assert_rows(
        &world,
        &format!("({total} except all {view}) union all ({view} except all {total})"),
        &[],
    )
    .await;
    // Every day counts, and one product is at its height on the last.
    assert_rows(
        &world,
        "select count(distinct date), max(date) filter (where is_newest) from \
            license_usage_daily_total",
        &["20|2026-09-18"],
    )
    .await;
}

#[tokio::test]
async fn growth_counts_what_was_lost_and_says_where_the_ledger_does_not_reach_back() {
    let world = ledger().await;
    add_usage(
        &world,
        "2026-06-11, 1, Alpha, Teams, o365, 5, 10
         2026-08-11, 1, Alpha, Teams, o365, 6, 10
         2026-09-03, 1, Alpha, Teams, o365, 7, 10
         2026-09-03, 1, Lost, Teams, o365, 4, 4
         2026-09-10, 1, Alpha, Teams, o365, 9, 12
         2026-09-10, 1, New, Teams, o365, 1, 2
         2026-09-02, 2, Alpha, Teams, o365, 3, 3",
    )
    .await;
    world
        .execute("update customer set gone_since = '2026-09-09' where customer_name = 'Customer 2'")
        .await;
    assert_rows(
        &world,
        "select customer_id, product_name, processed_date, licenses_active, \
            licenses_active_7d_ago, licenses_active_change_7d, licenses_qualified_change_7d, \
            licenses_active_30d_ago, licenses_active_change_30d, licenses_active_91d_ago, \
            licenses_active_change_91d, licenses_active_365d_ago, licenses_active_change_365d
         from license_growth order by 1, 2",
        &[
            "1|Alpha|2026-09-10|9|7|2|2|6|3|5|4|-|-",
            "1|Lost|-|0|4|-4|-4|0|0|0|0|-|-",
            "1|New|2026-09-10|1|0|1|2|0|1|0|1|-|-",
            "2|Alpha|-|0|3|-3|-3|0|0|0|0|-|-",
        ],
    )
    .await;
}

#[tokio::test]
async fn a_ledger_without_rows_has_no_days_and_no_errors() {
    let world = ledger().await;
    for view in [
        "license_usage_current",
        "license_product",
        "license_waste",
        "license_usage_daily",
        "license_usage_daily_total",
        "license_growth",
        "license_holding",
        "license_usage_total",
    ] {
        assert_rows(&world, &format!("select count(*) from {view}"), &["0"]).await;
    }
}
