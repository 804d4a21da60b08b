-- Fills a ledger with history, as if one run a day had stored the rows of the table peer_row for
-- `days` days up to `last_day`: the rows, in the order in which a run stores them, and the rows of
-- the other tables that a run writes.
-- The partitions are filled before they get their indexes and are attached, which makes it possible
-- to create 100 million rows in minutes.

create procedure fill_ledger(first_day date, last_day date)
language plpgsql
as $$
declare
    period date;
    name text;
begin
    for period in
        select distinct license_usage_period(day)
        from history_day
        where day between first_day and last_day
        order by 1
    loop
        name := 'license_usage_' || to_char(period, 'YYYY_MM_DD');
        execute format(
            'create table %I (like license_usage including all excluding indexes)',
            name
        );
        execute format(
            'insert into %I
            select
                h.day, customer_id, product_name, workload_name, customer_name, null, null,
                service_name, null, channel,
                greatest(0, licenses_active - extract(doy from h.day)::integer %% 5),
                licenses_qualified, usage_percent, h.day + interval ''3 days'',
                h.day + interval ''3 days'', h.run_id
            from (
                select *
                from history_day
                where license_usage_period(day) = %L
                order by day
            ) as h
            cross join (
                select *
                from peer_row
                order by customer_id, product_name, workload_name
            ) as r
            order by h.day, customer_id, product_name, workload_name',
            name,
            period
        );
        execute format(
            'alter table %I add primary key (
                processed_date_time, customer_id, product_name, workload_name
            )',
            name
        );
        execute format('create index on %I (customer_id)', name);
        execute format(
            'alter table license_usage attach partition %I for values from (%L) to (%L)',
            name,
            period::timestamptz,
            license_usage_period((period + 11)::timestamptz)::timestamptz
        );
        commit;
    end loop;
end
$$;

create table history_day as
select
    day::date,
    row_number() over (order by day) as run_id
from
    generate_series(:'last_day'::date - (:days - 1), :'last_day'::date, interval '1 day')
        as day;

insert into customer (
    customer_id, customer_name, first_seen_at, last_seen_at, last_success_at,
    last_processed_date_time
)
select
    customer_id,
    min(customer_name),
    min(day) + interval '3 days',
    max(day) + interval '3 days',
    max(day) + interval '3 days',
    max(day)
from peer_row
cross join history_day
group by customer_id;

insert into series_name (folded, name)
select distinct
    lower(name),
    name
from peer_row
cross join lateral (values (product_name), (workload_name)) as names (name);

insert into sync_run (
    run_id, kind, whole_list, started_at, finished_at, outcome, newest_processed_date,
    customers_total, customers_succeeded, rows_received
) overriding system value
select
    run_id,
    'schedule',
    true,
    day + interval '3 days',
    day + interval '3 days 1 hour',
    'succeeded',
    day,
    (select count(*) from customer),
    (select count(*) from customer),
    (select count(*) from peer_row)
from history_day;

select setval(pg_get_serial_sequence('sync_run', 'run_id'), (select max(run_id) from sync_run));

insert into sync_customer (
    run_id, customer_id, outcome, http_status, attempts, rows_received, rows_inserted,
    rows_updated, rows_unchanged, rows_rejected, finished_at
)
select
    r.run_id,
    c.customer_id,
    'succeeded',
    200,
    1,
    20,
    20,
    0,
    0,
    0,
    r.started_at + interval '1 minute'
from sync_run as r
cross join (select customer_id from customer order by customer_id) as c
order by r.run_id;

insert into license_usage_collection (
    processed_date_time, customer_id, service, run_id, first_seen_at
)
select
    h.day,
    c.customer_id,
    c.service,
    h.run_id,
    h.day + interval '3 days'
from history_day as h
cross join (
    select distinct
        customer_id,
        license_service(null, service_name) as service
    from peer_row
    order by 1, 2
) as c
order by h.day;

insert into service_date (dataset, processed_date, service, first_seen_at)
select
    'usage',
    h.day,
    s.service,
    h.day + interval '3 days'
from history_day as h
cross join (select distinct license_service(null, service_name) as service from peer_row) as s;

-- Active seats differ by the day of the year modulo five, so there are five days only to add up.
insert into license_usage_day_total
select
    h.day,
    t.service,
    '',
    t.product_name,
    '',
    t.workload_name,
    t.customers,
    0,
    t.licenses_active,
    t.licenses_qualified
from history_day as h
inner join (
    select
        f.fewer,
        license_service(null, r.service_name) as service,
        r.product_name,
        r.workload_name,
        count(*) as customers,
        sum(greatest(0, r.licenses_active - f.fewer)) as licenses_active,
        sum(r.licenses_qualified) as licenses_qualified
    from peer_row as r
    cross join generate_series(0, 4) as f (fewer)
    group by 1, 2, 3, 4
) as t on t.fewer = extract(doy from h.day)::integer % 5;

create table history_set as
select
    *,
    license_usage_set_id(
        product_names, workload_names, nothing, nothing, service_names, nothing, channels
    ) as set_id
from (
    select
        customer_id,
        array_agg(product_name order by product_name, workload_name) as product_names,
        array_agg(workload_name order by product_name, workload_name) as workload_names,
        array_agg(null::varchar) as nothing,
        array_agg(service_name order by product_name, workload_name) as service_names,
        array_agg(channel order by product_name, workload_name) as channels
    from peer_row
    group by customer_id
) as sets;

insert into license_usage_set
select distinct on (set_id)
    set_id,
    product_names,
    workload_names,
    nothing,
    nothing,
    service_names,
    nothing,
    channels
from history_set;

insert into license_usage_month
select
    date_trunc('month', h.day)::date,
    r.customer_id,
    h.day = :'last_day',
    null,
    s.set_id,
    array_agg(r.customer_name order by product_name, workload_name),
    array_agg(h.day::timestamptz),
    array_agg(
        greatest(0, licenses_active - extract(doy from h.day)::integer % 5)
        order by product_name, workload_name
    ),
    array_agg(r.licenses_qualified order by product_name, workload_name),
    array_agg(r.usage_percent order by product_name, workload_name),
    array_agg(h.day + interval '3 days'),
    array_agg(h.day + interval '3 days'),
    array_agg(h.run_id),
    array_agg(h.day = :'last_day'),
    array_agg(true),
    array_agg(h.first_day)
from (
    select distinct on (date_trunc('month', day))
        *,
        min(day) over (partition by date_trunc('month', day)) as first_day
    from history_day
    order by date_trunc('month', day), day desc
) as h
cross join peer_row as r
inner join history_set as s on s.customer_id = r.customer_id
group by 1, 2, 3, 5
order by 1, 2;
