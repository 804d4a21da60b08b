-- Days: how complete the figures of each are, and a table of dates.
-- New views: locks nothing in use.

-- Days --------------------------------------------------------------------------------------------

create view data_completeness as
with collection as (
    select
        customer_id,
        service,
        (processed_date_time at time zone 'UTC')::date as processed_date,
        (lead(processed_date_time) over series at time zone 'UTC')::date as next_date
    from license_usage_collection
    window series as (partition by customer_id, service order by processed_date_time)
),

-- A collection is in force until the day before the customer's next one of that service, and for 14
-- days at most. Those of one date that are so for as many days are counted together, so that few
-- are spread over the calendar.
alike as (
    select
        k.service,
        k.processed_date,
        least(14, k.next_date - k.processed_date - 1) as days_carried,
        (c.gone_since at time zone 'UTC')::date as gone_date,
        (c.absent_since at time zone 'UTC')::date as absent_date,
        (c.returned_at at time zone 'UTC')::date as returned_date,
        count(*) as customers
    from collection as k
    inner join customer as c on c.customer_id = k.customer_id
    group by 1, 2, 3, 4, 5, 6
),

counted as (
    select
        a.service,
        d.date,
        sum(a.customers)::bigint as expected,
        coalesce(sum(a.customers) filter (where d.date = a.processed_date), 0)::bigint as stored
    from alike as a
    cross join generate_series(0, a.days_carried) as n
    cross join lateral (select a.processed_date + n as date) as d
    where d.date = a.processed_date
        or (
            coalesce(d.date < a.gone_date, true)
            and coalesce(d.date < a.absent_date or d.date >= a.returned_date, true)
        )
    group by a.service, d.date
),

calendar as (
    select s.service, day::date as date
    from (
        select service, min(processed_date) as first, max(max(processed_date)) over () as last
        from service_date
        where dataset = 'usage'
        group by service
    ) as s
    cross join generate_series(s.first::timestamp, s.last::timestamp, interval '1 day') as day
)

select
    d.date,
    d.service::varchar(255) as service,
    coalesce(n.expected, 0) as customers_expected,
    coalesce(n.stored, 0) as customers_stored,
    n.stored::double precision / n.expected as completeness,
    (case
        when coalesce(n.stored, 0) = 0 then 'no_figures'
        when n.stored < n.expected then 'partial'
        else 'complete'
    end)::varchar(16) as state
from calendar as d
left join counted as n on n.service = d.service and n.date = d.date;

comment on view data_completeness
    is 'One row per calendar day (UTC) and service, from the service''s first date to the newest '
    'date of all, also for days of which nothing came: how many of the customers that were to '
    'have usage have it.';
comment on column data_completeness.date is 'The calendar day (UTC).';
comment on column data_completeness.service is 'The service, such as o365 or crm.';
comment on column data_completeness.customers_expected
    is 'Customers with figures of the service on that day or within the 14 days before, without '
    'those that were gone by then. They add up over nothing: a customer has several services.';
comment on column data_completeness.customers_stored
    is 'Customers with figures of that very day. They add up over nothing likewise.';
comment on column data_completeness.completeness
    is 'Stored by expected customers, 0 to 1; null if none is expected. Never add it up: divide '
    'sums.';
comment on column data_completeness.state
    is 'complete: of every expected customer; partial: of some; no_figures: of none, as on days '
    'that the service did not process, or not yet.';

create view date_dimension as
select
    d.date,
    date_trunc('month', d.date::timestamp)::date as month,
    extract(quarter from d.date)::integer as quarter,
    extract(year from d.date)::integer as year,
    extract(week from d.date)::integer as iso_week,
    extract(isodow from d.date)::integer as iso_weekday,
    extract(day from d.date + 1) = 1 as is_month_end
from (
    select
        coalesce(min(processed_date)::timestamp, now() at time zone 'UTC') as oldest,
        coalesce(max(processed_date)::timestamp, now() at time zone 'UTC') as newest
    from service_date
) as dates
cross join generate_series(
    date_trunc('year', dates.oldest),
    date_trunc('year', dates.newest) + interval '1 year - 1 day',
    interval '1 day'
) as day
cross join lateral (select day::date as date) as d;

comment on view date_dimension
    is 'One row per day of each calendar year of which the ledger has figures; of the current year '
    'while it has none. For BI tools that want a table of dates: relate it to each view''s date.';
comment on column date_dimension.date is 'The day.';
comment on column date_dimension.month is 'The first day of its month.';
comment on column date_dimension.quarter is 'The quarter of the year, 1 to 4.';
comment on column date_dimension.year is 'The calendar year.';
comment on column date_dimension.iso_week
    is 'The ISO 8601 week, 1 to 53. Days about New Year may belong to a week of the other year.';
comment on column date_dimension.iso_weekday is 'The day of the week: 1 is Monday, 7 is Sunday.';
comment on column date_dimension.is_month_end is 'Whether it is the last day of its month.';
