with newest as (select max(last_processed_date) as date from customer_freshness),

total as (
    select
        t.workload_name,
        t.date,
        sum(t.licenses_active) as active,
        sum(t.licenses_qualified) as qualified,
        2 * sum(t.customers_carried) >= sum(t.customers) as is_carried
    from license_usage_daily_total as t
    cross join newest as n
    where t.date > n.date - 90
    group by t.workload_name, t.date
),

line as (
    select t.workload_name, row_number() over (order by t.active desc, t.workload_name) as place
    from total as t
    inner join newest as n on n.date = t.date
    order by place
    limit 8
)

select l.workload_name, d.date::date as date, t.active, t.qualified,
    coalesce(t.is_carried, false) as is_carried
from line as l
cross join newest as n
cross join generate_series(n.date - 89, n.date::timestamp, interval '1 day') as d (date)
left join total as t on t.workload_name = l.workload_name and t.date = d.date::date
order by l.place, d.date
