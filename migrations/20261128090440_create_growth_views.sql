-- 10 of 13. What grew and what was lost, and since when each customer has which product.
-- New views: locks nothing in use.

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
        seat_sum(sum(f.licenses_active) filter (where f.date = a.day_7)) as active_7,
        seat_sum(sum(f.licenses_active) filter (where f.date = a.day_30)) as active_30,
        seat_sum(sum(f.licenses_active) filter (where f.date = a.day_91)) as active_91,
        seat_sum(sum(f.licenses_active) filter (where f.date = a.day_365)) as active_365,
        seat_sum(sum(f.licenses_qualified) filter (where f.date = a.day_7)) as qualified_7,
        seat_sum(sum(f.licenses_qualified) filter (where f.date = a.day_30)) as qualified_30,
        seat_sum(sum(f.licenses_qualified) filter (where f.date = a.day_91)) as qualified_91,
        seat_sum(sum(f.licenses_qualified) filter (where f.date = a.day_365)) as qualified_365
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

-- A view's column, in this file and the four before it, that has no comment yet is passed through
-- from another relation, and takes its comment. The order counts.
do $$
declare
    pass record;
    passed record;
begin
    for pass in
        select v.view, v.source
        from (
            values
            (1, 'license_usage_monthly'::regclass, 'license_usage'::regclass),
            (2, 'license_usage_current', 'license_usage'),
            (3, 'license_product', 'license_usage_current'),
            (4, 'license_deployment_current', 'license_product'),
            (5, 'license_waste', 'license_product'),
            (6, 'license_usage_daily', 'license_usage_current'),
            (7, 'license_usage_daily_total', 'license_usage_current'),
            (8, 'license_growth', 'license_usage_current'),
            (9, 'license_held', 'license_usage_current')
        ) as v (place, view, source)
        order by v.place
    loop
        for passed in
            select c.attname as name, col_description(pass.source, s.attnum) as comment
            from pg_attribute as c
            inner join pg_attribute as s on s.attrelid = pass.source and s.attname = c.attname
            where c.attrelid = pass.view and col_description(pass.view, c.attnum) is null
        loop
            execute format(
                'comment on column %s.%I is %L', pass.view, passed.name, passed.comment
            );
        end loop;
    end loop;
end
$$;
