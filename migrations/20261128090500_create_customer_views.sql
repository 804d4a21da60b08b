-- 11 of 11. Customers, days, and what is computed from the views of products: lifecycles, complete
-- days, a date table, adoption, unused seats month by month, products that seem to have been
-- renamed, and which customer has held which product since when.
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
        sum(licenses_qualified)::bigint as licenses_qualified,
        sum(licenses_active)::bigint as licenses_active
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

-- Waste by month ----------------------------------------------------------------------------------

create view license_waste_monthly as
with workload as (
    select
        m.month,
        m.customer_id,
        coalesce(p.present_name, r.product_name)::varchar(255) as product_name,
        coalesce(w.present_name, r.workload_name)::varchar(255) as workload_name,
        max(coalesce(r.product_id, p.present_id)) as product_id,
        max(license_service(r.service_code, r.service_name)) as service,
        max(r.channel) as channel,
        max((r.processed_date_time at time zone 'UTC')::date) as processed_date,
        sum(r.licenses_qualified)::bigint as licenses_qualified,
        sum(r.licenses_active)::bigint as licenses_active
    from license_usage_month as m
    inner join license_usage_set as s on s.set_id = m.set_id
    cross join unnest(
        s.product_names, s.workload_names, s.product_ids, s.workload_codes, s.service_names,
        s.service_codes, s.channels, m.processed_date_times, m.licenses_active,
        m.licenses_qualified, m.are_month_end
    ) as r (
        product_name, workload_name, product_id, workload_code, service_name, service_code,
        channel, processed_date_time, licenses_active, licenses_qualified, is_month_end
    )
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(r.product_id, r.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(r.workload_code, r.workload_name)
    where r.is_month_end
    group by 1, 2, 3, 4
),

used as (
    select distinct on (month, customer_id, product_name)
        month,
        customer_id,
        product_name,
        max(product_id) over product as product_id,
        max(service) over product as service,
        max(channel) over product as channel,
        max(processed_date) over product as processed_date,
        max(licenses_qualified) over product as licenses_qualified,
        licenses_active,
        workload_name as most_used_workload
    from workload
    window product as (partition by month, customer_id, product_name)
    order by
        month, customer_id, product_name, licenses_active desc, workload_name collate "C"
),

-- The service is worked out once per customer and month, and not for each row.
last_deployment as (
    select
        month,
        customer_id,
        license_service(service_code, service_name) as service,
        max(processed_date) as processed_date
    from (
        select
            date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
            customer_id,
            service_code,
            service_name,
            (max(processed_date_time) at time zone 'UTC')::date as processed_date
        from license_deployment
        group by 1, 2, 3, 4
    ) as spelt
    group by 1, 2, 3
),

-- A product that comes twice on one date counts as it came last.
deployed as (
    select distinct on (l.month, d.customer_id, d.product_name)
        l.month,
        l.service,
        l.processed_date,
        d.*
    from last_deployment as l
    inner join license_deployment as d
        on d.customer_id = l.customer_id
        and d.processed_date_time >= l.processed_date::timestamp at time zone 'UTC'
        and d.processed_date_time < (l.processed_date + 1)::timestamp at time zone 'UTC'
        and license_service(d.service_code, d.service_name) = l.service
    order by l.month, d.customer_id, d.product_name, d.processed_date_time desc
),

sold as (
    select
        d.month,
        d.customer_id,
        coalesce(p.present_name, d.product_name)::varchar(255) as product_name,
        max(coalesce(d.product_id, p.present_id)) as product_id,
        max(d.service) as service,
        max(d.channel) as channel,
        max(d.processed_date) as processed_date,
        sum(d.licenses_sold)::bigint as licenses_sold,
        sum(d.licenses_deployed)::bigint as licenses_assigned
    from deployed as d
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(d.product_id, d.product_name)
    group by 1, 2, 3
),

held as (
    select
        coalesce(u.month, d.month) as month,
        coalesce(u.customer_id, d.customer_id) as customer_id,
        coalesce(u.product_name, d.product_name) as product_name,
        coalesce(u.product_id, d.product_id)::varchar(255) as product_id,
        coalesce(u.service, d.service)::varchar(255) as service,
        coalesce(u.channel, d.channel)::varchar(255) as channel,
        u.processed_date,
        d.processed_date as deployment_processed_date,
        d.licenses_sold,
        d.licenses_assigned,
        u.licenses_qualified,
        u.licenses_active,
        u.most_used_workload,
        coalesce(d.licenses_sold, u.licenses_qualified) as licenses_paid
    from used as u
    full join sold as d
        on d.month = u.month
        and d.customer_id = u.customer_id
        and d.product_name = u.product_name
)

select
    h.month,
    h.customer_id,
    c.customer_name::varchar(255) as customer_name,
    h.product_name,
    h.product_id,
    h.service,
    h.channel,
    product_kind(n.product_kind, h.product_name)::varchar(16) as product_kind,
    h.processed_date,
    h.deployment_processed_date,
    h.licenses_sold,
    h.licenses_assigned,
    h.licenses_qualified,
    h.licenses_active,
    h.most_used_workload,
    h.licenses_sold - h.licenses_assigned as licenses_unassigned,
    h.licenses_paid - coalesce(h.licenses_active, 0) as licenses_unused,
    coalesce(h.licenses_active, 0)::double precision / nullif(h.licenses_paid, 0) as active_ratio,
    h.month = (
        select date_trunc('month', max(processed_date)::timestamp)::date
        from service_date
        where dataset = 'usage'
    ) as is_newest
from held as h
left join customer as c on c.customer_id = h.customer_id
left join product_note as n on n.product_name = h.product_name
where product_kind(n.product_kind, h.product_name) = 'paid'
    and h.licenses_paid > coalesce(h.licenses_active, 0);

comment on view license_waste_monthly
    is 'The paid products with unused seats at the end of each month (UTC), under present names: '
    'the figures of license_waste, from each customer''s last collections of the month.';
comment on column license_waste_monthly.month
    is 'The first day of the month, UTC. The newest month has the figures so far.';
comment on column license_waste_monthly.processed_date
    is 'The processed date (UTC) of the qualified and active seats, the last of the month; null '
    'without usage.';
comment on column license_waste_monthly.deployment_processed_date
    is 'The processed date (UTC) of the sold and assigned seats, the last of the month; null '
    'without deployment.';
comment on column license_waste_monthly.licenses_sold
    is 'Seats sold; null if deployment does not name the product or is not fetched. They add up '
    'over customers, products, channels and services, never over months.';
comment on column license_waste_monthly.licenses_assigned
    is 'Seats assigned to a user; null likewise. They add up as sold seats do.';
comment on column license_waste_monthly.licenses_qualified
    is 'Qualified seats of the workload that has most; null without usage. They add up over '
    'customers, products, channels and services, never over months.';
comment on column license_waste_monthly.licenses_active
    is 'Active seats of the most used workload, in the 28 days before processed_date; null without '
    'usage. They add up over customers, products, channels and services, never over months.';
comment on column license_waste_monthly.licenses_unassigned
    is 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';
comment on column license_waste_monthly.licenses_unused
    is 'Sold seats, or qualified ones where none are known to be sold, less active ones. They add '
    'up over customers, products, channels and services, never over months.';
comment on column license_waste_monthly.is_newest
    is 'Whether it is the newest month of the whole ledger: license_waste has it as it is now.';

-- Renamed products --------------------------------------------------------------------------------

-- A product that a customer got in the collection after the last one that had another product may
-- be that one under a new name. Where several fit at a customer, because several were renamed at a
-- time, those go together that have the most similar numbers of seats.
create view product_rename_pair as
with held as (
    select customer_id, service, product_name, product_id, first_date, last_date, is_from_the_start
    from license_held
),

-- New products, with the collection that brought each and the one before it.
came as (
    select
        n.customer_id,
        n.service,
        n.product_name,
        n.first_date,
        min(k.processed_date_time) filter (where d.date = n.first_date) as came_with,
        max(k.processed_date_time) filter (where d.date < n.first_date) as came_after
    from held as n
    inner join license_usage_collection as k
        on k.customer_id = n.customer_id and k.service = n.service
    cross join lateral (
        select (k.processed_date_time at time zone 'UTC')::date as date
    ) as d
    where not n.is_from_the_start
    group by 1, 2, 3, 4
),

candidate as (
    select
        n.*,
        o.product_name as old_product_name,
        o.product_id as old_product_id,
        count(*) over (partition by o.product_name, n.product_name) as customers
    from came as n
    inner join held as o
        on o.customer_id = n.customer_id
        and o.service = n.service
        and o.last_date = (n.came_after at time zone 'UTC')::date
),

compared as (
    select c.*, abs(s.old_seats - s.new_seats) as difference
    from candidate as c
    cross join lateral (
        select
            max(u.licenses_qualified) filter (
                where u.processed_date_time = c.came_after
                    and coalesce(p.present_name, u.product_name)::varchar(255)
                    = c.old_product_name
            ) as old_seats,
            max(u.licenses_qualified) filter (
                where u.processed_date_time = c.came_with
                    and coalesce(p.present_name, u.product_name)::varchar(255) = c.product_name
            ) as new_seats
        from license_usage as u
        left join present_name as p
            on p.kind = 'product' and p.key = name_key(u.product_id, u.product_name)
        where u.customer_id = c.customer_id
            and u.processed_date_time in (c.came_after, c.came_with)
    ) as s
    where c.customers >= 5
),

closest as (
    select
        customer_id,
        old_product_name,
        old_product_id,
        product_name as new_product_name,
        first_date
    from (
        select
            *,
            min(difference) over (partition by customer_id, product_name) as least_of_new,
            min(difference) over (partition by customer_id, old_product_name) as least_of_old
        from compared
    ) as c
    where difference = least_of_new
        and difference = least_of_old
),

counted as (
    select
        old_product_name,
        new_product_name,
        max(old_product_id)::varchar(255) as old_product_id,
        count(*) as customers,
        min(first_date) as since
    from closest
    group by old_product_name, new_product_name
    having count(*) >= 5
),

shared as (
    select c.*, c.customers::double precision / nullif(h.holders, 0) as share_of_holders
    from counted as c
    cross join lateral (
        select count(distinct d.customer_id) as holders
        from license_usage_daily as d
        where d.date = c.since - 1
            and d.product_name = c.old_product_name
    ) as h
),

ranked as (
    select
        *,
        row_number() over (
            partition by new_product_name
            order by customers desc, share_of_holders desc nulls last, old_product_name
        ) as place_of_old,
        row_number() over (
            partition by old_product_name
            order by customers desc, share_of_holders desc nulls last, new_product_name
        ) as place_of_new
    from shared
)

select
    c.customer_id,
    r.old_product_name,
    r.old_product_id,
    r.new_product_name,
    r.customers,
    r.share_of_holders,
    r.since
from ranked as r
inner join closest as c
    on c.old_product_name = r.old_product_name
    and c.new_product_name = r.new_product_name
where r.place_of_old = 1
    and r.place_of_new = 1;

comment on view product_rename_pair
    is 'Inner view: the customers at which a product is suspected to be renamed. Read '
    'product_rename_suspect or license_holding instead.';
comment on column product_rename_pair.old_product_id is 'The old product''s id, if it has one.';

create view product_rename_suspect as
select distinct
    old_product_name,
    new_product_name,
    customers,
    share_of_holders,
    since,
    -- An alias is for names that no id has had.
    (
        case when old_product_id is null then format(
            'insert into product_alias (product_name, present_name) values (%L, %L);',
            old_product_name,
            new_product_name
        ) end
    )::varchar(1200) as alias_statement
from product_rename_pair;

comment on view product_rename_suspect
    is 'Pairs of products that may be one that was renamed without an id to say so: at five '
    'customers or more the new one came in the very collection after the last one that had the '
    'old one. Look at share_of_holders: if nearly all that held the old one changed, it was '
    'renamed; if few did, they bought another product. alias_statement makes the two one.';
comment on column product_rename_suspect.old_product_name is 'The present name of the old product.';
comment on column product_rename_suspect.new_product_name is 'The present name of the new product.';
comment on column product_rename_suspect.customers
    is 'Customers at which the new one followed the old one; of several that fit at a customer the '
    'one whose qualified seats are closest. They add up over nothing.';
comment on column product_rename_suspect.share_of_holders
    is 'Those customers by the customers that held the old product the day before "since": about 1 '
    'for a renaming, and more if some got it later. Null if none held it then.';
comment on column product_rename_suspect.since
    is 'The first processed date (UTC) on which a new one followed an old one.';
comment on column product_rename_suspect.alias_statement
    is 'A statement ready to copy, which makes the old name stand for the new one in all views. '
    'Null if the old product has an id: its name follows the id, and has no alias.';

-- Holdings ----------------------------------------------------------------------------------------

-- Grouped by what it is joined by, so that Postgres drops the join for whoever does not ask for
-- "replaces".
create view license_holding as
select h.*, r.old_product_name::varchar(255) as replaces
from license_held as h
left join (
    select customer_id, new_product_name, max(old_product_name) as old_product_name
    from product_rename_pair
    group by customer_id, new_product_name
) as r on r.customer_id = h.customer_id and r.new_product_name = h.product_name;

comment on view license_holding
    is 'Which products each customer has or had, under present names: when usage first and last '
    'named each. New products have is_from_the_start false and a late first_date, lost ones '
    'is_current false. Counted rows add up over customers and products.';
comment on column license_holding.replaces
    is 'The old name, where product_rename_suspect takes the product for a renamed one; else null.';

-- Comments ----------------------------------------------------------------------------------------

-- A view's column that has no comment yet is passed through from another relation, and takes its
-- comment.
do $$
declare
    passed record;
begin
    for passed in
        select v.view, c.attname as name, col_description(v.source, s.attnum) as comment
        from (
            values
            ('license_waste_monthly'::regclass, 'license_product'::regclass),
            ('product_rename_pair', 'license_held'),
            ('product_rename_pair', 'product_rename_suspect'),
            ('license_holding', 'license_held')
        ) as v (view, source)
        inner join pg_attribute as c on c.attrelid = v.view
        inner join pg_attribute as s on s.attrelid = v.source and s.attname = c.attname
        where col_description(v.view, c.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', passed.view, passed.name, passed.comment);
    end loop;
end
$$;
