-- The newest row of each series in each month, so that the views of newest rows read a table as large as what they show
-- and not the history; and what a customer's rows of a date looked like as they came, so that the same rows need no
-- comparing one by one.
-- Reads the ledger once; holds up those who write to it meanwhile.

-- The texts of a customer's rows of a date, in the order of their bytes, which is the program's. Many customers and all days
-- have the same.
create table license_usage_set (
    set_id bigint not null,
    product_names varchar(512) [] not null,
    workload_names varchar(512) [] not null,
    product_ids varchar(512) [] not null,
    workload_codes varchar(512) [] not null,
    service_names varchar(512) [] not null,
    service_codes varchar(512) [] not null,
    channels varchar(512) [] not null,
    constraint license_usage_set_pkey primary key (set_id)
);

comment on table license_usage_set is 'The sets of series that customers have, for license_usage_month.';
comment on column license_usage_set.set_id is 'A hash of all the rest.';
comment on column license_usage_set.product_names is 'product_name of each series.';
comment on column license_usage_set.workload_names is 'workload_name of each series.';
comment on column license_usage_set.product_ids is 'product_id of each series.';
comment on column license_usage_set.workload_codes is 'workload_code of each series.';
comment on column license_usage_set.service_names is 'service_name of each series.';
comment on column license_usage_set.service_codes is 'service_code of each series.';
comment on column license_usage_set.channels is 'channel of each series.';

create function license_usage_set_id(
    product_names varchar [],
    workload_names varchar [],
    product_ids varchar [],
    workload_codes varchar [],
    service_names varchar [],
    service_codes varchar [],
    channels varchar []
) returns bigint
language sql immutable parallel safe
return hashtextextended(row(product_names, workload_names, product_ids, workload_codes, service_names, service_codes, channels)::text, 0);

comment on function license_usage_set_id is 'The hash by which license_usage_set knows a set of series.';

-- One row per customer and month, with an array per column of the ledger: a twentieth of the rows to write day by day.
create table license_usage_month (
    month date not null,
    customer_id uuid not null,
    newest boolean not null,
    texts bigint,
    set_id bigint not null,
    customer_names varchar(512) [] not null,
    processed_date_times timestamptz [] not null,
    licenses_active bigint [] not null,
    licenses_qualified bigint [] not null,
    usage_percents double precision [] not null,
    first_synced_ats timestamptz [] not null,
    last_changed_ats timestamptz [] not null,
    run_ids bigint [] not null,
    are_newest boolean [] not null,
    constraint license_usage_month_pkey primary key (month, customer_id)
-- Kept in one piece as long as it fits on a page.
) with (toast_tuple_target = 8160);

create index license_usage_month_newest_idx on license_usage_month (customer_id) where newest;

comment on table license_usage_month is 'The newest row of each of a customer''s series in a month. Read license_usage_monthly or license_usage_latest instead.';
comment on column license_usage_month.month is 'The first day of the month, UTC.';
comment on column license_usage_month.customer_id is 'The customer''s tenant id.';
comment on column license_usage_month.newest is 'Whether some of the rows are the newest of their series in all of the ledger.';
comment on column license_usage_month.texts is 'Stands for all texts of the rows: days that have the same differ in dates and figures alone. Null where it is not known.';
comment on column license_usage_month.set_id is 'The series, in license_usage_set. The arrays are in its order.';
comment on column license_usage_month.are_newest is 'For each row whether it is the newest of its series in all of the ledger.';
comment on column license_usage_month.customer_names is 'customer_name of each row.';
comment on column license_usage_month.processed_date_times is 'processed_date_time of each row.';
comment on column license_usage_month.licenses_active is 'licenses_active of each row.';
comment on column license_usage_month.licenses_qualified is 'licenses_qualified of each row.';
comment on column license_usage_month.usage_percents is 'usage_percent of each row.';
comment on column license_usage_month.first_synced_ats is 'first_synced_at of each row.';
comment on column license_usage_month.last_changed_ats is 'last_changed_at of each row.';
comment on column license_usage_month.run_ids is 'run_id of each row.';

-- Makes the rows of these customers and months anew from the ledger. Without months all of theirs; without customers, of
-- everybody. Which rows are the newest of all time is looked up among those that are, or, where rows may have gone, among
-- all.
create function collect_license_usage_months(
    of_customers uuid [] default null, of_months date [] default null, rows_may_have_gone boolean default true
) returns void
language plpgsql
-- The dates are constants to the planner, which then leaves all partitions but theirs alone.
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    first timestamptz := coalesce((select min(m)::timestamp at time zone 'UTC' from unnest(of_months) as m), '-infinity');
    after timestamptz := coalesce((select (max(m) + interval '1 month') at time zone 'UTC' from unnest(of_months) as m), 'infinity');
begin
    delete from license_usage_month
    where (of_customers is null or customer_id = any(of_customers))
        and (of_months is null or month = any(of_months));

    with collected as materialized (
        select
            month,
            customer_id,
            -- The order of the database's own locale would be another than the program's.
            array_agg(product_name order by product_name collate "C", workload_name collate "C") as product_names,
            array_agg(workload_name order by product_name collate "C", workload_name collate "C") as workload_names,
            array_agg(product_id order by product_name collate "C", workload_name collate "C") as product_ids,
            array_agg(workload_code order by product_name collate "C", workload_name collate "C") as workload_codes,
            array_agg(service_name order by product_name collate "C", workload_name collate "C") as service_names,
            array_agg(service_code order by product_name collate "C", workload_name collate "C") as service_codes,
            array_agg(channel order by product_name collate "C", workload_name collate "C") as channels,
            array_agg(customer_name order by product_name collate "C", workload_name collate "C") as customer_names,
            array_agg(processed_date_time order by product_name collate "C", workload_name collate "C") as processed_date_times,
            array_agg(licenses_active order by product_name collate "C", workload_name collate "C") as licenses_active,
            array_agg(licenses_qualified order by product_name collate "C", workload_name collate "C") as licenses_qualified,
            array_agg(usage_percent order by product_name collate "C", workload_name collate "C") as usage_percents,
            array_agg(first_synced_at order by product_name collate "C", workload_name collate "C") as first_synced_ats,
            array_agg(last_changed_at order by product_name collate "C", workload_name collate "C") as last_changed_ats,
            array_agg(run_id order by product_name collate "C", workload_name collate "C") as run_ids
        from (
            select distinct on (customer_id, month, product_name, workload_name)
                date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
                *
            from license_usage
            where (of_customers is null or customer_id = any(of_customers))
                and processed_date_time >= first
                and processed_date_time < after
            order by customer_id, month, product_name, workload_name, processed_date_time desc
        ) as rows
        where of_months is null or month = any(of_months)
        group by 1, 2
    ),

    identified as materialized (
        select
            *,
            license_usage_set_id(product_names, workload_names, product_ids, workload_codes, service_names, service_codes, channels) as set_id
        from collected
    ),

    sets as (
        insert into license_usage_set (set_id, product_names, workload_names, product_ids, workload_codes, service_names, service_codes, channels)
        select distinct on (set_id) set_id, product_names, workload_names, product_ids, workload_codes, service_names, service_codes, channels
        from identified
        on conflict do nothing
    )

    insert into license_usage_month (
        month,
        customer_id,
        newest,
        set_id,
        customer_names,
        processed_date_times,
        licenses_active,
        licenses_qualified,
        usage_percents,
        first_synced_ats,
        last_changed_ats,
        run_ids,
        are_newest
    )
    select
        month,
        customer_id,
        true,
        set_id,
        customer_names,
        processed_date_times,
        licenses_active,
        licenses_qualified,
        usage_percents,
        first_synced_ats,
        last_changed_ats,
        run_ids,
        array_fill(true, array[cardinality(run_ids)])
    from identified;

    with flags as (
        select month, customer_id, array_agg(is_newest order by number) as flags
        from (
            select
                m.month,
                m.customer_id,
                r.number,
                r.date = max(r.date) over (partition by m.customer_id, r.product, r.workload) as is_newest
            from license_usage_month as m
            inner join license_usage_set as s on s.set_id = m.set_id
            cross join unnest(s.product_names, s.workload_names, m.processed_date_times)
                with ordinality as r (product, workload, date, number)
            where (m.newest or rows_may_have_gone)
                and (of_customers is null or m.customer_id = any(of_customers))
        ) as rows
        group by 1, 2
    )

    update license_usage_month as m
    set are_newest = f.flags,
        newest = true = any(f.flags)
    from flags as f
    where m.month = f.month
        and m.customer_id = f.customer_id
        and m.are_newest <> f.flags;
end
$$;

comment on function collect_license_usage_months is 'Fills license_usage_month anew from the ledger, for all customers or for some, and for all months or for some.';

-- For the operator who has attached a partition, or written past the triggers.
create function reread_license_usage(of_months date [] default null) returns void
language plpgsql
as $$
begin
    update customer_date
    set digest = null
    where digest is not null
        and (of_months is null or date_trunc('month', processed_date)::date = any(of_months));
    perform collect_license_usage_months(null, of_months);
end
$$;

comment on function reread_license_usage is 'Brings all that is kept beside the ledger up to date with its rows, for all months or for some: after a partition was attached, or rows were written past its triggers.';

lock table license_usage in share row exclusive mode;

select collect_license_usage_months();

alter table customer_date add column digest bytea;

comment on column customer_date.digest is 'A digest of the rows as they last came; null where others have written to them since.';

-- The program keeps all of this itself, for many customers at once; those who write to the ledger otherwise need not know.
create function note_row_of_others() returns trigger
language plpgsql
as $$
declare
    day date := (new.processed_date_time at time zone 'UTC')::date;
begin
    insert into ledger_date (processed_date, first_seen_at)
    values (day, new.first_synced_at)
    on conflict do nothing;

    insert into customer_date as d (processed_date, customer_id, run_id)
    values (day, new.customer_id, new.run_id)
    on conflict (processed_date, customer_id) do update set digest = null
    where d.digest is not null;

    perform collect_license_usage_months(array[new.customer_id], array[date_trunc('month', day)::date], false);
    return null;
end
$$;

create trigger note_row_of_others after insert or update on license_usage
for each row
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function note_row_of_others();

create function note_deleted_rows() returns trigger
language plpgsql
as $$
begin
    update customer_date as c
    set digest = null
    from (select distinct (processed_date_time at time zone 'UTC')::date as day, customer_id from deleted) as d
    where c.processed_date = d.day and c.customer_id = d.customer_id;
    perform collect_license_usage_months(
        array(select distinct customer_id from deleted),
        array(select distinct date_trunc('month', processed_date_time at time zone 'UTC')::date from deleted)
    );
    return null;
end
$$;

create trigger note_deleted_rows after delete on license_usage
referencing old table as deleted
for each statement execute function note_deleted_rows();

-- What the rows were before; what they have become is for the trigger of each.
create trigger note_updated_rows after update on license_usage
referencing old table as deleted
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function note_deleted_rows();

create function note_empty_ledger() returns trigger
language plpgsql
as $$
begin
    update customer_date set digest = null;
    delete from license_usage_month;
    return null;
end
$$;

create trigger note_empty_ledger after truncate on license_usage
for each statement execute function note_empty_ledger();

-- Whoever may write to the ledger need not be allowed to write to what is kept beside it, nor have its schema in the path.
do $$
declare
    noting regprocedure;
begin
    foreach noting in array array['note_row_of_others()', 'note_deleted_rows()', 'note_empty_ledger()']::regprocedure []
    loop
        execute format('alter function %s security definer set search_path = %I, pg_temp', noting, current_schema());
    end loop;
end
$$;

create or replace view license_usage_latest as
select
    m.customer_id,
    r.product_name::varchar(512) as product_name,
    r.workload_name::varchar(512) as workload_name,
    r.processed_date_time,
    r.customer_name::varchar(512) as customer_name,
    r.product_id::varchar(512) as product_id,
    r.workload_code::varchar(512) as workload_code,
    r.service_name::varchar(512) as service_name,
    r.service_code::varchar(512) as service_code,
    r.channel::varchar(512) as channel,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percent,
    r.first_synced_at,
    r.last_changed_at,
    r.run_id,
    (100.0 * r.licenses_active / nullif(r.licenses_qualified, 0))::double precision as active_percent
from license_usage_month as m
inner join license_usage_set as s on s.set_id = m.set_id
cross join unnest(
    s.product_names,
    s.workload_names,
    s.product_ids,
    s.workload_codes,
    s.service_names,
    s.service_codes,
    s.channels,
    m.customer_names,
    m.processed_date_times,
    m.licenses_active,
    m.licenses_qualified,
    m.usage_percents,
    m.first_synced_ats,
    m.last_changed_ats,
    m.run_ids,
    m.are_newest
) as r (
    product_name,
    workload_name,
    product_id,
    workload_code,
    service_name,
    service_code,
    channel,
    customer_name,
    processed_date_time,
    licenses_active,
    licenses_qualified,
    usage_percent,
    first_synced_at,
    last_changed_at,
    run_id,
    is_newest
)
where m.newest and r.is_newest;

create or replace view license_usage_monthly as
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
    (100.0 * r.licenses_active / nullif(r.licenses_qualified, 0))::double precision as active_percent
from license_usage_month as m
inner join license_usage_set as s on s.set_id = m.set_id
cross join unnest(
    s.product_names,
    s.workload_names,
    m.customer_names,
    m.processed_date_times,
    m.licenses_active,
    m.licenses_qualified,
    m.usage_percents
) as r (
    product_name,
    workload_name,
    customer_name,
    processed_date_time,
    licenses_active,
    licenses_qualified,
    usage_percent
);

create view license_usage_total as
select
    m.month,
    r.product_name::varchar(512) as product_name,
    r.workload_name::varchar(512) as workload_name,
    count(*) as customers,
    least(sum(r.licenses_active), 9223372036854775807)::bigint as licenses_active,
    least(sum(r.licenses_qualified), 9223372036854775807)::bigint as licenses_qualified,
    (100.0 * sum(r.licenses_active) / nullif(sum(r.licenses_qualified), 0))::double precision as active_percent
from license_usage_month as m
inner join license_usage_set as s on s.set_id = m.set_id
cross join unnest(
    s.product_names,
    s.workload_names,
    m.licenses_active,
    m.licenses_qualified
) as r (
    product_name,
    workload_name,
    licenses_active,
    licenses_qualified
)
group by m.month, r.product_name, r.workload_name;

comment on view license_usage_total is 'The partner''s seats per product, workload and month (UTC): the sum over customers of the last row of the month. The seats of a product repeat on each of its workloads.';
comment on column license_usage_total.month is 'The first day of the month, UTC.';
comment on column license_usage_total.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage_total.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage_total.customers is 'Customers that have a row.';
comment on column license_usage_total.licenses_active is 'Seats whose user was active within 28 days before each customer''s last processed date of the month.';
comment on column license_usage_total.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage_total.active_percent is 'Active seats in per cent of the qualified ones; null where there are none.';
