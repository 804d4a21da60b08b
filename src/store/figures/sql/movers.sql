with newest as (select max(last_processed_date) as date from customer_freshness),

renamed as (
    select unnest(array[s.old_product_name, s.new_product_name]) as product_name
    from product_rename_suspect as s
    cross join newest as n
    where s.since + 21 > n.date
)

select customer_id, customer_name, product_name, workload_name, "from", "to"
from (
    select distinct on (customer_id, product_name)
        customer_id, customer_name, product_name, workload_name,
        licenses_active_7d_ago as "from", licenses_active as "to"
    from license_growth
    where coalesce(days_behind, 0) <= 14
        and licenses_active_change_7d <> 0
        and product_name not in (select product_name from renamed)
    order by customer_id, product_name, abs(licenses_active_change_7d) desc, workload_name
) as mover
order by abs("to" - "from") desc, customer_id, product_name
limit 12
