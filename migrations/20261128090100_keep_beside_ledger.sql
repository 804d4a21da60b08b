-- 2 of 13. What is kept beside the ledger, so that runs and views need not read all of it: one
-- spelling per name, the names that an id has had, which collections and dates there are, the
-- newest row of each series in each month, and the partner's totals of each day. A run updates
-- these tables in the transaction that stores the rows; the totals at its end. When another writer
-- changes the ledger, triggers update them; after changes past the triggers,
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

-- Collections and dates ---------------------------------------------------------------------------

create function license_service(service_code varchar, service_name varchar) returns varchar
language sql immutable parallel safe
-- The lower case of a few letters is longer, and the columns hold 512 characters.
return left(lower(coalesce(service_code, service_name, '')), 512);

comment on function license_service
    is 'The service of a row of the ledger, whichever source it came from: its code, or its name '
    'where it has no code, in lower case, such as o365 or crm.';

-- A product that is renamed between two runs that get one processed date has rows of both names in
-- that collection. A row of a product id is replaced if its collection has a row of the same
-- product id and workload that was first stored later: it stays in the ledger, and counts nowhere.
-- Two names that an id has in one answer are stored together, and both count.

-- About one row per ten rows of the ledger. New rows go to the right-hand edge of its index.
create table license_usage_collection (
    processed_date_time timestamptz not null,
    customer_id uuid not null,
    service varchar(512) not null,
    run_id bigint not null,
    first_seen_at timestamptz not null,
    digest bytea,
    has_later_rows boolean not null default false,
    constraint license_usage_collection_pkey
        primary key (processed_date_time, customer_id, service)
);

create index license_usage_collection_later_idx
    on license_usage_collection (processed_date_time, customer_id) where has_later_rows;

create index license_usage_collection_odd_idx
    on license_usage_collection (processed_date_time)
    where (processed_date_time at time zone 'UTC')::time > '00:00'
        and (processed_date_time at time zone 'UTC')::time <= '24:00';

comment on index license_usage_collection_later_idx is 'The few that may have replaced rows.';
comment on index license_usage_collection_odd_idx is 'The few that are not of midnight (UTC).';

comment on table license_usage_collection
    is 'Of which customer, service and processed date license_usage has rows.';
comment on column license_usage_collection.processed_date_time is 'The processed date.';
comment on column license_usage_collection.customer_id is 'The customer''s tenant id.';
comment on column license_usage_collection.service is 'The service: license_service() of its rows.';
comment on column license_usage_collection.run_id is 'The run that first stored a row.';
comment on column license_usage_collection.first_seen_at
    is 'When the first row was fetched; for rows of another writer, when it was stored.';
comment on column license_usage_collection.digest
    is 'A digest of all the customer''s rows of that processed date as they last arrived: rows '
    'with the same digest are not compared again. Null if it is not known, or if another writer '
    'has changed the rows since.';
comment on column license_usage_collection.has_later_rows
    is 'Whether rows of it were first stored later than others: only then can some be replaced.';

create table service_date (
    dataset varchar(16) not null,
    processed_date date not null,
    service varchar(512) not null,
    first_seen_at timestamptz not null,
    constraint service_date_pkey primary key (dataset, processed_date, service),
    constraint service_date_dataset_check check (dataset in ('usage', 'deployment'))
);

comment on table service_date
    is 'The processed dates (UTC) of each service of which the ledger has rows.';
comment on column service_date.dataset
    is 'usage: of license_usage; deployment: of license_deployment.';
comment on column service_date.processed_date is 'The date.';
comment on column service_date.service is 'The service: license_service() of the rows.';
comment on column service_date.first_seen_at
    is 'When the first row of it was fetched; for rows of another writer, when it was stored.';

-- Totals of days ----------------------------------------------------------------------------------

create function seat_sum(total numeric) returns bigint
language sql immutable parallel safe
return least(coalesce(total, 0), 9223372036854775807)::bigint;

comment on function seat_sum
    is 'A sum of seats as bigint: the largest one if it does not fit, 0 if there was nothing.';

create table license_usage_day_total (
    date date not null,
    service varchar(512) not null,
    product_id varchar(512) not null,
    product_name varchar(512) not null,
    workload_code varchar(512) not null,
    workload_name varchar(512) not null,
    customers bigint not null,
    customers_carried bigint not null,
    licenses_active bigint not null,
    licenses_qualified bigint not null,
    constraint license_usage_day_total_pkey primary key (
        date, service, product_id, product_name, workload_code, workload_name
    )
);

comment on table license_usage_day_total
    is 'The partner''s totals of each calendar day: of each customer and service the newest '
    'collection of the fortnight before counts. Days in stale_day are not up to date. Read '
    'license_usage_daily_total instead.';
comment on column license_usage_day_total.date is 'The calendar day (UTC).';
comment on column license_usage_day_total.service is 'The service: license_service() of the rows.';
comment on column license_usage_day_total.product_id
    is 'The product''s id; empty where the rows have none.';
comment on column license_usage_day_total.product_name
    is 'The product''s name; empty where the rows have an id, so that a later renaming changes '
    'nothing here.';
comment on column license_usage_day_total.workload_code
    is 'The workload''s code; empty where the rows have none.';
comment on column license_usage_day_total.workload_name
    is 'The workload''s name; empty where the rows have a code.';
comment on column license_usage_day_total.customers is 'Customers, each counted once.';
comment on column license_usage_day_total.customers_carried
    is 'Those of them whose collection is of an earlier date.';
comment on column license_usage_day_total.licenses_active is 'Their active seats.';
comment on column license_usage_day_total.licenses_qualified is 'Their qualified seats.';

create table stale_day (
    date date not null,
    constraint stale_day_pkey primary key (date)
);

comment on table stale_day
    is 'The days whose rows in license_usage_day_total are not up to date: figures that count on '
    'them have been stored since. The end of a run computes their totals again.';
comment on column stale_day.date is 'The calendar day (UTC).';

-- A collection counts from its date to 14 days later, but not beyond the newest date: until that
-- moves on, later days have no totals. Call it before service_date has the new dates, or after with
-- the newest date of before.
create function mark_stale_days(of_days date [], newest_before date default null)
returns void
language plpgsql
as $$
declare
    newest date := (select max(processed_date) from service_date where dataset = 'usage');
    moved_from date := least(newest_before, newest) + 1;
    last date := greatest(newest_before, newest, (select max(d) from unnest(of_days) as d));
begin
    insert into stale_day (date)
    select distinct d + n
    from unnest(of_days || moved_from) as d
    cross join generate_series(0, 14) as n
    where d + n <= last
        and (
            current_setting('seatledger.keeps_months', true) is distinct from 'on'
            or not exists (select from stale_day as s where s.date = d + n)
        )
    order by 1
    -- Another writer locks a day that is marked already, so that the end of a run cannot remove
    -- the mark before it can see what that writer has changed.
    on conflict (date) do update set date = excluded.date;
end
$$;

comment on function mark_stale_days
    is 'Marks the days in whose totals collections of these dates count, and the days by which the '
    'newest date has moved.';

create function license_usage_day_totals(of_days date [])
returns table (
    date date,
    service varchar(512),
    product_id varchar(512),
    product_name varchar(512),
    workload_code varchar(512),
    workload_name varchar(512),
    customers bigint,
    customers_carried bigint,
    licenses_active bigint,
    licenses_qualified bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
-- There are few totals, but the planner expects as many as rows, and would sort these.
set enable_sort = off
as $$
#variable_conflict use_column
declare
    day date;
    first timestamptz;
    today timestamptz;
    after timestamptz;
    with_later_rows uuid [];
begin
    for day in
        select distinct d
        from unnest(of_days) as d
        inner join (
            select min(processed_date) as oldest, max(processed_date) as newest
            from service_date
            where dataset = 'usage'
        ) as dates on d between dates.oldest and dates.newest
    loop
        first := (day - 14)::timestamp at time zone 'UTC';
        today := day::timestamp at time zone 'UTC';
        after := (day + 1)::timestamp at time zone 'UTC';
        with_later_rows := array(
            select k.customer_id
            from license_usage_collection as k
            where k.has_later_rows
                and k.processed_date_time >= first
                and k.processed_date_time < after
        );
        return query
        with in_force as not materialized (
            select
                c.service,
                c.customer_id,
                c.processed_date_time < today as is_carried,
                u.*
            from (
                select k.customer_id, k.service, max(k.processed_date_time) as processed_date_time
                from license_usage_collection as k
                where k.processed_date_time >= first
                    and k.processed_date_time < after
                group by k.customer_id, k.service
            ) as c
            -- "offset" makes this one index scan per collection, in the partitions of these dates.
            cross join lateral (
                select
                    r.product_id,
                    r.product_name,
                    r.workload_code,
                    r.workload_name,
                    r.licenses_active,
                    r.licenses_qualified
                from license_usage as r
                where r.processed_date_time = c.processed_date_time
                    and r.customer_id = c.customer_id
                    -- The lower case of a text costs ten times what comparing it does.
                    and (
                        coalesce(r.service_code, r.service_name, '') = c.service
                        or license_service(r.service_code, r.service_name) = c.service
                    )
                    and r.processed_date_time >= first
                    and r.processed_date_time < after
                    -- Nothing of this is in a plan for a fortnight without such collections.
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
            ) as u
        ),

        named as (
            select
                f.service,
                coalesce(f.product_id, '') as product_id,
                case when f.product_id is null then f.product_name else '' end as product_key,
                coalesce(f.workload_code, '') as workload_code,
                case when f.workload_code is null then f.workload_name else '' end
                    as workload_key,
                count(*) as customers,
                count(*) filter (where f.is_carried) as customers_carried,
                sum(f.licenses_active) as licenses_active,
                sum(f.licenses_qualified) as licenses_qualified
            from in_force as f
            group by
                f.service, f.product_id, f.product_name, f.workload_code, f.workload_name
        ),

        total as (
            select
                n.service,
                n.product_id,
                n.product_key,
                n.workload_code,
                n.workload_key,
                count(*) > 1 as has_several_names,
                sum(n.customers)::bigint as customers,
                sum(n.customers_carried)::bigint as customers_carried,
                seat_sum(sum(n.licenses_active)) as licenses_active,
                seat_sum(sum(n.licenses_qualified)) as licenses_qualified
            from named as n
            group by 1, 2, 3, 4, 5
        ),

        -- A customer may have a product under two names of one id.
        counted as (
            select
                t.service,
                t.product_id,
                t.product_key,
                t.workload_code,
                t.workload_key,
                count(distinct f.customer_id) as customers,
                count(distinct f.customer_id) filter (where f.is_carried) as customers_carried
            from in_force as f
            inner join total as t
                on t.service = f.service
                and t.product_id = coalesce(f.product_id, '')
                and t.product_key = case when f.product_id is null then f.product_name else '' end
                and t.workload_code = coalesce(f.workload_code, '')
                and t.workload_key
                = case when f.workload_code is null then f.workload_name else '' end
            where t.has_several_names
                and (select bool_or(s.has_several_names) from total as s)
            group by 1, 2, 3, 4, 5
        )

        select
            day,
            t.service::varchar(512),
            t.product_id::varchar(512),
            t.product_key::varchar(512),
            t.workload_code::varchar(512),
            t.workload_key::varchar(512),
            coalesce(c.customers, t.customers),
            coalesce(c.customers_carried, t.customers_carried),
            t.licenses_active,
            t.licenses_qualified
        from total as t
        left join counted as c using (
            service, product_id, product_key, workload_code, workload_key
        );
    end loop;
end
$$;

comment on function license_usage_day_totals
    is 'Computes rows of license_usage_day_total from the ledger.';

create function refresh_license_usage_day_total(of_day date) returns void
language plpgsql
as $$
begin
    -- Left marked if it is locked: a writer that has marked it again is still at work. One that
    -- comes later waits, and marks it for the next time.
    perform from stale_day where date = of_day for update skip locked;
    if not found then
        return;
    end if;
    delete from stale_day where date = of_day;
    delete from license_usage_day_total where date = of_day;
    insert into license_usage_day_total select * from license_usage_day_totals(array[of_day]);
end
$$;

comment on function refresh_license_usage_day_total
    is 'Brings the rows of a stale day in license_usage_day_total up to date.';

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
    are_month_end boolean [] not null,
    first_dates date [] not null,
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
comment on column license_usage_month.are_month_end
    is 'For each row whether it counts at the end of the month: it is in the customer''s last '
    'collection of its service in the month, and is not replaced.';
comment on column license_usage_month.first_dates
    is 'The first processed date (UTC) of each row''s series in the month.';

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

    with stored as (
        select
            date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
            license_service(service_code, service_name) as service,
            *
        from license_usage
        where (of_customers is null or customer_id = any(of_customers))
            and processed_date_time >= first
            and processed_date_time < after
    ),

    month_end as (
        select customer_id, month, service, max(processed_date_time) as processed_date_time
        from stored
        group by 1, 2, 3
    ),

    newest as (
        select distinct on (customer_id, month, product_name, workload_name)
            *,
            (min(processed_date_time) over series at time zone 'UTC')::date as first_date
        from stored
        window series as (partition by customer_id, month, product_name, workload_name)
        order by customer_id, month, product_name, workload_name, processed_date_time desc
    ),

    numbered as (
        select
            n.*,
            -- In byte order, as the program sorts, whatever the locale of the database is.
            row_number() over (
                partition by n.month, n.customer_id
                order by n.product_name collate "C", n.workload_name collate "C"
            ) as place,
            -- What replaces a row of the last collection is in that collection, too.
            n.processed_date_time = e.processed_date_time
            and (
                n.product_id is null
                or n.first_synced_at = max(n.first_synced_at) over (
                    partition by
                        n.month, n.customer_id, n.service, n.processed_date_time,
                        n.product_id, coalesce(n.workload_code, n.workload_name)
                )
            ) as is_month_end
        from newest as n
        inner join month_end as e
            on e.customer_id = n.customer_id
            and e.month = n.month
            and e.service = n.service
        where of_months is null or n.month = any(of_months)
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
            array_agg(run_id order by place) as run_ids,
            array_agg(is_month_end order by place) as are_month_end,
            array_agg(first_date order by place) as first_dates
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
        licenses_qualified, usage_percents, first_synced_ats, last_changed_ats, run_ids, are_newest,
        are_month_end, first_dates
    )
    select
        month, customer_id, true, set_id, customer_names, processed_date_times, licenses_active,
        licenses_qualified, usage_percents, first_synced_ats, last_changed_ats, run_ids,
        array_fill(true, array[cardinality(run_ids)]), are_month_end, first_dates
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

-- Null means all customers, or all dates. A run says when it fetched each customer's rows, and its
-- digests hold.
create function collect_license_usage_collections(
    of_customers uuid [] default null,
    of_dates timestamptz [] default null,
    seen_ats timestamptz [] default null
) returns void
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    newest_before date := (select max(processed_date) from service_date where dataset = 'usage');
    days date [] := array(select distinct (d at time zone 'UTC')::date from unnest(of_dates) as d);
    has_changed boolean;
begin
    update license_usage_collection
    set digest = null
    where seen_ats is null
        and digest is not null
        and (of_customers is null or customer_id = any(of_customers))
        and (of_dates is null or processed_date_time = any(of_dates));

    with stored as materialized (
        select
            u.processed_date_time,
            u.customer_id,
            license_service(u.service_code, u.service_name) as service,
            min(u.run_id) as run_id,
            min(least(u.first_synced_at, fetched.seen_at)) as first_seen_at,
            min(u.first_synced_at) < max(u.first_synced_at) as has_later_rows
        from license_usage as u
        left join unnest(of_customers, seen_ats) as fetched (customer_id, seen_at)
            on fetched.customer_id = u.customer_id
        where (of_customers is null or u.customer_id = any(of_customers))
            and (of_dates is null or u.processed_date_time = any(of_dates))
        group by 1, 2, 3
    ),

    gone as (
        delete from license_usage_collection as c
        where (of_customers is null or c.customer_id = any(of_customers))
            and (of_dates is null or c.processed_date_time = any(of_dates))
            and not exists (
                select
                from stored as s
                where s.processed_date_time = c.processed_date_time
                    and s.customer_id = c.customer_id
                    and s.service = c.service
            )
        returning c.service
    ),

    changed as (
        update license_usage_collection as c
        set has_later_rows = s.has_later_rows
        from stored as s
        where c.processed_date_time = s.processed_date_time
            and c.customer_id = s.customer_id
            and c.service = s.service
            and c.has_later_rows <> s.has_later_rows
    ),

    new as (
        insert into license_usage_collection (
            processed_date_time, customer_id, service, run_id, first_seen_at, has_later_rows
        )
        select processed_date_time, customer_id, service, run_id, first_seen_at, has_later_rows
        from stored
        on conflict do nothing
        returning service
    )

    select exists (select from gone) or exists (select from new) into has_changed;

    with kept as materialized (
        select
            (processed_date_time at time zone 'UTC')::date as processed_date,
            service,
            min(first_seen_at) as first_seen_at
        from license_usage_collection
        where of_dates is null
            or (
                has_changed
                and processed_date_time
                >= (select min(d) from unnest(days) as d)::timestamp at time zone 'UTC'
                and processed_date_time
                < (select max(d) + 1 from unnest(days) as d)::timestamp at time zone 'UTC'
            )
        group by 1, 2
    ),

    gone as (
        delete from service_date as d
        where d.dataset = 'usage'
            and (of_dates is null or (has_changed and d.processed_date = any(days)))
            and not exists (
                select
                from kept as k
                where k.processed_date = d.processed_date
                    and k.service = d.service
            )
    )

    insert into service_date as d (dataset, processed_date, service, first_seen_at)
    select 'usage', processed_date, service, first_seen_at
    from kept
    on conflict (dataset, processed_date, service) do update
    set first_seen_at = excluded.first_seen_at
    where d.first_seen_at <> excluded.first_seen_at;

    if of_dates is null then
        days := array(
            select processed_date from service_date where dataset = 'usage'
            union
            select date from license_usage_day_total
        );
    end if;
    perform mark_stale_days(days, newest_before);
end
$$;

comment on function collect_license_usage_collections
    is 'Brings license_usage_collection and service_date up to date with license_usage, and marks '
    'the days whose totals may have changed: for all customers and dates, or for some.';

create function collect_license_deployment_dates(
    of_days date [] default null
) returns void
language plpgsql
as $$
begin
    with stored as materialized (
        select
            (processed_date_time at time zone 'UTC')::date as processed_date,
            license_service(service_code, service_name) as service,
            min(first_synced_at) as first_seen_at
        from license_deployment
        where of_days is null
            or (
                processed_date_time
                >= (select min(d) from unnest(of_days) as d)::timestamp at time zone 'UTC'
                and processed_date_time
                < (select max(d) + 1 from unnest(of_days) as d)::timestamp at time zone 'UTC'
            )
        group by 1, 2
    ),

    gone as (
        delete from service_date as d
        where d.dataset = 'deployment'
            and (of_days is null or d.processed_date = any(of_days))
            and not exists (
                select
                from stored as s
                where s.processed_date = d.processed_date
                    and s.service = d.service
            )
    )

    insert into service_date (dataset, processed_date, service, first_seen_at)
    select 'deployment', processed_date, service, first_seen_at
    from stored
    on conflict do nothing;
end
$$;

comment on function collect_license_deployment_dates
    is 'Brings service_date up to date with license_deployment, for all dates or for some.';

create function reread_license_usage(
    of_months date [] default null, of_customers uuid [] default null
) returns void
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    first timestamptz := (select min(m) from unnest(of_months) as m)::timestamp at time zone 'UTC';
    after timestamptz
        := (select max(m) + interval '1 month' from unnest(of_months) as m) at time zone 'UTC';
begin
    -- A cluster that distributes the ledger could not read over one connection what it has written
    -- over several. Without one the setting has no meaning.
    perform set_config('citus.multi_shard_modify_mode', 'sequential', true);
    perform collect_license_usage_collections(
        of_customers,
        case when of_months is not null then array(
            select processed_date_time
            from license_usage
            where processed_date_time >= first
                and processed_date_time < after
            union
            select processed_date_time
            from license_usage_collection
            where processed_date_time >= first
                and processed_date_time < after
        ) end
    );
    perform collect_license_usage_months(of_customers, of_months);
    perform collect_license_deployment_dates(case when of_months is not null then array(
        select d::date from generate_series(first, after - interval '1 day', interval '1 day') as d
    ) end);
end
$$;

comment on function reread_license_usage
    is 'Brings what is kept beside license_usage up to date with its rows, for all months and '
    'customers or for some: after a partition was attached, or rows were written past the '
    'triggers.';

-- Other writers -----------------------------------------------------------------------------------

-- The triggers do not fire for a run, which sets seatledger.keeps_months. A run also inserts into
-- the partitions themselves: with a trigger that has a transition table, even one that does not
-- fire, Postgres would insert the rows of its COPY one at a time and not by the page. All of these
-- triggers can be dropped: reread_license_usage() does what they do.
create function follow_other_writers() returns trigger
language plpgsql
as $$
declare
    customers uuid [];
    dates timestamptz [];
    months date [];
begin
    case tg_op
        when 'INSERT' then
            customers := array(select distinct customer_id from come);
            dates := array(select distinct processed_date_time from come);
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
        perform collect_license_usage_collections(customers, dates);
        perform collect_license_usage_months(customers, months, tg_op <> 'INSERT');
    end if;
    return null;
end
$$;

comment on function follow_other_writers
    is 'Updates what is kept beside license_usage after another writer than a run has changed it.';

create function follow_other_deployment_writers() returns trigger
language plpgsql
as $$
declare
    days date [];
begin
    case tg_op
        when 'INSERT' then
            days := array(
                select distinct (processed_date_time at time zone 'UTC')::date from come
            );
        when 'UPDATE' then
            days := array(
                select (processed_date_time at time zone 'UTC')::date from gone
                union
                select (processed_date_time at time zone 'UTC')::date from come
            );
        when 'DELETE' then
            days := array(
                select distinct (processed_date_time at time zone 'UTC')::date from gone
            );
        when 'TRUNCATE' then
            days := null;
    end case;
    if days is null or cardinality(days) > 0 then
        perform collect_license_deployment_dates(days);
    end if;
    return null;
end
$$;

comment on function follow_other_deployment_writers
    is 'Updates service_date after another writer than a run has changed license_deployment.';

-- A role that may write to the ledger, or read a view, may lack the rights to the tables beside it,
-- and may not have their schema in its search path.
do $$
declare
    of_owner text;
begin
    foreach of_owner in array array[
        'follow_other_writers()', 'follow_other_deployment_writers()',
        'license_usage_day_totals(date [])'
    ] loop
        execute format(
            'alter function %s security definer set search_path = %I, pg_temp',
            of_owner,
            current_schema()
        );
        execute format('revoke execute on function %s from public', of_owner);
    end loop;
end
$$;

create trigger follow_insert after insert on license_usage
referencing new table as come
for each statement
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

create trigger follow_insert after insert on license_deployment
referencing new table as come
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_deployment_writers();

create trigger follow_update after update on license_deployment
referencing old table as gone new table as come
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_deployment_writers();

create trigger follow_delete after delete on license_deployment
referencing old table as gone
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_deployment_writers();

create trigger follow_truncate after truncate on license_deployment
for each statement
when (current_setting('seatledger.keeps_months', true) is distinct from 'on')
execute function follow_other_deployment_writers();

comment on trigger follow_insert on license_deployment is 'For rows that another writer inserts.';
comment on trigger follow_update on license_deployment is 'For rows that another writer updates.';
comment on trigger follow_delete on license_deployment is 'For rows that another writer deletes.';
comment on trigger follow_truncate on license_deployment
    is 'For a table that another writer empties.';
