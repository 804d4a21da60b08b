with newest as (
    select date, date_trunc('month', date::timestamp) as month
    from (select max(last_processed_date) as date from customer_freshness) as f
),

line as (
    select t.workload_name, row_number() over (
        order by sum(t.licenses_active) desc, t.workload_name
    ) as place
    from license_usage_daily_total as t
    inner join newest as n on n.date = t.date
    group by t.workload_name
    order by place
    limit 8
),

total as (
    select
        t.workload_name::varchar(255) as workload_name,
        t.month,
        sum(t.licenses_active) as active,
        sum(t.licenses_qualified) as qualified
    from license_usage_total as t
    cross join newest as n
    where t.month >= n.month - interval '12 months'
    group by 1, 2
)

select l.workload_name, m.month::date as month, t.active, t.qualified,
    n.date >= (m.month + interval '1 month - 1 day')::date as is_over
from line as l
cross join newest as n
cross join generate_series(n.month - interval '12 months', n.month, interval '1 month')
    as m (month)
left join total as t on t.workload_name = l.workload_name and t.month = m.month::date
order by l.place, m.month
