select
    d.*,
    c.gone_since is null
    and not d.is_replaced
    and d.processed_date = (
        select max(o.processed_date)
        from model_deployment as o
        where o.customer_id = d.customer_id
            and o.service = d.service
    )
    and not exists (
        select
        from model.first_seen as f
        inner join model_success as s on s.customer_id = d.customer_id
        where f.dataset = 'deployment'
            and f.service = d.service
            and f.processed_date > d.processed_date
            and f.first_seen_at <= s.last_success_at
    ) as is_current
from (
    select distinct on (customer_id, product_name) *
    from model_deployment
    order by customer_id, product_name, processed_date_time desc
) as d
left join customer as c on c.customer_id = d.customer_id
