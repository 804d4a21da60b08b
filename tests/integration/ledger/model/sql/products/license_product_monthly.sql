with workload as (
    select
        month,
        customer_id,
        present_name as product_name,
        present_workload as workload_name,
        max(present_id) as product_id,
        max(service) as service,
        max(channel) as channel,
        max(processed_date) as processed_date,
        sum(licenses_qualified) as licenses_qualified,
        sum(licenses_active) as licenses_active
    from model_license_usage_monthly
    where is_month_end
    group by month, customer_id, present_name, present_workload
),

used as (
    select
        month,
        customer_id,
        product_name,
        max(product_id) as product_id,
        max(service) as service,
        max(channel) as channel,
        max(processed_date) as processed_date,
        max(licenses_qualified) as licenses_qualified,
        max(licenses_active) as licenses_active,
        (
            array_agg(workload_name order by licenses_active desc, workload_name collate "C")
        )[1] as most_used_workload
    from workload
    group by month, customer_id, product_name
),

sold as (
    select
        d.month,
        d.customer_id,
        d.present_name as product_name,
        max(d.present_id) as product_id,
        max(d.service) as service,
        max(d.channel) as channel,
        max(d.processed_date) as processed_date,
        sum(d.licenses_sold) as licenses_sold,
        sum(d.licenses_deployed) as licenses_assigned
    from (
        select distinct on (customer_id, product_name, month) *
        from model_deployment
        order by customer_id, product_name, month, processed_date_time desc
    ) as d
    where not d.is_replaced
        and d.processed_date = (
            select max(o.processed_date)
            from model_deployment as o
            where o.customer_id = d.customer_id
                and o.service = d.service
                and o.month = d.month
        )
    group by d.month, d.customer_id, d.present_name
),

product as (
    select
        coalesce(u.month, d.month) as month,
        coalesce(u.customer_id, d.customer_id) as customer_id,
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
        / nullif(coalesce(d.licenses_sold, u.licenses_qualified), 0)::double precision
            as active_ratio
    from used as u
    full join sold as d
        on d.month = u.month
        and d.customer_id = u.customer_id
        and d.product_name = u.product_name
)

select
    p.*,
    c.customer_name,
    p.month = date_trunc('month', r.newest) as is_newest
from product as p
left join customer as c on c.customer_id = p.customer_id
cross join model_reach as r
