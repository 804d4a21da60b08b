select
    day::date as date,
    date_trunc('month', day)::date as month,
    extract(quarter from day)::integer as quarter,
    extract(year from day)::integer as year,
    extract(week from day)::integer as iso_week,
    extract(isodow from day)::integer as iso_weekday,
    extract(month from day + interval '1 day') <> extract(month from day) as is_month_end
from (
    select
        coalesce(min(processed_date), (now() at time zone 'UTC')::date) as oldest,
        coalesce(max(processed_date), (now() at time zone 'UTC')::date) as newest
    from (
        select processed_date from model_usage
        union all
        select processed_date from model_deployment
    ) as d
) as r
cross join generate_series(
    date_trunc('year', r.oldest),
    date_trunc('year', r.newest) + interval '1 year - 1 day',
    interval '1 day'
) as day
