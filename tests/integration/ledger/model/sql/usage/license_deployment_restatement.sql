select
    r.restatement_id,
    r.customer_id,
    r.product_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used as old_licenses_deployed,
    r.new_used as new_licenses_deployed,
    r.old_total as old_licenses_sold,
    r.new_total as new_licenses_sold,
    r.old_percent as old_deployment_percent,
    r.new_percent as new_deployment_percent,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    c.customer_name
from restatement as r
left join customer as c on c.customer_id = r.customer_id
where r.dataset = 'deployment'
