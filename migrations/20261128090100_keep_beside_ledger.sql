-- 2 of 4. What is kept beside the ledger, so that runs and views need not read all of it: one
-- spelling per name, the names that an id has had, which dates exist, and the newest row of each
-- series in each month. A run updates these tables in the transaction that stores the rows. When
-- another writer changes license_usage, triggers update them; after changes past the triggers,
-- reread_license_usage() does.
-- New tables: locks nothing in use.

-- Names -------------------------------------------------------------------------------------------

-- Source "customer" gives no ids: names are the only identity of a series. Source "commercial" may
-- give several products one name; the ledger then tells them apart by the spelling.
create table series_name (
    folded text not null,
    name varchar(512) not null,
    product_id varchar(512),
    constraint series_name_pkey primary key (folded)
);

comment on table series_name
    is 'The spelling under which the ledger keeps each product and workload name: the first that '
    'came. A product whose name another one had first is kept as "name (product id)".';
comment on column series_name.folded
    is 'The name in lower case, without leading and trailing blanks, in Unicode form NFC. The '
    'program folds it: which letters Postgres can fold depends on its locale.';
comment on column series_name.name is 'The name as it is stored.';
comment on column series_name.product_id
    is 'The product that the name belongs to: the first that came with it and an id. Null for a '
    'workload''s name, and where no product came with an id.';

create table ledger_locale (
    locale varchar(512) not null,
    since timestamptz not null,
    constraint ledger_locale_pkey primary key (since)
);

comment on table ledger_locale
    is 'The locale in which names are requested. The newest row is in force.';
comment on column ledger_locale.locale is 'The X-Locale header, such as en-US.';
comment on column ledger_locale.since is 'When a run first used it.';

-- One table for products and workloads, of usage and deployment. Source "commercial" gives their
-- ids. Names are those of the API, without the id that series_name adds.
create table name_history (
    kind varchar(16) not null,
    id varchar(512) not null,
    name varchar(512) not null,
    first_processed_date_time timestamptz not null,
    last_processed_date_time timestamptz not null,
    run_id bigint not null,
    constraint name_history_pkey primary key (kind, id, name),
    constraint name_history_kind_check check (kind in ('product', 'workload'))
);

comment on table name_history
    is 'The names that each product id and workload code has had, where the API gives ids (source '
    '"commercial"). Read product_name_history or workload_name_history instead.';
comment on column name_history.kind is 'product or workload.';
comment on column name_history.id is 'The product''s id, or the workload''s code, such as EXO.';
comment on column name_history.name is 'A name it has had, as the API gives it.';
comment on column name_history.first_processed_date_time
    is 'The oldest processed date under that name.';
comment on column name_history.last_processed_date_time
    is 'The newest processed date under that name.';
comment on column name_history.run_id is 'The run that last moved one of the two dates.';

-- Dates -------------------------------------------------------------------------------------------

create table ledger_date (
    processed_date date not null,
    first_seen_at timestamptz not null,
    constraint ledger_date_pkey primary key (processed_date)
);

comment on table ledger_date is 'The processed dates (UTC) of which license_usage has rows.';
comment on column ledger_date.processed_date is 'The date.';
comment on column ledger_date.first_seen_at is 'When a row of it was first stored.';

-- About one row per twenty rows of the ledger. New rows go to the right-hand edge of its index.
create table customer_date (
    processed_date date not null,
    customer_id uuid not null,
    run_id bigint not null,
    digest bytea,
    constraint customer_date_pkey primary key (processed_date, customer_id)
);

comment on table customer_date
    is 'Of which customer and processed date (UTC) license_usage has rows.';
comment on column customer_date.processed_date is 'The date.';
comment on column customer_date.customer_id is 'The customer''s tenant id.';
comment on column customer_date.run_id is 'The run that first stored a row.';
comment on column customer_date.digest
    is 'A digest of the date''s rows as they last arrived: rows with the same digest are not '
    'compared again. Null if it is not known, or if another writer has changed the rows since.';

-- The newest rows of each month -------------------------------------------------------------------

-- Many customers have the same products and workloads, so their texts are stored once.
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

comment on table license_usage_set
    is 'The sets of series that customers have: the texts of the rows of license_usage_month. The '
    'series are in the order of the bytes of product and workload name, as the program sorts.';
comment on column license_usage_set.set_id is 'A hash of all the rest: license_usage_set_id().';
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
return hashtextextended(
    row(
        product_names, workload_names, product_ids, workload_codes, service_names, service_codes,
        channels
    )::text,
    0
);

comment on function license_usage_set_id is 'The hash that identifies a row of license_usage_set.';

-- One row per customer and month, with an array per column of the ledger: a run writes a twentieth
-- of the rows that one row per series would take. toast_tuple_target keeps a row in one piece as
-- long as it fits on a page.
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
) with (toast_tuple_target = 8160);

create index license_usage_month_newest_idx on license_usage_month (customer_id) where newest;

comment on index license_usage_month_newest_idx
    is 'The newest rows of every customer, or of one.';

comment on table license_usage_month
    is 'The newest row of each of a customer''s series in a month. Read license_usage_monthly or '
    'license_usage_latest instead.';
comment on column license_usage_month.month is 'The first day of the month, UTC.';
comment on column license_usage_month.customer_id is 'The customer''s tenant id.';
comment on column license_usage_month.newest
    is 'Whether any of the rows is the newest of its series in the whole ledger.';
comment on column license_usage_month.texts
    is 'A hash of all texts of the rows, customer names included. Dates with the same hash differ '
    'in figures only, so a later date''s figures replace an earlier one''s. Null if it is not '
    'known.';
comment on column license_usage_month.set_id
    is 'The series, in license_usage_set. All arrays are in its order.';
comment on column license_usage_month.customer_names is 'customer_name of each row.';
comment on column license_usage_month.processed_date_times is 'processed_date_time of each row.';
comment on column license_usage_month.licenses_active is 'licenses_active of each row.';
comment on column license_usage_month.licenses_qualified is 'licenses_qualified of each row.';
comment on column license_usage_month.usage_percents is 'usage_percent of each row.';
comment on column license_usage_month.first_synced_ats is 'first_synced_at of each row.';
comment on column license_usage_month.last_changed_ats is 'last_changed_at of each row.';
comment on column license_usage_month.run_ids is 'run_id of each row.';
comment on column license_usage_month.are_newest
    is 'For each row whether it is the newest of its series in the whole ledger.';

-- Keeping it up to date ---------------------------------------------------------------------------

-- Null means all customers, or all months. Without deleted rows (rows_may_have_gone false) only
-- months that have newest rows can lose them, so no other months are read.
create function collect_license_usage_months(
    of_customers uuid [] default null,
    of_months date [] default null,
    rows_may_have_gone boolean default true
) returns void
language plpgsql
-- Plans are made for the dates at hand, and open the partitions of these dates only.
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    first timestamptz := coalesce(
        (select min(m)::timestamp at time zone 'UTC' from unnest(of_months) as m),
        '-infinity'
    );
    after timestamptz := coalesce(
        (select (max(m) + interval '1 month') at time zone 'UTC' from unnest(of_months) as m),
        'infinity'
    );
begin
    delete from license_usage_month
    where (of_customers is null or customer_id = any(of_customers))
        and (of_months is null or month = any(of_months));

    with newest as (
        select distinct on (customer_id, month, product_name, workload_name)
            date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
            *
        from license_usage
        where (of_customers is null or customer_id = any(of_customers))
            and processed_date_time >= first
            and processed_date_time < after
        order by customer_id, month, product_name, workload_name, processed_date_time desc
    ),

    numbered as (
        select
            *,
            -- In byte order, as the program sorts, whatever the locale of the database is.
            row_number() over (
                partition by month, customer_id
                order by product_name collate "C", workload_name collate "C"
            ) as place
        from newest
        where of_months is null or month = any(of_months)
    ),

    collected as materialized (
        select
            month,
            customer_id,
            array_agg(product_name order by place) as product_names,
            array_agg(workload_name order by place) as workload_names,
            array_agg(product_id order by place) as product_ids,
            array_agg(workload_code order by place) as workload_codes,
            array_agg(service_name order by place) as service_names,
            array_agg(service_code order by place) as service_codes,
            array_agg(channel order by place) as channels,
            array_agg(customer_name order by place) as customer_names,
            array_agg(processed_date_time order by place) as processed_date_times,
            array_agg(licenses_active order by place) as licenses_active,
            array_agg(licenses_qualified order by place) as licenses_qualified,
            array_agg(usage_percent order by place) as usage_percents,
            array_agg(first_synced_at order by place) as first_synced_ats,
            array_agg(last_changed_at order by place) as last_changed_ats,
            array_agg(run_id order by place) as run_ids
        from numbered
        group by month, customer_id
    ),

    identified as materialized (
        select
            *,
            license_usage_set_id(
                product_names, workload_names, product_ids, workload_codes, service_names,
                service_codes, channels
            ) as set_id
        from collected
    ),

    sets as (
        insert into license_usage_set (
            set_id, product_names, workload_names, product_ids, workload_codes, service_names,
            service_codes, channels
        )
        select distinct on (set_id)
            set_id, product_names, workload_names, product_ids, workload_codes, service_names,
            service_codes, channels
        from identified
        on conflict do nothing
    )

    insert into license_usage_month (
        month, customer_id, newest, set_id, customer_names, processed_date_times, licenses_active,
        licenses_qualified, usage_percents, first_synced_ats, last_changed_ats, run_ids, are_newest
    )
    select
        month, customer_id, true, set_id, customer_names, processed_date_times, licenses_active,
        licenses_qualified, usage_percents, first_synced_ats, last_changed_ats, run_ids,
        array_fill(true, array[cardinality(run_ids)])
    from identified;

    with flags as (
        select month, customer_id, array_agg(is_newest order by place) as flags
        from (
            select
                m.month,
                m.customer_id,
                r.place,
                r.date = max(r.date) over series as is_newest
            from license_usage_month as m
            inner join license_usage_set as s on s.set_id = m.set_id
            cross join unnest(s.product_names, s.workload_names, m.processed_date_times)
                with ordinality as r (product, workload, date, place)
            where (m.newest or rows_may_have_gone)
                and (of_customers is null or m.customer_id = any(of_customers))
            window series as (partition by m.customer_id, r.product, r.workload)
        ) as rows
        group by month, customer_id
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

comment on function collect_license_usage_months
    is 'Builds license_usage_month again from license_usage: all of it, or some customers and '
    'months.';

create function reread_license_usage(
    of_months date [] default null, of_customers uuid [] default null
) returns void
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    first timestamptz := coalesce(
        (select min(m)::timestamp at time zone 'UTC' from unnest(of_months) as m),
        '-infinity'
    );
    after timestamptz := coalesce(
        (select (max(m) + interval '1 month') at time zone 'UTC' from unnest(of_months) as m),
        'infinity'
    );
begin
    update customer_date
    set digest = null
    where digest is not null
        and (of_customers is null or customer_id = any(of_customers))
        -- The dates are listed because they lead the primary key.
        and processed_date = any(array(
            select processed_date
            from ledger_date
            where of_months is null or date_trunc('month', processed_date)::date = any(of_months)
        ));

    with stored as materialized (
        select
            (processed_date_time at time zone 'UTC')::date as processed_date,
            customer_id,
            min(run_id) as run_id,
            min(first_synced_at) as first_seen_at
        from license_usage
        where (of_customers is null or customer_id = any(of_customers))
            and processed_date_time >= first
            and processed_date_time < after
        group by 1, 2
    ),

    dates as (
        insert into ledger_date (processed_date, first_seen_at)
        select processed_date, min(first_seen_at)
        from stored
        group by 1
        on conflict do nothing
    )

    insert into customer_date (processed_date, customer_id, run_id)
    select processed_date, customer_id, run_id
    from stored
    on conflict do nothing;

    perform collect_license_usage_months(of_customers, of_months);
end
$$;

comment on function reread_license_usage
    is 'Brings what is kept beside license_usage up to date with its rows, for all months and '
    'customers or for some: after a partition was attached, or rows were written past the '
    'triggers.';

-- Other writers -----------------------------------------------------------------------------------

-- The triggers do not fire for a run, which sets seatledger.keeps_months. Inserts have a row
-- trigger: with a trigger that has a transition table, even one that does not fire, Postgres would
-- insert the rows of a run's COPY one at a time and not by the page.
create function follow_other_writers() returns trigger
language plpgsql
as $$
declare
    day date;
    customers uuid [];
    dates timestamptz [];
    months date [];
begin
    case tg_op
        when 'INSERT' then
            day := (new.processed_date_time at time zone 'UTC')::date;
            insert into ledger_date (processed_date, first_seen_at)
            values (day, new.first_synced_at)
            on conflict do nothing;
            insert into customer_date as d (processed_date, customer_id, run_id)
            values (day, new.customer_id, new.run_id)
            on conflict (processed_date, customer_id) do update set digest = null
            where d.digest is not null;
            perform collect_license_usage_months(
                array[new.customer_id], array[date_trunc('month', day)::date], false
            );
            return null;
        when 'UPDATE' then
            customers := array(select customer_id from gone union select customer_id from come);
            dates := array(
                select processed_date_time from gone union select processed_date_time from come
            );
        when 'DELETE' then
            customers := array(select distinct customer_id from gone);
            dates := array(select distinct processed_date_time from gone);
        when 'TRUNCATE' then
            perform reread_license_usage();
            return null;
    end case;
    months := array(
        select distinct date_trunc('month', d at time zone 'UTC')::date from unnest(dates) as d
    );
    if cardinality(customers) > 0 then
        perform reread_license_usage(months, customers);
    end if;
    return null;
end
$$;

comment on function follow_other_writers
    is 'Updates what is kept beside license_usage after another writer than a run has changed it.';

-- A role that may write to the ledger may lack the right to write to the tables beside it, and may
-- not have their schema in its search path.
do $$
begin
    execute format(
        'alter function follow_other_writers() security definer set search_path = %I, pg_temp',
        current_schema()
    );
end
$$;

create trigger follow_insert after insert on license_usage
for each row
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_writers();

create trigger follow_update after update on license_usage
referencing old table as gone new table as come
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_writers();

create trigger follow_delete after delete on license_usage
referencing old table as gone
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_writers();

create trigger follow_truncate after truncate on license_usage
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_writers();

comment on trigger follow_insert on license_usage is 'For rows that another writer inserts.';
comment on trigger follow_update on license_usage is 'For rows that another writer updates.';
comment on trigger follow_delete on license_usage is 'For rows that another writer deletes.';
comment on trigger follow_truncate on license_usage is 'For a ledger that another writer empties.';
