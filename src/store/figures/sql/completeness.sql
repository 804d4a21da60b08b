with day as (
    select
        service,
        date,
        state,
        customers_expected as expected,
        customers_stored as stored
    from data_completeness_between($1::date - 90, $1::date)
),

strip as (
    select service, row_number() over (order by max(expected) desc, service) as place
    from day
    group by service
    having max(expected) > 0
    order by place
    limit 12
)

select d.service, d.date, d.state, d.expected, d.stored
from strip as s
inner join day as d on d.service = s.service
order by s.place, d.date
