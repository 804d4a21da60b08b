-- The ledger with dates, services and present names. A row of a product id is replaced if its
-- collection has one of the same id and workload that was first stored later.
with product as materialized (
    select p.*, n.present_id, n.present_name
    from (select distinct product_id, product_name from license_usage) as p
    cross join model.present_product(p.product_id, p.product_name) as n
),

workload as materialized (
    select w.*, n.present_code, n.present_name
    from (select distinct workload_code, workload_name from license_usage) as w
    cross join model.present_workload(w.workload_code, w.workload_name) as n
)

select
    u.*,
    (u.processed_date_time at time zone 'UTC')::date as processed_date,
    date_trunc('month', u.processed_date_time at time zone 'UTC')::date as month,
    lower(coalesce(u.service_code, u.service_name, '')) as service,
    p.present_id,
    p.present_name,
    w.present_code,
    w.present_name as present_workload,
    exists (
        select
        from license_usage as o
        where o.processed_date_time = u.processed_date_time
            and o.customer_id = u.customer_id
            and lower(coalesce(o.service_code, o.service_name, ''))
            = lower(coalesce(u.service_code, u.service_name, ''))
            and o.product_id = u.product_id
            and coalesce(o.workload_code, o.workload_name)
            = coalesce(u.workload_code, u.workload_name)
            and o.first_synced_at > u.first_synced_at
    ) as is_replaced
from license_usage as u
inner join product as p
    on p.product_name = u.product_name
    and p.product_id is not distinct from u.product_id
inner join workload as w
    on w.workload_name = u.workload_name
    and w.workload_code is not distinct from u.workload_code
