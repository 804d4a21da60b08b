-- Products under present names: a product has one name in all of its history, so that a renaming
-- neither counts its seats twice nor ends its series. First the tables that people edit.
-- New tables and views: locks nothing in use.

-- Edited by people --------------------------------------------------------------------------------

create table product_alias (
    product_name varchar(255) not null,
    present_name varchar(255) not null,
    constraint product_alias_pkey primary key (product_name)
);

comment on table product_alias
    is 'For people to edit: product names that stand for another one, for products without ids '
    '(source "customer"). product_rename_suspect has lines ready to copy. Views follow at once; '
    'the ledger''s rows keep their names.';
comment on column product_alias.product_name is 'The old name, as the ledger has it.';
comment on column product_alias.present_name
    is 'The name to show instead. It may have an alias itself; a circle ends where it began.';

create table product_note (
    product_name varchar(255) not null,
    product_kind varchar(16) not null,
    constraint product_note_pkey primary key (product_name),
    constraint product_note_product_kind_check check (product_kind in ('paid', 'free', 'trial'))
);

comment on table product_note
    is 'For people to edit: which products are paid, free or trials. A product without a row is a '
    'trial or free if its name has that word in it, and else paid.';
comment on column product_note.product_name is 'The product''s present name.';
comment on column product_note.product_kind is 'paid, free or trial.';

-- Products known to cost nothing whose names do not say so.
insert into product_note (product_name, product_kind)
values
('Microsoft Business Center', 'free'),
('Microsoft Power Apps for Developer', 'free'),
('Microsoft Teams Commercial Cloud (User Initiated)', 'trial'),
('Microsoft Teams Exploratory', 'trial'),
('Microsoft Teams Phone Resource Account', 'free'),
('Microsoft Teams Rooms Basic', 'free'),
('Office 365 A1 for faculty', 'free'),
('Office 365 A1 for students', 'free'),
('Rights Management Adhoc', 'free'),
('Rights Management Service Basic Content Protection', 'free'),
('Windows Store for Business', 'free');

-- Names -------------------------------------------------------------------------------------------

create function name_key(id varchar, name varchar) returns varchar
language sql immutable parallel safe
return coalesce('#' || id, '=' || name);

comment on function name_key
    is 'What a row''s product or workload is known by: its id, or its name if it has no id.';

-- Products and workloads are apart until the end: a planner that knows how many names of each there
-- are joins with them by hash, and else it compares each row with each name.
create view present_name as
with recursive product as (
    select distinct on (id) id, name
    from name_history
    where kind = 'product'
    order by id, last_processed_date_time desc, run_id desc, name
),

-- If several ids have had a name, it stands for the id that had it last.
product_by_name as (
    select o.name, o.id, n.name as present_name
    from (
        select distinct on (name) name, id
        from name_history
        where kind = 'product'
        order by name, last_processed_date_time desc, run_id desc, id
    ) as o
    inner join product as n on n.id = o.id
),

-- Follows aliases from name to name, up to a name that has an id or no alias.
step as (
    select product_name, product_name as name
    from product_alias
    union all
    select s.product_name, a.present_name
    from step as s
    inner join product_alias as a on a.product_name = s.name
    where not exists (select from product_by_name as o where o.name = s.name)
) cycle name set is_circle using names,

workload as (
    select distinct on (id) id, name
    from name_history
    where kind = 'workload'
    order by id, last_processed_date_time desc, run_id desc, name
)

select
    'product'::varchar(16) as kind,
    name_key(id, null) as key,
    id as present_id,
    name as present_name
from product
union all
select
    'product' as kind,
    name_key(null, name) as key,
    id as present_id,
    present_name
from product_by_name
union all
select
    'product' as kind,
    name_key(null, s.product_name) as key,
    o.id as present_id,
    coalesce(o.present_name, s.name) as present_name
from step as s
left join product_by_name as o on o.name = s.name
where not exists (select from product_by_name as o where o.name = s.product_name)
    and (
        s.is_circle
        or o.name is not null
        or not exists (select from product_alias as a where a.product_name = s.name)
    )
union all
select
    'workload' as kind,
    name_key(id, null) as key,
    id as present_id,
    name as present_name
from workload
union all
select
    'workload' as kind,
    name_key(null, o.name) as key,
    o.id as present_id,
    n.name as present_name
from (
    select distinct on (name) name, id
    from name_history
    where kind = 'workload'
    order by name, last_processed_date_time desc, run_id desc, id
) as o
inner join workload as n on n.id = o.id;

comment on view present_name
    is 'Inner view: the present id and name of each product and workload whose rows may have '
    'another one: by id the newest name of the id; by name that of the id that had the name last, '
    'or the end of the aliases. What is not in it has the name of its row.';
comment on column present_name.kind is 'product or workload.';
comment on column present_name.key is 'name_key() of a row.';
comment on column present_name.present_id
    is 'The product''s id or the workload''s code, if it is known.';
comment on column present_name.present_name is 'The newest name.';

create function product_kind(noted varchar, product_name varchar) returns varchar(16)
language sql immutable parallel safe
return coalesce(
    noted,
    case
        when product_name ~* '\mtrial\M' then 'trial'
        when product_name ~* '\mfree\M' then 'free'
        else 'paid'
    end
);

comment on function product_kind
    is 'The kind of a product: that of product_note, else what its name says.';

-- Months ------------------------------------------------------------------------------------------

create view license_usage_monthly as
select
    m.customer_id,
    r.product_name::varchar(512) as product_name,
    r.workload_name::varchar(512) as workload_name,
    m.month,
    r.processed_date_time,
    r.customer_name::varchar(512) as customer_name,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percent,
    (100.0 * r.licenses_active / nullif(r.licenses_qualified, 0))::double precision
        as active_percent,
    coalesce(p.present_name, r.product_name)::varchar(255) as product_name_now,
    coalesce(r.product_id, p.present_id)::varchar(255) as product_id,
    r.service_code::varchar(255) as service_code,
    r.channel::varchar(255) as channel,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    r.is_month_end,
    (now() at time zone 'UTC') >= m.month + interval '1 month' as is_month_over,
    m.month = (
        select date_trunc('month', max(processed_date))
        from service_date
        where dataset = 'usage'
    ) as is_newest
from license_usage_month as m
inner join license_usage_set as s on s.set_id = m.set_id
cross join unnest(
    s.product_names, s.workload_names, s.product_ids, s.service_codes, s.channels,
    m.customer_names, m.processed_date_times, m.licenses_active, m.licenses_qualified,
    m.usage_percents, m.are_month_end
) as r (
    product_name, workload_name, product_id, service_code, channel, customer_name,
    processed_date_time, licenses_active, licenses_qualified, usage_percent, is_month_end
)
left join present_name as p
    on p.kind = 'product' and p.key = name_key(r.product_id, r.product_name);

comment on view license_usage_monthly
    is 'The last row of each month (UTC) of each customer, product and workload, also of those '
    'that ended or were renamed during the month. For a month''s seats take the rows with '
    'is_month_end; they add up over customers, and over products within one workload, and never '
    'over workloads of a product or over months.';
comment on column license_usage_monthly.month is 'The first day of the month, UTC.';
comment on column license_usage_monthly.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';
comment on column license_usage_monthly.product_name_now is 'The product''s present name.';
comment on column license_usage_monthly.product_id
    is 'The product''s id, also for rows that came without it if the name is known to be that '
    'product''s.';
comment on column license_usage_monthly.processed_date is 'The date of processed_date_time, UTC.';
comment on column license_usage_monthly.is_month_end
    is 'Whether the row is of the customer''s last collection of its service in that month. One '
    'that is not had ended or was renamed before.';
comment on column license_usage_monthly.is_month_over
    is 'Whether the month has ended (UTC). The month that has not has the figures so far.';
comment on column license_usage_monthly.is_newest
    is 'Whether it is the newest month of the whole ledger.';

-- Rows are added up by their place in the set first, since numbers are cheaper to group by than
-- names. Only where two series of a set have one present name must customers be told apart.
create view license_usage_total as
with series as (
    select
        s.set_id,
        r.place,
        coalesce(p.present_name, r.product_name) as product_name,
        coalesce(w.present_name, r.workload_name) as workload_name,
        count(*) over (
            partition by
                s.set_id,
                coalesce(p.present_name, r.product_name),
                coalesce(w.present_name, r.workload_name)
        ) as namesakes
    from license_usage_set as s
    cross join unnest(s.product_names, s.product_ids, s.workload_names, s.workload_codes)
        with ordinality as r (product_name, product_id, workload_name, workload_code, place)
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(r.product_id, r.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(r.workload_code, r.workload_name)
),

seats as (
    select
        a.month,
        s.product_name,
        s.workload_name,
        a.customers,
        a.licenses_active,
        a.licenses_qualified
    from (
        select
            m.month,
            m.set_id,
            r.place,
            count(*) as customers,
            sum(r.licenses_active) as licenses_active,
            sum(r.licenses_qualified) as licenses_qualified
        from license_usage_month as m
        cross join unnest(m.licenses_active, m.licenses_qualified, m.are_month_end)
            with ordinality as r (licenses_active, licenses_qualified, is_month_end, place)
        where r.is_month_end
        group by m.month, m.set_id, r.place
    ) as a
    inner join series as s on s.set_id = a.set_id and s.place = a.place
    where s.namesakes = 1
    union all
    select
        m.month,
        s.product_name,
        s.workload_name,
        1 as customers,
        sum(m.licenses_active[s.place]) as licenses_active,
        sum(m.licenses_qualified[s.place]) as licenses_qualified
    from series as s
    inner join license_usage_month as m on m.set_id = s.set_id
    where s.namesakes > 1
        and m.are_month_end[s.place]
    group by m.month, m.customer_id, s.product_name, s.workload_name
)

select
    month,
    product_name::varchar(512) as product_name,
    workload_name::varchar(512) as workload_name,
    sum(customers)::bigint as customers,
    least(sum(licenses_active), 9223372036854775807)::bigint as licenses_active,
    least(sum(licenses_qualified), 9223372036854775807)::bigint as licenses_qualified,
    (100.0 * sum(licenses_active) / nullif(sum(licenses_qualified), 0))::double precision
        as active_percent,
    (now() at time zone 'UTC') >= month + interval '1 month' as is_month_over,
    month = (
        select date_trunc('month', max(processed_date))
        from service_date
        where dataset = 'usage'
    ) as is_newest
from seats
group by month, product_name, workload_name;

comment on view license_usage_total
    is 'The partner''s seats per product, workload and month (UTC), under present names: the sum '
    'over customers of each service''s last collection of the month. The seats of a product '
    'repeat on each of its workloads, so they add up over products within one workload only, and '
    'never over months.';
comment on column license_usage_total.month is 'The first day of the month, UTC.';
comment on column license_usage_total.product_name is 'The product''s present name.';
comment on column license_usage_total.workload_name is 'The workload''s present name.';
comment on column license_usage_total.customers
    is 'Customers that have the product. They never add up: a customer has several products.';
comment on column license_usage_total.licenses_active
    is 'Seats whose user was active in the 28 days before each customer''s last processed date of '
    'the month. They add up over products within one workload, never over workloads or months.';
comment on column license_usage_total.licenses_qualified
    is 'Seats that entitle to the workload. They add up over products within one workload, never '
    'over workloads or months.';
comment on column license_usage_total.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';
comment on column license_usage_total.is_month_over
    is 'Whether the month has ended (UTC). The month that has not has the figures so far.';
comment on column license_usage_total.is_newest
    is 'Whether it is the newest month of the whole ledger.';

-- Today -------------------------------------------------------------------------------------------

create view license_usage_current as
select
    u.customer_id,
    u.customer_name,
    u.product_name,
    u.product_id,
    u.workload_name,
    u.workload_code,
    u.service,
    u.channel,
    product_kind(n.product_kind, u.product_name)::varchar(16) as product_kind,
    u.processed_date,
    s.newest_date - u.processed_date as days_behind,
    u.licenses_qualified,
    u.licenses_active,
    u.licenses_qualified - u.licenses_active as licenses_unused,
    u.licenses_active::double precision / nullif(u.licenses_qualified, 0) as active_ratio
from (
    select
        l.customer_id,
        max(c.customer_name)::varchar(255) as customer_name,
        coalesce(p.present_name, l.product_name)::varchar(255) as product_name,
        max(coalesce(l.product_id, p.present_id))::varchar(255) as product_id,
        coalesce(w.present_name, l.workload_name)::varchar(255) as workload_name,
        max(coalesce(l.workload_code, w.present_id))::varchar(255) as workload_code,
        max(l.service_code_now)::varchar(255) as service,
        max(l.channel)::varchar(255) as channel,
        max(l.processed_date) as processed_date,
        sum(l.licenses_qualified)::bigint as licenses_qualified,
        sum(l.licenses_active)::bigint as licenses_active
    from license_usage_latest as l
    left join customer as c on c.customer_id = l.customer_id
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(l.product_id, l.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(l.workload_code, l.workload_name)
    where l.is_current
    group by
        l.customer_id,
        coalesce(p.present_name, l.product_name)::varchar(255),
        coalesce(w.present_name, l.workload_name)::varchar(255)
) as u
left join (
    select service::varchar(255) as service, max(processed_date) as newest_date
    from service_date
    where dataset = 'usage'
    group by service
) as s on s.service = u.service
left join product_note as n on n.product_name = u.product_name;

comment on view license_usage_current
    is 'Today''s usage: the current rows of each customer, product and workload under present '
    'names. Current is what the customer''s newest collection of that service has, unless the '
    'customer is gone or was fetched with success after a later date of that service had come.';
comment on column license_usage_current.customer_name is 'The customer''s name of now.';
comment on column license_usage_current.product_name is 'The product''s present name.';
comment on column license_usage_current.product_id
    is 'The product''s id, if it is known; also of rows that came without it.';
comment on column license_usage_current.workload_name
    is 'The present name of the workload within the product, such as Exchange or Teams.';
comment on column license_usage_current.workload_code
    is 'The workload''s code, such as EXO, if it is known.';
comment on column license_usage_current.service
    is 'The service, such as o365 or crm, spelt the same whatever the source is.';
comment on column license_usage_current.product_kind
    is 'paid, free or trial: that of product_note, else what the name says.';
comment on column license_usage_current.processed_date
    is 'The date (UTC) for which the service processed the figures.';
comment on column license_usage_current.days_behind
    is 'Days from processed_date to the newest date of that service in the whole ledger.';
comment on column license_usage_current.licenses_qualified
    is 'Seats that entitle to the workload. They add up over customers, and over products within '
    'one workload; the seats of a product repeat on each of its workloads and never add up over '
    'them.';
comment on column license_usage_current.licenses_active
    is 'Seats whose user was active in the 28 days before processed_date. They add up over '
    'customers, and over products within one workload; never over workloads.';
comment on column license_usage_current.licenses_unused
    is 'Qualified less active seats; negative if more were active than qualify. They add up as '
    'the two do. For unused seats of a product take license_product.';
comment on column license_usage_current.active_ratio
    is 'Active seats as a part of qualified ones: 0 to 1, or more; null if none is qualified. '
    'Never add it up: divide sums.';

-- Deployment's history is long and has nothing kept beside it. So rows are looked up from the date
-- on from which a service's figures are current for a customer: usually those of one date for each
-- service. "distinct on" keeps the planner from reading all of the history instead.
create view license_deployment_current as
with service as (
    select service, max(processed_date) as newest_date
    from service_date
    where dataset = 'deployment'
    group by service
),

stored as (
    select
        c.customer_id,
        d.product_name,
        d.product_id,
        s.service,
        d.channel,
        d.processed_date,
        d.licenses_sold,
        d.licenses_deployed,
        max(d.processed_date) over (partition by c.customer_id, s.service) as newest_date
    from customer_success as c
    cross join service as s
    cross join lateral (
        select max(processed_date) as processed_date
        from service_date
        where dataset = 'deployment'
            and service = s.service
            and first_seen_at <= c.last_success_at
    ) as expected
    cross join lateral (
        select distinct on (d.product_name, u.processed_date)
            d.product_name,
            d.product_id,
            d.channel,
            u.processed_date,
            d.licenses_sold,
            d.licenses_deployed
        from license_deployment as d
        cross join lateral (
            select (d.processed_date_time at time zone 'UTC')::date as processed_date
        ) as u
        where d.customer_id = c.customer_id
            and d.processed_date_time
                >= coalesce(expected.processed_date, '-infinity')::timestamp at time zone 'UTC'
            and d.processed_date_time < (s.newest_date + 1)::timestamp at time zone 'UTC'
            and license_service(d.service_code, d.service_name) = s.service
        order by d.product_name, u.processed_date, d.processed_date_time desc
    ) as d
    where c.gone_since is null
)

select
    d.customer_id,
    max(c.customer_name)::varchar(255) as customer_name,
    coalesce(p.present_name, d.product_name)::varchar(255) as product_name,
    max(coalesce(d.product_id, p.present_id))::varchar(255) as product_id,
    max(d.service)::varchar(255) as service,
    max(d.channel)::varchar(255) as channel,
    max(d.processed_date) as processed_date,
    sum(d.licenses_sold)::bigint as licenses_sold,
    sum(d.licenses_deployed)::bigint as licenses_assigned
from stored as d
left join customer as c on c.customer_id = d.customer_id
left join present_name as p
    on p.kind = 'product' and p.key = name_key(d.product_id, d.product_name)
-- Not "=", of which the planner would expect few rows.
where d.processed_date >= d.newest_date
group by
    d.customer_id,
    coalesce(p.present_name, d.product_name)::varchar(255);

comment on view license_deployment_current
    is 'Inner view: today''s sold and assigned seats of each customer and product under present '
    'names. Read license_product instead.';

create view license_product as
with used as (
    select distinct on (customer_id, product_name)
        customer_id,
        customer_name,
        product_name,
        max(product_id) over product as product_id,
        max(service) over product as service,
        max(channel) over product as channel,
        max(processed_date) over product as processed_date,
        max(licenses_qualified) over product as licenses_qualified,
        licenses_active,
        workload_name
    from license_usage_current
    window product as (partition by customer_id, product_name)
    order by customer_id, product_name, licenses_active desc, workload_name collate "C"
),

held as (
    select
        coalesce(u.customer_id, d.customer_id) as customer_id,
        coalesce(u.customer_name, d.customer_name) as customer_name,
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
        u.workload_name as most_used_workload,
        coalesce(d.licenses_sold, u.licenses_qualified) as licenses_paid
    from used as u
    full join license_deployment_current as d
        on u.customer_id = d.customer_id and u.product_name = d.product_name
)

select
    h.customer_id,
    h.customer_name,
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
    coalesce(h.licenses_active, 0)::double precision / nullif(h.licenses_paid, 0)
        as active_ratio
from held as h
left join product_note as n on n.product_name = h.product_name;

comment on view license_product
    is 'Today''s seats: one row per customer and product under present names, from the current '
    'rows of usage and deployment. The one place for seats, since usage repeats a product''s '
    'seats on each of its workloads.';
comment on column license_product.processed_date
    is 'The processed date (UTC) of the qualified and active seats; null without usage.';
comment on column license_product.deployment_processed_date
    is 'The processed date (UTC) of the sold and assigned seats; null without deployment.';
comment on column license_product.licenses_sold
    is 'Seats sold; null if deployment does not name the product or is not fetched. They add up '
    'over customers, products, channels and services.';
comment on column license_product.licenses_assigned
    is 'Seats assigned to a user; null likewise. They add up as sold seats do.';
comment on column license_product.licenses_qualified
    is 'Qualified seats of the workload that has most; null without usage. They add up over '
    'customers, products, channels and services.';
comment on column license_product.licenses_active
    is 'Active seats of the most used workload, in the 28 days before processed_date; null without '
    'usage. They add up over customers, products, channels and services.';
comment on column license_product.most_used_workload
    is 'The workload with the most active seats; of several the first by name.';
comment on column license_product.licenses_unassigned
    is 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';
comment on column license_product.licenses_unused
    is 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative '
    'if more were active. They add up over customers, products, channels and services.';
comment on column license_product.active_ratio
    is 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: '
    '0 to 1, or more; null if that is 0. Never add it up: divide sums.';

create view license_waste as
select *
from license_product
where product_kind = 'paid' and licenses_unused > 0
order by licenses_unused desc, customer_id, product_name;

comment on view license_waste
    is 'The rows of license_product of paid products that have unused seats, most first.';

-- Comments ----------------------------------------------------------------------------------------

-- A view's column that has no comment yet is passed through from another relation, and takes its
-- comment. The order counts.
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
            (5, 'license_waste', 'license_product')
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
