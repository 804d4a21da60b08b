-- The products of each customer. Ids, service and channel are those of the newest rows.
with first as (
    select customer_id, present_name, min(processed_date) as first_date
    from model_usage
    group by customer_id, present_name
)

select
    n.customer_id,
    n.present_name,
    max(n.present_id) as present_id,
    max(n.service) as service,
    max(n.channel) as channel,
    f.first_date,
    max(n.processed_date) as last_date,
    bool_or(n.is_current) as is_current,
    f.first_date = (
        select min(o.processed_date)
        from model_usage as o
        where o.customer_id = n.customer_id
            and o.service = max(n.service)
    ) as is_from_the_start
from model_latest as n
inner join first as f
    on f.customer_id = n.customer_id
    and f.present_name = n.present_name
group by n.customer_id, n.present_name, f.first_date
