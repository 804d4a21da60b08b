select
    c.customer_id,
    c.customer_name,
    (select min(u.processed_date) from model_usage as u where u.customer_id = c.customer_id)
        as first_usage_date,
    (select max(u.processed_date) from model_usage as u where u.customer_id = c.customer_id)
        as last_usage_date,
    (coalesce(c.gone_since, c.absent_since) at time zone 'UTC')::date as gone_date,
    (c.returned_at at time zone 'UTC')::date as returned_date,
    case
        when c.gone_since is not null then 'gone'
        when not exists (select from model_usage as u where u.customer_id = c.customer_id)
            then 'never_had_usage'
        when
            not exists (
                select from model_latest as l where l.customer_id = c.customer_id and l.is_current
            )
            then 'ended'
        when c.returned_at is not null then 'returned'
        else 'active'
    end as state
from customer as c
