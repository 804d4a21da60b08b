//! The tables that are kept beside the ledger agree with it after every kind of change to it.

use crate::support::World;

/// Each table as it is kept, and as the ledger defines it. Totals of stale days are computed when
/// they are read.
const KEPT: [(&str, &str); 5] = [
    (
        "select processed_date_time, customer_id, service from license_usage_collection",
        "select distinct processed_date_time, customer_id,
             lower(coalesce(service_code, service_name, ''))
         from license_usage",
    ),
    (
        "select dataset, service, processed_date from service_date",
        "select distinct 'usage', lower(coalesce(service_code, service_name, '')),
             (processed_date_time at time zone 'UTC')::date
         from license_usage
         union all
         select distinct 'deployment', lower(coalesce(service_code, service_name, '')),
             (processed_date_time at time zone 'UTC')::date
         from license_deployment",
    ),
    (
        "select service, processed_date, first_seen_at from service_date where dataset = 'usage'",
        "select service, (processed_date_time at time zone 'UTC')::date, min(first_seen_at)
         from license_usage_collection group by 1, 2",
    ),
    (
        "select customer_id, month, r.* from license_usage_month
         join license_usage_set using (set_id)
         cross join unnest(product_names, workload_names, are_month_end, first_dates) as r",
        "select customer_id, month, product_name, workload_name,
             (array_agg(date = last order by date desc))[1],
             (min(date) at time zone 'UTC')::date
         from (
             select *, processed_date_time as date,
                 max(processed_date_time) over (partition by customer_id, month, service) as last
             from (
                 select *,
                     date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
                     lower(coalesce(service_code, service_name, '')) as service
                 from license_usage
             ) as dated
         ) as dated
         group by 1, 2, 3, 4",
    ),
    (
        "select * from license_usage_day_total where date not in (select date from stale_day)
         union all
         select * from license_usage_day_totals(array(select date from stale_day))",
        "select day, service, coalesce(product_id, ''),
             case when product_id is null then product_name else '' end,
             coalesce(workload_code, ''),
             case when workload_code is null then workload_name else '' end,
             count(distinct customer_id),
             count(distinct customer_id)
                 filter (where (processed_date_time at time zone 'UTC')::date < day),
             sum(licenses_active)::bigint, sum(licenses_qualified)::bigint
         from (
             select day::date,
                 lower(coalesce(service_code, service_name, '')) as service,
                 max(processed_date_time) over (partition by day, customer_id,
                     lower(coalesce(service_code, service_name, ''))) as newest,
                 u.*
             from (
                 select generate_series(
                     min(processed_date_time at time zone 'UTC')::date::timestamp,
                     max(processed_date_time at time zone 'UTC')::date, '1 day') as day
                 from license_usage
             ) as days
             join license_usage as u
                 on (u.processed_date_time at time zone 'UTC')::date
                 between day::date - 14 and day::date
         ) as dated
         where processed_date_time = newest
         group by 1, 2, 3, 4, 5, 6",
    ),
];

/// Asserts that what is kept beside the ledger agrees with it.
pub(super) async fn assert_kept(world: &World, when: &str) {
    for (kept, ledger) in KEPT {
        let others =
            format!("(({kept}) except all ({ledger})) union all (({ledger}) except all ({kept}))");
        let others = world.lines(&others).await;
        assert_eq!(others, [""; 0], "{when}: {kept}");
    }
}
