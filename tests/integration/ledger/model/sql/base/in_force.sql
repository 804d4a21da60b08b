-- Of each customer and service the newest collection of the fortnight before, on each day of the
-- calendar.
select
    k.date,
    u.*
from (
    select distinct on (d.date, c.customer_id, c.service)
        d.date,
        c.customer_id,
        c.service,
        c.processed_date_time
    from model_calendar as d
    inner join (
        select distinct customer_id, service, processed_date_time, processed_date from model_usage
    ) as c on c.processed_date between d.date - 14 and d.date
    order by d.date, c.customer_id, c.service, c.processed_date_time desc
) as k
inner join model_usage as u
    on u.customer_id = k.customer_id
    and u.service = k.service
    and u.processed_date_time = k.processed_date_time
where not u.is_replaced
