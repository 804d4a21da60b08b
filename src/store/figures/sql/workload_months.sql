with total as (
    select
        workload_name,
        date,
        seat_sum(sum(licenses_active)) as active,
        seat_sum(sum(licenses_qualified)) as qualified
    from license_usage_daily_total
    where date = any($2::date[])
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
    date_trunc('month', d.date::timestamp)::date as month,
    t.active,
    t.qualified,
    extract(day from d.date + 1) = 1 as is_over
from line as l
cross join unnest($2::date[]) as d (date)
left join total as t on t.workload_name = l.workload_name and t.date = d.date
order by l.place, d.date
