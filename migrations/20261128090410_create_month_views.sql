-- 7 of 13. Usage by month, under present names.
-- New views: locks nothing in use.

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
    'that is not had ended or was renamed before, or between two runs of that processed date.';
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
    seat_sum(sum(licenses_active)) as licenses_active,
    seat_sum(sum(licenses_qualified)) as licenses_qualified,
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
