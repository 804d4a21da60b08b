-- Figures by day. Services process on different dates and miss some, so on each calendar day counts
-- what is in force: of each customer and service the newest collection of that day or of the 14
-- days before.
-- New views: locks nothing in use.

-- In force ----------------------------------------------------------------------------------------

-- Each date is looked up in the index by itself: reading all of them takes as many steps as there
-- are dates, not as there are rows.
create view license_usage_date_time as
with recursive dates as (
    select min(processed_date_time) as processed_date_time from license_usage_collection
    union all
    select (
        select min(c.processed_date_time)
        from license_usage_collection as c
        where c.processed_date_time > d.processed_date_time
    )
    from dates as d
    where d.processed_date_time is not null
)

select
    processed_date_time,
    (processed_date_time at time zone 'UTC')::date as processed_date
from dates
where processed_date_time is not null;

comment on view license_usage_date_time
    is 'Inner view: the processed dates of which license_usage has rows.';
comment on column license_usage_date_time.processed_date_time is 'The processed date.';
comment on column license_usage_date_time.processed_date is 'The date of it, UTC.';

create function license_usage_of_collection(
    of_date timestamptz, of_customer uuid, of_service varchar
) returns setof license_usage
-- The estimates are low for the same reason.
language sql stable security definer cost 10 rows 1
begin atomic
    select u.*
    from license_usage as u
    where u.processed_date_time = of_date
        and u.customer_id = of_customer
        and license_service(u.service_code, u.service_name) = of_service;
end;

comment on function license_usage_of_collection
    is 'The rows of one collection. A function, because the planner takes a join with the '
    'partitions of the ledger for so long that it compiles it, which takes seconds.';

-- One day after the other, because a plan for one day opens the partitions of a fortnight only.
create function license_usage_in_force(of_days date [])
returns table (
    date date,
    customer_id uuid,
    product_name varchar,
    workload_name varchar,
    product_id varchar,
    workload_code varchar,
    service varchar,
    channel varchar,
    licenses_active bigint,
    licenses_qualified bigint
)
language plpgsql stable security definer
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    first timestamptz;
    after timestamptz;
begin
    foreach date in array of_days loop
        first := (date - 14)::timestamp at time zone 'UTC';
        after := (date + 1)::timestamp at time zone 'UTC';
        return query
        select
            license_usage_in_force.date,
            c.customer_id,
            u.product_name,
            u.workload_name,
            u.product_id,
            u.workload_code,
            c.service,
            u.channel,
            u.licenses_active,
            u.licenses_qualified
        from (
            select k.customer_id, k.service, max(k.processed_date_time) as processed_date_time
            from license_usage_collection as k
            where k.processed_date_time >= first
                and k.processed_date_time < after
            group by k.customer_id, k.service
        ) as c
        -- "offset" makes this one index scan per collection. A join would read all rows of each
        -- date of the fortnight, for the few customers that lag behind.
        cross join lateral (
            select r.*
            from license_usage as r
            where r.processed_date_time = c.processed_date_time
                and r.customer_id = c.customer_id
                and license_service(r.service_code, r.service_name) = c.service
                and r.processed_date_time >= first
                and r.processed_date_time < after
            offset 0
        ) as u;
    end loop;
end
$$;

comment on function license_usage_in_force
    is 'The rows of the ledger that are in force on each of these days.';

-- Views run with the rights of their owner, but functions in them with the reader's.
do $$
begin
    execute format(
        'alter function license_usage_in_force set search_path = %I, pg_temp', current_schema()
    );
    execute format(
        'alter function license_usage_of_collection set search_path = %I, pg_temp',
        current_schema()
    );
    execute format(
        'alter function license_usage_day_totals security definer set search_path = %I, pg_temp',
        current_schema()
    );
end
$$;

revoke execute on function
license_usage_in_force, license_usage_of_collection, license_usage_day_totals
from public;

-- Days --------------------------------------------------------------------------------------------

create view license_usage_daily as
select
    r.date,
    r.customer_id,
    r.customer_name,
    r.product_name,
    r.product_id,
    r.workload_name,
    r.workload_code,
    r.service,
    r.channel,
    product_kind(n.product_kind, r.product_name)::varchar(16) as product_kind,
    r.processed_date,
    r.processed_date < r.date as is_carried,
    r.date - r.processed_date as days_carried,
    r.licenses_qualified,
    r.licenses_active,
    r.licenses_active::double precision / nullif(r.licenses_qualified, 0) as active_ratio
from (
    select
        f.date,
        f.customer_id,
        max(c.customer_name)::varchar(255) as customer_name,
        coalesce(p.present_name, u.product_name)::varchar(255) as product_name,
        max(coalesce(u.product_id, p.present_id))::varchar(255) as product_id,
        coalesce(w.present_name, u.workload_name)::varchar(255) as workload_name,
        max(coalesce(u.workload_code, w.present_id))::varchar(255) as workload_code,
        max(f.service)::varchar(255) as service,
        max(u.channel)::varchar(255) as channel,
        max((f.processed_date_time at time zone 'UTC')::date) as processed_date,
        sum(u.licenses_qualified)::bigint as licenses_qualified,
        sum(u.licenses_active)::bigint as licenses_active
    from (
        select d.date, i.customer_id, i.service, i.processed_date_time
        from (
            select day::date as date
            from (
                select min(processed_date) as oldest, max(processed_date) as newest
                from service_date
                where dataset = 'usage'
            ) as dates
            cross join generate_series(
                dates.oldest::timestamp, dates.newest::timestamp, interval '1 day'
            ) as day
        ) as d
        cross join lateral (
            select c.customer_id, c.service, max(c.processed_date_time) as processed_date_time
            from license_usage_date_time as t
            inner join license_usage_collection as c
                on c.processed_date_time = t.processed_date_time
            where t.processed_date between d.date - 14 and d.date
            group by c.customer_id, c.service
        ) as i
    ) as f
    cross join lateral
        license_usage_of_collection(f.processed_date_time, f.customer_id, f.service) as u
    left join customer as c on c.customer_id = f.customer_id
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(u.product_id, u.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(u.workload_code, u.workload_name)
    group by
        f.date,
        f.customer_id,
        coalesce(p.present_name, u.product_name)::varchar(255),
        coalesce(w.present_name, u.workload_name)::varchar(255)
) as r
left join product_note as n on n.product_name = r.product_name;

comment on view license_usage_daily
    is 'Usage by calendar day (UTC) of each customer, product and workload under present names: '
    'what is in force on that day, which is the newest collection of that day or of the 14 days '
    'before. Ask for a date or a customer in the where clause: all of it is as long as the ledger.';
comment on column license_usage_daily.date is 'The calendar day (UTC).';
comment on column license_usage_daily.processed_date
    is 'The date (UTC) for which the service processed the figures.';
comment on column license_usage_daily.is_carried
    is 'Whether the figures are of an earlier date than the day.';
comment on column license_usage_daily.days_carried is 'How many days earlier: 0 to 14.';
comment on column license_usage_daily.licenses_qualified
    is 'Seats that entitle to the workload. On one day they add up over customers, and over '
    'products within one workload; never over workloads of a product or over dates.';
comment on column license_usage_daily.licenses_active
    is 'Seats whose user was active in the 28 days before processed_date. On one day they add up '
    'over customers, and over products within one workload; never over workloads or over dates, '
    'since the 28 days overlap.';

create view license_usage_daily_total as
with total as (
    select t.*
    from license_usage_day_total as t
    where not exists (select from stale_day as s where s.date = t.date)
    union all
    select t.*
    from license_usage_day_totals(array(select date from stale_day)) as t
),

present as (
    select
        t.date,
        coalesce(p.present_name, nullif(t.product_name, ''), t.product_id)::varchar(255)
            as product_name,
        max(coalesce(nullif(t.product_id, ''), p.present_id))::varchar(255) as product_id,
        coalesce(w.present_name, nullif(t.workload_name, ''), t.workload_code)::varchar(255)
            as workload_name,
        max(coalesce(nullif(t.workload_code, ''), w.present_id))::varchar(255) as workload_code,
        max(t.service)::varchar(255) as service,
        sum(t.customers)::bigint as customers,
        sum(t.customers_carried)::bigint as customers_carried,
        least(sum(t.licenses_active), 9223372036854775807)::bigint as licenses_active,
        least(sum(t.licenses_qualified), 9223372036854775807)::bigint as licenses_qualified
    from total as t
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(nullif(t.product_id, ''), t.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(nullif(t.workload_code, ''), t.workload_name)
    group by
        t.date,
        coalesce(p.present_name, nullif(t.product_name, ''), t.product_id)::varchar(255),
        coalesce(w.present_name, nullif(t.workload_name, ''), t.workload_code)::varchar(255)
)

select
    t.date,
    t.product_name,
    t.product_id,
    t.workload_name,
    t.workload_code,
    t.service,
    product_kind(n.product_kind, t.product_name)::varchar(16) as product_kind,
    t.customers,
    t.customers_carried,
    t.licenses_active,
    t.licenses_qualified,
    t.date = (select max(processed_date) from service_date where dataset = 'usage') as is_newest
from present as t
left join product_note as n on n.product_name = t.product_name;

comment on view license_usage_daily_total
    is 'The partner''s seats of each calendar day (UTC), product and workload under present names: '
    'the sum of what is in force on that day, so that a chart by date has no gaps. Channels are '
    'not told apart: for these take license_usage_daily of a date.';
comment on column license_usage_daily_total.date
    is 'The calendar day (UTC), from the oldest to the newest date of the ledger.';
comment on column license_usage_daily_total.product_id
    is 'The product''s id, if it is known.';
comment on column license_usage_daily_total.customers
    is 'Customers that have the product. They never add up: a customer has several products. One '
    'that has it under two names on one day counts under each of them if they share no id.';
comment on column license_usage_daily_total.customers_carried
    is 'Customers among them whose figures are of an earlier date than the day.';
comment on column license_usage_daily_total.licenses_active
    is 'Seats whose user was active in the 28 days before. On one day they add up over products '
    'within one workload; never over workloads of a product, and never over dates.';
comment on column license_usage_daily_total.licenses_qualified
    is 'Seats that entitle to the workload. On one day they add up over products within one '
    'workload; never over workloads of a product, and never over dates.';
comment on column license_usage_daily_total.is_newest
    is 'Whether the day is the newest date of the whole ledger.';

-- Growth ------------------------------------------------------------------------------------------

create view license_growth as
with newest as (
    select min(processed_date) as oldest, max(processed_date) as newest
    from service_date
    where dataset = 'usage'
),

-- Null where the ledger does not reach back.
ago as (
    select
        case when newest - 7 >= oldest then newest - 7 end as day_7,
        case when newest - 30 >= oldest then newest - 30 end as day_30,
        case when newest - 91 >= oldest then newest - 91 end as day_91,
        case when newest - 365 >= oldest then newest - 365 end as day_365
    from newest
),

past as (
    select
        f.customer_id,
        max(c.customer_name)::varchar(255) as customer_name,
        coalesce(p.present_name, f.product_name)::varchar(255) as product_name,
        max(coalesce(f.product_id, p.present_id))::varchar(255) as product_id,
        coalesce(w.present_name, f.workload_name)::varchar(255) as workload_name,
        max(coalesce(f.workload_code, w.present_id))::varchar(255) as workload_code,
        max(f.service)::varchar(255) as service,
        max(f.channel)::varchar(255) as channel,
        sum(f.licenses_active) filter (where f.date = a.day_7)::bigint as active_7,
        sum(f.licenses_active) filter (where f.date = a.day_30)::bigint as active_30,
        sum(f.licenses_active) filter (where f.date = a.day_91)::bigint as active_91,
        sum(f.licenses_active) filter (where f.date = a.day_365)::bigint as active_365,
        sum(f.licenses_qualified) filter (where f.date = a.day_7)::bigint as qualified_7,
        sum(f.licenses_qualified) filter (where f.date = a.day_30)::bigint as qualified_30,
        sum(f.licenses_qualified) filter (where f.date = a.day_91)::bigint as qualified_91,
        sum(f.licenses_qualified) filter (where f.date = a.day_365)::bigint as qualified_365
    from ago as a
    cross join lateral license_usage_in_force(
        array_remove(array[a.day_7, a.day_30, a.day_91, a.day_365], null)
    ) as f
    left join customer as c on c.customer_id = f.customer_id
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(f.product_id, f.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(f.workload_code, f.workload_name)
    group by
        f.customer_id,
        coalesce(p.present_name, f.product_name)::varchar(255),
        coalesce(w.present_name, f.workload_name)::varchar(255)
),

held as (
    select
        coalesce(u.customer_id, f.customer_id) as customer_id,
        coalesce(u.customer_name, f.customer_name)::varchar(255) as customer_name,
        coalesce(u.product_name, f.product_name)::varchar(255) as product_name,
        coalesce(u.product_id, f.product_id)::varchar(255) as product_id,
        coalesce(u.workload_name, f.workload_name)::varchar(255) as workload_name,
        coalesce(u.workload_code, f.workload_code)::varchar(255) as workload_code,
        coalesce(u.service, f.service)::varchar(255) as service,
        coalesce(u.channel, f.channel)::varchar(255) as channel,
        u.processed_date,
        u.days_behind,
        coalesce(u.licenses_active, 0) as active,
        coalesce(u.licenses_qualified, 0) as qualified,
        case when a.day_7 is not null then coalesce(f.active_7, 0) end as active_7,
        case when a.day_30 is not null then coalesce(f.active_30, 0) end as active_30,
        case when a.day_91 is not null then coalesce(f.active_91, 0) end as active_91,
        case when a.day_365 is not null then coalesce(f.active_365, 0) end as active_365,
        case when a.day_7 is not null then coalesce(f.qualified_7, 0) end as qualified_7,
        case when a.day_30 is not null then coalesce(f.qualified_30, 0) end as qualified_30,
        case when a.day_91 is not null then coalesce(f.qualified_91, 0) end as qualified_91,
        case when a.day_365 is not null then coalesce(f.qualified_365, 0) end as qualified_365
    from license_usage_current as u
    full join past as f
        on u.customer_id = f.customer_id
        and u.product_name = f.product_name
        and u.workload_name = f.workload_name
    cross join ago as a
)

select
    h.customer_id,
    h.customer_name,
    h.product_name,
    h.product_id,
    h.workload_name,
    h.workload_code,
    h.service,
    h.channel,
    product_kind(n.product_kind, h.product_name)::varchar(16) as product_kind,
    h.processed_date,
    h.days_behind,
    h.active as licenses_active,
    h.qualified as licenses_qualified,
    h.active_7 as licenses_active_7d_ago,
    h.qualified_7 as licenses_qualified_7d_ago,
    h.active - h.active_7 as licenses_active_change_7d,
    h.qualified - h.qualified_7 as licenses_qualified_change_7d,
    h.active_30 as licenses_active_30d_ago,
    h.qualified_30 as licenses_qualified_30d_ago,
    h.active - h.active_30 as licenses_active_change_30d,
    h.qualified - h.qualified_30 as licenses_qualified_change_30d,
    h.active_91 as licenses_active_91d_ago,
    h.qualified_91 as licenses_qualified_91d_ago,
    h.active - h.active_91 as licenses_active_change_91d,
    h.qualified - h.qualified_91 as licenses_qualified_change_91d,
    h.active_365 as licenses_active_365d_ago,
    h.qualified_365 as licenses_qualified_365d_ago,
    h.active - h.active_365 as licenses_active_change_365d,
    h.qualified - h.qualified_365 as licenses_qualified_change_365d
from held as h
left join product_note as n on n.product_name = h.product_name;

comment on view license_growth
    is 'Today''s usage beside that of 7, 30, 91 and 365 days ago, of each customer, product and '
    'workload under present names that is held now or was held then. N days ago is what was in '
    'force N days before the newest date of the ledger.';
comment on column license_growth.processed_date
    is 'The processed date (UTC) of the figures of now; null if it is not held now.';
comment on column license_growth.days_behind
    is 'Days from processed_date to the newest date of that service in the whole ledger; null '
    'likewise.';
comment on column license_growth.licenses_active
    is 'Active seats now; 0 if it is not held now. They add up over customers, and over products '
    'within one workload; never over workloads of a product.';
comment on column license_growth.licenses_qualified
    is 'Qualified seats now; 0 if it is not held now. They add up as active seats do.';
comment on column license_growth.licenses_active_7d_ago
    is 'Active seats 7 days ago: 0 if it was not held, null where the ledger does not reach '
    'back. They add up as those of now.';
comment on column license_growth.licenses_qualified_7d_ago
    is 'Qualified seats 7 days ago, likewise.';
comment on column license_growth.licenses_active_change_7d
    is 'Active seats gained in 7 days; negative if lost. They add up as active seats do.';
comment on column license_growth.licenses_qualified_change_7d
    is 'Qualified seats gained in 7 days; negative if lost. They add up as qualified seats do.';
comment on column license_growth.licenses_active_30d_ago
    is 'Active seats 30 days ago: 0 if it was not held, null where the ledger does not reach '
    'back. They add up as those of now.';
comment on column license_growth.licenses_qualified_30d_ago
    is 'Qualified seats 30 days ago, likewise.';
comment on column license_growth.licenses_active_change_30d
    is 'Active seats gained in 30 days; negative if lost. They add up as active seats do.';
comment on column license_growth.licenses_qualified_change_30d
    is 'Qualified seats gained in 30 days; negative if lost. They add up as qualified seats do.';
comment on column license_growth.licenses_active_91d_ago
    is 'Active seats 91 days ago: 0 if it was not held, null where the ledger does not reach '
    'back. They add up as those of now.';
comment on column license_growth.licenses_qualified_91d_ago
    is 'Qualified seats 91 days ago, likewise.';
comment on column license_growth.licenses_active_change_91d
    is 'Active seats gained in 91 days; negative if lost. They add up as active seats do.';
comment on column license_growth.licenses_qualified_change_91d
    is 'Qualified seats gained in 91 days; negative if lost. They add up as qualified seats do.';
comment on column license_growth.licenses_active_365d_ago
    is 'Active seats 365 days ago: 0 if it was not held, null where the ledger does not reach '
    'back. They add up as those of now.';
comment on column license_growth.licenses_qualified_365d_ago
    is 'Qualified seats 365 days ago, likewise.';
comment on column license_growth.licenses_active_change_365d
    is 'Active seats gained in 365 days; negative if lost. They add up as active seats do.';
comment on column license_growth.licenses_qualified_change_365d
    is 'Qualified seats gained in 365 days; negative if lost. They add up as qualified seats do.';

-- Holdings ----------------------------------------------------------------------------------------

create view license_held as
with seen as (
    -- All series of a set are in each month that has it, so the first of a customer's months with a
    -- set has the first dates of all of them.
    select
        m.customer_id,
        license_service(r.service_code, r.service_name) as service,
        coalesce(p.present_name, r.product_name)::varchar(255) as product_name,
        min(r.first_date) as first_date
    from (
        select customer_id, set_id, min(month) as month
        from license_usage_month
        group by customer_id, set_id
    ) as f
    inner join license_usage_month as m on m.month = f.month and m.customer_id = f.customer_id
    inner join license_usage_set as s on s.set_id = m.set_id
    cross join unnest(
        s.product_names, s.product_ids, s.service_names, s.service_codes, m.first_dates
    ) as r (product_name, product_id, service_name, service_code, first_date)
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(r.product_id, r.product_name)
    group by
        m.customer_id,
        license_service(r.service_code, r.service_name),
        coalesce(p.present_name, r.product_name)::varchar(255)
),

first as (
    select distinct on (customer_id, product_name)
        customer_id,
        product_name,
        service,
        min(first_date) over (partition by customer_id, product_name) as first_date,
        min(first_date) over (partition by customer_id, service) as first_of_service
    from seen
    order by customer_id, product_name, service desc
),

newest as (
    select
        l.customer_id,
        coalesce(p.present_name, l.product_name)::varchar(255) as product_name,
        max(coalesce(l.product_id, p.present_id))::varchar(255) as product_id,
        max(l.channel)::varchar(255) as channel,
        max(l.processed_date) as last_date,
        bool_or(l.is_current) as is_current
    from license_usage_latest as l
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(l.product_id, l.product_name)
    group by l.customer_id, coalesce(p.present_name, l.product_name)::varchar(255)
)

select
    l.customer_id,
    c.customer_name::varchar(255) as customer_name,
    l.product_name,
    l.product_id,
    f.service::varchar(255) as service,
    l.channel,
    product_kind(n.product_kind, l.product_name)::varchar(16) as product_kind,
    f.first_date,
    l.last_date,
    l.is_current,
    f.first_date = f.first_of_service as is_from_the_start
from newest as l
left join first as f on f.customer_id = l.customer_id and f.product_name = l.product_name
left join customer as c on c.customer_id = l.customer_id
left join product_note as n on n.product_name = l.product_name;

comment on view license_held
    is 'Inner view: which products each customer has or had. Read license_holding instead.';
comment on column license_held.service
    is 'The service, such as o365 or crm, spelt the same whatever the source is.';
comment on column license_held.first_date
    is 'The first processed date (UTC) with usage of the product.';
comment on column license_held.last_date
    is 'The last processed date (UTC) with usage of the product.';
comment on column license_held.is_current
    is 'Whether the product is among the customer''s current rows: license_usage_current has it.';
comment on column license_held.is_from_the_start
    is 'Whether first_date is the customer''s first date of that service in the ledger: then it '
    'may have had the product long before.';

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
            ('license_usage_daily'::regclass, 'license_usage_current'::regclass),
            ('license_usage_daily_total', 'license_usage_current'),
            ('license_growth', 'license_usage_current'),
            ('license_held', 'license_usage_current')
        ) as v (view, source)
        inner join pg_attribute as c on c.attrelid = v.view
        inner join pg_attribute as s on s.attrelid = v.source and s.attname = c.attname
        where col_description(v.view, c.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', passed.view, passed.name, passed.comment);
    end loop;
end
$$;
