-- Deployment with dates, services and present names.
select
    d.*,
    (d.processed_date_time at time zone 'UTC')::date as processed_date,
    date_trunc('month', d.processed_date_time at time zone 'UTC')::date as month,
    lower(coalesce(d.service_code, d.service_name, '')) as service,
    p.present_id,
    p.present_name
from license_deployment as d
cross join model.present_product(d.product_id, d.product_name) as p
