select
    coalesce(d.customer_id, u.customer_id) as customer_id,
    coalesce(d.customer_name, u.customer_name) as customer_name,
    coalesce(d.product_name, u.product_name) as product_name,
    coalesce(d.product_id, u.product_id) as product_id,
    u.workload_name,
    d.licenses_sold,
    d.licenses_deployed as licenses_assigned,
    u.licenses_qualified,
    u.licenses_active,
    100.0 * d.licenses_deployed / nullif(d.licenses_sold, 0) as deployed_percent,
    100.0 * u.licenses_active / nullif(u.licenses_qualified, 0) as active_percent,
    d.processed_date_time as deployment_processed_date_time,
    u.processed_date_time as usage_processed_date_time,
    d.processed_date as deployment_processed_date,
    u.processed_date as usage_processed_date,
    coalesce(u.workload_name, '') as workload_key
from model_latest_deployment as d
full join model_latest as u
    on u.customer_id = d.customer_id
    and u.product_name = d.product_name
