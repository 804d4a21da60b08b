select
    l.customer_id,
    max(c.customer_name) as customer_name,
    l.present_name as product_name,
    max(l.present_id) as product_id,
    l.present_workload as workload_name,
    max(l.present_code) as workload_code,
    max(l.service) as service,
    max(l.channel) as channel,
    model.product_kind(l.present_name) as product_kind,
    max(l.processed_date) as processed_date,
    (
        select max(u.processed_date)
        from model_usage as u
        where u.service = max(l.service)
    ) - max(l.processed_date) as days_behind,
    sum(l.licenses_qualified) as licenses_qualified,
    sum(l.licenses_active) as licenses_active,
    sum(l.licenses_qualified) - sum(l.licenses_active) as licenses_unused,
    sum(l.licenses_active) / nullif(sum(l.licenses_qualified), 0) as active_ratio
from model_latest as l
inner join customer as c on c.customer_id = l.customer_id
where l.is_current
group by l.customer_id, l.present_name, l.present_workload
