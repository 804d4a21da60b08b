with past as (
    select
        f.customer_id,
        f.present_name as product_name,
        f.present_workload as workload_name,
        max(f.present_id) as product_id,
        max(f.present_code) as workload_code,
        max(f.service) as service,
        max(f.channel) as channel,
        sum(f.licenses_active) filter (where f.date = r.newest - 7) as active_7,
        sum(f.licenses_active) filter (where f.date = r.newest - 30) as active_30,
        sum(f.licenses_active) filter (where f.date = r.newest - 91) as active_91,
        sum(f.licenses_active) filter (where f.date = r.newest - 365) as active_365,
        sum(f.licenses_qualified) filter (where f.date = r.newest - 7) as qualified_7,
        sum(f.licenses_qualified) filter (where f.date = r.newest - 30) as qualified_30,
        sum(f.licenses_qualified) filter (where f.date = r.newest - 91) as qualified_91,
        sum(f.licenses_qualified) filter (where f.date = r.newest - 365) as qualified_365
    from model_in_force as f
    cross join model_reach as r
    where r.newest - f.date in (7, 30, 91, 365)
    group by f.customer_id, f.present_name, f.present_workload
),

figures as (
    select
        customer_id,
        product_name,
        workload_name,
        coalesce(c.product_id, p.product_id) as product_id,
        coalesce(c.workload_code, p.workload_code) as workload_code,
        coalesce(c.service, p.service) as service,
        coalesce(c.channel, p.channel) as channel,
        c.processed_date,
        c.days_behind,
        coalesce(c.licenses_active, 0) as licenses_active,
        coalesce(c.licenses_qualified, 0) as licenses_qualified,
        case when r.newest - 7 >= r.oldest then coalesce(p.active_7, 0) end as active_7,
        case when r.newest - 30 >= r.oldest then coalesce(p.active_30, 0) end as active_30,
        case when r.newest - 91 >= r.oldest then coalesce(p.active_91, 0) end as active_91,
        case when r.newest - 365 >= r.oldest then coalesce(p.active_365, 0) end as active_365,
        case when r.newest - 7 >= r.oldest then coalesce(p.qualified_7, 0) end as qualified_7,
        case when r.newest - 30 >= r.oldest then coalesce(p.qualified_30, 0) end as qualified_30,
        case when r.newest - 91 >= r.oldest then coalesce(p.qualified_91, 0) end as qualified_91,
        case when r.newest - 365 >= r.oldest then coalesce(p.qualified_365, 0) end as qualified_365
    from model_license_usage_current as c
    full join past as p using (customer_id, product_name, workload_name)
    cross join model_reach as r
)

select
    f.customer_id,
    k.customer_name,
    f.product_name,
    f.product_id,
    f.workload_name,
    f.workload_code,
    f.service,
    f.channel,
    model.product_kind(f.product_name) as product_kind,
    f.processed_date,
    f.days_behind,
    f.licenses_active,
    f.licenses_qualified,
    f.active_7 as licenses_active_7d_ago,
    f.qualified_7 as licenses_qualified_7d_ago,
    f.licenses_active - f.active_7 as licenses_active_change_7d,
    f.licenses_qualified - f.qualified_7 as licenses_qualified_change_7d,
    f.active_30 as licenses_active_30d_ago,
    f.qualified_30 as licenses_qualified_30d_ago,
    f.licenses_active - f.active_30 as licenses_active_change_30d,
    f.licenses_qualified - f.qualified_30 as licenses_qualified_change_30d,
    f.active_91 as licenses_active_91d_ago,
    f.qualified_91 as licenses_qualified_91d_ago,
    f.licenses_active - f.active_91 as licenses_active_change_91d,
    f.licenses_qualified - f.qualified_91 as licenses_qualified_change_91d,
    f.active_365 as licenses_active_365d_ago,
    f.qualified_365 as licenses_qualified_365d_ago,
    f.licenses_active - f.active_365 as licenses_active_change_365d,
    f.licenses_qualified - f.qualified_365 as licenses_qualified_change_365d
from figures as f
left join customer as k on k.customer_id = f.customer_id
