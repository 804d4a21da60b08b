-- 11 of 13. Customers that come and go, how complete each day's figures are, a table of dates, and
-- how much of each workload customers use.
-- New table and views: locks nothing in use.

-- Customers ---------------------------------------------------------------------------------------

create view customer_lifecycle as
select
    c.customer_id,
    c.customer_name::varchar(255) as customer_name,
    (k.first_usage at time zone 'UTC')::date as first_usage_date,
    (k.last_usage at time zone 'UTC')::date as last_usage_date,
    (coalesce(c.gone_since, c.absent_since) at time zone 'UTC')::date as gone_date,
    (c.returned_at at time zone 'UTC')::date as returned_date,
    (case
        when c.gone_since is not null then 'gone'
        when k.first_usage is null then 'never_had_usage'
        when not u.has_current_row then 'ended'
        when c.returned_at is not null then 'returned'
        else 'active'
    end)::varchar(16) as state
from customer as c
left join (
    select
        customer_id,
        min(processed_date_time) as first_usage,
        max(processed_date_time) as last_usage
    from license_usage_collection
    group by customer_id
) as k on k.customer_id = c.customer_id
left join customer_usage as u on u.customer_id = c.customer_id;

comment on view customer_lifecycle
    is 'One row per customer: since when it has had usage, when it left the partner and when it '
    'came back. A customer gone and back more than once has the dates of the last absence.';
comment on column customer_lifecycle.customer_id is 'The customer''s tenant id.';
comment on column customer_lifecycle.customer_name is 'The customer''s name of now.';
comment on column customer_lifecycle.first_usage_date
    is 'The oldest processed date (UTC) of its usage in the ledger; for a customer that was there '
    'before the ledger, where the ledger begins. Null if it never had usage.';
comment on column customer_lifecycle.last_usage_date
    is 'The newest processed date (UTC) of its usage; null if it never had usage.';
comment on column customer_lifecycle.gone_date
    is 'When the partner''s own list (customers.discover) was first without the customer, UTC: of '
    'the absence that lasts, else of the last one that ended. Null if it never was.';
comment on column customer_lifecycle.returned_date
    is 'When it was last found on that list again, UTC; null if it never was gone and back.';
comment on column customer_lifecycle.state
    is 'gone: not on the partner''s list; never_had_usage: no row of usage has ever come; ended: '
    'none of its rows is current; returned: has current rows, after an absence; active: has '
    'current rows. The counts of the states add up to all customers.';

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

-- Adoption ----------------------------------------------------------------------------------------

create table adoption_target (
    workload_name varchar(255) not null,
    target_ratio double precision not null,
    constraint adoption_target_pkey primary key (workload_name),
    constraint adoption_target_target_ratio_check check (target_ratio between 0 and 1)
);

comment on table adoption_target
    is 'For people to edit: which part of the seats of a workload is to be active. 0.40 for '
    'workloads without a row.';
comment on column adoption_target.workload_name is 'The workload''s present name, such as Teams.';
comment on column adoption_target.target_ratio is 'Active by qualified seats, 0 to 1.';

create view license_adoption as
select
    u.customer_id,
    u.customer_name,
    u.workload_name,
    u.workload_code,
    u.service,
    u.channel,
    u.processed_date,
    u.licenses_qualified,
    u.licenses_active,
    r.active_ratio,
    r.target_ratio,
    r.active_ratio >= r.target_ratio as meets_target,
    -- As numeric, in which 7 of 100 seats meet 0.07: as a binary fraction that is a little more.
    greatest(0, ceil(r.target_ratio::numeric * u.licenses_qualified) - u.licenses_active)::bigint
        as licenses_to_target
from (
    select
        customer_id,
        max(customer_name)::varchar(255) as customer_name,
        workload_name,
        max(workload_code)::varchar(255) as workload_code,
        max(service)::varchar(255) as service,
        max(channel)::varchar(255) as channel,
        max(processed_date) as processed_date,
        seat_sum(sum(licenses_qualified)) as licenses_qualified,
        seat_sum(sum(licenses_active)) as licenses_active
    from license_usage_current
    where product_kind = 'paid'
    group by customer_id, workload_name
) as u
left join adoption_target as t on t.workload_name = u.workload_name
cross join lateral (
    select
        u.licenses_active::double precision / nullif(u.licenses_qualified, 0) as active_ratio,
        coalesce(t.target_ratio, 0.4) as target_ratio
) as r;

comment on view license_adoption
    is 'How much of each workload the customers use today, over their paid products, and how far '
    'that is from the target in adoption_target.';
comment on column license_adoption.customer_id is 'The customer''s tenant id.';
comment on column license_adoption.customer_name is 'The customer''s name of now.';
comment on column license_adoption.workload_name is 'The workload''s present name.';
comment on column license_adoption.workload_code is 'The workload''s code, if the API gives it.';
comment on column license_adoption.service
    is 'The service, such as o365; of several the last by name.';
comment on column license_adoption.channel
    is 'How the seats were sold, such as reseller; of several the last by name.';
comment on column license_adoption.processed_date
    is 'The newest processed date (UTC) of the figures.';
comment on column license_adoption.licenses_qualified
    is 'Seats of paid products that entitle to the workload. They add up over customers, never '
    'over workloads.';
comment on column license_adoption.licenses_active
    is 'Seats of paid products whose user was active in the 28 days before the processed date. '
    'They add up over customers, never over workloads.';
comment on column license_adoption.active_ratio
    is 'Active by qualified seats, 0 to 1, or more; null if none is qualified. Never add it up: '
    'divide sums.';
comment on column license_adoption.target_ratio
    is 'The workload''s target in adoption_target; 0.40 where it has none.';
comment on column license_adoption.meets_target
    is 'Whether active_ratio has reached target_ratio; null if no seat is qualified.';
comment on column license_adoption.licenses_to_target
    is 'Active seats that are missing to the target. They add up over customers, never over '
    'workloads.';
