-- Rows of one date that were first stored together add up: they came in one collection, with
-- several names of one product. Of what was stored at different times the last counts.
with product as materialized (
    select
        p.*,
        o.id as present_id,
        coalesce(model.newest_name('product', o.id), p.product_name) as present_name
    from (select distinct product_id, product_name from model_usage) as p
    cross join coalesce(p.product_id, model.owner('product', p.product_name)) as o (id)
),

workload as materialized (
    select
        w.*,
        o.id as present_code,
        coalesce(model.newest_name('workload', o.id), w.workload_name) as present_name
    from (select distinct workload_code, workload_name from model_usage) as w
    cross join coalesce(w.workload_code, model.owner('workload', w.workload_name)) as o (id)
),

named as (
    select
        u.*,
        p.present_id as series_id,
        p.present_name as series_name,
        w.present_code as series_code,
        w.present_name as series_workload
    from model_usage as u
    inner join product as p
        on p.product_name = u.product_name
        and p.product_id is not distinct from u.product_id
    inner join workload as w
        on w.workload_name = u.workload_name
        and w.workload_code is not distinct from u.workload_code
)

select distinct on (
    customer_id,
    coalesce(series_id, series_name),
    coalesce(series_code, series_workload),
    processed_date_time
)
    customer_id,
    series_id as product_id,
    series_name as product_name,
    series_code as workload_code,
    series_workload as workload_name,
    processed_date_time,
    max(customer_name) as customer_name,
    max(product_name) as product_name_then,
    max(workload_name) as workload_name_then,
    sum(licenses_active) as licenses_active,
    sum(licenses_qualified) as licenses_qualified,
    case when count(*) = 1 then max(usage_percent) end as usage_percent,
    100.0 * sum(licenses_active) / nullif(sum(licenses_qualified), 0) as active_percent,
    processed_date
from named
group by
    customer_id,
    series_id,
    series_name,
    series_code,
    series_workload,
    processed_date_time,
    processed_date,
    first_synced_at
order by
    customer_id,
    coalesce(series_id, series_name),
    coalesce(series_code, series_workload),
    processed_date_time,
    first_synced_at desc
