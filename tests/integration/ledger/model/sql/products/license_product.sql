with used as (
    select
        customer_id,
        product_name,
        max(customer_name) as customer_name,
        max(product_id) as product_id,
        max(service) as service,
        max(channel) as channel,
        max(processed_date) as processed_date,
        max(licenses_qualified) as licenses_qualified,
        max(licenses_active) as licenses_active,
        (
            array_agg(workload_name order by licenses_active desc, workload_name collate "C")
        )[1] as most_used_workload
    from model_license_usage_current
    group by customer_id, product_name
),

sold as (
    select
        d.customer_id,
        d.present_name as product_name,
        max(c.customer_name) as customer_name,
        max(d.present_id) as product_id,
        max(d.service) as service,
        max(d.channel) as channel,
        max(d.processed_date) as processed_date,
        sum(d.licenses_sold) as licenses_sold,
        sum(d.licenses_deployed) as licenses_assigned
    from model_latest_deployment as d
    inner join customer as c on c.customer_id = d.customer_id
    where d.is_current
    group by d.customer_id, d.present_name
)

select
    coalesce(u.customer_id, d.customer_id) as customer_id,
    coalesce(u.customer_name, d.customer_name) as customer_name,
    coalesce(u.product_name, d.product_name) as product_name,
    coalesce(u.product_id, d.product_id) as product_id,
    coalesce(u.service, d.service) as service,
    coalesce(u.channel, d.channel) as channel,
    model.product_kind(coalesce(u.product_name, d.product_name)) as product_kind,
    u.processed_date,
    d.processed_date as deployment_processed_date,
    d.licenses_sold,
    d.licenses_assigned,
    u.licenses_qualified,
    u.licenses_active,
    u.most_used_workload,
    d.licenses_sold - d.licenses_assigned as licenses_unassigned,
    coalesce(d.licenses_sold, u.licenses_qualified) - coalesce(u.licenses_active, 0)
        as licenses_unused,
    coalesce(u.licenses_active, 0)
    / nullif(coalesce(d.licenses_sold, u.licenses_qualified), 0)::double precision as active_ratio
from used as u
full join sold as d
    on d.customer_id = u.customer_id
    and d.product_name = u.product_name
