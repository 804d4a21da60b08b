select
    u.customer_id,
    u.product_name,
    u.workload_name,
    u.processed_date_time,
    u.customer_name,
    u.licenses_active,
    u.licenses_qualified,
    u.usage_percent,
    b.processed_date_time as previous_processed_date_time,
    b.licenses_active as previous_licenses_active,
    b.licenses_qualified as previous_licenses_qualified,
    b.usage_percent as previous_usage_percent,
    u.licenses_active - b.licenses_active as licenses_active_change,
    u.licenses_qualified - b.licenses_qualified as licenses_qualified_change,
    u.usage_percent - b.usage_percent as usage_percent_change,
    100.0 * u.licenses_active / nullif(u.licenses_qualified, 0) as active_percent,
    u.processed_date,
    100.0 * u.licenses_active / nullif(u.licenses_qualified, 0)
    - 100.0 * b.licenses_active / nullif(b.licenses_qualified, 0) as active_percent_change
from model_usage as u
left join lateral (
    select *
    from model_usage as o
    where o.customer_id = u.customer_id
        and o.product_name = u.product_name
        and o.workload_name = u.workload_name
        and o.processed_date_time < u.processed_date_time
    order by o.processed_date_time desc
    limit 1
) as b on true
