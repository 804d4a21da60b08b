select coalesce(json_object_agg(t.state, t.customers), '{}'::json)
from (
    select state, count(*) as customers
    from customer_freshness
    group by state
) as t
