-- 9 of 13. Figures by day. Services process on different dates and miss some, so on each calendar
-- day counts what is in force: of each customer and service the newest collection of that day or of
-- the 14 days before.
-- New views: locks nothing in use.

-- In force ----------------------------------------------------------------------------------------

-- Usage is nearly always of midnight; an index has the collections that are not.
create view license_usage_date_time as
select
    processed_date,
    processed_date::timestamp at time zone 'UTC' as processed_date_time
from service_date
where dataset = 'usage'
union
select
    (processed_date_time at time zone 'UTC')::date as processed_date,
    processed_date_time
from license_usage_collection
where (processed_date_time at time zone 'UTC')::time > '00:00'
    and (processed_date_time at time zone 'UTC')::time <= '24:00';

comment on view license_usage_date_time
    is 'Inner view: the processed dates of which license_usage may have rows.';
comment on column license_usage_date_time.processed_date is 'The date of the next column, UTC.';
comment on column license_usage_date_time.processed_date_time is 'The processed date.';

-- The number of rows is low on purpose: for many days the planner would expect a join with the
-- partitions of the ledger to take so long that it compiles it, which takes seconds.
create function license_usage_days() returns setof date
language sql stable parallel safe security definer rows 5
as $$
    select d::date
    from (
        select min(processed_date) as oldest, max(processed_date) as newest
        from service_date
        where dataset = 'usage'
    ) as dates
    cross join generate_series(
        dates.oldest::timestamp, dates.newest::timestamp, interval '1 day'
    ) as d
$$;

comment on function license_usage_days
    is 'The calendar days (UTC) from the oldest to the newest date of license_usage.';

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
    with_later_rows uuid [];
begin
    foreach date in array of_days loop
        first := (date - 14)::timestamp at time zone 'UTC';
        after := (date + 1)::timestamp at time zone 'UTC';
        with_later_rows := array(
            select k.customer_id
            from license_usage_collection as k
            where k.has_later_rows
                and k.processed_date_time >= first
                and k.processed_date_time < after
        );
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
                and (
                    cardinality(with_later_rows) = 0
                    or c.customer_id <> all(with_later_rows)
                    or not exists (
                        select
                        from license_usage as l
                        where l.processed_date_time = c.processed_date_time
                            and l.customer_id = c.customer_id
                            and license_service(l.service_code, l.service_name) = c.service
                            and l.product_id = r.product_id
                            and coalesce(l.workload_code, l.workload_name)
                            = coalesce(r.workload_code, r.workload_name)
                            and l.first_synced_at > r.first_synced_at
                            and l.processed_date_time >= first
                            and l.processed_date_time < after
                    )
                )
            offset 0
        ) as u;
    end loop;
end
$$;

comment on function license_usage_in_force
    is 'The rows of the ledger that are in force on each of these days, without replaced ones.';

-- Views run with the rights of their owner, but functions in them with the reader's.
do $$
begin
    execute format(
        'alter function license_usage_days set search_path = %I, pg_temp', current_schema()
    );
    execute format(
        'alter function license_usage_in_force set search_path = %I, pg_temp', current_schema()
    );
    execute format(
        'alter function license_usage_day_totals security definer set search_path = %I, pg_temp',
        current_schema()
    );
end
$$;

revoke execute on function
license_usage_days, license_usage_in_force, license_usage_day_totals
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
        seat_sum(sum(u.licenses_qualified)) as licenses_qualified,
        seat_sum(sum(u.licenses_active)) as licenses_active
    from (
        select d.date, i.customer_id, i.service, i.processed_date_time
        from license_usage_days() as d (date)
        cross join lateral (
            select c.customer_id, c.service, max(c.processed_date_time) as processed_date_time
            from license_usage_date_time as t
            inner join license_usage_collection as c
                on c.processed_date_time = t.processed_date_time
            where t.processed_date between d.date - 14 and d.date
            group by c.customer_id, c.service
        ) as i
    ) as f
    -- The window keeps this one index scan per collection. A row that is replaced is older than
    -- another one of its product id and workload.
    cross join lateral (
        select
            u.*,
            max(u.first_synced_at) over (
                partition by
                    u.customer_id, u.product_id, coalesce(u.workload_code, u.workload_name)
            ) as last_synced_at
        from license_usage as u
        where u.processed_date_time = f.processed_date_time
            and u.customer_id = f.customer_id
            and license_service(u.service_code, u.service_name) = f.service
    ) as u
    left join customer as c on c.customer_id = f.customer_id
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(u.product_id, u.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(u.workload_code, u.workload_name)
    where u.product_id is null or u.first_synced_at = u.last_synced_at
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
        seat_sum(sum(t.licenses_active)) as licenses_active,
        seat_sum(sum(t.licenses_qualified)) as licenses_qualified
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
