-- The products of each customer. A series of the ledger whose rows have changed their id within a
-- month counts in that month as the product that its newest row is of: a month keeps no more. Ids
-- and channel are those of the newest rows.
with held_in_month as (
    select distinct on (customer_id, product_name, workload_name, month)
        customer_id,
        present_name,
        service,
        min(processed_date) over (
            partition by customer_id, product_name, workload_name, month
        ) as first_date
    from model_usage
    order by customer_id, product_name, workload_name, month, processed_date_time desc
),

first as (
    select customer_id, present_name, min(first_date) as first_date, max(service) as service
    from held_in_month
    group by customer_id, present_name
)

select
    n.customer_id,
    n.present_name,
    max(n.present_id) as present_id,
    f.service,
    max(n.channel) as channel,
    f.first_date,
    max(n.processed_date) as last_date,
    bool_or(n.is_current) as is_current,
    f.first_date = (
        select min(o.first_date)
        from held_in_month as o
        where o.customer_id = n.customer_id
            and o.service = f.service
    ) as is_from_the_start
from model_latest as n
inner join first as f
    on f.customer_id = n.customer_id
    and f.present_name = n.present_name
group by n.customer_id, n.present_name, f.service, f.first_date
