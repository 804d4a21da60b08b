-- Days that are marked as stale may have any totals, and are taken from what is kept.
select
    date,
    service,
    coalesce(product_id, '') as product_id,
    case when product_id is null then product_name else '' end as product_name,
    coalesce(workload_code, '') as workload_code,
    case when workload_code is null then workload_name else '' end as workload_name,
    count(distinct customer_id) as customers,
    count(distinct customer_id) filter (where processed_date < date) as customers_carried,
    sum(licenses_active) as licenses_active,
    sum(licenses_qualified) as licenses_qualified
from model_in_force
where date not in (select s.date from stale_day as s)
group by 1, 2, 3, 4, 5, 6
union all
select
    date, service, product_id, product_name, workload_code, workload_name, customers,
    customers_carried, licenses_active, licenses_qualified
from license_usage_day_total
where date in (select s.date from stale_day as s)
