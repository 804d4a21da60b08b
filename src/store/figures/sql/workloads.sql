with total as (
    select
        workload_name,
        date,
        seat_sum(sum(licenses_active)) as active,
        seat_sum(sum(licenses_qualified)) as qualified,
        2 * sum(customers_carried) >= sum(customers) as is_carried
    from license_usage_daily_total
    where date > $1::date - 90
        and product_kind = 'paid'
    group by workload_name, date
),

line as (
    select workload_name, row_number() over (order by active desc, workload_name) as place
    from total
    where date = $1::date
    order by place
    limit 8
)

select
    l.workload_name,
    d.date::date as date,
    t.active,
    t.qualified,
    coalesce(t.is_carried, false) as is_carried
from line as l
cross join generate_series($1::date - 89, $1::date::timestamp, interval '1 day') as d (date)
left join total as t on t.workload_name = l.workload_name and t.date = d.date::date
order by l.place, d.date
