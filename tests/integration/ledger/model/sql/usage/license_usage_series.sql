-- Rows of one date that were first stored together add up: they came in one collection, with
-- several names of one product. Of what was stored at different times the last counts.
with named as (
    select
        u.*,
        coalesce(u.product_id, po.id) as series_id,
        coalesce(model.newest_name('product', coalesce(u.product_id, po.id)), u.product_name)
            as series_name,
        coalesce(u.workload_code, wo.id) as series_code,
        coalesce(model.newest_name('workload', coalesce(u.workload_code, wo.id)), u.workload_name)
            as series_workload
    from model_usage as u
    cross join model.owner('product', u.product_name) as po (id)
    cross join model.owner('workload', u.workload_name) as wo (id)
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
    max(last_changed_at) desc
