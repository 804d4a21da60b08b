select
    customer_id,
    product_name,
    processed_date_time,
    customer_name,
    product_id,
    service_name,
    service_code,
    channel,
    licenses_deployed,
    licenses_sold,
    deployment_percent,
    100.0 * licenses_deployed / nullif(licenses_sold, 0) as deployed_percent,
    first_synced_at,
    last_changed_at,
    run_id,
    processed_date
from model_latest_deployment
