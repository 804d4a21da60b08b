-- Seats month by month, of all products: as license_product has them, at month ends.
-- license_waste_monthly now chooses its rows from them, with the same columns and figures.
-- New view. Locks license_waste_monthly for a moment: who reads it at that time is waited for.

create view license_product_monthly as
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
        seat_sum(sum(r.licenses_qualified)) as licenses_qualified,
        seat_sum(sum(r.licenses_active)) as licenses_active
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

-- Each customer's last date of a month is looked up, since the history of deployment is long.
-- "distinct" keeps the planner from looking it up several times.
last_deployment as (
    select distinct
        m.month,
        c.customer_id,
        m.service,
        (
            (
                select d.processed_date_time
                from license_deployment as d
                where d.customer_id = c.customer_id
                    and d.processed_date_time >= m.month::timestamp at time zone 'UTC'
                    and d.processed_date_time < (m.month + interval '1 month') at time zone 'UTC'
                    and license_service(d.service_code, d.service_name) = m.service
                order by d.processed_date_time desc
                limit 1
            ) at time zone 'UTC'
        )::date as processed_date
    from (
        select distinct date_trunc('month', processed_date::timestamp)::date as month, service
        from service_date
        where dataset = 'deployment'
    ) as m
    cross join customer as c
),

-- A product that comes twice on one date counts as it came last: under one name by its processed
-- date, under two names of one id by when these were first stored. The inner "distinct on" keeps
-- the planner from reading all of the history.
deployed as (
    select distinct on (l.month, l.customer_id, d.product_name)
        l.month,
        l.service,
        l.processed_date,
        d.*
    from last_deployment as l
    cross join lateral (
        select distinct on (d.customer_id, d.product_name) d.*
        from license_deployment as d
        where d.customer_id = l.customer_id
            and d.processed_date_time >= l.processed_date::timestamp at time zone 'UTC'
            and d.processed_date_time < (l.processed_date + 1)::timestamp at time zone 'UTC'
            and license_service(d.service_code, d.service_name) = l.service
        order by d.customer_id, d.product_name, d.processed_date_time desc
    ) as d
    order by l.month, l.customer_id, d.product_name, d.processed_date_time desc
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
        seat_sum(sum(d.licenses_sold)) as licenses_sold,
        seat_sum(sum(d.licenses_deployed)) as licenses_assigned
    from (
        select
            *,
            max(first_synced_at) over (partition by month, customer_id, service, product_id)
                as last_synced_at
        from deployed
    ) as d
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(d.product_id, d.product_name)
    where d.product_id is null or d.first_synced_at = d.last_synced_at
    group by 1, 2, 3
),

-- Added up rather than joined, so that a condition on the month or the customer reaches the tables.
held as (
    select
        month,
        customer_id,
        product_name,
        coalesce(max(used_product_id), max(sold_product_id))::varchar(255) as product_id,
        coalesce(max(used_service), max(sold_service))::varchar(255) as service,
        coalesce(max(used_channel), max(sold_channel))::varchar(255) as channel,
        max(processed_date) as processed_date,
        max(deployment_processed_date) as deployment_processed_date,
        max(licenses_sold) as licenses_sold,
        max(licenses_assigned) as licenses_assigned,
        max(licenses_qualified) as licenses_qualified,
        max(licenses_active) as licenses_active,
        max(most_used_workload)::varchar(255) as most_used_workload,
        coalesce(max(licenses_sold), max(licenses_qualified)) as licenses_paid
    from (
        select
            month,
            customer_id,
            product_name,
            product_id as used_product_id,
            service as used_service,
            channel as used_channel,
            processed_date,
            licenses_qualified,
            licenses_active,
            most_used_workload,
            null as sold_product_id,
            null as sold_service,
            null as sold_channel,
            null::date as deployment_processed_date,
            null::bigint as licenses_sold,
            null::bigint as licenses_assigned
        from used
        union all
        select
            month,
            customer_id,
            product_name,
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            product_id,
            service,
            channel,
            processed_date,
            licenses_sold,
            licenses_assigned
        from sold
    ) as part
    group by month, customer_id, product_name
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
left join product_note as n on n.product_name = h.product_name;

comment on view license_product_monthly
    is 'The seats at the end of each month (UTC): the figures of license_product, from each '
    'customer''s last collections of the month, of all products under present names.';
comment on column license_product_monthly.licenses_unused
    is 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative '
    'if more were active. They add up over customers, products, channels and services, never over '
    'months.';
comment on column license_product_monthly.is_newest
    is 'Whether it is the newest month of the whole ledger: license_product has it as it is now.';

create or replace view license_waste_monthly as
select *
from license_product_monthly
where product_kind = 'paid'
    and licenses_unused > 0;

-- A view's column that has no comment yet has that of the same column of license_waste_monthly.
do $$
declare
    passed record;
begin
    for passed in
        select c.attname as name, col_description(s.attrelid, s.attnum) as comment
        from pg_attribute as c
        inner join pg_attribute as s
            on s.attrelid = 'license_waste_monthly'::regclass and s.attname = c.attname
        where c.attrelid = 'license_product_monthly'::regclass
            and col_description(c.attrelid, c.attnum) is null
    loop
        execute format(
            'comment on column license_product_monthly.%I is %L', passed.name, passed.comment
        );
    end loop;
end
$$;
