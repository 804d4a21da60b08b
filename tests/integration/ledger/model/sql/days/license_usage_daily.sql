select
    f.date,
    f.customer_id,
    c.customer_name,
    f.present_name as product_name,
    max(f.present_id) as product_id,
    f.present_workload as workload_name,
    max(f.present_code) as workload_code,
    max(f.service) as service,
    max(f.channel) as channel,
    k.product_kind,
    max(f.processed_date) as processed_date,
    max(f.processed_date) < f.date as is_carried,
    f.date - max(f.processed_date) as days_carried,
    sum(f.licenses_qualified) as licenses_qualified,
    sum(f.licenses_active) as licenses_active,
    sum(f.licenses_active) / nullif(sum(f.licenses_qualified), 0) as active_ratio
from model_in_force as f
inner join model_kind as k on k.present_name = f.present_name
left join customer as c on c.customer_id = f.customer_id
group by 1, 2, 3, 4, f.present_workload, k.product_kind
