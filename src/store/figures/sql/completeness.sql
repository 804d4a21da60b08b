with newest as (select max(last_processed_date) as date from customer_freshness),

day as (
    select c.*
    from data_completeness as c
    cross join newest as n
    where c.date > n.date - 91
),

strip as (
    select
        service,
        row_number() over (order by max(customers_expected) desc, service) as place
    from day
    group by service
    having max(customers_expected) > 0
    order by place
    limit 12
)

select d.service, d.date, d.state, d.customers_expected as expected, d.customers_stored as stored
from strip as s
inner join day as d on d.service = s.service
order by s.place, d.date
