select
    m.customer_id,
    m.product_name,
    m.workload_name,
    m.month,
    m.processed_date_time,
    m.customer_name,
    m.licenses_active,
    m.licenses_qualified,
    m.usage_percent,
    100.0 * m.licenses_active / nullif(m.licenses_qualified, 0) as active_percent,
    m.present_name as product_name_now,
    m.present_id as product_id,
    m.service_code,
    m.channel,
    m.processed_date,
    not m.is_replaced
    and m.processed_date_time = (
        select max(o.processed_date_time)
        from model_usage as o
        where o.customer_id = m.customer_id
            and o.service = m.service
            and o.month = m.month
    ) as is_month_end,
    (now() at time zone 'UTC')::date >= m.month + interval '1 month' as is_month_over,
    m.month = date_trunc('month', r.newest) as is_newest,
    m.present_id,
    m.present_name,
    m.present_code,
    m.present_workload,
    m.service
from (
    select distinct on (customer_id, product_name, workload_name, month) *
    from model_usage
    order by customer_id, product_name, workload_name, month, processed_date_time desc
) as m
cross join model_reach as r
