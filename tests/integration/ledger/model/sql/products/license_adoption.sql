with used as (
    select
        customer_id,
        max(customer_name) as customer_name,
        workload_name,
        max(workload_code) as workload_code,
        max(service) as service,
        max(channel) as channel,
        max(processed_date) as processed_date,
        sum(licenses_qualified) as licenses_qualified,
        sum(licenses_active) as licenses_active
    from model_license_usage_current
    where product_kind = 'paid'
    group by customer_id, workload_name
),

aimed as (
    select
        u.*,
        u.licenses_active / nullif(u.licenses_qualified, 0) as active_ratio,
        coalesce(t.target_ratio, 0.4)::numeric as target_ratio
    from used as u
    left join adoption_target as t on t.workload_name = u.workload_name
)

select
    *,
    active_ratio >= target_ratio as meets_target,
    greatest(0, ceil(target_ratio * licenses_qualified) - licenses_active) as licenses_to_target
from aimed
