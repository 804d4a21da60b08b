-- Deployment with dates, services and present names. Of a product's rows of one date the last
-- counts; one of a product id is replaced if one under another name was first stored later.
with stored as (
    select
        *,
        (processed_date_time at time zone 'UTC')::date as processed_date,
        lower(coalesce(service_code, service_name, '')) as service
    from license_deployment
),

last_of_date as (
    select distinct on (customer_id, product_name, processed_date) *
    from stored
    order by customer_id, product_name, processed_date, processed_date_time desc
)

select
    d.*,
    date_trunc('month', d.processed_date_time at time zone 'UTC')::date as month,
    p.present_id,
    p.present_name,
    exists (
        select
        from last_of_date as o
        where o.customer_id = d.customer_id
            and o.service = d.service
            and o.processed_date = d.processed_date
            and o.product_id = d.product_id
            and o.first_synced_at > d.first_synced_at
    ) as is_replaced
from stored as d
cross join model.present_product(d.product_id, d.product_name) as p
