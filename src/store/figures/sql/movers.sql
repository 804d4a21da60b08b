with moved as (
    select
        coalesce(n.customer_id, o.customer_id) as customer_id,
        coalesce(n.customer_name, o.customer_name) as customer_name,
        coalesce(n.product_name, o.product_name) as product_name,
        coalesce(n.workload_name, o.workload_name) as workload_name,
        coalesce(o.licenses_active, 0) as "from",
        coalesce(n.licenses_active, 0) as "to"
    from license_usage_current as n
    full join (select * from license_usage_daily where date = $1::date - 7) as o
        on o.customer_id = n.customer_id
        and o.product_name = n.product_name
        and o.workload_name = n.workload_name
    where coalesce(n.days_behind, 0) <= 14
        and coalesce(o.licenses_active, 0) <> coalesce(n.licenses_active, 0)
)

select customer_id, customer_name, product_name, workload_name, "from", "to"
from (
    select distinct on (customer_id, product_name) *
    from moved
    where product_name <> all($2::varchar[])
        and exists (select from license_usage_daily_total where date = $1::date - 7)
    order by customer_id, product_name, abs("to" - "from") desc, workload_name
) as mover
order by abs("to" - "from") desc, customer_id, product_name
limit 12
