with service as (
    select service, min(processed_date) as first from model_usage group by service
),

expected as (
    select f.date, f.service, count(distinct f.customer_id) as customers
    from model_in_force as f
    inner join customer as c on c.customer_id = f.customer_id
    where f.processed_date = f.date
        or not (
            coalesce(f.date >= (c.gone_since at time zone 'UTC')::date, false)
            or coalesce(
                f.date >= (c.absent_since at time zone 'UTC')::date
                and f.date < (c.returned_at at time zone 'UTC')::date,
                false
            )
        )
    group by f.date, f.service
),

stored as (
    select processed_date as date, service, count(distinct customer_id) as customers
    from model_usage
    group by processed_date, service
)

select
    d.date,
    s.service,
    coalesce(e.customers, 0) as customers_expected,
    coalesce(t.customers, 0) as customers_stored,
    coalesce(t.customers, 0)::double precision / nullif(e.customers, 0) as completeness,
    case
        when t.customers is null then 'no_figures'
        when t.customers = e.customers then 'complete'
        else 'partial'
    end as state
from model_calendar as d
inner join service as s on s.first <= d.date
left join expected as e on e.date = d.date and e.service = s.service
left join stored as t on t.date = d.date and t.service = s.service
