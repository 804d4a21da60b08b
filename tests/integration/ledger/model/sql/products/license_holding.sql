-- Ids, service and channel are those of the newest rows.
with first as (
    select customer_id, present_name, min(processed_date) as first_date
    from model_usage
    group by customer_id, present_name
)

select
    n.customer_id,
    c.customer_name,
    n.present_name as product_name,
    max(n.present_id) as product_id,
    max(n.service) as service,
    max(n.channel) as channel,
    model.product_kind(n.present_name) as product_kind,
    f.first_date,
    max(n.processed_date) as last_date,
    bool_or(n.is_current) as is_current,
    f.first_date = (
        select min(o.processed_date)
        from model_usage as o
        where o.customer_id = n.customer_id
            and o.service = max(n.service)
    ) as is_from_the_start,
    null::text as replaces
from model_latest as n
inner join first as f
    on f.customer_id = n.customer_id
    and f.present_name = n.present_name
left join customer as c on c.customer_id = n.customer_id
group by n.customer_id, c.customer_name, n.present_name, f.first_date
