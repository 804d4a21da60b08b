-- The newest row of each series, and whether it is current.
select
    u.*,
    c.gone_since is null
    and not u.is_replaced
    and u.processed_date_time = (
        select max(o.processed_date_time)
        from model_usage as o
        where o.customer_id = u.customer_id
            and o.service = u.service
    )
    and not exists (
        select
        from model.first_seen as f
        inner join model_success as s on s.customer_id = u.customer_id
        where f.dataset = 'usage'
            and f.service = u.service
            and f.processed_date > u.processed_date
            and f.first_seen_at <= s.last_success_at
    ) as is_current
from (
    select distinct on (customer_id, product_name, workload_name) *
    from model_usage
    order by customer_id, product_name, workload_name, processed_date_time desc
) as u
left join customer as c on c.customer_id = u.customer_id
