select
    r.restatement_id,
    r.customer_id,
    r.product_name,
    r.workload_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used as old_licenses_active,
    r.new_used as new_licenses_active,
    r.old_total as old_licenses_qualified,
    r.new_total as new_licenses_qualified,
    r.old_percent as old_usage_percent,
    r.new_percent as new_usage_percent,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    c.customer_name
from restatement as r
left join customer as c on c.customer_id = r.customer_id
where r.dataset = 'usage'
