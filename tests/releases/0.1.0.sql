--
-- PostgreSQL database dump
--


-- Dumped from database version 15.18 (Debian 15.18-0+deb12u1)
-- Dumped by pg_dump version 15.18 (Debian 15.18-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: add_license_usage_partitions(timestamp with time zone[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.add_license_usage_partitions(for_dates timestamp with time zone[]) RETURNS integer
    LANGUAGE plpgsql
    AS $$
declare
    period date;
    period_after date;
    wanted text;
    name text;
    added integer := 0;
begin
    for period in
        select distinct license_usage_period(d)
        from unnest(for_dates) as d
        -- A partition may have other bounds than a period: an operator may have merged some.
        where not exists (
            select
            from license_usage_partitions() as p
            where d >= coalesce(p.first_date, '-infinity')
                and d < coalesce(p.date_after, 'infinity')
        )
    loop
        period_after := license_usage_period((period + 11)::timestamp at time zone 'UTC');
        -- A table of that name may be a partition that was detached.
        wanted := 'license_usage_' || to_char(period, 'YYYY_MM_DD');
        name := wanted;
        for number in 2..1000 loop
            exit when to_regclass(quote_ident(name)) is null;
            name := wanted || '_' || number;
        end loop;
        execute format('create table %I (like license_usage including all)', name);
        execute format(
            'comment on table %I is %L',
            name,
            'license_usage from ' || period || ', a third of a month. Read license_usage instead.'
        );
        execute format(
            'alter table license_usage attach partition %I for values from (%L) to (%L)',
            name,
            period::timestamp at time zone 'UTC',
            period_after::timestamp at time zone 'UTC'
        );
        added := added + 1;
    end loop;
    return added;
end
$$;


--
-- Name: FUNCTION add_license_usage_partitions(for_dates timestamp with time zone[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.add_license_usage_partitions(for_dates timestamp with time zone[]) IS 'Creates the partitions of license_usage that rows of these dates need and that do not exist. Returns how many.';


--
-- Name: collect_license_deployment_dates(date[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.collect_license_deployment_dates(of_days date[] DEFAULT NULL::date[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
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


--
-- Name: FUNCTION collect_license_deployment_dates(of_days date[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.collect_license_deployment_dates(of_days date[]) IS 'Brings service_date up to date with license_deployment, for all dates or for some.';


--
-- Name: collect_license_usage_collections(uuid[], timestamp with time zone[], timestamp with time zone[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.collect_license_usage_collections(of_customers uuid[] DEFAULT NULL::uuid[], of_dates timestamp with time zone[] DEFAULT NULL::timestamp with time zone[], seen_ats timestamp with time zone[] DEFAULT NULL::timestamp with time zone[]) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    AS $$
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


--
-- Name: FUNCTION collect_license_usage_collections(of_customers uuid[], of_dates timestamp with time zone[], seen_ats timestamp with time zone[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.collect_license_usage_collections(of_customers uuid[], of_dates timestamp with time zone[], seen_ats timestamp with time zone[]) IS 'Brings license_usage_collection and service_date up to date with license_usage, and marks the days whose totals may have changed: for all customers and dates, or for some.';


--
-- Name: collect_license_usage_months(uuid[], date[], boolean); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.collect_license_usage_months(of_customers uuid[] DEFAULT NULL::uuid[], of_months date[] DEFAULT NULL::date[], rows_may_have_gone boolean DEFAULT true) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    AS $$
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


--
-- Name: FUNCTION collect_license_usage_months(of_customers uuid[], of_months date[], rows_may_have_gone boolean); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.collect_license_usage_months(of_customers uuid[], of_months date[], rows_may_have_gone boolean) IS 'Builds license_usage_month again from license_usage: all of it, or some customers and months.';


--
-- Name: data_completeness_between(date, date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.data_completeness_between(first_day date, last_day date) RETURNS TABLE(date date, service character varying, customers_expected bigint, customers_stored bigint, completeness double precision, state character varying)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 200
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
    -- What is in force on the first day may have come 14 days before.
    with collection as (
        select
            customer_id,
            service,
            (processed_date_time at time zone 'UTC')::date as processed_date,
            (lead(processed_date_time) over series at time zone 'UTC')::date as next_date
        from license_usage_collection
        where processed_date_time >= (first_day - 14)::timestamp at time zone 'UTC'
            and processed_date_time < (last_day + 1)::timestamp at time zone 'UTC'
        window series as (partition by customer_id, service order by processed_date_time)
    ),

    -- A collection is in force until the day before the customer's next one of that service, and
    -- for 14 days at most. Those of one date that are so for as many days are counted together, so
    -- that few are spread over the calendar.
    alike as (
        select
            k.service,
            k.processed_date,
            least(14, k.next_date - k.processed_date - 1) as days_carried,
            (c.gone_since at time zone 'UTC')::date as gone_date,
            (c.absent_since at time zone 'UTC')::date as absent_date,
            (c.returned_at at time zone 'UTC')::date as returned_date,
            count(*) as customers
        from collection as k
        inner join customer as c on c.customer_id = k.customer_id
        group by 1, 2, 3, 4, 5, 6
    ),

    counted as (
        select
            a.service,
            d.date,
            sum(a.customers)::bigint as expected,
            coalesce(sum(a.customers) filter (where d.date = a.processed_date), 0)::bigint
                as stored
        from alike as a
        cross join generate_series(0, a.days_carried) as n
        cross join lateral (select a.processed_date + n as date) as d
        where d.date = a.processed_date
            or (
                coalesce(d.date < a.gone_date, true)
                and coalesce(d.date < a.absent_date or d.date >= a.returned_date, true)
            )
        group by a.service, d.date
    ),

    calendar as (
        select s.service, day::date as date
        from (
            select service, min(processed_date) as first, max(max(processed_date)) over () as last
            from service_date
            where dataset = 'usage'
            group by service
        ) as s
        cross join generate_series(
            greatest(s.first, first_day)::timestamp,
            least(s.last, last_day)::timestamp,
            interval '1 day'
        ) as day
    )

    select
        d.date,
        d.service,
        coalesce(n.expected, 0),
        coalesce(n.stored, 0),
        n.stored::double precision / n.expected,
        case
            when coalesce(n.stored, 0) = 0 then 'no_figures'
            when n.stored < n.expected then 'partial'
            else 'complete'
        end
    from calendar as d
    left join counted as n on n.service = d.service and n.date = d.date
$$;


--
-- Name: FUNCTION data_completeness_between(first_day date, last_day date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.data_completeness_between(first_day date, last_day date) IS 'The rows of data_completeness of some days. Reads the collections of these and of the 14 days before, while the view reads all.';


--
-- Name: follow_other_deployment_writers(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.follow_other_deployment_writers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION follow_other_deployment_writers(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.follow_other_deployment_writers() IS 'Updates service_date after another writer than a run has changed license_deployment.';


--
-- Name: follow_other_writers(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.follow_other_writers() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION follow_other_writers(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.follow_other_writers() IS 'Updates what is kept beside license_usage after another writer than a run has changed it.';


--
-- Name: license_service(character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_service(service_code character varying, service_name character varying) RETURNS character varying
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN "left"(lower((COALESCE(service_code, service_name, ''::character varying))::text), 512);


--
-- Name: FUNCTION license_service(service_code character varying, service_name character varying); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_service(service_code character varying, service_name character varying) IS 'The service of a row of the ledger, whichever source it came from: its code, or its name where it has no code, in lower case, such as o365 or crm.';


--
-- Name: license_usage_day_totals(date[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_day_totals(of_days date[]) RETURNS TABLE(date date, service character varying, product_id character varying, product_name character varying, workload_code character varying, workload_name character varying, customers bigint, customers_carried bigint, licenses_active bigint, licenses_qualified bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    SET enable_sort TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION license_usage_day_totals(of_days date[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_day_totals(of_days date[]) IS 'Computes rows of license_usage_day_total from the ledger.';


--
-- Name: license_usage_days(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_days() RETURNS SETOF date
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 5 PARALLEL SAFE
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION license_usage_days(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_days() IS 'The calendar days (UTC) from the oldest to the newest date of license_usage.';


--
-- Name: license_usage_in_force(date[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_in_force(of_days date[]) RETURNS TABLE(date date, customer_id uuid, product_name character varying, workload_name character varying, product_id character varying, workload_code character varying, service character varying, channel character varying, licenses_active bigint, licenses_qualified bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    SET search_path TO 'public', 'pg_temp'
    AS $$
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


--
-- Name: FUNCTION license_usage_in_force(of_days date[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_in_force(of_days date[]) IS 'The rows of the ledger that are in force on each of these days, without replaced ones.';


SET default_tablespace = '';

--
-- Name: license_usage; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage (
    processed_date_time timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    product_name character varying(512) NOT NULL,
    workload_name character varying(512) NOT NULL,
    customer_name character varying(512),
    product_id character varying(512),
    workload_code character varying(512),
    service_name character varying(512),
    service_code character varying(512),
    channel character varying(512),
    licenses_active bigint NOT NULL,
    licenses_qualified bigint NOT NULL,
    usage_percent double precision,
    first_synced_at timestamp with time zone NOT NULL,
    last_changed_at timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT license_usage_licenses_active_check CHECK ((licenses_active >= 0)),
    CONSTRAINT license_usage_licenses_qualified_check CHECK ((licenses_qualified >= 0))
)
PARTITION BY RANGE (processed_date_time);


--
-- Name: TABLE license_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage IS 'The ledger: licence usage per customer, product, workload and processed date, as last reported. Partitioned by thirds of a month (UTC).';


--
-- Name: COLUMN license_usage.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_usage.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.workload_code IS 'The workload''s code, such as EXO, if the API gives it.';


--
-- Name: COLUMN license_usage.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_usage.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_usage.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_usage.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage.run_id IS 'The run that last wrote the row.';


--
-- Name: license_usage_partitions(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_partitions() RETURNS TABLE(id oid, name text, first_date timestamp with time zone, date_after timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.oid,
     ((c.oid)::regclass)::text AS oid,
     ("substring"(b.b, 'FROM \(''(.*?)''\)'::text))::timestamp with time zone AS "substring",
     ("substring"(b.b, 'TO \(''(.*?)''\)'::text))::timestamp with time zone AS "substring"
    FROM ((pg_inherits i
      JOIN pg_class c ON ((c.oid = i.inhrelid)))
      CROSS JOIN LATERAL pg_get_expr(c.relpartbound, c.oid) b(b))
   WHERE ((i.inhparent = ('public.license_usage'::regclass)::oid) AND (NOT i.inhdetachpending));
END;


--
-- Name: FUNCTION license_usage_partitions(); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_partitions() IS 'The partitions of license_usage: the oid and the name as SQL writes it, the first moment and the moment after the last one. Null is no bound; a default partition has none.';


--
-- Name: license_usage_period(timestamp with time zone); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_period(of_date timestamp with time zone) RETURNS date
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((date_trunc('month'::text, (of_date AT TIME ZONE 'UTC'::text)))::date + (10 * LEAST((((EXTRACT(day FROM (of_date AT TIME ZONE 'UTC'::text)))::integer - 1) / 10), 2)));


--
-- Name: FUNCTION license_usage_period(of_date timestamp with time zone); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_period(of_date timestamp with time zone) IS 'The first day of the third of a month (UTC) whose partition of license_usage holds a date.';


--
-- Name: license_usage_set_id(character varying[], character varying[], character varying[], character varying[], character varying[], character varying[], character varying[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.license_usage_set_id(product_names character varying[], workload_names character varying[], product_ids character varying[], workload_codes character varying[], service_names character varying[], service_codes character varying[], channels character varying[]) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended((ROW(product_names, workload_names, product_ids, workload_codes, service_names, service_codes, channels))::text, (0)::bigint);


--
-- Name: FUNCTION license_usage_set_id(product_names character varying[], workload_names character varying[], product_ids character varying[], workload_codes character varying[], service_names character varying[], service_codes character varying[], channels character varying[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.license_usage_set_id(product_names character varying[], workload_names character varying[], product_ids character varying[], workload_codes character varying[], service_names character varying[], service_codes character varying[], channels character varying[]) IS 'The hash that identifies a row of license_usage_set.';


--
-- Name: mark_stale_days(date[], date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.mark_stale_days(of_days date[], newest_before date DEFAULT NULL::date) RETURNS void
    LANGUAGE plpgsql
    AS $$
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


--
-- Name: FUNCTION mark_stale_days(of_days date[], newest_before date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.mark_stale_days(of_days date[], newest_before date) IS 'Marks the days in whose totals collections of these dates count, and the days by which the newest date has moved.';


--
-- Name: name_key(character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.name_key(id character varying, name character varying) RETURNS character varying
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(('#'::text || (id)::text), ('='::text || (name)::text));


--
-- Name: FUNCTION name_key(id character varying, name character varying); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.name_key(id character varying, name character varying) IS 'What a row''s product or workload is known by: its id, or its name if it has no id.';


--
-- Name: present_names(character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.present_names(of_kind character varying) RETURNS TABLE(key character varying, present_id character varying, present_name character varying)
    LANGUAGE sql STABLE SECURITY DEFINER ROWS 200 PARALLEL SAFE
    SET search_path TO 'public', 'pg_temp'
    AS $$
    with recursive newest as (
        select distinct on (id) id, name
        from name_history
        where kind = of_kind
        order by id, last_processed_date_time desc, run_id desc, name
    ),

    -- If several ids have had a name, it stands for the id that had it last.
    by_name as (
        select o.name, o.id, n.name as present_name
        from (
            select distinct on (name) name, id
            from name_history
            where kind = of_kind
            order by name, last_processed_date_time desc, run_id desc, id
        ) as o
        inner join newest as n on n.id = o.id
    ),

    -- Follows aliases from name to name, up to a name that has an id or no alias.
    step as (
        select product_name, product_name as name, array[]::varchar [] as names, false as is_circle
        from product_alias
        where of_kind = 'product'
        union all
        select
            s.product_name,
            a.present_name,
            s.names || s.name,
            a.present_name = any(s.names || s.name)
        from step as s
        inner join product_alias as a on a.product_name = s.name
        where not s.is_circle
            and not exists (select from by_name as o where o.name = s.name)
    )

    select name_key(id, null), id, name
    from newest
    union all
    select name_key(null, name), id, present_name
    from by_name
    union all
    select name_key(null, s.product_name), o.id, coalesce(o.present_name, s.name)
    from step as s
    left join by_name as o on o.name = s.name
    where not exists (select from by_name as o where o.name = s.product_name)
        and (
            s.is_circle
            or o.name is not null
            or not exists (select from product_alias as a where a.product_name = s.name)
        )
$$;


--
-- Name: FUNCTION present_names(of_kind character varying); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.present_names(of_kind character varying) IS 'The rows of present_name of products, or of workloads.';


--
-- Name: product_kind(character varying, character varying); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.product_kind(noted character varying, product_name character varying) RETURNS character varying
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE(noted, (CASE WHEN ((product_name)::text ~* '\mtrial\M'::text) THEN 'trial'::text WHEN ((product_name)::text ~* '\mfree\M'::text) THEN 'free'::text ELSE 'paid'::text END)::character varying);


--
-- Name: FUNCTION product_kind(noted character varying, product_name character varying); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.product_kind(noted character varying, product_name character varying) IS 'The kind of a product: that of product_note, else what its name says.';


--
-- Name: refresh_license_usage_day_total(date); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refresh_license_usage_day_total(of_day date) RETURNS void
    LANGUAGE plpgsql
    AS $$
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


--
-- Name: FUNCTION refresh_license_usage_day_total(of_day date); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.refresh_license_usage_day_total(of_day date) IS 'Brings the rows of a stale day in license_usage_day_total up to date.';


--
-- Name: reread_license_usage(date[], uuid[]); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.reread_license_usage(of_months date[] DEFAULT NULL::date[], of_customers uuid[] DEFAULT NULL::uuid[]) RETURNS void
    LANGUAGE plpgsql
    SET plan_cache_mode TO 'force_custom_plan'
    SET jit TO 'off'
    AS $$
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


--
-- Name: FUNCTION reread_license_usage(of_months date[], of_customers uuid[]); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.reread_license_usage(of_months date[], of_customers uuid[]) IS 'Brings what is kept beside license_usage up to date with its rows, for all months and customers or for some: after a partition was attached, or rows were written past the triggers.';


--
-- Name: seat_sum(numeric); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.seat_sum(total numeric) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (LEAST(COALESCE(total, (0)::numeric), ('9223372036854775807'::bigint)::numeric))::bigint;


--
-- Name: FUNCTION seat_sum(total numeric); Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON FUNCTION public.seat_sum(total numeric) IS 'A sum of seats as bigint: the largest one if it does not fit, 0 if there was nothing.';


SET default_table_access_method = heap;

--
-- Name: _sqlx_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);


--
-- Name: adoption_target; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.adoption_target (
    workload_name character varying(255) NOT NULL,
    target_ratio double precision NOT NULL,
    CONSTRAINT adoption_target_target_ratio_check CHECK (((target_ratio >= (0)::double precision) AND (target_ratio <= (1)::double precision)))
);


--
-- Name: TABLE adoption_target; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.adoption_target IS 'For people to edit: which part of the seats of a workload is to be active. 0.40 for workloads without a row.';


--
-- Name: COLUMN adoption_target.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.adoption_target.workload_name IS 'The workload''s present name, such as Teams.';


--
-- Name: COLUMN adoption_target.target_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.adoption_target.target_ratio IS 'Active by qualified seats, 0 to 1.';


--
-- Name: bi_role; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.bi_role (
    role_name character varying(63) NOT NULL,
    granted_at timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: TABLE bi_role; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.bi_role IS 'The roles that "seatledger grants" lets read the views: each migration grants them its new views, too.';


--
-- Name: COLUMN bi_role.role_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.bi_role.role_name IS 'The role''s name.';


--
-- Name: COLUMN bi_role.granted_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.bi_role.granted_at IS 'When the role was first named.';


--
-- Name: consent; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.consent (
    host character varying(255) NOT NULL,
    signed_in_at timestamp with time zone,
    first_used_at timestamp with time zone NOT NULL,
    token_issued_at timestamp with time zone NOT NULL,
    token_expires_at timestamp with time zone NOT NULL,
    refused_at timestamp with time zone,
    refusal text,
    CONSTRAINT consent_refusal_check CHECK (((refused_at IS NULL) = (refusal IS NULL)))
);


--
-- Name: TABLE consent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.consent IS 'One row per host with a refresh token: the consent of the person who signed in there last, as the host''s last run or sign-in knew it. Empty unless auth.method is refresh_token. The row of a host that is no longer in use can be deleted.';


--
-- Name: COLUMN consent.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.host IS 'The name of the host that keeps the token.';


--
-- Name: COLUMN consent.signed_in_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.signed_in_at IS 'When the person signed in with "seatledger login"; null if the token was brought from elsewhere.';


--
-- Name: COLUMN consent.first_used_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.first_used_at IS 'When a token of this consent was first used here.';


--
-- Name: COLUMN consent.token_issued_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.token_issued_at IS 'When the present refresh token was issued; it is renewed at every use.';


--
-- Name: COLUMN consent.token_expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.token_expires_at IS 'When the present refresh token expires unless it is renewed or revoked before.';


--
-- Name: COLUMN consent.refused_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.refused_at IS 'When the host''s daemon last failed to sign in because a person has to act; null if the token was renewed since.';


--
-- Name: COLUMN consent.refusal; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.consent.refusal IS 'Why that sign-in failed.';


--
-- Name: customer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.customer (
    customer_id uuid NOT NULL,
    customer_name character varying(512),
    domain character varying(512),
    first_seen_at timestamp with time zone NOT NULL,
    last_seen_at timestamp with time zone NOT NULL,
    listed_at timestamp with time zone,
    gone_since timestamp with time zone,
    absent_since timestamp with time zone,
    returned_at timestamp with time zone,
    last_success_at timestamp with time zone,
    last_processed_date_time timestamp with time zone,
    last_failure_at timestamp with time zone,
    last_failure_reason character varying(32),
    last_failure_is_refusal boolean,
    last_failure_detail text
);


--
-- Name: TABLE customer; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.customer IS 'Every customer that a run has had on its list.';


--
-- Name: COLUMN customer.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.customer_name IS 'The newest name the API gave; null until it gave one.';


--
-- Name: COLUMN customer.domain; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.domain IS 'The tenant''s domain; known for customers found by customers.discover.';


--
-- Name: COLUMN customer.first_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.first_seen_at IS 'When a run first had the customer on its list.';


--
-- Name: COLUMN customer.last_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_seen_at IS 'When a run last had the customer on its list and had something new to record about it.';


--
-- Name: COLUMN customer.listed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.listed_at IS 'When the partner''s own list (customers.discover) last named the customer with something new to record about it; null if it never did.';


--
-- Name: COLUMN customer.gone_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.gone_since IS 'When the partner''s own list was first without the customer; null while it names it.';


--
-- Name: COLUMN customer.absent_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.absent_since IS 'When the absence began that ended at returned_at; null if there was none.';


--
-- Name: COLUMN customer.returned_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.returned_at IS 'When a customer that was gone was last found on the partner''s list again.';


--
-- Name: COLUMN customer.last_success_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_success_at IS 'When the customer''s collection was last fetched and stored and there was something new to record; customer_freshness has the time of the newest success.';


--
-- Name: COLUMN customer.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_processed_date_time IS 'The newest processed date in license_usage.';


--
-- Name: COLUMN customer.last_failure_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_failure_at IS 'When fetching or storing last failed; null if it never has.';


--
-- Name: COLUMN customer.last_failure_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_failure_reason IS 'Why it failed then; the values are those of sync_customer.reason.';


--
-- Name: COLUMN customer.last_failure_is_refusal; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_failure_is_refusal IS 'Whether it was a refusal by role, path or sign-in, which asking again does not change.';


--
-- Name: COLUMN customer.last_failure_detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer.last_failure_detail IS 'The same failure in words.';


--
-- Name: license_usage_collection; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_collection (
    processed_date_time timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    service character varying(512) NOT NULL,
    run_id bigint NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    digest bytea,
    has_later_rows boolean DEFAULT false NOT NULL
);


--
-- Name: TABLE license_usage_collection; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_collection IS 'Of which customer, service and processed date license_usage has rows.';


--
-- Name: COLUMN license_usage_collection.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.processed_date_time IS 'The processed date.';


--
-- Name: COLUMN license_usage_collection.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_collection.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.service IS 'The service: license_service() of its rows.';


--
-- Name: COLUMN license_usage_collection.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.run_id IS 'The run that first stored a row.';


--
-- Name: COLUMN license_usage_collection.first_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.first_seen_at IS 'When the first row was fetched; for rows of another writer, when it was stored.';


--
-- Name: COLUMN license_usage_collection.digest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.digest IS 'A digest of all the customer''s rows of that processed date as they last arrived: rows with the same digest are not compared again. Null if it is not known, or if another writer has changed the rows since.';


--
-- Name: COLUMN license_usage_collection.has_later_rows; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_collection.has_later_rows IS 'Whether rows of it were first stored later than others: only then can some be replaced.';


--
-- Name: service_date; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.service_date (
    dataset character varying(16) NOT NULL,
    processed_date date NOT NULL,
    service character varying(512) NOT NULL,
    first_seen_at timestamp with time zone NOT NULL,
    CONSTRAINT service_date_dataset_check CHECK (((dataset)::text = ANY ((ARRAY['usage'::character varying, 'deployment'::character varying])::text[])))
);


--
-- Name: TABLE service_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.service_date IS 'The processed dates (UTC) of each service of which the ledger has rows.';


--
-- Name: COLUMN service_date.dataset; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date.dataset IS 'usage: of license_usage; deployment: of license_deployment.';


--
-- Name: COLUMN service_date.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date.processed_date IS 'The date.';


--
-- Name: COLUMN service_date.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date.service IS 'The service: license_service() of the rows.';


--
-- Name: COLUMN service_date.first_seen_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date.first_seen_at IS 'When the first row of it was fetched; for rows of another writer, when it was stored.';


--
-- Name: sync_customer; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sync_customer (
    run_id bigint NOT NULL,
    customer_id uuid NOT NULL,
    outcome character varying(16) NOT NULL,
    reason character varying(32),
    fault_code character varying(64),
    detail text,
    http_status integer,
    attempts integer NOT NULL,
    rows_received bigint NOT NULL,
    rows_inserted bigint NOT NULL,
    rows_updated bigint NOT NULL,
    rows_unchanged bigint NOT NULL,
    rows_rejected bigint NOT NULL,
    finished_at timestamp with time zone NOT NULL,
    ms_request_id uuid,
    ms_correlation_id uuid,
    CONSTRAINT sync_customer_outcome_check CHECK (((outcome)::text = ANY ((ARRAY['succeeded'::character varying, 'failed'::character varying])::text[]))),
    CONSTRAINT sync_customer_reason_check CHECK ((((outcome)::text = 'failed'::text) = (reason IS NOT NULL)))
);


--
-- Name: TABLE sync_customer; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.sync_customer IS 'What became of each customer in each run.';


--
-- Name: COLUMN sync_customer.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.run_id IS 'The run.';


--
-- Name: COLUMN sync_customer.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN sync_customer.outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.outcome IS 'succeeded: fetched and stored, even if the collection was empty; failed: not everything that was requested could be fetched and stored.';


--
-- Name: COLUMN sync_customer.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.reason IS 'Why it failed: unauthorized, forbidden, not_found, throttled, server_error, timeout, connection, invalid_response, response_too_large, database, interrupted (stopped, or not reached before the run ended) or other; null for a success.';


--
-- Name: COLUMN sync_customer.fault_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.fault_code IS 'The API''s own code for the failure, such as 20002; null if it gave none.';


--
-- Name: COLUMN sync_customer.detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.detail IS 'The failure in words, with the API''s own code and text; for a success something worth knowing, or null.';


--
-- Name: COLUMN sync_customer.http_status; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.http_status IS 'The status of the last complete response; null if there was none.';


--
-- Name: COLUMN sync_customer.attempts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.attempts IS 'HTTP attempts.';


--
-- Name: COLUMN sync_customer.rows_received; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.rows_received IS 'Items that the API sent.';


--
-- Name: COLUMN sync_customer.rows_inserted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.rows_inserted IS 'Rows that were new.';


--
-- Name: COLUMN sync_customer.rows_updated; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.rows_updated IS 'Rows that came again with other figures.';


--
-- Name: COLUMN sync_customer.rows_unchanged; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.rows_unchanged IS 'Rows that came again as they were. Of equal items in one collection all but one count here.';


--
-- Name: COLUMN sync_customer.rows_rejected; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.rows_rejected IS 'Items that could not become rows; see rejected_row.';


--
-- Name: COLUMN sync_customer.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.finished_at IS 'When the outcome was known.';


--
-- Name: COLUMN sync_customer.ms_request_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.ms_request_id IS 'The MS-RequestId of the last call of a customer that failed, by which Microsoft''s support finds it; null for a success, and where no request was sent or no single call failed.';


--
-- Name: COLUMN sync_customer.ms_correlation_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_customer.ms_correlation_id IS 'The MS-CorrelationId of the same call.';


--
-- Name: sync_run; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.sync_run (
    run_id bigint NOT NULL,
    kind character varying(16) NOT NULL,
    source character varying(16) DEFAULT 'customer'::character varying NOT NULL,
    whole_list boolean NOT NULL,
    only_customers uuid[],
    asked_date date,
    date_from date,
    date_to date,
    resumes bigint,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    outcome character varying(16) NOT NULL,
    ended_early boolean DEFAULT false NOT NULL,
    detail text,
    newest_processed_date date,
    learned_rate double precision,
    customers_total bigint DEFAULT 0 NOT NULL,
    customers_succeeded bigint DEFAULT 0 NOT NULL,
    customers_failed bigint DEFAULT 0 NOT NULL,
    rows_received bigint DEFAULT 0 NOT NULL,
    rows_inserted bigint DEFAULT 0 NOT NULL,
    rows_updated bigint DEFAULT 0 NOT NULL,
    rows_unchanged bigint DEFAULT 0 NOT NULL,
    rows_rejected bigint DEFAULT 0 NOT NULL,
    http_requests bigint DEFAULT 0 NOT NULL,
    http_retries bigint DEFAULT 0 NOT NULL,
    http_throttled bigint DEFAULT 0 NOT NULL,
    host character varying(255),
    tick timestamp with time zone,
    CONSTRAINT sync_run_finished_check CHECK ((((outcome)::text = 'running'::text) = (finished_at IS NULL))),
    CONSTRAINT sync_run_kind_check CHECK (((kind)::text = ANY ((ARRAY['schedule'::character varying, 'backfill'::character varying, 'startup'::character varying])::text[]))),
    CONSTRAINT sync_run_outcome_check CHECK (((outcome)::text = ANY ((ARRAY['running'::character varying, 'succeeded'::character varying, 'partial'::character varying, 'failed'::character varying, 'interrupted'::character varying])::text[]))),
    CONSTRAINT sync_run_source_check CHECK (((source)::text = ANY ((ARRAY['customer'::character varying, 'commercial'::character varying])::text[])))
);


--
-- Name: TABLE sync_run; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.sync_run IS 'One row per run, which is one walk over the list of customers.';


--
-- Name: COLUMN sync_run.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.run_id IS 'Counts up with each run.';


--
-- Name: COLUMN sync_run.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.kind IS 'What asked for the run: schedule, backfill (--backfill) or startup (run_on_start, or a tick missed while the daemon was down).';


--
-- Name: COLUMN sync_run.source; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.source IS 'customer: one collection per customer; commercial: the partner-wide collection.';


--
-- Name: COLUMN sync_run.whole_list; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.whole_list IS 'False if --customer restricted the run to some customers.';


--
-- Name: COLUMN sync_run.only_customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.only_customers IS 'The customers that --customer named; null for the whole list.';


--
-- Name: COLUMN sync_run.asked_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.asked_date IS 'The processed date requested by --from and --to; null if it was the newest.';


--
-- Name: COLUMN sync_run.date_from; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.date_from IS 'The first date of the dated backfill the run belongs to.';


--
-- Name: COLUMN sync_run.date_to; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.date_to IS 'The last date of the dated backfill the run belongs to.';


--
-- Name: COLUMN sync_run.resumes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.resumes IS 'The unfinished run that this one continues.';


--
-- Name: COLUMN sync_run.started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.started_at IS 'When the run began.';


--
-- Name: COLUMN sync_run.finished_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.finished_at IS 'When the run ended, or was found to have been cut off; null while it is running.';


--
-- Name: COLUMN sync_run.outcome; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.outcome IS 'running; succeeded: every customer; partial: some failed; failed: none succeeded or the run could not go on; interrupted: stopped or crashed.';


--
-- Name: COLUMN sync_run.ended_early; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.ended_early IS 'Whether the run ended before it had requested every customer on its list.';


--
-- Name: COLUMN sync_run.detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.detail IS 'Why the run could not go on, if it could not, or what else a person should know of it.';


--
-- Name: COLUMN sync_run.newest_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.newest_processed_date IS 'The processed date (UTC) the run was to fetch: the one requested, or the newest that was known when it began or that it received.';


--
-- Name: COLUMN sync_run.learned_rate; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.learned_rate IS 'Requests per second that the API was found to allow; null while it has refused none.';


--
-- Name: COLUMN sync_run.customers_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.customers_total IS 'Customers on the run''s list.';


--
-- Name: COLUMN sync_run.customers_succeeded; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.customers_succeeded IS 'Customers whose collection was fetched and stored.';


--
-- Name: COLUMN sync_run.customers_failed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.customers_failed IS 'Customers with a recorded failure.';


--
-- Name: COLUMN sync_run.rows_received; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.rows_received IS 'Items that the API sent.';


--
-- Name: COLUMN sync_run.rows_inserted; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.rows_inserted IS 'Rows that were new.';


--
-- Name: COLUMN sync_run.rows_updated; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.rows_updated IS 'Rows that came again with other figures.';


--
-- Name: COLUMN sync_run.rows_unchanged; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.rows_unchanged IS 'Rows that came again as they were, and were not written.';


--
-- Name: COLUMN sync_run.rows_rejected; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.rows_rejected IS 'Items that could not become rows; see rejected_row.';


--
-- Name: COLUMN sync_run.http_requests; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.http_requests IS 'Requests to the API, including retries, excluding sign-in.';


--
-- Name: COLUMN sync_run.http_retries; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.http_retries IS 'Requests among them that repeated an earlier one.';


--
-- Name: COLUMN sync_run.http_throttled; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.http_throttled IS 'Responses with status 429.';


--
-- Name: COLUMN sync_run.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.host IS 'The host whose process did the run.';


--
-- Name: COLUMN sync_run.tick; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.sync_run.tick IS 'The moment of the schedule that the run is for; null if it is not for a tick.';


--
-- Name: coverage; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.coverage AS
 WITH ledger_date AS (
         SELECT service_date.processed_date,
            min(service_date.first_seen_at) AS first_seen_at
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text)
          GROUP BY service_date.processed_date
        )
 SELECT d.processed_date,
    s.customer_id,
    c.customer_name,
    'stored'::character varying(16) AS state,
    s.run_id,
    NULL::character varying AS reason,
    NULL::text AS detail
   FROM ((ledger_date d
     CROSS JOIN LATERAL ( SELECT k.customer_id,
            min(k.run_id) AS run_id
           FROM public.license_usage_collection k
          WHERE ((k.processed_date_time >= ((d.processed_date)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (k.processed_date_time < (((d.processed_date + 1))::timestamp without time zone AT TIME ZONE 'UTC'::text)))
          GROUP BY k.customer_id) s)
     JOIN public.customer c ON ((c.customer_id = s.customer_id)))
UNION ALL
 SELECT d.processed_date,
    c.customer_id,
    c.customer_name,
    (
        CASE
            WHEN ((t.fault_code)::text = ANY ((ARRAY['20002'::character varying, '60003'::character varying])::text[])) THEN 'no_relationship'::text
            WHEN (d.first_seen_at >= c.gone_since) THEN 'no_relationship'::text
            WHEN ((d.first_seen_at >= c.absent_since) AND (d.first_seen_at < c.returned_at)) THEN 'no_relationship'::text
            WHEN ((t.reason)::text = ANY ((ARRAY['forbidden'::character varying, 'unauthorized'::character varying])::text[])) THEN 'denied'::text
            WHEN ((t.outcome)::text = 'succeeded'::text) THEN 'empty'::text
            WHEN ((d.processed_date < newest.processed_date) AND ((latest.source)::text = 'customer'::text)) THEN 'missed'::text
            WHEN ((t.reason)::text = 'throttled'::text) THEN 'throttled'::text
            ELSE 'failed'::text
        END)::character varying(16) AS state,
    t.run_id,
    (t.reason)::character varying AS reason,
    t.detail
   FROM ((((ledger_date d
     CROSS JOIN LATERAL ( SELECT DISTINCT customer.customer_id,
            customer.customer_name,
            customer.first_seen_at,
            customer.last_seen_at,
            customer.gone_since,
            customer.absent_since,
            customer.returned_at
           FROM public.customer
          WHERE (NOT (EXISTS ( SELECT
                   FROM public.license_usage_collection k
                  WHERE ((k.processed_date_time >= ((d.processed_date)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (k.processed_date_time < (((d.processed_date + 1))::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (k.customer_id = customer.customer_id)))))) c)
     CROSS JOIN ( SELECT max(ledger_date.processed_date) AS processed_date
           FROM ledger_date) newest)
     LEFT JOIN LATERAL ( SELECT sync_run.source
           FROM public.sync_run
          ORDER BY sync_run.run_id DESC
         LIMIT 1) latest ON (true))
     LEFT JOIN LATERAL ( SELECT t_1.run_id,
            t_1.outcome,
            t_1.reason,
            t_1.fault_code,
            t_1.detail
           FROM (public.sync_run r
             JOIN public.sync_customer t_1 ON (((t_1.run_id = r.run_id) AND (t_1.customer_id = c.customer_id))))
          WHERE (r.newest_processed_date = d.processed_date)
          ORDER BY r.run_id DESC
         LIMIT 1) t ON (true))
  WHERE ((t.run_id IS NOT NULL) OR ((d.processed_date >= ((c.first_seen_at AT TIME ZONE 'UTC'::text))::date) AND ((d.first_seen_at <= c.last_seen_at) OR (d.first_seen_at >= c.gone_since)) AND (EXISTS ( SELECT
           FROM public.sync_run r
          WHERE (r.newest_processed_date = d.processed_date)))));


--
-- Name: VIEW coverage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.coverage IS 'One row per customer and processed date: whether the ledger has its figures, and why not.';


--
-- Name: COLUMN coverage.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.processed_date IS 'A processed date (UTC) of which the ledger has rows of at least one customer.';


--
-- Name: COLUMN coverage.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN coverage.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.customer_name IS 'The newest name the API gave; null until it gave one.';


--
-- Name: COLUMN coverage.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.state IS 'stored: the ledger has rows; empty: requested, and the response had no rows of that date; no_relationship: no commerce relationship, or gone; denied: refused by role or sign-in; throttled and failed: not fetched so far; missed: not fetched, and the API will not give it again.';


--
-- Name: COLUMN coverage.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.run_id IS 'The run that stored the first row, or tried last.';


--
-- Name: COLUMN coverage.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.reason IS 'Why the last try failed, as in sync_customer.';


--
-- Name: COLUMN coverage.detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.coverage.detail IS 'The failure in words.';


--
-- Name: license_usage_month; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_month (
    month date NOT NULL,
    customer_id uuid NOT NULL,
    newest boolean NOT NULL,
    texts bigint,
    set_id bigint NOT NULL,
    customer_names character varying(512)[] NOT NULL,
    processed_date_times timestamp with time zone[] NOT NULL,
    licenses_active bigint[] NOT NULL,
    licenses_qualified bigint[] NOT NULL,
    usage_percents double precision[] NOT NULL,
    first_synced_ats timestamp with time zone[] NOT NULL,
    last_changed_ats timestamp with time zone[] NOT NULL,
    run_ids bigint[] NOT NULL,
    are_newest boolean[] NOT NULL,
    are_month_end boolean[] NOT NULL,
    first_dates date[] NOT NULL
)
WITH (toast_tuple_target='8160');


--
-- Name: TABLE license_usage_month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_month IS 'The newest row of each of a customer''s series in a month. Read license_usage_monthly or license_usage_latest instead.';


--
-- Name: COLUMN license_usage_month.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.month IS 'The first day of the month, UTC.';


--
-- Name: COLUMN license_usage_month.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_month.newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.newest IS 'Whether any of the rows is the newest of its series in the whole ledger.';


--
-- Name: COLUMN license_usage_month.texts; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.texts IS 'A hash of all texts of the rows, customer names included. Dates with the same hash differ in figures only, so a later date''s figures replace an earlier one''s. Null if it is not known.';


--
-- Name: COLUMN license_usage_month.set_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.set_id IS 'The series, in license_usage_set. All arrays are in its order.';


--
-- Name: COLUMN license_usage_month.customer_names; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.customer_names IS 'customer_name of each row.';


--
-- Name: COLUMN license_usage_month.processed_date_times; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.processed_date_times IS 'processed_date_time of each row.';


--
-- Name: COLUMN license_usage_month.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.licenses_active IS 'licenses_active of each row.';


--
-- Name: COLUMN license_usage_month.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.licenses_qualified IS 'licenses_qualified of each row.';


--
-- Name: COLUMN license_usage_month.usage_percents; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.usage_percents IS 'usage_percent of each row.';


--
-- Name: COLUMN license_usage_month.first_synced_ats; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.first_synced_ats IS 'first_synced_at of each row.';


--
-- Name: COLUMN license_usage_month.last_changed_ats; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.last_changed_ats IS 'last_changed_at of each row.';


--
-- Name: COLUMN license_usage_month.run_ids; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.run_ids IS 'run_id of each row.';


--
-- Name: COLUMN license_usage_month.are_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.are_newest IS 'For each row whether it is the newest of its series in the whole ledger.';


--
-- Name: COLUMN license_usage_month.are_month_end; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.are_month_end IS 'For each row whether it counts at the end of the month: it is in the customer''s last collection of its service in the month, and is not replaced.';


--
-- Name: COLUMN license_usage_month.first_dates; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_month.first_dates IS 'The first processed date (UTC) of each row''s series in the month.';


--
-- Name: license_usage_set; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_set (
    set_id bigint NOT NULL,
    product_names character varying(512)[] NOT NULL,
    workload_names character varying(512)[] NOT NULL,
    product_ids character varying(512)[] NOT NULL,
    workload_codes character varying(512)[] NOT NULL,
    service_names character varying(512)[] NOT NULL,
    service_codes character varying(512)[] NOT NULL,
    channels character varying(512)[] NOT NULL
);


--
-- Name: TABLE license_usage_set; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_set IS 'The sets of series that customers have: the texts of the rows of license_usage_month. The series are in the order of the bytes of product and workload name, as the program sorts.';


--
-- Name: COLUMN license_usage_set.set_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.set_id IS 'A hash of all the rest: license_usage_set_id().';


--
-- Name: COLUMN license_usage_set.product_names; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.product_names IS 'product_name of each series.';


--
-- Name: COLUMN license_usage_set.workload_names; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.workload_names IS 'workload_name of each series.';


--
-- Name: COLUMN license_usage_set.product_ids; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.product_ids IS 'product_id of each series.';


--
-- Name: COLUMN license_usage_set.workload_codes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.workload_codes IS 'workload_code of each series.';


--
-- Name: COLUMN license_usage_set.service_names; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.service_names IS 'service_name of each series.';


--
-- Name: COLUMN license_usage_set.service_codes; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.service_codes IS 'service_code of each series.';


--
-- Name: COLUMN license_usage_set.channels; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_set.channels IS 'channel of each series.';


--
-- Name: customer_service_date; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_service_date AS
 SELECT m.customer_id,
    p.service,
    max(
        CASE
            WHEN m.are_month_end[p.places[1]] THEN m.processed_date_times[p.places[1]]
            ELSE ( SELECT max(m.processed_date_times[place.place]) AS max
               FROM unnest(p.places) place(place))
        END) AS processed_date_time
   FROM (public.license_usage_month m
     CROSS JOIN LATERAL ( SELECT public.license_service(r.service_code, r.service_name) AS service,
            array_agg((r.place)::integer) AS places
           FROM (public.license_usage_set s
             CROSS JOIN LATERAL UNNEST(s.service_names, s.service_codes) WITH ORDINALITY r(service_name, service_code, place))
          WHERE (s.set_id = m.set_id)
          GROUP BY (public.license_service(r.service_code, r.service_name))) p)
  WHERE m.newest
  GROUP BY m.customer_id, p.service;


--
-- Name: VIEW customer_service_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_service_date IS 'Inner view: the newest processed date of each customer and service. Read customer_freshness instead.';


--
-- Name: COLUMN customer_service_date.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service_date.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_service_date.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service_date.service IS 'The service: license_service() of its rows.';


--
-- Name: COLUMN customer_service_date.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service_date.processed_date_time IS 'The newest processed date.';


--
-- Name: customer_success; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_success AS
 SELECT c.customer_id,
    c.gone_since,
    GREATEST(c.last_success_at, s.finished_at) AS last_success_at
   FROM (public.customer c
     LEFT JOIN ( SELECT s_1.customer_id,
            max(s_1.finished_at) AS finished_at
           FROM (( SELECT sync_run.run_id
                   FROM public.sync_run
                  ORDER BY sync_run.run_id DESC
                 LIMIT 2) r
             JOIN public.sync_customer s_1 ON ((s_1.run_id = r.run_id)))
          WHERE ((s_1.outcome)::text = 'succeeded'::text)
          GROUP BY s_1.customer_id) s ON ((s.customer_id = c.customer_id)));


--
-- Name: VIEW customer_success; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_success IS 'Inner view: when each customer''s collection was last fetched and stored. Read customer_freshness instead.';


--
-- Name: COLUMN customer_success.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_success.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_success.gone_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_success.gone_since IS 'When the partner''s own list was first without the customer; null while it names it.';


--
-- Name: COLUMN customer_success.last_success_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_success.last_success_at IS 'When the customer''s collection was last fetched and stored.';


--
-- Name: service_date_superseded; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.service_date_superseded AS
 SELECT service_date.dataset,
    service_date.service,
    service_date.processed_date,
    min(service_date.first_seen_at) OVER (PARTITION BY service_date.dataset, service_date.service ORDER BY service_date.processed_date DESC ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS superseded_at
   FROM public.service_date;


--
-- Name: VIEW service_date_superseded; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.service_date_superseded IS 'Inner view: since when the ledger has had a later date of the same service. Figures of a customer that was fetched after that moment, and is still at the earlier date, have ended.';


--
-- Name: COLUMN service_date_superseded.dataset; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date_superseded.dataset IS 'usage: of license_usage; deployment: of license_deployment.';


--
-- Name: COLUMN service_date_superseded.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date_superseded.service IS 'The service: license_service() of the rows.';


--
-- Name: COLUMN service_date_superseded.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date_superseded.processed_date IS 'The date.';


--
-- Name: COLUMN service_date_superseded.superseded_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.service_date_superseded.superseded_at IS 'When a row of any later date of the service was first stored; null for the newest date.';


--
-- Name: customer_freshness; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_freshness AS
 WITH known AS (
         SELECT c.customer_id,
            c.customer_name,
            c.domain,
            c.first_seen_at,
            c.last_seen_at,
            c.listed_at,
            c.gone_since,
            c.absent_since,
            c.returned_at,
            c.last_success_at,
            c.last_processed_date_time,
            c.last_failure_at,
            c.last_failure_reason,
            c.last_failure_is_refusal,
            c.last_failure_detail,
            s.last_success_at AS success_at,
            u.last_processed_date_time AS processed_date_time,
            ((u.last_processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
            COALESCE((u.superseded_at > s.last_success_at), true) AS has_current_row
           FROM ((public.customer c
             JOIN public.customer_success s ON ((s.customer_id = c.customer_id)))
             LEFT JOIN ( SELECT d.customer_id,
                    max(d.processed_date_time) AS last_processed_date_time,
                    max(COALESCE(s_1.superseded_at, 'infinity'::timestamp with time zone)) AS superseded_at
                   FROM (public.customer_service_date d
                     LEFT JOIN public.service_date_superseded s_1 ON ((((s_1.dataset)::text = 'usage'::text) AND ((s_1.service)::text = (d.service)::text) AND (s_1.processed_date = ((d.processed_date_time AT TIME ZONE 'UTC'::text))::date))))
                  GROUP BY d.customer_id) u ON ((u.customer_id = c.customer_id)))
        ), judged AS (
         SELECT known.customer_id,
            known.customer_name,
            known.domain,
            known.first_seen_at,
            known.last_seen_at,
            known.listed_at,
            known.gone_since,
            known.absent_since,
            known.returned_at,
            known.last_success_at,
            known.last_processed_date_time,
            known.last_failure_at,
            known.last_failure_reason,
            known.last_failure_is_refusal,
            known.last_failure_detail,
            known.success_at,
            known.processed_date_time,
            known.processed_date,
            known.has_current_row,
            (((now() AT TIME ZONE 'UTC'::text))::date - known.processed_date) AS age_days,
                CASE
                    WHEN (known.gone_since IS NOT NULL) THEN 'gone'::text
                    WHEN ((known.success_at IS NULL) OR (known.last_failure_at > known.success_at)) THEN 'failing'::text
                    WHEN (known.processed_date IS NULL) THEN 'never_had_usage'::text
                    WHEN (NOT known.has_current_row) THEN 'ended'::text
                    WHEN ((((now() AT TIME ZONE 'UTC'::text))::date - known.processed_date) > 14) THEN 'stale'::text
                    ELSE 'active'::text
                END AS state
           FROM known
        )
 SELECT judged.customer_id,
    judged.customer_name,
    judged.success_at AS last_success_at,
    judged.processed_date_time AS last_processed_date_time,
    (now() - judged.processed_date_time) AS age,
    judged.last_failure_at,
    judged.last_failure_reason,
    judged.last_failure_detail,
    judged.gone_since,
    judged.processed_date AS last_processed_date,
    judged.age_days,
    (judged.state)::character varying(16) AS state,
    ("left"(
        CASE judged.state
            WHEN 'gone'::text THEN ('not on the partner''s list since '::text || to_char((judged.gone_since AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD'::text))
            WHEN 'failing'::text THEN COALESCE(NULLIF(concat_ws(': '::text, judged.last_failure_reason, judged.last_failure_detail), ''::text), 'not fetched so far'::text)
            WHEN 'never_had_usage'::text THEN 'fetched with success, and no figures have come so far'::text
            WHEN 'ended'::text THEN ('fetched with success, and no figures have come after '::text || to_char((judged.processed_date)::timestamp with time zone, 'YYYY-MM-DD'::text))
            WHEN 'stale'::text THEN (('newest figures of '::text || to_char((judged.processed_date)::timestamp with time zone, 'YYYY-MM-DD'::text)) || ', over 14 days ago'::text)
            ELSE NULL::text
        END, 255))::character varying(255) AS state_reason,
    (judged.domain)::character varying(255) AS domain
   FROM judged;


--
-- Name: VIEW customer_freshness; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_freshness IS 'One row per customer: how old its newest figures are, in one word how it is, and how fetching it last failed.';


--
-- Name: COLUMN customer_freshness.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_freshness.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.customer_name IS 'The newest name the API gave; null until it gave one.';


--
-- Name: COLUMN customer_freshness.last_success_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_success_at IS 'When the customer''s collection was last fetched and stored.';


--
-- Name: COLUMN customer_freshness.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_processed_date_time IS 'The newest processed date of its usage; null if it never had usage.';


--
-- Name: COLUMN customer_freshness.age; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.age IS 'The time since the newest processed date.';


--
-- Name: COLUMN customer_freshness.last_failure_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_failure_at IS 'When fetching or storing last failed; null if it never has.';


--
-- Name: COLUMN customer_freshness.last_failure_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_failure_reason IS 'Why it failed then; the values are those of sync_customer.reason.';


--
-- Name: COLUMN customer_freshness.last_failure_detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_failure_detail IS 'The same failure in words.';


--
-- Name: COLUMN customer_freshness.gone_since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.gone_since IS 'When the partner''s own list was first without the customer; null while it names it.';


--
-- Name: COLUMN customer_freshness.last_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.last_processed_date IS 'The date of last_processed_date_time, UTC.';


--
-- Name: COLUMN customer_freshness.age_days; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.age_days IS 'Days (UTC) since last_processed_date. A service lags by some days itself.';


--
-- Name: COLUMN customer_freshness.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.state IS 'The first that applies: gone: not on the partner''s list (customers.discover); failing: fetching failed after the last success, or never succeeded; never_had_usage: no row of usage has ever come; ended: none of its rows is current; stale: the newest figures are over 14 days old, and no longer count in the totals of days; active. "seatledger status" says the same.';


--
-- Name: COLUMN customer_freshness.state_reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.state_reason IS 'Why it is in that state, in words; null if it is active.';


--
-- Name: COLUMN customer_freshness.domain; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_freshness.domain IS 'The tenant''s domain; known for customers found by customers.discover.';


--
-- Name: customer_service; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_service AS
 SELECT n.customer_id,
    n.service,
    max(n.processed_date_time) AS processed_date_time,
    max(n.processed_date) AS processed_date,
    bool_and(((c.gone_since IS NULL) AND COALESCE((s.superseded_at > c.last_success_at), true))) AS is_current
   FROM ((( SELECT customer_service_date.customer_id,
            customer_service_date.service,
            customer_service_date.processed_date_time,
            ((customer_service_date.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date
           FROM public.customer_service_date) n
     LEFT JOIN public.customer_success c ON ((c.customer_id = n.customer_id)))
     LEFT JOIN public.service_date_superseded s ON ((((s.dataset)::text = 'usage'::text) AND ((s.service)::text = (n.service)::text) AND (s.processed_date = n.processed_date))))
  GROUP BY n.customer_id, n.service;


--
-- Name: VIEW customer_service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_service IS 'Inner view: the newest processed date of each customer and service, and whether its rows are current: the customer is not gone, and was not fetched after a later date had come.';


--
-- Name: COLUMN customer_service.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_service.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service.service IS 'The service: license_service() of its rows.';


--
-- Name: COLUMN customer_service.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service.processed_date_time IS 'The newest processed date.';


--
-- Name: COLUMN customer_service.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service.processed_date IS 'The date of it, UTC.';


--
-- Name: COLUMN customer_service.is_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_service.is_current IS 'Whether the rows of that date are current.';


--
-- Name: customer_usage; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_usage AS
 SELECT customer_service.customer_id,
    max(customer_service.processed_date_time) AS last_processed_date_time,
    bool_or(customer_service.is_current) AS has_current_row
   FROM public.customer_service
  GROUP BY customer_service.customer_id;


--
-- Name: VIEW customer_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_usage IS 'Inner view: how recent the usage of each customer that has any is. Read customer_freshness instead.';


--
-- Name: COLUMN customer_usage.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_usage.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_usage.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_usage.last_processed_date_time IS 'The newest processed date of its usage.';


--
-- Name: COLUMN customer_usage.has_current_row; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_usage.has_current_row IS 'Whether any of its rows is current, as in license_usage_latest.';


--
-- Name: customer_lifecycle; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.customer_lifecycle AS
 SELECT c.customer_id,
    (c.customer_name)::character varying(255) AS customer_name,
    ((k.first_usage AT TIME ZONE 'UTC'::text))::date AS first_usage_date,
    ((k.last_usage AT TIME ZONE 'UTC'::text))::date AS last_usage_date,
    ((COALESCE(c.gone_since, c.absent_since) AT TIME ZONE 'UTC'::text))::date AS gone_date,
    ((c.returned_at AT TIME ZONE 'UTC'::text))::date AS returned_date,
    (
        CASE
            WHEN (c.gone_since IS NOT NULL) THEN 'gone'::text
            WHEN (k.first_usage IS NULL) THEN 'never_had_usage'::text
            WHEN (NOT u.has_current_row) THEN 'ended'::text
            WHEN (c.returned_at IS NOT NULL) THEN 'returned'::text
            ELSE 'active'::text
        END)::character varying(16) AS state
   FROM ((public.customer c
     LEFT JOIN ( SELECT license_usage_collection.customer_id,
            min(license_usage_collection.processed_date_time) AS first_usage,
            max(license_usage_collection.processed_date_time) AS last_usage
           FROM public.license_usage_collection
          GROUP BY license_usage_collection.customer_id) k ON ((k.customer_id = c.customer_id)))
     LEFT JOIN public.customer_usage u ON ((u.customer_id = c.customer_id)));


--
-- Name: VIEW customer_lifecycle; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.customer_lifecycle IS 'One row per customer: since when it has had usage, when it left the partner and when it came back. A customer gone and back more than once has the dates of the last absence.';


--
-- Name: COLUMN customer_lifecycle.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN customer_lifecycle.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN customer_lifecycle.first_usage_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.first_usage_date IS 'The oldest processed date (UTC) of its usage in the ledger; for a customer that was there before the ledger, where the ledger begins. Null if it never had usage.';


--
-- Name: COLUMN customer_lifecycle.last_usage_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.last_usage_date IS 'The newest processed date (UTC) of its usage; null if it never had usage.';


--
-- Name: COLUMN customer_lifecycle.gone_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.gone_date IS 'When the partner''s own list (customers.discover) was first without the customer, UTC: of the absence that lasts, else of the last one that ended. Null if it never was.';


--
-- Name: COLUMN customer_lifecycle.returned_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.returned_date IS 'When it was last found on that list again, UTC; null if it never was gone and back.';


--
-- Name: COLUMN customer_lifecycle.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.customer_lifecycle.state IS 'gone: not on the partner''s list; never_had_usage: no row of usage has ever come; ended: none of its rows is current; returned: has current rows, after an absence; active: has current rows. The counts of the states add up to all customers.';


--
-- Name: data_completeness; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.data_completeness AS
 SELECT data_completeness_between.date,
    (data_completeness_between.service)::character varying(255) AS service,
    data_completeness_between.customers_expected,
    data_completeness_between.customers_stored,
    data_completeness_between.completeness,
    (data_completeness_between.state)::character varying(16) AS state
   FROM public.data_completeness_between('-infinity'::date, 'infinity'::date) data_completeness_between(date, service, customers_expected, customers_stored, completeness, state);


--
-- Name: VIEW data_completeness; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.data_completeness IS 'One row per calendar day (UTC) and service, from the service''s first date to the newest date of all, also for days of which nothing came: how many of the customers that were to have usage have it.';


--
-- Name: COLUMN data_completeness.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.date IS 'The calendar day (UTC).';


--
-- Name: COLUMN data_completeness.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.service IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN data_completeness.customers_expected; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.customers_expected IS 'Customers with figures of the service on that day or within the 14 days before, without those that were gone by then. They add up over nothing: a customer has several services.';


--
-- Name: COLUMN data_completeness.customers_stored; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.customers_stored IS 'Customers with figures of that very day. They add up over nothing likewise.';


--
-- Name: COLUMN data_completeness.completeness; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.completeness IS 'Stored by expected customers, 0 to 1; null if none is expected. Never add it up: divide sums.';


--
-- Name: COLUMN data_completeness.state; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.data_completeness.state IS 'complete: of every expected customer; partial: of some; no_figures: of none, as on days that the service did not process, or not yet.';


--
-- Name: date_dimension; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.date_dimension AS
 SELECT d.date,
    (date_trunc('month'::text, (d.date)::timestamp without time zone))::date AS month,
    (EXTRACT(quarter FROM d.date))::integer AS quarter,
    (EXTRACT(year FROM d.date))::integer AS year,
    (EXTRACT(week FROM d.date))::integer AS iso_week,
    (EXTRACT(isodow FROM d.date))::integer AS iso_weekday,
    (EXTRACT(day FROM (d.date + 1)) = (1)::numeric) AS is_month_end
   FROM ((( SELECT COALESCE((min(service_date.processed_date))::timestamp without time zone, (now() AT TIME ZONE 'UTC'::text)) AS oldest,
            COALESCE((max(service_date.processed_date))::timestamp without time zone, (now() AT TIME ZONE 'UTC'::text)) AS newest
           FROM public.service_date) dates
     CROSS JOIN LATERAL generate_series(date_trunc('year'::text, dates.oldest), (date_trunc('year'::text, dates.newest) + '1 year -1 days'::interval), '1 day'::interval) day(day))
     CROSS JOIN LATERAL ( SELECT (day.day)::date AS date) d);


--
-- Name: VIEW date_dimension; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.date_dimension IS 'One row per day of each calendar year of which the ledger has figures; of the current year while it has none. For BI tools that want a table of dates: relate it to each view''s date.';


--
-- Name: COLUMN date_dimension.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.date IS 'The day.';


--
-- Name: COLUMN date_dimension.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.month IS 'The first day of its month.';


--
-- Name: COLUMN date_dimension.quarter; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.quarter IS 'The quarter of the year, 1 to 4.';


--
-- Name: COLUMN date_dimension.year; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.year IS 'The calendar year.';


--
-- Name: COLUMN date_dimension.iso_week; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.iso_week IS 'The ISO 8601 week, 1 to 53. Days about New Year may belong to a week of the other year.';


--
-- Name: COLUMN date_dimension.iso_weekday; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.iso_weekday IS 'The day of the week: 1 is Monday, 7 is Sunday.';


--
-- Name: COLUMN date_dimension.is_month_end; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.date_dimension.is_month_end IS 'Whether it is the last day of its month.';


--
-- Name: lease; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.lease (
    name character varying(16) NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    holder uuid,
    host character varying(255),
    acquired_at timestamp with time zone,
    renewed_at timestamp with time zone,
    expires_at timestamp with time zone,
    server_started_at timestamp with time zone,
    keeper_pid integer,
    keeper_started_at timestamp with time zone,
    writer_pid integer,
    writer_started_at timestamp with time zone,
    CONSTRAINT lease_name_check CHECK (((name)::text = ANY ((ARRAY['run'::character varying, 'leader'::character varying, 'rehearsal'::character varying])::text[])))
)
WITH (fillfactor='10');


--
-- Name: TABLE lease; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.lease IS 'Which process may write to the ledger (run), and which daemon does the ticks of the schedule (leader). A holder renews its row every 5 seconds for 15 seconds.';


--
-- Name: COLUMN lease.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.name IS 'run or leader.';


--
-- Name: COLUMN lease.epoch; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.epoch IS 'Counts up with each takeover. Every transaction of a run that writes proves it first.';


--
-- Name: COLUMN lease.holder; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.holder IS 'The process that holds the lease, a random id of its own; null: the lease is free.';


--
-- Name: COLUMN lease.host; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.host IS 'The host of the holder, or of the last one.';


--
-- Name: COLUMN lease.acquired_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.acquired_at IS 'When the holder took the lease, by the database''s clock.';


--
-- Name: COLUMN lease.renewed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.renewed_at IS 'When the holder last renewed it.';


--
-- Name: COLUMN lease.expires_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.expires_at IS 'When others may take it, unless it is renewed before.';


--
-- Name: COLUMN lease.server_started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.server_started_at IS 'When the server was started that has the holder''s sessions: the process ids that follow mean nothing on another.';


--
-- Name: COLUMN lease.keeper_pid; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.keeper_pid IS 'The server process of the session that renews the lease.';


--
-- Name: COLUMN lease.keeper_started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.keeper_started_at IS 'When that session began.';


--
-- Name: COLUMN lease.writer_pid; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.writer_pid IS 'The server process of the session that writes for the run.';


--
-- Name: COLUMN lease.writer_started_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.lease.writer_started_at IS 'When that session began.';


--
-- Name: ledger_locale; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.ledger_locale (
    locale character varying(512) NOT NULL,
    since timestamp with time zone NOT NULL
);


--
-- Name: TABLE ledger_locale; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.ledger_locale IS 'The locale in which names are requested. The newest row is in force.';


--
-- Name: COLUMN ledger_locale.locale; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.ledger_locale.locale IS 'The X-Locale header, such as en-US.';


--
-- Name: COLUMN ledger_locale.since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.ledger_locale.since IS 'When a run first used it.';


--
-- Name: license_usage_newest; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_newest AS
 SELECT m.customer_id,
    public.license_service(r.service_code, r.service_name) AS service,
    ((r.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    r.product_name,
    r.workload_name,
    r.product_id,
    r.workload_code,
    r.service_name,
    r.service_code,
    r.channel,
    r.customer_name,
    r.processed_date_time,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percent,
    r.first_synced_at,
    r.last_changed_at,
    r.run_id,
    r.is_month_end,
    r.is_newest
   FROM ((public.license_usage_month m
     JOIN public.license_usage_set s ON ((s.set_id = m.set_id)))
     CROSS JOIN LATERAL UNNEST(s.product_names, s.workload_names, s.product_ids, s.workload_codes, s.service_names, s.service_codes, s.channels, m.customer_names, m.processed_date_times, m.licenses_active, m.licenses_qualified, m.usage_percents, m.first_synced_ats, m.last_changed_ats, m.run_ids, m.are_month_end, m.are_newest) r(product_name, workload_name, product_id, workload_code, service_name, service_code, channel, customer_name, processed_date_time, licenses_active, licenses_qualified, usage_percent, first_synced_at, last_changed_at, run_id, is_month_end, is_newest))
  WHERE (m.newest AND r.is_newest);


--
-- Name: VIEW license_usage_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_newest IS 'Inner view: the newest row of each series. Read license_usage_latest instead.';


--
-- Name: COLUMN license_usage_newest.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_newest.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.service IS 'The service: license_service() of the row.';


--
-- Name: COLUMN license_usage_newest.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_usage_newest.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_newest.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_newest.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_usage_newest.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.workload_code IS 'The workload''s code, such as EXO, if the API gives it.';


--
-- Name: COLUMN license_usage_newest.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_usage_newest.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage_newest.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_newest.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_newest.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_newest.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_newest.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_newest.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_newest.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_usage_newest.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_usage_newest.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.run_id IS 'The run that last wrote the row.';


--
-- Name: COLUMN license_usage_newest.is_month_end; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.is_month_end IS 'Whether the row is in the customer''s last collection of its service in its month, and is not replaced.';


--
-- Name: COLUMN license_usage_newest.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_newest.is_newest IS 'Always true.';


--
-- Name: license_usage_latest; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_latest AS
 SELECT l.customer_id,
    (l.product_name)::character varying(512) AS product_name,
    (l.workload_name)::character varying(512) AS workload_name,
    l.processed_date_time,
    (l.customer_name)::character varying(512) AS customer_name,
    (l.product_id)::character varying(512) AS product_id,
    (l.workload_code)::character varying(512) AS workload_code,
    (l.service_name)::character varying(512) AS service_name,
    (l.service_code)::character varying(512) AS service_code,
    (l.channel)::character varying(512) AS channel,
    l.licenses_active,
    l.licenses_qualified,
    l.usage_percent,
    l.first_synced_at,
    l.last_changed_at,
    l.run_id,
    (((100.0 * (l.licenses_active)::numeric) / (NULLIF(l.licenses_qualified, 0))::numeric))::double precision AS active_percent,
    l.processed_date,
    (l.service)::character varying(255) AS service_code_now,
    COALESCE(((l.processed_date = c.processed_date) AND l.is_month_end AND c.is_current), false) AS is_current
   FROM (public.license_usage_newest l
     LEFT JOIN public.customer_service c ON (((c.customer_id = l.customer_id) AND ((c.service)::text = (l.service)::text))));


--
-- Name: VIEW license_usage_latest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_latest IS 'The newest row of each customer, product and workload, under the names of that row. Rows that have ended, were renamed or whose customer is gone are among them: for today''s seats take license_usage_current, or the rows with is_current.';


--
-- Name: COLUMN license_usage_latest.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_latest.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_latest.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_latest.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_latest.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_latest.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_usage_latest.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.workload_code IS 'The workload''s code, such as EXO, if the API gives it.';


--
-- Name: COLUMN license_usage_latest.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_usage_latest.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage_latest.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_latest.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_latest.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_latest.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_latest.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_usage_latest.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_usage_latest.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.run_id IS 'The run that last wrote the row.';


--
-- Name: COLUMN license_usage_latest.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_usage_latest.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_usage_latest.service_code_now; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.service_code_now IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_usage_latest.is_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_latest.is_current IS 'Whether the row is of the customer''s newest collection of that service, the customer is not gone, and it was not fetched with success after a later date of that service had come. A product id that was renamed between two runs of one processed date is current under the name that came last.';


--
-- Name: present_name; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.present_name AS
 SELECT 'product'::character varying(16) AS kind,
    p.key,
    p.present_id,
    p.present_name
   FROM public.present_names('product'::character varying) p(key, present_id, present_name)
UNION ALL
 SELECT 'workload'::character varying AS kind,
    w.key,
    w.present_id,
    w.present_name
   FROM public.present_names('workload'::character varying) w(key, present_id, present_name);


--
-- Name: VIEW present_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.present_name IS 'Inner view: the present id and name of each product and workload whose rows may have another one: by id the newest name of the id; by name that of the id that had the name last, or the end of the aliases. What is not in it has the name of its row.';


--
-- Name: COLUMN present_name.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.present_name.kind IS 'product or workload.';


--
-- Name: COLUMN present_name.key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.present_name.key IS 'name_key() of a row.';


--
-- Name: COLUMN present_name.present_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.present_name.present_id IS 'The product''s id or the workload''s code, if it is known.';


--
-- Name: COLUMN present_name.present_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.present_name.present_name IS 'The newest name.';


--
-- Name: product_note; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.product_note (
    product_name character varying(255) NOT NULL,
    product_kind character varying(16) NOT NULL,
    CONSTRAINT product_note_product_kind_check CHECK (((product_kind)::text = ANY ((ARRAY['paid'::character varying, 'free'::character varying, 'trial'::character varying])::text[])))
);


--
-- Name: TABLE product_note; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.product_note IS 'For people to edit: which products are paid, free or trials. A product without a row is a trial or free if its name has that word in it, and else paid.';


--
-- Name: COLUMN product_note.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_note.product_name IS 'The product''s present name.';


--
-- Name: COLUMN product_note.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_note.product_kind IS 'paid, free or trial.';


--
-- Name: license_usage_current; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_current AS
 SELECT u.customer_id,
    u.customer_name,
    u.product_name,
    u.product_id,
    u.workload_name,
    u.workload_code,
    u.service,
    u.channel,
    (public.product_kind(n.product_kind, u.product_name))::character varying(16) AS product_kind,
    u.processed_date,
    (s.newest_date - u.processed_date) AS days_behind,
    u.licenses_qualified,
    u.licenses_active,
    (u.licenses_qualified - u.licenses_active) AS licenses_unused,
    ((u.licenses_active)::double precision / (NULLIF(u.licenses_qualified, 0))::double precision) AS active_ratio
   FROM ((( SELECT l.customer_id,
            (max((c.customer_name)::text))::character varying(255) AS customer_name,
            (COALESCE(p.present_name, l.product_name))::character varying(255) AS product_name,
            (max((COALESCE(l.product_id, p.present_id))::text))::character varying(255) AS product_id,
            (COALESCE(w.present_name, l.workload_name))::character varying(255) AS workload_name,
            (max((COALESCE(l.workload_code, w.present_id))::text))::character varying(255) AS workload_code,
            (max((l.service_code_now)::text))::character varying(255) AS service,
            (max((l.channel)::text))::character varying(255) AS channel,
            max(l.processed_date) AS processed_date,
            public.seat_sum(sum(l.licenses_qualified)) AS licenses_qualified,
            public.seat_sum(sum(l.licenses_active)) AS licenses_active
           FROM (((public.license_usage_latest l
             LEFT JOIN public.customer c ON ((c.customer_id = l.customer_id)))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(l.product_id, l.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key(l.workload_code, l.workload_name))::text))))
          WHERE l.is_current
          GROUP BY l.customer_id, ((COALESCE(p.present_name, l.product_name))::character varying(255)), ((COALESCE(w.present_name, l.workload_name))::character varying(255))) u
     LEFT JOIN ( SELECT (service_date.service)::character varying(255) AS service,
            max(service_date.processed_date) AS newest_date
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text)
          GROUP BY service_date.service) s ON (((s.service)::text = (u.service)::text)))
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (u.product_name)::text)));


--
-- Name: VIEW license_usage_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_current IS 'Today''s usage: the current rows of each customer, product and workload under present names. Current is what the customer''s newest collection of that service has, unless the customer is gone or was fetched with success after a later date of that service had come.';


--
-- Name: COLUMN license_usage_current.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_current.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_usage_current.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_usage_current.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_usage_current.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.workload_name IS 'The present name of the workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_current.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.workload_code IS 'The workload''s code, such as EXO, if it is known.';


--
-- Name: COLUMN license_usage_current.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_usage_current.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_current.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_usage_current.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.processed_date IS 'The date (UTC) for which the service processed the figures.';


--
-- Name: COLUMN license_usage_current.days_behind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.days_behind IS 'Days from processed_date to the newest date of that service in the whole ledger.';


--
-- Name: COLUMN license_usage_current.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.licenses_qualified IS 'Seats that entitle to the workload. They add up over customers, and over products within one workload; the seats of a product repeat on each of its workloads and never add up over them.';


--
-- Name: COLUMN license_usage_current.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.licenses_active IS 'Seats whose user was active in the 28 days before processed_date. They add up over customers, and over products within one workload; never over workloads.';


--
-- Name: COLUMN license_usage_current.licenses_unused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.licenses_unused IS 'Qualified less active seats; negative if more were active than qualify. They add up as the two do. For unused seats of a product take license_product.';


--
-- Name: COLUMN license_usage_current.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_current.active_ratio IS 'Active seats as a part of qualified ones: 0 to 1, or more; null if none is qualified. Never add it up: divide sums.';


--
-- Name: license_adoption; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_adoption AS
 SELECT u.customer_id,
    u.customer_name,
    u.workload_name,
    u.workload_code,
    u.service,
    u.channel,
    u.processed_date,
    u.licenses_qualified,
    u.licenses_active,
    r.active_ratio,
    r.target_ratio,
    (r.active_ratio >= r.target_ratio) AS meets_target,
    (GREATEST((0)::numeric, (ceil(((r.target_ratio)::numeric * (u.licenses_qualified)::numeric)) - (u.licenses_active)::numeric)))::bigint AS licenses_to_target
   FROM ((( SELECT license_usage_current.customer_id,
            (max((license_usage_current.customer_name)::text))::character varying(255) AS customer_name,
            license_usage_current.workload_name,
            (max((license_usage_current.workload_code)::text))::character varying(255) AS workload_code,
            (max((license_usage_current.service)::text))::character varying(255) AS service,
            (max((license_usage_current.channel)::text))::character varying(255) AS channel,
            max(license_usage_current.processed_date) AS processed_date,
            public.seat_sum(sum(license_usage_current.licenses_qualified)) AS licenses_qualified,
            public.seat_sum(sum(license_usage_current.licenses_active)) AS licenses_active
           FROM public.license_usage_current
          WHERE ((license_usage_current.product_kind)::text = 'paid'::text)
          GROUP BY license_usage_current.customer_id, license_usage_current.workload_name) u
     LEFT JOIN public.adoption_target t ON (((t.workload_name)::text = (u.workload_name)::text)))
     CROSS JOIN LATERAL ( SELECT ((u.licenses_active)::double precision / (NULLIF(u.licenses_qualified, 0))::double precision) AS active_ratio,
            COALESCE(t.target_ratio, (0.4)::double precision) AS target_ratio) r);


--
-- Name: VIEW license_adoption; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_adoption IS 'How much of each workload the customers use today, over their paid products, and how far that is from the target in adoption_target.';


--
-- Name: COLUMN license_adoption.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_adoption.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_adoption.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.workload_name IS 'The workload''s present name.';


--
-- Name: COLUMN license_adoption.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.workload_code IS 'The workload''s code, if the API gives it.';


--
-- Name: COLUMN license_adoption.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.service IS 'The service, such as o365; of several the last by name.';


--
-- Name: COLUMN license_adoption.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.channel IS 'How the seats were sold, such as reseller; of several the last by name.';


--
-- Name: COLUMN license_adoption.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.processed_date IS 'The newest processed date (UTC) of the figures.';


--
-- Name: COLUMN license_adoption.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.licenses_qualified IS 'Seats of paid products that entitle to the workload. They add up over customers, never over workloads.';


--
-- Name: COLUMN license_adoption.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.licenses_active IS 'Seats of paid products whose user was active in the 28 days before the processed date. They add up over customers, never over workloads.';


--
-- Name: COLUMN license_adoption.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.active_ratio IS 'Active by qualified seats, 0 to 1, or more; null if none is qualified. Never add it up: divide sums.';


--
-- Name: COLUMN license_adoption.target_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.target_ratio IS 'The workload''s target in adoption_target; 0.40 where it has none.';


--
-- Name: COLUMN license_adoption.meets_target; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.meets_target IS 'Whether active_ratio has reached target_ratio; null if no seat is qualified.';


--
-- Name: COLUMN license_adoption.licenses_to_target; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_adoption.licenses_to_target IS 'Active seats that are missing to the target. They add up over customers, never over workloads.';


--
-- Name: license_deployment; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_deployment (
    processed_date_time timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    product_name character varying(512) NOT NULL,
    customer_name character varying(512),
    product_id character varying(512),
    service_name character varying(512),
    service_code character varying(512),
    channel character varying(512),
    licenses_deployed bigint NOT NULL,
    licenses_sold bigint NOT NULL,
    deployment_percent double precision,
    first_synced_at timestamp with time zone NOT NULL,
    last_changed_at timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT license_deployment_licenses_deployed_check CHECK ((licenses_deployed >= 0)),
    CONSTRAINT license_deployment_licenses_sold_check CHECK ((licenses_sold >= 0))
);


--
-- Name: TABLE license_deployment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_deployment IS 'Sold and deployed seats per customer, product and processed date, as last reported.';


--
-- Name: COLUMN license_deployment.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.processed_date_time IS 'When the service processed the figures, to the microsecond.';


--
-- Name: COLUMN license_deployment.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_deployment.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_deployment.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_deployment.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_deployment.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_deployment.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_deployment.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_deployment.licenses_deployed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.licenses_deployed IS 'Seats assigned to a user.';


--
-- Name: COLUMN license_deployment.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.licenses_sold IS 'Seats sold.';


--
-- Name: COLUMN license_deployment.deployment_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.deployment_percent IS 'As the API gives it; null if it gives none.';


--
-- Name: COLUMN license_deployment.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_deployment.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_deployment.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment.run_id IS 'The run that last wrote the row.';


--
-- Name: license_deployment_current; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_deployment_current AS
 WITH service AS (
         SELECT service_date.service,
            max(service_date.processed_date) AS newest_date
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'deployment'::text)
          GROUP BY service_date.service
        ), stored AS (
         SELECT c_1.customer_id,
            d_1.product_name,
            d_1.product_id,
            s.service,
            d_1.channel,
            d_1.processed_date,
            d_1.licenses_sold,
            d_1.licenses_deployed,
            d_1.first_synced_at,
            max(d_1.processed_date) OVER (PARTITION BY c_1.customer_id, s.service) AS newest_date,
            max(d_1.first_synced_at) OVER (PARTITION BY c_1.customer_id, s.service, d_1.processed_date, d_1.product_id) AS last_synced_at
           FROM (((public.customer_success c_1
             CROSS JOIN service s)
             CROSS JOIN LATERAL ( SELECT max(service_date.processed_date) AS processed_date
                   FROM public.service_date
                  WHERE (((service_date.dataset)::text = 'deployment'::text) AND ((service_date.service)::text = (s.service)::text) AND (service_date.first_seen_at <= c_1.last_success_at))) expected)
             CROSS JOIN LATERAL ( SELECT DISTINCT ON (d_2.customer_id, d_2.product_name, u.processed_date) d_2.product_name,
                    d_2.product_id,
                    d_2.channel,
                    u.processed_date,
                    d_2.licenses_sold,
                    d_2.licenses_deployed,
                    d_2.first_synced_at
                   FROM (public.license_deployment d_2
                     CROSS JOIN LATERAL ( SELECT ((d_2.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date) u)
                  WHERE ((d_2.customer_id = c_1.customer_id) AND (d_2.processed_date_time >= ((COALESCE(expected.processed_date, '-infinity'::date))::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (d_2.processed_date_time < (((s.newest_date + 1))::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND ((public.license_service(d_2.service_code, d_2.service_name))::text = (s.service)::text))
                  ORDER BY d_2.customer_id, d_2.product_name, u.processed_date, d_2.processed_date_time DESC) d_1)
          WHERE (c_1.gone_since IS NULL)
        )
 SELECT d.customer_id,
    (max((c.customer_name)::text))::character varying(255) AS customer_name,
    (COALESCE(p.present_name, d.product_name))::character varying(255) AS product_name,
    (max((COALESCE(d.product_id, p.present_id))::text))::character varying(255) AS product_id,
    (max((d.service)::text))::character varying(255) AS service,
    (max((d.channel)::text))::character varying(255) AS channel,
    max(d.processed_date) AS processed_date,
    public.seat_sum(sum(d.licenses_sold)) AS licenses_sold,
    public.seat_sum(sum(d.licenses_deployed)) AS licenses_assigned
   FROM ((stored d
     LEFT JOIN public.customer c ON ((c.customer_id = d.customer_id)))
     LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(d.product_id, d.product_name))::text))))
  WHERE ((d.processed_date >= d.newest_date) AND ((d.product_id IS NULL) OR (d.first_synced_at = d.last_synced_at)))
  GROUP BY d.customer_id, ((COALESCE(p.present_name, d.product_name))::character varying(255));


--
-- Name: VIEW license_deployment_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_deployment_current IS 'Inner view: today''s sold and assigned seats of each customer and product under present names. Read license_product instead.';


--
-- Name: COLUMN license_deployment_current.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_deployment_current.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_deployment_current.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_deployment_current.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_deployment_current.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_deployment_current.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_deployment_current.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.processed_date IS 'The processed date (UTC) of the qualified and active seats; null without usage.';


--
-- Name: COLUMN license_deployment_current.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.licenses_sold IS 'Seats sold; null if deployment does not name the product or is not fetched. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_deployment_current.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_current.licenses_assigned IS 'Seats assigned to a user; null likewise. They add up as sold seats do.';


--
-- Name: license_deployment_latest; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_deployment_latest AS
 SELECT DISTINCT ON (license_deployment.customer_id, license_deployment.product_name) license_deployment.customer_id,
    license_deployment.product_name,
    license_deployment.processed_date_time,
    license_deployment.customer_name,
    license_deployment.product_id,
    license_deployment.service_name,
    license_deployment.service_code,
    license_deployment.channel,
    license_deployment.licenses_deployed,
    license_deployment.licenses_sold,
    license_deployment.deployment_percent,
    (((100.0 * (license_deployment.licenses_deployed)::numeric) / (NULLIF(license_deployment.licenses_sold, 0))::numeric))::double precision AS deployed_percent,
    license_deployment.first_synced_at,
    license_deployment.last_changed_at,
    license_deployment.run_id,
    ((license_deployment.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date
   FROM public.license_deployment
  ORDER BY license_deployment.customer_id, license_deployment.product_name, license_deployment.processed_date_time DESC;


--
-- Name: VIEW license_deployment_latest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_deployment_latest IS 'The newest row of each customer and product, under the name of that row. Rows that have ended, were renamed or whose customer is gone are among them: for today''s seats take license_product.';


--
-- Name: COLUMN license_deployment_latest.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_deployment_latest.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_deployment_latest.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.processed_date_time IS 'When the service processed the figures, to the microsecond.';


--
-- Name: COLUMN license_deployment_latest.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_deployment_latest.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_deployment_latest.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_deployment_latest.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_deployment_latest.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_deployment_latest.licenses_deployed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.licenses_deployed IS 'Seats assigned to a user.';


--
-- Name: COLUMN license_deployment_latest.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.licenses_sold IS 'Seats sold.';


--
-- Name: COLUMN license_deployment_latest.deployment_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.deployment_percent IS 'As the API gives it; null if it gives none.';


--
-- Name: COLUMN license_deployment_latest.deployed_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.deployed_percent IS 'Deployed seats per hundred sold ones, computed; null if none is sold.';


--
-- Name: COLUMN license_deployment_latest.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_deployment_latest.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_deployment_latest.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.run_id IS 'The run that last wrote the row.';


--
-- Name: COLUMN license_deployment_latest.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_latest.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: restatement; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.restatement (
    customer_id uuid NOT NULL,
    restatement_id bigint NOT NULL,
    dataset character varying(16) NOT NULL,
    product_name character varying(512) NOT NULL,
    workload_name character varying(512),
    processed_date_time timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    restated_at timestamp with time zone NOT NULL,
    old_used bigint NOT NULL,
    new_used bigint NOT NULL,
    old_total bigint NOT NULL,
    new_total bigint NOT NULL,
    old_percent double precision,
    new_percent double precision,
    CONSTRAINT restatement_dataset_check CHECK (((dataset)::text = ANY ((ARRAY['usage'::character varying, 'deployment'::character varying])::text[]))),
    CONSTRAINT restatement_workload_name_check CHECK ((((dataset)::text = 'usage'::text) = (workload_name IS NOT NULL)))
);


--
-- Name: TABLE restatement; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.restatement IS 'Each time that a stored row came again with other figures; the ledger holds the newest. Read license_usage_restatement or license_deployment_restatement instead.';


--
-- Name: COLUMN restatement.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN restatement.restatement_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.restatement_id IS 'Counts up.';


--
-- Name: COLUMN restatement.dataset; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.dataset IS 'usage: a row of license_usage; deployment: a row of license_deployment.';


--
-- Name: COLUMN restatement.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.product_name IS 'The product, as in the ledger.';


--
-- Name: COLUMN restatement.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.workload_name IS 'The workload, as in the ledger; null for deployment.';


--
-- Name: COLUMN restatement.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.processed_date_time IS 'The processed date whose figures changed.';


--
-- Name: COLUMN restatement.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.run_id IS 'The run that brought the new figures.';


--
-- Name: COLUMN restatement.restated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.restated_at IS 'When the new figures were stored.';


--
-- Name: COLUMN restatement.old_used; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.old_used IS 'Before: active seats of usage, deployed seats of deployment.';


--
-- Name: COLUMN restatement.new_used; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.new_used IS 'After: the same.';


--
-- Name: COLUMN restatement.old_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.old_total IS 'Before: qualified seats of usage, sold seats of deployment.';


--
-- Name: COLUMN restatement.new_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.new_total IS 'After: the same.';


--
-- Name: COLUMN restatement.old_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.old_percent IS 'Before: usage_percent, or deployment_percent.';


--
-- Name: COLUMN restatement.new_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.restatement.new_percent IS 'After: the same.';


--
-- Name: license_deployment_restatement; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_deployment_restatement AS
 SELECT r.restatement_id,
    r.customer_id,
    r.product_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used AS old_licenses_deployed,
    r.new_used AS new_licenses_deployed,
    r.old_total AS old_licenses_sold,
    r.new_total AS new_licenses_sold,
    r.old_percent AS old_deployment_percent,
    r.new_percent AS new_deployment_percent,
    ((r.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    c.customer_name
   FROM (public.restatement r
     LEFT JOIN public.customer c ON ((c.customer_id = r.customer_id)))
  WHERE ((r.dataset)::text = 'deployment'::text);


--
-- Name: VIEW license_deployment_restatement; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_deployment_restatement IS 'Each time that a stored row of license_deployment came again with other figures.';


--
-- Name: COLUMN license_deployment_restatement.restatement_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.restatement_id IS 'Counts up.';


--
-- Name: COLUMN license_deployment_restatement.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_deployment_restatement.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.product_name IS 'The product, as in the ledger.';


--
-- Name: COLUMN license_deployment_restatement.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.processed_date_time IS 'The processed date whose figures changed.';


--
-- Name: COLUMN license_deployment_restatement.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.run_id IS 'The run that brought the new figures.';


--
-- Name: COLUMN license_deployment_restatement.restated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.restated_at IS 'When the new figures were stored.';


--
-- Name: COLUMN license_deployment_restatement.old_licenses_deployed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.old_licenses_deployed IS 'Deployed seats before.';


--
-- Name: COLUMN license_deployment_restatement.new_licenses_deployed; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.new_licenses_deployed IS 'Deployed seats since.';


--
-- Name: COLUMN license_deployment_restatement.old_licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.old_licenses_sold IS 'Sold seats before.';


--
-- Name: COLUMN license_deployment_restatement.new_licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.new_licenses_sold IS 'Sold seats since.';


--
-- Name: COLUMN license_deployment_restatement.old_deployment_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.old_deployment_percent IS 'Deployment per cent before.';


--
-- Name: COLUMN license_deployment_restatement.new_deployment_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.new_deployment_percent IS 'Deployment per cent since.';


--
-- Name: COLUMN license_deployment_restatement.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_deployment_restatement.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_deployment_restatement.customer_name IS 'The customer''s name of now.';


--
-- Name: license_growth; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_growth AS
 WITH newest AS (
         SELECT min(service_date.processed_date) AS oldest,
            max(service_date.processed_date) AS newest
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text)
        ), ago AS (
         SELECT
                CASE
                    WHEN ((newest.newest - 7) >= newest.oldest) THEN (newest.newest - 7)
                    ELSE NULL::date
                END AS day_7,
                CASE
                    WHEN ((newest.newest - 30) >= newest.oldest) THEN (newest.newest - 30)
                    ELSE NULL::date
                END AS day_30,
                CASE
                    WHEN ((newest.newest - 91) >= newest.oldest) THEN (newest.newest - 91)
                    ELSE NULL::date
                END AS day_91,
                CASE
                    WHEN ((newest.newest - 365) >= newest.oldest) THEN (newest.newest - 365)
                    ELSE NULL::date
                END AS day_365
           FROM newest
        ), past AS (
         SELECT f.customer_id,
            (max((c.customer_name)::text))::character varying(255) AS customer_name,
            (COALESCE(p.present_name, f.product_name))::character varying(255) AS product_name,
            (max((COALESCE(f.product_id, p.present_id))::text))::character varying(255) AS product_id,
            (COALESCE(w.present_name, f.workload_name))::character varying(255) AS workload_name,
            (max((COALESCE(f.workload_code, w.present_id))::text))::character varying(255) AS workload_code,
            (max((f.service)::text))::character varying(255) AS service,
            (max((f.channel)::text))::character varying(255) AS channel,
            public.seat_sum(sum(f.licenses_active) FILTER (WHERE (f.date = a.day_7))) AS active_7,
            public.seat_sum(sum(f.licenses_active) FILTER (WHERE (f.date = a.day_30))) AS active_30,
            public.seat_sum(sum(f.licenses_active) FILTER (WHERE (f.date = a.day_91))) AS active_91,
            public.seat_sum(sum(f.licenses_active) FILTER (WHERE (f.date = a.day_365))) AS active_365,
            public.seat_sum(sum(f.licenses_qualified) FILTER (WHERE (f.date = a.day_7))) AS qualified_7,
            public.seat_sum(sum(f.licenses_qualified) FILTER (WHERE (f.date = a.day_30))) AS qualified_30,
            public.seat_sum(sum(f.licenses_qualified) FILTER (WHERE (f.date = a.day_91))) AS qualified_91,
            public.seat_sum(sum(f.licenses_qualified) FILTER (WHERE (f.date = a.day_365))) AS qualified_365
           FROM ((((ago a
             CROSS JOIN LATERAL public.license_usage_in_force(array_remove(ARRAY[a.day_7, a.day_30, a.day_91, a.day_365], NULL::date)) f(date, customer_id, product_name, workload_name, product_id, workload_code, service, channel, licenses_active, licenses_qualified))
             LEFT JOIN public.customer c ON ((c.customer_id = f.customer_id)))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(f.product_id, f.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key(f.workload_code, f.workload_name))::text))))
          GROUP BY f.customer_id, ((COALESCE(p.present_name, f.product_name))::character varying(255)), ((COALESCE(w.present_name, f.workload_name))::character varying(255))
        ), held AS (
         SELECT COALESCE(u.customer_id, f.customer_id) AS customer_id,
            COALESCE(u.customer_name, f.customer_name) AS customer_name,
            COALESCE(u.product_name, f.product_name) AS product_name,
            COALESCE(u.product_id, f.product_id) AS product_id,
            COALESCE(u.workload_name, f.workload_name) AS workload_name,
            COALESCE(u.workload_code, f.workload_code) AS workload_code,
            COALESCE(u.service, f.service) AS service,
            COALESCE(u.channel, f.channel) AS channel,
            u.processed_date,
            u.days_behind,
            COALESCE(u.licenses_active, (0)::bigint) AS active,
            COALESCE(u.licenses_qualified, (0)::bigint) AS qualified,
                CASE
                    WHEN (a.day_7 IS NOT NULL) THEN COALESCE(f.active_7, (0)::bigint)
                    ELSE NULL::bigint
                END AS active_7,
                CASE
                    WHEN (a.day_30 IS NOT NULL) THEN COALESCE(f.active_30, (0)::bigint)
                    ELSE NULL::bigint
                END AS active_30,
                CASE
                    WHEN (a.day_91 IS NOT NULL) THEN COALESCE(f.active_91, (0)::bigint)
                    ELSE NULL::bigint
                END AS active_91,
                CASE
                    WHEN (a.day_365 IS NOT NULL) THEN COALESCE(f.active_365, (0)::bigint)
                    ELSE NULL::bigint
                END AS active_365,
                CASE
                    WHEN (a.day_7 IS NOT NULL) THEN COALESCE(f.qualified_7, (0)::bigint)
                    ELSE NULL::bigint
                END AS qualified_7,
                CASE
                    WHEN (a.day_30 IS NOT NULL) THEN COALESCE(f.qualified_30, (0)::bigint)
                    ELSE NULL::bigint
                END AS qualified_30,
                CASE
                    WHEN (a.day_91 IS NOT NULL) THEN COALESCE(f.qualified_91, (0)::bigint)
                    ELSE NULL::bigint
                END AS qualified_91,
                CASE
                    WHEN (a.day_365 IS NOT NULL) THEN COALESCE(f.qualified_365, (0)::bigint)
                    ELSE NULL::bigint
                END AS qualified_365
           FROM ((public.license_usage_current u
             FULL JOIN past f ON (((u.customer_id = f.customer_id) AND ((u.product_name)::text = (f.product_name)::text) AND ((u.workload_name)::text = (f.workload_name)::text))))
             CROSS JOIN ago a)
        )
 SELECT h.customer_id,
    h.customer_name,
    h.product_name,
    h.product_id,
    h.workload_name,
    h.workload_code,
    h.service,
    h.channel,
    (public.product_kind(n.product_kind, h.product_name))::character varying(16) AS product_kind,
    h.processed_date,
    h.days_behind,
    h.active AS licenses_active,
    h.qualified AS licenses_qualified,
    h.active_7 AS licenses_active_7d_ago,
    h.qualified_7 AS licenses_qualified_7d_ago,
    (h.active - h.active_7) AS licenses_active_change_7d,
    (h.qualified - h.qualified_7) AS licenses_qualified_change_7d,
    h.active_30 AS licenses_active_30d_ago,
    h.qualified_30 AS licenses_qualified_30d_ago,
    (h.active - h.active_30) AS licenses_active_change_30d,
    (h.qualified - h.qualified_30) AS licenses_qualified_change_30d,
    h.active_91 AS licenses_active_91d_ago,
    h.qualified_91 AS licenses_qualified_91d_ago,
    (h.active - h.active_91) AS licenses_active_change_91d,
    (h.qualified - h.qualified_91) AS licenses_qualified_change_91d,
    h.active_365 AS licenses_active_365d_ago,
    h.qualified_365 AS licenses_qualified_365d_ago,
    (h.active - h.active_365) AS licenses_active_change_365d,
    (h.qualified - h.qualified_365) AS licenses_qualified_change_365d
   FROM (held h
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (h.product_name)::text)));


--
-- Name: VIEW license_growth; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_growth IS 'Today''s usage beside that of 7, 30, 91 and 365 days ago, of each customer, product and workload under present names that is held now or was held then. N days ago is what was in force N days before the newest date of the ledger.';


--
-- Name: COLUMN license_growth.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_growth.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_growth.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_growth.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_growth.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.workload_name IS 'The present name of the workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_growth.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.workload_code IS 'The workload''s code, such as EXO, if it is known.';


--
-- Name: COLUMN license_growth.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_growth.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_growth.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_growth.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.processed_date IS 'The processed date (UTC) of the figures of now; null if it is not held now.';


--
-- Name: COLUMN license_growth.days_behind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.days_behind IS 'Days from processed_date to the newest date of that service in the whole ledger; null likewise.';


--
-- Name: COLUMN license_growth.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active IS 'Active seats now; 0 if it is not held now. They add up over customers, and over products within one workload; never over workloads of a product.';


--
-- Name: COLUMN license_growth.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified IS 'Qualified seats now; 0 if it is not held now. They add up as active seats do.';


--
-- Name: COLUMN license_growth.licenses_active_7d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_7d_ago IS 'Active seats 7 days ago: 0 if it was not held, null where the ledger does not reach back. They add up as those of now.';


--
-- Name: COLUMN license_growth.licenses_qualified_7d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_7d_ago IS 'Qualified seats 7 days ago, likewise.';


--
-- Name: COLUMN license_growth.licenses_active_change_7d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_change_7d IS 'Active seats gained in 7 days; negative if lost. They add up as active seats do.';


--
-- Name: COLUMN license_growth.licenses_qualified_change_7d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_change_7d IS 'Qualified seats gained in 7 days; negative if lost. They add up as qualified seats do.';


--
-- Name: COLUMN license_growth.licenses_active_30d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_30d_ago IS 'Active seats 30 days ago: 0 if it was not held, null where the ledger does not reach back. They add up as those of now.';


--
-- Name: COLUMN license_growth.licenses_qualified_30d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_30d_ago IS 'Qualified seats 30 days ago, likewise.';


--
-- Name: COLUMN license_growth.licenses_active_change_30d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_change_30d IS 'Active seats gained in 30 days; negative if lost. They add up as active seats do.';


--
-- Name: COLUMN license_growth.licenses_qualified_change_30d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_change_30d IS 'Qualified seats gained in 30 days; negative if lost. They add up as qualified seats do.';


--
-- Name: COLUMN license_growth.licenses_active_91d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_91d_ago IS 'Active seats 91 days ago: 0 if it was not held, null where the ledger does not reach back. They add up as those of now.';


--
-- Name: COLUMN license_growth.licenses_qualified_91d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_91d_ago IS 'Qualified seats 91 days ago, likewise.';


--
-- Name: COLUMN license_growth.licenses_active_change_91d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_change_91d IS 'Active seats gained in 91 days; negative if lost. They add up as active seats do.';


--
-- Name: COLUMN license_growth.licenses_qualified_change_91d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_change_91d IS 'Qualified seats gained in 91 days; negative if lost. They add up as qualified seats do.';


--
-- Name: COLUMN license_growth.licenses_active_365d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_365d_ago IS 'Active seats 365 days ago: 0 if it was not held, null where the ledger does not reach back. They add up as those of now.';


--
-- Name: COLUMN license_growth.licenses_qualified_365d_ago; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_365d_ago IS 'Qualified seats 365 days ago, likewise.';


--
-- Name: COLUMN license_growth.licenses_active_change_365d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_active_change_365d IS 'Active seats gained in 365 days; negative if lost. They add up as active seats do.';


--
-- Name: COLUMN license_growth.licenses_qualified_change_365d; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_growth.licenses_qualified_change_365d IS 'Qualified seats gained in 365 days; negative if lost. They add up as qualified seats do.';


--
-- Name: license_held; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_held AS
 WITH seen AS (
         SELECT m.customer_id,
            public.license_service(r.service_code, r.service_name) AS service,
            (COALESCE(p.present_name, r.product_name))::character varying(255) AS product_name,
            min(r.first_date) AS first_date
           FROM ((((( SELECT license_usage_month.customer_id,
                    license_usage_month.set_id,
                    min(license_usage_month.month) AS month
                   FROM public.license_usage_month
                  GROUP BY license_usage_month.customer_id, license_usage_month.set_id) f_1
             JOIN public.license_usage_month m ON (((m.month = f_1.month) AND (m.customer_id = f_1.customer_id))))
             JOIN public.license_usage_set s ON ((s.set_id = m.set_id)))
             CROSS JOIN LATERAL UNNEST(s.product_names, s.product_ids, s.service_names, s.service_codes, m.first_dates) r(product_name, product_id, service_name, service_code, first_date))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(r.product_id, r.product_name))::text))))
          GROUP BY m.customer_id, (public.license_service(r.service_code, r.service_name)), ((COALESCE(p.present_name, r.product_name))::character varying(255))
        ), first AS (
         SELECT DISTINCT ON (seen.customer_id, seen.product_name) seen.customer_id,
            seen.product_name,
            seen.service,
            min(seen.first_date) OVER (PARTITION BY seen.customer_id, seen.product_name) AS first_date,
            min(seen.first_date) OVER (PARTITION BY seen.customer_id, seen.service) AS first_of_service
           FROM seen
          ORDER BY seen.customer_id, seen.product_name, seen.service DESC
        ), newest AS (
         SELECT l_1.customer_id,
            (COALESCE(p.present_name, l_1.product_name))::character varying(255) AS product_name,
            (max((COALESCE(l_1.product_id, p.present_id))::text))::character varying(255) AS product_id,
            (max((l_1.channel)::text))::character varying(255) AS channel,
            max(l_1.processed_date) AS last_date,
            bool_or(l_1.is_current) AS is_current
           FROM (public.license_usage_latest l_1
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(l_1.product_id, l_1.product_name))::text))))
          GROUP BY l_1.customer_id, ((COALESCE(p.present_name, l_1.product_name))::character varying(255))
        )
 SELECT l.customer_id,
    (c.customer_name)::character varying(255) AS customer_name,
    l.product_name,
    l.product_id,
    (f.service)::character varying(255) AS service,
    l.channel,
    (public.product_kind(n.product_kind, l.product_name))::character varying(16) AS product_kind,
    f.first_date,
    l.last_date,
    l.is_current,
    (f.first_date = f.first_of_service) AS is_from_the_start
   FROM (((newest l
     LEFT JOIN first f ON (((f.customer_id = l.customer_id) AND ((f.product_name)::text = (l.product_name)::text))))
     LEFT JOIN public.customer c ON ((c.customer_id = l.customer_id)))
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (l.product_name)::text)));


--
-- Name: VIEW license_held; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_held IS 'Inner view: which products each customer has or had. Read license_holding instead.';


--
-- Name: COLUMN license_held.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_held.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_held.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_held.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_held.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_held.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_held.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_held.first_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.first_date IS 'The first processed date (UTC) with usage of the product.';


--
-- Name: COLUMN license_held.last_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.last_date IS 'The last processed date (UTC) with usage of the product.';


--
-- Name: COLUMN license_held.is_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.is_current IS 'Whether the product is among the customer''s current rows: license_usage_current has it.';


--
-- Name: COLUMN license_held.is_from_the_start; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_held.is_from_the_start IS 'Whether first_date is the customer''s first date of that service in the ledger: then it may have had the product long before.';


--
-- Name: license_usage_date_time; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_date_time AS
 SELECT service_date.processed_date,
    ((service_date.processed_date)::timestamp without time zone AT TIME ZONE 'UTC'::text) AS processed_date_time
   FROM public.service_date
  WHERE ((service_date.dataset)::text = 'usage'::text)
UNION
 SELECT ((license_usage_collection.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    license_usage_collection.processed_date_time
   FROM public.license_usage_collection
  WHERE ((((license_usage_collection.processed_date_time AT TIME ZONE 'UTC'::text))::time without time zone > '00:00:00'::time without time zone) AND (((license_usage_collection.processed_date_time AT TIME ZONE 'UTC'::text))::time without time zone <= '24:00:00'::time without time zone));


--
-- Name: VIEW license_usage_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_date_time IS 'Inner view: the processed dates of which license_usage may have rows.';


--
-- Name: COLUMN license_usage_date_time.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_date_time.processed_date IS 'The date of the next column, UTC.';


--
-- Name: COLUMN license_usage_date_time.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_date_time.processed_date_time IS 'The processed date.';


--
-- Name: product_rename_pair; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.product_rename_pair AS
 WITH held AS (
         SELECT license_held.customer_id,
            license_held.service,
            license_held.product_name,
            license_held.product_id,
            license_held.first_date,
            license_held.last_date,
            license_held.is_from_the_start
           FROM public.license_held
        ), candidate AS (
         SELECT n.customer_id,
            n.service,
            n.product_name,
            n.first_date,
            o.last_date,
            o.product_name AS old_product_name,
            o.product_id AS old_product_id,
            count(*) OVER (PARTITION BY o.product_name, n.product_name) AS customers
           FROM (held n
             JOIN held o ON (((o.customer_id = n.customer_id) AND ((o.service)::text = (n.service)::text) AND (o.last_date < n.first_date))))
          WHERE ((NOT n.is_from_the_start) AND (( SELECT k.processed_date_time
                   FROM (public.license_usage_date_time t
                     JOIN public.license_usage_collection k ON ((k.processed_date_time = t.processed_date_time)))
                  WHERE ((t.processed_date > o.last_date) AND (t.processed_date < n.first_date) AND (k.customer_id = n.customer_id) AND ((k.service)::text = (n.service)::text))
                 LIMIT 1) IS NULL))
        ), compared AS (
         SELECT c_1.customer_id,
            c_1.service,
            c_1.product_name,
            c_1.first_date,
            c_1.last_date,
            c_1.old_product_name,
            c_1.old_product_id,
            c_1.customers,
            abs((s.old_seats - s.new_seats)) AS difference
           FROM ((candidate c_1
             CROSS JOIN LATERAL ( SELECT max(k_1.processed_date_time) FILTER (WHERE (t.processed_date = c_1.last_date)) AS came_after,
                    min(k_1.processed_date_time) FILTER (WHERE (t.processed_date = c_1.first_date)) AS came_with
                   FROM (public.license_usage_date_time t
                     JOIN public.license_usage_collection k_1 ON ((k_1.processed_date_time = t.processed_date_time)))
                  WHERE ((t.processed_date = ANY (ARRAY[c_1.last_date, c_1.first_date])) AND (k_1.customer_id = c_1.customer_id) AND ((k_1.service)::text = (c_1.service)::text))
                  GROUP BY k_1.customer_id) k)
             CROSS JOIN LATERAL ( SELECT max(u.licenses_qualified) FILTER (WHERE ((u.processed_date_time = k.came_after) AND (((COALESCE(p.present_name, u.product_name))::character varying(255))::text = (c_1.old_product_name)::text))) AS old_seats,
                    max(u.licenses_qualified) FILTER (WHERE ((u.processed_date_time = k.came_with) AND (((COALESCE(p.present_name, u.product_name))::character varying(255))::text = (c_1.product_name)::text))) AS new_seats
                   FROM (public.license_usage u
                     LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(u.product_id, u.product_name))::text))))
                  WHERE ((u.customer_id = c_1.customer_id) AND (u.processed_date_time = ANY (ARRAY[k.came_after, k.came_with])))
                  GROUP BY u.customer_id) s)
          WHERE (c_1.customers >= 5)
        ), closest AS (
         SELECT c_1.customer_id,
            c_1.old_product_name,
            c_1.old_product_id,
            c_1.product_name AS new_product_name,
            c_1.first_date
           FROM ( SELECT compared.customer_id,
                    compared.service,
                    compared.product_name,
                    compared.first_date,
                    compared.last_date,
                    compared.old_product_name,
                    compared.old_product_id,
                    compared.customers,
                    compared.difference,
                    min(compared.difference) OVER (PARTITION BY compared.customer_id, compared.product_name) AS least_of_new,
                    min(compared.difference) OVER (PARTITION BY compared.customer_id, compared.old_product_name) AS least_of_old
                   FROM compared) c_1
          WHERE ((c_1.difference = c_1.least_of_new) AND (c_1.difference = c_1.least_of_old))
        ), counted AS (
         SELECT closest.old_product_name,
            closest.new_product_name,
            (max((closest.old_product_id)::text))::character varying(255) AS old_product_id,
            count(*) AS customers,
            min(closest.first_date) AS since
           FROM closest
          GROUP BY closest.old_product_name, closest.new_product_name
         HAVING (count(*) >= 5)
        ), held_then AS (
         SELECT f.date,
            (COALESCE(p.present_name, f.product_name))::character varying(255) AS product_name,
            count(DISTINCT f.customer_id) AS holders
           FROM (public.license_usage_in_force(ARRAY( SELECT DISTINCT (counted.since - 1)
                   FROM counted)) f(date, customer_id, product_name, workload_name, product_id, workload_code, service, channel, licenses_active, licenses_qualified)
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(f.product_id, f.product_name))::text))))
          GROUP BY f.date, ((COALESCE(p.present_name, f.product_name))::character varying(255))
        ), shared AS (
         SELECT c_1.old_product_name,
            c_1.new_product_name,
            c_1.old_product_id,
            c_1.customers,
            c_1.since,
            ((c_1.customers)::double precision / (h.holders)::double precision) AS share_of_holders
           FROM (counted c_1
             LEFT JOIN held_then h ON (((h.date = (c_1.since - 1)) AND ((h.product_name)::text = (c_1.old_product_name)::text))))
        ), ranked AS (
         SELECT shared.old_product_name,
            shared.new_product_name,
            shared.old_product_id,
            shared.customers,
            shared.since,
            shared.share_of_holders,
            row_number() OVER (PARTITION BY shared.new_product_name ORDER BY shared.customers DESC, shared.share_of_holders DESC NULLS LAST, shared.old_product_name) AS place_of_old,
            row_number() OVER (PARTITION BY shared.old_product_name ORDER BY shared.customers DESC, shared.share_of_holders DESC NULLS LAST, shared.new_product_name) AS place_of_new
           FROM shared
        )
 SELECT c.customer_id,
    r.old_product_name,
    r.old_product_id,
    r.new_product_name,
    r.customers,
    r.share_of_holders,
    r.since
   FROM (ranked r
     JOIN closest c ON ((((c.old_product_name)::text = (r.old_product_name)::text) AND ((c.new_product_name)::text = (r.new_product_name)::text))))
  WHERE ((r.place_of_old = 1) AND (r.place_of_new = 1));


--
-- Name: VIEW product_rename_pair; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.product_rename_pair IS 'Inner view: the customers at which a product is suspected to be renamed. Read product_rename_suspect or license_holding instead.';


--
-- Name: COLUMN product_rename_pair.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN product_rename_pair.old_product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.old_product_name IS 'The present name of the old product.';


--
-- Name: COLUMN product_rename_pair.old_product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.old_product_id IS 'The old product''s id, if it has one.';


--
-- Name: COLUMN product_rename_pair.new_product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.new_product_name IS 'The present name of the new product.';


--
-- Name: COLUMN product_rename_pair.customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.customers IS 'Customers at which the new one followed the old one; of several that fit at a customer the one whose qualified seats are closest. They add up over nothing.';


--
-- Name: COLUMN product_rename_pair.share_of_holders; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.share_of_holders IS 'Those customers by the customers that held the old product the day before "since": about 1 for a renaming, and more if some got it later. Null if none held it then.';


--
-- Name: COLUMN product_rename_pair.since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_pair.since IS 'The first processed date (UTC) on which a new one followed an old one.';


--
-- Name: license_holding; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_holding AS
 SELECT h.customer_id,
    h.customer_name,
    h.product_name,
    h.product_id,
    h.service,
    h.channel,
    h.product_kind,
    h.first_date,
    h.last_date,
    h.is_current,
    h.is_from_the_start,
    (r.old_product_name)::character varying(255) AS replaces
   FROM (public.license_held h
     LEFT JOIN ( SELECT product_rename_pair.customer_id,
            product_rename_pair.new_product_name,
            max((product_rename_pair.old_product_name)::text) AS old_product_name
           FROM public.product_rename_pair
          GROUP BY product_rename_pair.customer_id, product_rename_pair.new_product_name) r ON (((r.customer_id = h.customer_id) AND ((r.new_product_name)::text = (h.product_name)::text))));


--
-- Name: VIEW license_holding; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_holding IS 'Which products each customer has or had, under present names: when usage first and last named each. New products have is_from_the_start false and a late first_date, lost ones is_current false. Counted rows add up over customers and products.';


--
-- Name: COLUMN license_holding.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_holding.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_holding.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_holding.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_holding.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_holding.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_holding.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_holding.first_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.first_date IS 'The first processed date (UTC) with usage of the product.';


--
-- Name: COLUMN license_holding.last_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.last_date IS 'The last processed date (UTC) with usage of the product.';


--
-- Name: COLUMN license_holding.is_current; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.is_current IS 'Whether the product is among the customer''s current rows: license_usage_current has it.';


--
-- Name: COLUMN license_holding.is_from_the_start; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.is_from_the_start IS 'Whether first_date is the customer''s first date of that service in the ledger: then it may have had the product long before.';


--
-- Name: COLUMN license_holding.replaces; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_holding.replaces IS 'The old name, where product_rename_suspect takes the product for a renamed one; else null.';


--
-- Name: license_product; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_product AS
 WITH used AS (
         SELECT DISTINCT ON (license_usage_current.customer_id, license_usage_current.product_name) license_usage_current.customer_id,
            license_usage_current.customer_name,
            license_usage_current.product_name,
            max((license_usage_current.product_id)::text) OVER product AS product_id,
            max((license_usage_current.service)::text) OVER product AS service,
            max((license_usage_current.channel)::text) OVER product AS channel,
            max(license_usage_current.processed_date) OVER product AS processed_date,
            max(license_usage_current.licenses_qualified) OVER product AS licenses_qualified,
            license_usage_current.licenses_active,
            license_usage_current.workload_name
           FROM public.license_usage_current
          WINDOW product AS (PARTITION BY license_usage_current.customer_id, license_usage_current.product_name)
          ORDER BY license_usage_current.customer_id, license_usage_current.product_name, license_usage_current.licenses_active DESC, (license_usage_current.workload_name COLLATE "C")
        ), held AS (
         SELECT COALESCE(u.customer_id, d.customer_id) AS customer_id,
            COALESCE(u.customer_name, d.customer_name) AS customer_name,
            COALESCE(u.product_name, d.product_name) AS product_name,
            (COALESCE(u.product_id, (d.product_id)::text))::character varying(255) AS product_id,
            (COALESCE(u.service, (d.service)::text))::character varying(255) AS service,
            (COALESCE(u.channel, (d.channel)::text))::character varying(255) AS channel,
            u.processed_date,
            d.processed_date AS deployment_processed_date,
            d.licenses_sold,
            d.licenses_assigned,
            u.licenses_qualified,
            u.licenses_active,
            u.workload_name AS most_used_workload,
            COALESCE(d.licenses_sold, u.licenses_qualified) AS licenses_paid
           FROM (used u
             FULL JOIN public.license_deployment_current d ON (((u.customer_id = d.customer_id) AND ((u.product_name)::text = (d.product_name)::text))))
        )
 SELECT h.customer_id,
    h.customer_name,
    h.product_name,
    h.product_id,
    h.service,
    h.channel,
    (public.product_kind(n.product_kind, h.product_name))::character varying(16) AS product_kind,
    h.processed_date,
    h.deployment_processed_date,
    h.licenses_sold,
    h.licenses_assigned,
    h.licenses_qualified,
    h.licenses_active,
    h.most_used_workload,
    (h.licenses_sold - h.licenses_assigned) AS licenses_unassigned,
    (h.licenses_paid - COALESCE(h.licenses_active, (0)::bigint)) AS licenses_unused,
    ((COALESCE(h.licenses_active, (0)::bigint))::double precision / (NULLIF(h.licenses_paid, 0))::double precision) AS active_ratio
   FROM (held h
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (h.product_name)::text)));


--
-- Name: VIEW license_product; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_product IS 'Today''s seats: one row per customer and product under present names, from the current rows of usage and deployment. The one place for seats, since usage repeats a product''s seats on each of its workloads.';


--
-- Name: COLUMN license_product.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_product.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_product.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_product.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_product.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_product.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_product.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_product.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.processed_date IS 'The processed date (UTC) of the qualified and active seats; null without usage.';


--
-- Name: COLUMN license_product.deployment_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.deployment_processed_date IS 'The processed date (UTC) of the sold and assigned seats; null without deployment.';


--
-- Name: COLUMN license_product.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_sold IS 'Seats sold; null if deployment does not name the product or is not fetched. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_product.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_assigned IS 'Seats assigned to a user; null likewise. They add up as sold seats do.';


--
-- Name: COLUMN license_product.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_qualified IS 'Qualified seats of the workload that has most; null without usage. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_product.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_active IS 'Active seats of the most used workload, in the 28 days before processed_date; null without usage. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_product.most_used_workload; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.most_used_workload IS 'The workload with the most active seats; of several the first by name.';


--
-- Name: COLUMN license_product.licenses_unassigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_unassigned IS 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';


--
-- Name: COLUMN license_product.licenses_unused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.licenses_unused IS 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative if more were active. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_product.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product.active_ratio IS 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: 0 to 1, or more; null if that is 0. Never add it up: divide sums.';


--
-- Name: license_product_monthly; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_product_monthly AS
 WITH workload AS (
         SELECT m.month,
            m.customer_id,
            (COALESCE(p.present_name, r.product_name))::character varying(255) AS product_name,
            (COALESCE(w.present_name, r.workload_name))::character varying(255) AS workload_name,
            max((COALESCE(r.product_id, p.present_id))::text) AS product_id,
            max((public.license_service(r.service_code, r.service_name))::text) AS service,
            max((r.channel)::text) AS channel,
            max(((r.processed_date_time AT TIME ZONE 'UTC'::text))::date) AS processed_date,
            public.seat_sum(sum(r.licenses_qualified)) AS licenses_qualified,
            public.seat_sum(sum(r.licenses_active)) AS licenses_active
           FROM ((((public.license_usage_month m
             JOIN public.license_usage_set s ON ((s.set_id = m.set_id)))
             CROSS JOIN LATERAL UNNEST(s.product_names, s.workload_names, s.product_ids, s.workload_codes, s.service_names, s.service_codes, s.channels, m.processed_date_times, m.licenses_active, m.licenses_qualified, m.are_month_end) r(product_name, workload_name, product_id, workload_code, service_name, service_code, channel, processed_date_time, licenses_active, licenses_qualified, is_month_end))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(r.product_id, r.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key(r.workload_code, r.workload_name))::text))))
          WHERE r.is_month_end
          GROUP BY m.month, m.customer_id, ((COALESCE(p.present_name, r.product_name))::character varying(255)), ((COALESCE(w.present_name, r.workload_name))::character varying(255))
        ), used AS (
         SELECT DISTINCT ON (workload.month, workload.customer_id, workload.product_name) workload.month,
            workload.customer_id,
            workload.product_name,
            max(workload.product_id) OVER product AS product_id,
            max(workload.service) OVER product AS service,
            max(workload.channel) OVER product AS channel,
            max(workload.processed_date) OVER product AS processed_date,
            max(workload.licenses_qualified) OVER product AS licenses_qualified,
            workload.licenses_active,
            workload.workload_name AS most_used_workload
           FROM workload
          WINDOW product AS (PARTITION BY workload.month, workload.customer_id, workload.product_name)
          ORDER BY workload.month, workload.customer_id, workload.product_name, workload.licenses_active DESC, (workload.workload_name COLLATE "C")
        ), last_deployment AS (
         SELECT DISTINCT m.month,
            c_1.customer_id,
            m.service,
            ((( SELECT d.processed_date_time
                   FROM public.license_deployment d
                  WHERE ((d.customer_id = c_1.customer_id) AND (d.processed_date_time >= ((m.month)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (d.processed_date_time < ((m.month + '1 mon'::interval) AT TIME ZONE 'UTC'::text)) AND ((public.license_service(d.service_code, d.service_name))::text = (m.service)::text))
                  ORDER BY d.processed_date_time DESC
                 LIMIT 1) AT TIME ZONE 'UTC'::text))::date AS processed_date
           FROM (( SELECT DISTINCT (date_trunc('month'::text, (service_date.processed_date)::timestamp without time zone))::date AS month,
                    service_date.service
                   FROM public.service_date
                  WHERE ((service_date.dataset)::text = 'deployment'::text)) m
             CROSS JOIN public.customer c_1)
        ), deployed AS (
         SELECT DISTINCT ON (l.month, l.customer_id, d.product_name) l.month,
            l.service,
            l.processed_date,
            d.processed_date_time,
            d.customer_id,
            d.product_name,
            d.customer_name,
            d.product_id,
            d.service_name,
            d.service_code,
            d.channel,
            d.licenses_deployed,
            d.licenses_sold,
            d.deployment_percent,
            d.first_synced_at,
            d.last_changed_at,
            d.run_id
           FROM (last_deployment l
             CROSS JOIN LATERAL ( SELECT DISTINCT ON (d_1.customer_id, d_1.product_name) d_1.processed_date_time,
                    d_1.customer_id,
                    d_1.product_name,
                    d_1.customer_name,
                    d_1.product_id,
                    d_1.service_name,
                    d_1.service_code,
                    d_1.channel,
                    d_1.licenses_deployed,
                    d_1.licenses_sold,
                    d_1.deployment_percent,
                    d_1.first_synced_at,
                    d_1.last_changed_at,
                    d_1.run_id
                   FROM public.license_deployment d_1
                  WHERE ((d_1.customer_id = l.customer_id) AND (d_1.processed_date_time >= ((l.processed_date)::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND (d_1.processed_date_time < (((l.processed_date + 1))::timestamp without time zone AT TIME ZONE 'UTC'::text)) AND ((public.license_service(d_1.service_code, d_1.service_name))::text = (l.service)::text))
                  ORDER BY d_1.customer_id, d_1.product_name, d_1.processed_date_time DESC) d)
          ORDER BY l.month, l.customer_id, d.product_name, d.processed_date_time DESC
        ), sold AS (
         SELECT d.month,
            d.customer_id,
            (COALESCE(p.present_name, d.product_name))::character varying(255) AS product_name,
            max((COALESCE(d.product_id, p.present_id))::text) AS product_id,
            max((d.service)::text) AS service,
            max((d.channel)::text) AS channel,
            max(d.processed_date) AS processed_date,
            public.seat_sum(sum(d.licenses_sold)) AS licenses_sold,
            public.seat_sum(sum(d.licenses_deployed)) AS licenses_assigned
           FROM (( SELECT deployed.month,
                    deployed.service,
                    deployed.processed_date,
                    deployed.processed_date_time,
                    deployed.customer_id,
                    deployed.product_name,
                    deployed.customer_name,
                    deployed.product_id,
                    deployed.service_name,
                    deployed.service_code,
                    deployed.channel,
                    deployed.licenses_deployed,
                    deployed.licenses_sold,
                    deployed.deployment_percent,
                    deployed.first_synced_at,
                    deployed.last_changed_at,
                    deployed.run_id,
                    max(deployed.first_synced_at) OVER (PARTITION BY deployed.month, deployed.customer_id, deployed.service, deployed.product_id) AS last_synced_at
                   FROM deployed) d
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(d.product_id, d.product_name))::text))))
          WHERE ((d.product_id IS NULL) OR (d.first_synced_at = d.last_synced_at))
          GROUP BY d.month, d.customer_id, ((COALESCE(p.present_name, d.product_name))::character varying(255))
        ), held AS (
         SELECT part.month,
            part.customer_id,
            part.product_name,
            (COALESCE(max(part.used_product_id), max(part.sold_product_id)))::character varying(255) AS product_id,
            (COALESCE(max(part.used_service), max(part.sold_service)))::character varying(255) AS service,
            (COALESCE(max(part.used_channel), max(part.sold_channel)))::character varying(255) AS channel,
            max(part.processed_date) AS processed_date,
            max(part.deployment_processed_date) AS deployment_processed_date,
            max(part.licenses_sold) AS licenses_sold,
            max(part.licenses_assigned) AS licenses_assigned,
            max(part.licenses_qualified) AS licenses_qualified,
            max(part.licenses_active) AS licenses_active,
            (max((part.most_used_workload)::text))::character varying(255) AS most_used_workload,
            COALESCE(max(part.licenses_sold), max(part.licenses_qualified)) AS licenses_paid
           FROM ( SELECT used.month,
                    used.customer_id,
                    used.product_name,
                    used.product_id AS used_product_id,
                    used.service AS used_service,
                    used.channel AS used_channel,
                    used.processed_date,
                    used.licenses_qualified,
                    used.licenses_active,
                    used.most_used_workload,
                    NULL::text AS sold_product_id,
                    NULL::text AS sold_service,
                    NULL::text AS sold_channel,
                    NULL::date AS deployment_processed_date,
                    NULL::bigint AS licenses_sold,
                    NULL::bigint AS licenses_assigned
                   FROM used
                UNION ALL
                 SELECT sold.month,
                    sold.customer_id,
                    sold.product_name,
                    NULL::text,
                    NULL::text,
                    NULL::text,
                    NULL::date,
                    NULL::bigint,
                    NULL::bigint,
                    NULL::character varying,
                    sold.product_id,
                    sold.service,
                    sold.channel,
                    sold.processed_date,
                    sold.licenses_sold,
                    sold.licenses_assigned
                   FROM sold) part
          GROUP BY part.month, part.customer_id, part.product_name
        )
 SELECT h.month,
    h.customer_id,
    (c.customer_name)::character varying(255) AS customer_name,
    h.product_name,
    h.product_id,
    h.service,
    h.channel,
    (public.product_kind(n.product_kind, h.product_name))::character varying(16) AS product_kind,
    h.processed_date,
    h.deployment_processed_date,
    h.licenses_sold,
    h.licenses_assigned,
    h.licenses_qualified,
    h.licenses_active,
    h.most_used_workload,
    (h.licenses_sold - h.licenses_assigned) AS licenses_unassigned,
    (h.licenses_paid - COALESCE(h.licenses_active, (0)::bigint)) AS licenses_unused,
    ((COALESCE(h.licenses_active, (0)::bigint))::double precision / (NULLIF(h.licenses_paid, 0))::double precision) AS active_ratio,
    (h.month = ( SELECT (date_trunc('month'::text, (max(service_date.processed_date))::timestamp without time zone))::date AS date_trunc
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text))) AS is_newest
   FROM ((held h
     LEFT JOIN public.customer c ON ((c.customer_id = h.customer_id)))
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (h.product_name)::text)));


--
-- Name: VIEW license_product_monthly; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_product_monthly IS 'The seats at the end of each month (UTC): the figures of license_product, from each customer''s last collections of the month, of all products under present names.';


--
-- Name: COLUMN license_product_monthly.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.month IS 'The first day of the month, UTC. The newest month has the figures so far.';


--
-- Name: COLUMN license_product_monthly.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_product_monthly.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_product_monthly.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_product_monthly.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_product_monthly.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_product_monthly.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_product_monthly.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_product_monthly.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.processed_date IS 'The processed date (UTC) of the qualified and active seats, the last of the month; null without usage.';


--
-- Name: COLUMN license_product_monthly.deployment_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.deployment_processed_date IS 'The processed date (UTC) of the sold and assigned seats, the last of the month; null without deployment.';


--
-- Name: COLUMN license_product_monthly.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_sold IS 'Seats sold; null if deployment does not name the product or is not fetched. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_product_monthly.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_assigned IS 'Seats assigned to a user; null likewise. They add up as sold seats do.';


--
-- Name: COLUMN license_product_monthly.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_qualified IS 'Qualified seats of the workload that has most; null without usage. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_product_monthly.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_active IS 'Active seats of the most used workload, in the 28 days before processed_date; null without usage. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_product_monthly.most_used_workload; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.most_used_workload IS 'The workload with the most active seats; of several the first by name.';


--
-- Name: COLUMN license_product_monthly.licenses_unassigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_unassigned IS 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';


--
-- Name: COLUMN license_product_monthly.licenses_unused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.licenses_unused IS 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative if more were active. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_product_monthly.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.active_ratio IS 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: 0 to 1, or more; null if that is 0. Never add it up: divide sums.';


--
-- Name: COLUMN license_product_monthly.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_product_monthly.is_newest IS 'Whether it is the newest month of the whole ledger: license_product has it as it is now.';


--
-- Name: license_seats; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_seats AS
 SELECT COALESCE(d.customer_id, u.customer_id) AS customer_id,
    COALESCE(d.customer_name, u.customer_name) AS customer_name,
    COALESCE(d.product_name, u.product_name) AS product_name,
    COALESCE(d.product_id, u.product_id) AS product_id,
    u.workload_name,
    d.licenses_sold,
    d.licenses_deployed AS licenses_assigned,
    u.licenses_qualified,
    u.licenses_active,
    d.deployed_percent,
    u.active_percent,
    d.processed_date_time AS deployment_processed_date_time,
    u.processed_date_time AS usage_processed_date_time,
    (COALESCE(u.workload_name, ''::character varying))::character varying(512) AS workload_key,
    d.processed_date AS deployment_processed_date,
    u.processed_date AS usage_processed_date
   FROM (public.license_deployment_latest d
     FULL JOIN public.license_usage_latest u ON (((u.customer_id = d.customer_id) AND ((u.product_name)::text = (d.product_name)::text))));


--
-- Name: VIEW license_seats; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_seats IS 'Sold, assigned and active seats side by side: the newest of each, one row per customer, product and workload, under the names of these rows. The seats of a product repeat on each of its workloads, and what has ended is among the rows: for today''s seats take license_product.';


--
-- Name: COLUMN license_seats.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_seats.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.customer_name IS 'The customer''s name.';


--
-- Name: COLUMN license_seats.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_seats.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_seats.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.workload_name IS 'The workload within the product; null for a product without usage.';


--
-- Name: COLUMN license_seats.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.licenses_sold IS 'Seats sold of the product; null if deployment does not name it.';


--
-- Name: COLUMN license_seats.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.licenses_assigned IS 'Seats of the product assigned to a user.';


--
-- Name: COLUMN license_seats.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_seats.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_seats.deployed_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.deployed_percent IS 'Assigned seats per hundred sold ones, computed; null if none is sold.';


--
-- Name: COLUMN license_seats.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_seats.deployment_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.deployment_processed_date_time IS 'The processed date of the sold and assigned seats.';


--
-- Name: COLUMN license_seats.usage_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.usage_processed_date_time IS 'The processed date of the qualified and active seats.';


--
-- Name: COLUMN license_seats.workload_key; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.workload_key IS 'workload_name, or an empty text for a product without usage: customer_id, product_name and workload_key tell each row apart.';


--
-- Name: COLUMN license_seats.deployment_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.deployment_processed_date IS 'The date of deployment_processed_date_time, UTC.';


--
-- Name: COLUMN license_seats.usage_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_seats.usage_processed_date IS 'The date of usage_processed_date_time, UTC.';


--
-- Name: license_usage_2026_04_21; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_2026_04_21 (
    processed_date_time timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    product_name character varying(512) NOT NULL,
    workload_name character varying(512) NOT NULL,
    customer_name character varying(512),
    product_id character varying(512),
    workload_code character varying(512),
    service_name character varying(512),
    service_code character varying(512),
    channel character varying(512),
    licenses_active bigint NOT NULL,
    licenses_qualified bigint NOT NULL,
    usage_percent double precision,
    first_synced_at timestamp with time zone NOT NULL,
    last_changed_at timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT license_usage_licenses_active_check CHECK ((licenses_active >= 0)),
    CONSTRAINT license_usage_licenses_qualified_check CHECK ((licenses_qualified >= 0))
);


--
-- Name: TABLE license_usage_2026_04_21; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_2026_04_21 IS 'license_usage from 2026-04-21, a third of a month. Read license_usage instead.';


--
-- Name: COLUMN license_usage_2026_04_21.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_2026_04_21.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_2026_04_21.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_2026_04_21.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_2026_04_21.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_2026_04_21.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_04_21.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.workload_code IS 'The workload''s code, such as EXO, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_04_21.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_usage_2026_04_21.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_04_21.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_2026_04_21.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_2026_04_21.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_2026_04_21.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_2026_04_21.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_usage_2026_04_21.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_usage_2026_04_21.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_04_21.run_id IS 'The run that last wrote the row.';


--
-- Name: license_usage_2026_05_01; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_2026_05_01 (
    processed_date_time timestamp with time zone NOT NULL,
    customer_id uuid NOT NULL,
    product_name character varying(512) NOT NULL,
    workload_name character varying(512) NOT NULL,
    customer_name character varying(512),
    product_id character varying(512),
    workload_code character varying(512),
    service_name character varying(512),
    service_code character varying(512),
    channel character varying(512),
    licenses_active bigint NOT NULL,
    licenses_qualified bigint NOT NULL,
    usage_percent double precision,
    first_synced_at timestamp with time zone NOT NULL,
    last_changed_at timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT license_usage_licenses_active_check CHECK ((licenses_active >= 0)),
    CONSTRAINT license_usage_licenses_qualified_check CHECK ((licenses_qualified >= 0))
);


--
-- Name: TABLE license_usage_2026_05_01; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_2026_05_01 IS 'license_usage from 2026-05-01, a third of a month. Read license_usage instead.';


--
-- Name: COLUMN license_usage_2026_05_01.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_2026_05_01.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_2026_05_01.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_2026_05_01.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_2026_05_01.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_2026_05_01.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.product_id IS 'The product''s id, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_05_01.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.workload_code IS 'The workload''s code, such as EXO, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_05_01.service_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.service_name IS 'The service, such as o365 or crm.';


--
-- Name: COLUMN license_usage_2026_05_01.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage_2026_05_01.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_2026_05_01.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_2026_05_01.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_2026_05_01.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_2026_05_01.first_synced_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.first_synced_at IS 'When the row was first stored.';


--
-- Name: COLUMN license_usage_2026_05_01.last_changed_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.last_changed_at IS 'When the row was last written: stored, or corrected.';


--
-- Name: COLUMN license_usage_2026_05_01.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_2026_05_01.run_id IS 'The run that last wrote the row.';


--
-- Name: license_usage_change; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_change AS
 SELECT license_usage.customer_id,
    license_usage.product_name,
    license_usage.workload_name,
    license_usage.processed_date_time,
    license_usage.customer_name,
    license_usage.licenses_active,
    license_usage.licenses_qualified,
    license_usage.usage_percent,
    lag(license_usage.processed_date_time) OVER series AS previous_processed_date_time,
    lag(license_usage.licenses_active) OVER series AS previous_licenses_active,
    lag(license_usage.licenses_qualified) OVER series AS previous_licenses_qualified,
    lag(license_usage.usage_percent) OVER series AS previous_usage_percent,
    (license_usage.licenses_active - lag(license_usage.licenses_active) OVER series) AS licenses_active_change,
    (license_usage.licenses_qualified - lag(license_usage.licenses_qualified) OVER series) AS licenses_qualified_change,
    (license_usage.usage_percent - lag(license_usage.usage_percent) OVER series) AS usage_percent_change,
    (((100.0 * (license_usage.licenses_active)::numeric) / (NULLIF(license_usage.licenses_qualified, 0))::numeric))::double precision AS active_percent,
    ((license_usage.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    ((((100.0 * (license_usage.licenses_active)::numeric) / (NULLIF(license_usage.licenses_qualified, 0))::numeric))::double precision - lag((((100.0 * (license_usage.licenses_active)::numeric) / (NULLIF(license_usage.licenses_qualified, 0))::numeric))::double precision) OVER series) AS active_percent_change
   FROM public.license_usage
  WINDOW series AS (PARTITION BY license_usage.customer_id, license_usage.product_name, license_usage.workload_name ORDER BY license_usage.processed_date_time);


--
-- Name: VIEW license_usage_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_change IS 'Each row with the figures of the processed date before it and the difference; null for the first row of a series. A series that ends has no row for its end, so changes do not add up to what a partner gained or lost: for weeks, months and years take license_growth.';


--
-- Name: COLUMN license_usage_change.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_change.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_change.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_change.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_change.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_change.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_change.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_change.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_change.previous_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.previous_processed_date_time IS 'The processed date before this one in the same series.';


--
-- Name: COLUMN license_usage_change.previous_licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.previous_licenses_active IS 'Active seats at that date.';


--
-- Name: COLUMN license_usage_change.previous_licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.previous_licenses_qualified IS 'Qualified seats at that date.';


--
-- Name: COLUMN license_usage_change.previous_usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.previous_usage_percent IS 'Usage per cent at that date.';


--
-- Name: COLUMN license_usage_change.licenses_active_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.licenses_active_change IS 'Active seats gained since then; negative if lost.';


--
-- Name: COLUMN license_usage_change.licenses_qualified_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.licenses_qualified_change IS 'Qualified seats gained since then; negative if lost.';


--
-- Name: COLUMN license_usage_change.usage_percent_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.usage_percent_change IS 'Percentage points gained since then; negative if lost.';


--
-- Name: COLUMN license_usage_change.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_usage_change.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_usage_change.active_percent_change; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_change.active_percent_change IS 'Percentage points of active_percent gained since the date before; negative if lost.';


--
-- Name: license_usage_daily; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_daily AS
 SELECT r.date,
    r.customer_id,
    r.customer_name,
    r.product_name,
    r.product_id,
    r.workload_name,
    r.workload_code,
    r.service,
    r.channel,
    (public.product_kind(n.product_kind, r.product_name))::character varying(16) AS product_kind,
    r.processed_date,
    (r.processed_date < r.date) AS is_carried,
    (r.date - r.processed_date) AS days_carried,
    r.licenses_qualified,
    r.licenses_active,
    ((r.licenses_active)::double precision / (NULLIF(r.licenses_qualified, 0))::double precision) AS active_ratio
   FROM (( SELECT f.date,
            f.customer_id,
            (max((c.customer_name)::text))::character varying(255) AS customer_name,
            (COALESCE(p.present_name, u.product_name))::character varying(255) AS product_name,
            (max((COALESCE(u.product_id, p.present_id))::text))::character varying(255) AS product_id,
            (COALESCE(w.present_name, u.workload_name))::character varying(255) AS workload_name,
            (max((COALESCE(u.workload_code, w.present_id))::text))::character varying(255) AS workload_code,
            (max((f.service)::text))::character varying(255) AS service,
            (max((u.channel)::text))::character varying(255) AS channel,
            max(((f.processed_date_time AT TIME ZONE 'UTC'::text))::date) AS processed_date,
            public.seat_sum(sum(u.licenses_qualified)) AS licenses_qualified,
            public.seat_sum(sum(u.licenses_active)) AS licenses_active
           FROM ((((( SELECT d.date,
                    i.customer_id,
                    i.service,
                    i.processed_date_time
                   FROM (public.license_usage_days() d(date)
                     CROSS JOIN LATERAL ( SELECT c_1.customer_id,
                            c_1.service,
                            max(c_1.processed_date_time) AS processed_date_time
                           FROM (public.license_usage_date_time t
                             JOIN public.license_usage_collection c_1 ON ((c_1.processed_date_time = t.processed_date_time)))
                          WHERE ((t.processed_date >= (d.date - 14)) AND (t.processed_date <= d.date))
                          GROUP BY c_1.customer_id, c_1.service) i)) f
             CROSS JOIN LATERAL ( SELECT u_1.processed_date_time,
                    u_1.customer_id,
                    u_1.product_name,
                    u_1.workload_name,
                    u_1.customer_name,
                    u_1.product_id,
                    u_1.workload_code,
                    u_1.service_name,
                    u_1.service_code,
                    u_1.channel,
                    u_1.licenses_active,
                    u_1.licenses_qualified,
                    u_1.usage_percent,
                    u_1.first_synced_at,
                    u_1.last_changed_at,
                    u_1.run_id,
                    max(u_1.first_synced_at) OVER (PARTITION BY u_1.customer_id, u_1.product_id, COALESCE(u_1.workload_code, u_1.workload_name)) AS last_synced_at
                   FROM public.license_usage u_1
                  WHERE ((u_1.processed_date_time = f.processed_date_time) AND (u_1.customer_id = f.customer_id) AND ((public.license_service(u_1.service_code, u_1.service_name))::text = (f.service)::text))) u)
             LEFT JOIN public.customer c ON ((c.customer_id = f.customer_id)))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(u.product_id, u.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key(u.workload_code, u.workload_name))::text))))
          WHERE ((u.product_id IS NULL) OR (u.first_synced_at = u.last_synced_at))
          GROUP BY f.date, f.customer_id, ((COALESCE(p.present_name, u.product_name))::character varying(255)), ((COALESCE(w.present_name, u.workload_name))::character varying(255))) r
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (r.product_name)::text)));


--
-- Name: VIEW license_usage_daily; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_daily IS 'Usage by calendar day (UTC) of each customer, product and workload under present names: what is in force on that day, which is the newest collection of that day or of the 14 days before. Ask for a date or a customer in the where clause: all of it is as long as the ledger.';


--
-- Name: COLUMN license_usage_daily.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.date IS 'The calendar day (UTC).';


--
-- Name: COLUMN license_usage_daily.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_daily.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_usage_daily.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_usage_daily.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_usage_daily.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.workload_name IS 'The present name of the workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_daily.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.workload_code IS 'The workload''s code, such as EXO, if it is known.';


--
-- Name: COLUMN license_usage_daily.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_usage_daily.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_daily.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_usage_daily.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.processed_date IS 'The date (UTC) for which the service processed the figures.';


--
-- Name: COLUMN license_usage_daily.is_carried; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.is_carried IS 'Whether the figures are of an earlier date than the day.';


--
-- Name: COLUMN license_usage_daily.days_carried; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.days_carried IS 'How many days earlier: 0 to 14.';


--
-- Name: COLUMN license_usage_daily.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.licenses_qualified IS 'Seats that entitle to the workload. On one day they add up over customers, and over products within one workload; never over workloads of a product or over dates.';


--
-- Name: COLUMN license_usage_daily.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.licenses_active IS 'Seats whose user was active in the 28 days before processed_date. On one day they add up over customers, and over products within one workload; never over workloads or over dates, since the 28 days overlap.';


--
-- Name: COLUMN license_usage_daily.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily.active_ratio IS 'Active seats as a part of qualified ones: 0 to 1, or more; null if none is qualified. Never add it up: divide sums.';


--
-- Name: license_usage_day_total; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.license_usage_day_total (
    date date NOT NULL,
    service character varying(512) NOT NULL,
    product_id character varying(512) NOT NULL,
    product_name character varying(512) NOT NULL,
    workload_code character varying(512) NOT NULL,
    workload_name character varying(512) NOT NULL,
    customers bigint NOT NULL,
    customers_carried bigint NOT NULL,
    licenses_active bigint NOT NULL,
    licenses_qualified bigint NOT NULL
);


--
-- Name: TABLE license_usage_day_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.license_usage_day_total IS 'The partner''s totals of each calendar day: of each customer and service the newest collection of the fortnight before counts. Days in stale_day are not up to date. Read license_usage_daily_total instead.';


--
-- Name: COLUMN license_usage_day_total.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.date IS 'The calendar day (UTC).';


--
-- Name: COLUMN license_usage_day_total.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.service IS 'The service: license_service() of the rows.';


--
-- Name: COLUMN license_usage_day_total.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.product_id IS 'The product''s id; empty where the rows have none.';


--
-- Name: COLUMN license_usage_day_total.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.product_name IS 'The product''s name; empty where the rows have an id, so that a later renaming changes nothing here.';


--
-- Name: COLUMN license_usage_day_total.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.workload_code IS 'The workload''s code; empty where the rows have none.';


--
-- Name: COLUMN license_usage_day_total.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.workload_name IS 'The workload''s name; empty where the rows have a code.';


--
-- Name: COLUMN license_usage_day_total.customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.customers IS 'Customers, each counted once.';


--
-- Name: COLUMN license_usage_day_total.customers_carried; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.customers_carried IS 'Those of them whose collection is of an earlier date.';


--
-- Name: COLUMN license_usage_day_total.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.licenses_active IS 'Their active seats.';


--
-- Name: COLUMN license_usage_day_total.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_day_total.licenses_qualified IS 'Their qualified seats.';


--
-- Name: stale_day; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.stale_day (
    date date NOT NULL
);


--
-- Name: TABLE stale_day; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.stale_day IS 'The days whose rows in license_usage_day_total are not up to date: figures that count on them have been stored since. The end of a run computes their totals again.';


--
-- Name: COLUMN stale_day.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.stale_day.date IS 'The calendar day (UTC).';


--
-- Name: license_usage_daily_total; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_daily_total AS
 WITH total AS (
         SELECT t_1.date,
            t_1.service,
            t_1.product_id,
            t_1.product_name,
            t_1.workload_code,
            t_1.workload_name,
            t_1.customers,
            t_1.customers_carried,
            t_1.licenses_active,
            t_1.licenses_qualified
           FROM public.license_usage_day_total t_1
          WHERE (NOT (EXISTS ( SELECT
                   FROM public.stale_day s
                  WHERE (s.date = t_1.date))))
        UNION ALL
         SELECT t_1.date,
            t_1.service,
            t_1.product_id,
            t_1.product_name,
            t_1.workload_code,
            t_1.workload_name,
            t_1.customers,
            t_1.customers_carried,
            t_1.licenses_active,
            t_1.licenses_qualified
           FROM public.license_usage_day_totals(ARRAY( SELECT stale_day.date
                   FROM public.stale_day)) t_1(date, service, product_id, product_name, workload_code, workload_name, customers, customers_carried, licenses_active, licenses_qualified)
        ), present AS (
         SELECT t_1.date,
            (COALESCE(p.present_name, (NULLIF((t_1.product_name)::text, ''::text))::character varying, t_1.product_id))::character varying(255) AS product_name,
            (max(COALESCE(NULLIF((t_1.product_id)::text, ''::text), (p.present_id)::text)))::character varying(255) AS product_id,
            (COALESCE(w.present_name, (NULLIF((t_1.workload_name)::text, ''::text))::character varying, t_1.workload_code))::character varying(255) AS workload_name,
            (max(COALESCE(NULLIF((t_1.workload_code)::text, ''::text), (w.present_id)::text)))::character varying(255) AS workload_code,
            (max((t_1.service)::text))::character varying(255) AS service,
            (sum(t_1.customers))::bigint AS customers,
            (sum(t_1.customers_carried))::bigint AS customers_carried,
            public.seat_sum(sum(t_1.licenses_active)) AS licenses_active,
            public.seat_sum(sum(t_1.licenses_qualified)) AS licenses_qualified
           FROM ((total t_1
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key((NULLIF((t_1.product_id)::text, ''::text))::character varying, t_1.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key((NULLIF((t_1.workload_code)::text, ''::text))::character varying, t_1.workload_name))::text))))
          GROUP BY t_1.date, ((COALESCE(p.present_name, (NULLIF((t_1.product_name)::text, ''::text))::character varying, t_1.product_id))::character varying(255)), ((COALESCE(w.present_name, (NULLIF((t_1.workload_name)::text, ''::text))::character varying, t_1.workload_code))::character varying(255))
        )
 SELECT t.date,
    t.product_name,
    t.product_id,
    t.workload_name,
    t.workload_code,
    t.service,
    (public.product_kind(n.product_kind, t.product_name))::character varying(16) AS product_kind,
    t.customers,
    t.customers_carried,
    t.licenses_active,
    t.licenses_qualified,
    (t.date = ( SELECT max(service_date.processed_date) AS max
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text))) AS is_newest
   FROM (present t
     LEFT JOIN public.product_note n ON (((n.product_name)::text = (t.product_name)::text)));


--
-- Name: VIEW license_usage_daily_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_daily_total IS 'The partner''s seats of each calendar day (UTC), product and workload under present names: the sum of what is in force on that day, so that a chart by date has no gaps. Channels are not told apart: for these take license_usage_daily of a date.';


--
-- Name: COLUMN license_usage_daily_total.date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.date IS 'The calendar day (UTC), from the oldest to the newest date of the ledger.';


--
-- Name: COLUMN license_usage_daily_total.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_usage_daily_total.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.product_id IS 'The product''s id, if it is known.';


--
-- Name: COLUMN license_usage_daily_total.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.workload_name IS 'The present name of the workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_daily_total.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.workload_code IS 'The workload''s code, such as EXO, if it is known.';


--
-- Name: COLUMN license_usage_daily_total.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_usage_daily_total.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_usage_daily_total.customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.customers IS 'Customers that have the product. They never add up: a customer has several products. One that has it under two names on one day counts under each of them if they share no id.';


--
-- Name: COLUMN license_usage_daily_total.customers_carried; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.customers_carried IS 'Customers among them whose figures are of an earlier date than the day.';


--
-- Name: COLUMN license_usage_daily_total.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.licenses_active IS 'Seats whose user was active in the 28 days before. On one day they add up over products within one workload; never over workloads of a product, and never over dates.';


--
-- Name: COLUMN license_usage_daily_total.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.licenses_qualified IS 'Seats that entitle to the workload. On one day they add up over products within one workload; never over workloads of a product, and never over dates.';


--
-- Name: COLUMN license_usage_daily_total.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_daily_total.is_newest IS 'Whether the day is the newest date of the whole ledger.';


--
-- Name: license_usage_monthly; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_monthly AS
 SELECT m.customer_id,
    (r.product_name)::character varying(512) AS product_name,
    (r.workload_name)::character varying(512) AS workload_name,
    m.month,
    r.processed_date_time,
    (r.customer_name)::character varying(512) AS customer_name,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percent,
    (((100.0 * (r.licenses_active)::numeric) / (NULLIF(r.licenses_qualified, 0))::numeric))::double precision AS active_percent,
    (COALESCE(p.present_name, r.product_name))::character varying(255) AS product_name_now,
    (COALESCE(r.product_id, p.present_id))::character varying(255) AS product_id,
    (r.service_code)::character varying(255) AS service_code,
    (r.channel)::character varying(255) AS channel,
    ((r.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    r.is_month_end,
    ((now() AT TIME ZONE 'UTC'::text) >= (m.month + '1 mon'::interval)) AS is_month_over,
    (m.month = ( SELECT date_trunc('month'::text, (max(service_date.processed_date))::timestamp with time zone) AS date_trunc
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text))) AS is_newest
   FROM (((public.license_usage_month m
     JOIN public.license_usage_set s ON ((s.set_id = m.set_id)))
     CROSS JOIN LATERAL UNNEST(s.product_names, s.workload_names, s.product_ids, s.service_codes, s.channels, m.customer_names, m.processed_date_times, m.licenses_active, m.licenses_qualified, m.usage_percents, m.are_month_end) r(product_name, workload_name, product_id, service_code, channel, customer_name, processed_date_time, licenses_active, licenses_qualified, usage_percent, is_month_end))
     LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(r.product_id, r.product_name))::text))));


--
-- Name: VIEW license_usage_monthly; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_monthly IS 'The last row of each month (UTC) of each customer, product and workload, also of those that ended or were renamed during the month. For a month''s seats take the rows with is_month_end; they add up over customers, and over products within one workload, and never over workloads of a product or over months.';


--
-- Name: COLUMN license_usage_monthly.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_monthly.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.product_name IS 'The product, as the API names it in the configured locale; with the product''s id in brackets where another product had that name first.';


--
-- Name: COLUMN license_usage_monthly.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.workload_name IS 'The workload within the product, such as Exchange or Teams.';


--
-- Name: COLUMN license_usage_monthly.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.month IS 'The first day of the month, UTC.';


--
-- Name: COLUMN license_usage_monthly.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_monthly.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_monthly.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_monthly.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_monthly.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.usage_percent IS 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';


--
-- Name: COLUMN license_usage_monthly.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_usage_monthly.product_name_now; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.product_name_now IS 'The product''s present name.';


--
-- Name: COLUMN license_usage_monthly.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.product_id IS 'The product''s id, also for rows that came without it if the name is known to be that product''s.';


--
-- Name: COLUMN license_usage_monthly.service_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.service_code IS 'The service''s code, if the API gives it.';


--
-- Name: COLUMN license_usage_monthly.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_usage_monthly.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_usage_monthly.is_month_end; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.is_month_end IS 'Whether the row is of the customer''s last collection of its service in that month. One that is not had ended or was renamed before, or between two runs of that processed date.';


--
-- Name: COLUMN license_usage_monthly.is_month_over; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.is_month_over IS 'Whether the month has ended (UTC). The month that has not has the figures so far.';


--
-- Name: COLUMN license_usage_monthly.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_monthly.is_newest IS 'Whether it is the newest month of the whole ledger.';


--
-- Name: license_usage_restatement; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_restatement AS
 SELECT r.restatement_id,
    r.customer_id,
    r.product_name,
    r.workload_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used AS old_licenses_active,
    r.new_used AS new_licenses_active,
    r.old_total AS old_licenses_qualified,
    r.new_total AS new_licenses_qualified,
    r.old_percent AS old_usage_percent,
    r.new_percent AS new_usage_percent,
    ((r.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date,
    c.customer_name
   FROM (public.restatement r
     LEFT JOIN public.customer c ON ((c.customer_id = r.customer_id)))
  WHERE ((r.dataset)::text = 'usage'::text);


--
-- Name: VIEW license_usage_restatement; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_restatement IS 'Each time that a stored row of license_usage came again with other figures. The ledger holds the newest.';


--
-- Name: COLUMN license_usage_restatement.restatement_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.restatement_id IS 'Counts up.';


--
-- Name: COLUMN license_usage_restatement.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_restatement.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.product_name IS 'The product, as in the ledger.';


--
-- Name: COLUMN license_usage_restatement.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.workload_name IS 'The workload, as in the ledger; null for deployment.';


--
-- Name: COLUMN license_usage_restatement.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.processed_date_time IS 'The processed date whose figures changed.';


--
-- Name: COLUMN license_usage_restatement.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.run_id IS 'The run that brought the new figures.';


--
-- Name: COLUMN license_usage_restatement.restated_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.restated_at IS 'When the new figures were stored.';


--
-- Name: COLUMN license_usage_restatement.old_licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.old_licenses_active IS 'Active seats before.';


--
-- Name: COLUMN license_usage_restatement.new_licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.new_licenses_active IS 'Active seats since.';


--
-- Name: COLUMN license_usage_restatement.old_licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.old_licenses_qualified IS 'Qualified seats before.';


--
-- Name: COLUMN license_usage_restatement.new_licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.new_licenses_qualified IS 'Qualified seats since.';


--
-- Name: COLUMN license_usage_restatement.old_usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.old_usage_percent IS 'Usage per cent before.';


--
-- Name: COLUMN license_usage_restatement.new_usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.new_usage_percent IS 'Usage per cent since.';


--
-- Name: COLUMN license_usage_restatement.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: COLUMN license_usage_restatement.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_restatement.customer_name IS 'The customer''s name of now.';


--
-- Name: name_history; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.name_history (
    kind character varying(16) NOT NULL,
    id character varying(512) NOT NULL,
    name character varying(512) NOT NULL,
    first_processed_date_time timestamp with time zone NOT NULL,
    last_processed_date_time timestamp with time zone NOT NULL,
    run_id bigint NOT NULL,
    CONSTRAINT name_history_kind_check CHECK (((kind)::text = ANY ((ARRAY['product'::character varying, 'workload'::character varying])::text[])))
);


--
-- Name: TABLE name_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.name_history IS 'The names that each product id and workload code has had, where the API gives ids (source "commercial"). Read product_name_history or workload_name_history instead.';


--
-- Name: COLUMN name_history.kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.kind IS 'product or workload.';


--
-- Name: COLUMN name_history.id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.id IS 'The product''s id, or the workload''s code, such as EXO.';


--
-- Name: COLUMN name_history.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.name IS 'A name it has had, as the API gives it.';


--
-- Name: COLUMN name_history.first_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.first_processed_date_time IS 'The oldest processed date under that name.';


--
-- Name: COLUMN name_history.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.last_processed_date_time IS 'The newest processed date under that name.';


--
-- Name: COLUMN name_history.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.name_history.run_id IS 'The run that last moved one of the two dates.';


--
-- Name: license_usage_series; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_series AS
 WITH present AS (
         SELECT DISTINCT ON (name_history.kind, name_history.id) name_history.kind,
            name_history.id,
            name_history.name
           FROM public.name_history
          ORDER BY name_history.kind, name_history.id, name_history.last_processed_date_time DESC, name_history.run_id DESC, name_history.name
        ), owner AS (
         SELECT DISTINCT ON (name_history.kind, name_history.name) name_history.kind,
            name_history.name,
            name_history.id
           FROM public.name_history
          ORDER BY name_history.kind, name_history.name, name_history.last_processed_date_time DESC, name_history.run_id DESC, name_history.id
        ), joined AS (
         SELECT u.customer_id,
            COALESCE(u.product_id, po.id) AS product_id,
            COALESCE(p.name, u.product_name) AS product_name,
            COALESCE(u.workload_code, wo.id) AS workload_code,
            COALESCE(w.name, u.workload_name) AS workload_name,
            u.processed_date_time,
            u.customer_name,
            u.product_name AS product_name_then,
            u.workload_name AS workload_name_then,
            u.licenses_active,
            u.licenses_qualified,
            u.usage_percent,
            u.first_synced_at
           FROM ((((public.license_usage u
             LEFT JOIN owner po ON ((((po.kind)::text = 'product'::text) AND ((po.name)::text = (u.product_name)::text))))
             LEFT JOIN present p ON ((((p.kind)::text = 'product'::text) AND ((p.id)::text = (COALESCE(u.product_id, po.id))::text))))
             LEFT JOIN owner wo ON ((((wo.kind)::text = 'workload'::text) AND ((wo.name)::text = (u.workload_name)::text))))
             LEFT JOIN present w ON ((((w.kind)::text = 'workload'::text) AND ((w.id)::text = (COALESCE(u.workload_code, wo.id))::text))))
        ), together AS (
         SELECT joined.customer_id,
            joined.product_id,
            joined.product_name,
            joined.workload_code,
            joined.workload_name,
            joined.processed_date_time,
            (max((joined.customer_name)::text))::character varying(512) AS customer_name,
            (max((joined.product_name_then)::text))::character varying(512) AS product_name_then,
            (max((joined.workload_name_then)::text))::character varying(512) AS workload_name_then,
            public.seat_sum(sum(joined.licenses_active)) AS licenses_active,
            public.seat_sum(sum(joined.licenses_qualified)) AS licenses_qualified,
                CASE
                    WHEN (count(*) = 1) THEN max(joined.usage_percent)
                    ELSE NULL::double precision
                END AS usage_percent,
            joined.first_synced_at
           FROM joined
          GROUP BY joined.customer_id, COALESCE(joined.product_id, joined.product_name), COALESCE(joined.workload_code, joined.workload_name), joined.processed_date_time, joined.first_synced_at, joined.product_id, joined.product_name, joined.workload_code, joined.workload_name
        )
 SELECT DISTINCT ON (together.customer_id, COALESCE(together.product_id, together.product_name), COALESCE(together.workload_code, together.workload_name), together.processed_date_time) together.customer_id,
    together.product_id,
    together.product_name,
    together.workload_code,
    together.workload_name,
    together.processed_date_time,
    together.customer_name,
    together.product_name_then,
    together.workload_name_then,
    together.licenses_active,
    together.licenses_qualified,
    together.usage_percent,
    (((100.0 * (together.licenses_active)::numeric) / (NULLIF(together.licenses_qualified, 0))::numeric))::double precision AS active_percent,
    ((together.processed_date_time AT TIME ZONE 'UTC'::text))::date AS processed_date
   FROM together
  ORDER BY together.customer_id, COALESCE(together.product_id, together.product_name), COALESCE(together.workload_code, together.workload_name), together.processed_date_time, together.first_synced_at DESC;


--
-- Name: VIEW license_usage_series; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_series IS 'The ledger with each product and workload under its present name, so that a series continues when its name changes.';


--
-- Name: COLUMN license_usage_series.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_usage_series.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.product_id IS 'The product''s id, also for rows that came without it if the name is known to be that product''s.';


--
-- Name: COLUMN license_usage_series.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.product_name IS 'The product''s newest name.';


--
-- Name: COLUMN license_usage_series.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.workload_code IS 'The workload''s code, also for rows that came without it if the name is known to be that workload''s.';


--
-- Name: COLUMN license_usage_series.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.workload_name IS 'The workload''s newest name.';


--
-- Name: COLUMN license_usage_series.processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.processed_date_time IS 'The date for which the service processed the figures. It lags by days and differs by service.';


--
-- Name: COLUMN license_usage_series.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.customer_name IS 'The customer''s name at that time.';


--
-- Name: COLUMN license_usage_series.product_name_then; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.product_name_then IS 'The product''s name in the ledger''s row; the last in order where the collection had the product under several names, whose seats are added up here.';


--
-- Name: COLUMN license_usage_series.workload_name_then; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.workload_name_then IS 'The workload''s name in the ledger''s row.';


--
-- Name: COLUMN license_usage_series.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.licenses_active IS 'Seats whose user was active in the 28 days before the processed date. Never add them up over dates.';


--
-- Name: COLUMN license_usage_series.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.licenses_qualified IS 'Seats that entitle to the workload.';


--
-- Name: COLUMN license_usage_series.usage_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.usage_percent IS 'As the API gives it; null if it gives none, and where rows were added up.';


--
-- Name: COLUMN license_usage_series.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_usage_series.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_series.processed_date IS 'The date of processed_date_time, UTC.';


--
-- Name: license_usage_total; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_usage_total AS
 WITH series AS (
         SELECT s.set_id,
            r.place,
            COALESCE(p.present_name, r.product_name) AS product_name,
            COALESCE(w.present_name, r.workload_name) AS workload_name,
            count(*) OVER (PARTITION BY s.set_id, COALESCE(p.present_name, r.product_name), COALESCE(w.present_name, r.workload_name)) AS namesakes
           FROM (((public.license_usage_set s
             CROSS JOIN LATERAL UNNEST(s.product_names, s.product_ids, s.workload_names, s.workload_codes) WITH ORDINALITY r(product_name, product_id, workload_name, workload_code, place))
             LEFT JOIN public.present_name p ON ((((p.kind)::text = 'product'::text) AND ((p.key)::text = (public.name_key(r.product_id, r.product_name))::text))))
             LEFT JOIN public.present_name w ON ((((w.kind)::text = 'workload'::text) AND ((w.key)::text = (public.name_key(r.workload_code, r.workload_name))::text))))
        ), seats AS (
         SELECT a.month,
            s.product_name,
            s.workload_name,
            a.customers,
            a.licenses_active,
            a.licenses_qualified
           FROM (( SELECT m.month,
                    m.set_id,
                    r.place,
                    count(*) AS customers,
                    sum(r.licenses_active) AS licenses_active,
                    sum(r.licenses_qualified) AS licenses_qualified
                   FROM (public.license_usage_month m
                     CROSS JOIN LATERAL UNNEST(m.licenses_active, m.licenses_qualified, m.are_month_end) WITH ORDINALITY r(licenses_active, licenses_qualified, is_month_end, place))
                  WHERE r.is_month_end
                  GROUP BY m.month, m.set_id, r.place) a
             JOIN series s ON (((s.set_id = a.set_id) AND (s.place = a.place))))
          WHERE (s.namesakes = 1)
        UNION ALL
         SELECT m.month,
            s.product_name,
            s.workload_name,
            1 AS customers,
            sum(m.licenses_active[s.place]) AS licenses_active,
            sum(m.licenses_qualified[s.place]) AS licenses_qualified
           FROM (series s
             JOIN public.license_usage_month m ON ((m.set_id = s.set_id)))
          WHERE ((s.namesakes > 1) AND m.are_month_end[s.place])
          GROUP BY m.month, m.customer_id, s.product_name, s.workload_name
        )
 SELECT seats.month,
    (seats.product_name)::character varying(512) AS product_name,
    (seats.workload_name)::character varying(512) AS workload_name,
    (sum(seats.customers))::bigint AS customers,
    public.seat_sum(sum(seats.licenses_active)) AS licenses_active,
    public.seat_sum(sum(seats.licenses_qualified)) AS licenses_qualified,
    (((100.0 * sum(seats.licenses_active)) / NULLIF(sum(seats.licenses_qualified), (0)::numeric)))::double precision AS active_percent,
    ((now() AT TIME ZONE 'UTC'::text) >= (seats.month + '1 mon'::interval)) AS is_month_over,
    (seats.month = ( SELECT date_trunc('month'::text, (max(service_date.processed_date))::timestamp with time zone) AS date_trunc
           FROM public.service_date
          WHERE ((service_date.dataset)::text = 'usage'::text))) AS is_newest
   FROM seats
  GROUP BY seats.month, seats.product_name, seats.workload_name;


--
-- Name: VIEW license_usage_total; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_usage_total IS 'The partner''s seats per product, workload and month (UTC), under present names: the sum over customers of each service''s last collection of the month. The seats of a product repeat on each of its workloads, so they add up over products within one workload only, and never over months.';


--
-- Name: COLUMN license_usage_total.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.month IS 'The first day of the month, UTC.';


--
-- Name: COLUMN license_usage_total.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_usage_total.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.workload_name IS 'The workload''s present name.';


--
-- Name: COLUMN license_usage_total.customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.customers IS 'Customers that have the product. They never add up: a customer has several products.';


--
-- Name: COLUMN license_usage_total.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.licenses_active IS 'Seats whose user was active in the 28 days before each customer''s last processed date of the month. They add up over products within one workload, never over workloads or months.';


--
-- Name: COLUMN license_usage_total.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.licenses_qualified IS 'Seats that entitle to the workload. They add up over products within one workload, never over workloads or months.';


--
-- Name: COLUMN license_usage_total.active_percent; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.active_percent IS 'Active seats per hundred qualified ones, computed; null if none is qualified.';


--
-- Name: COLUMN license_usage_total.is_month_over; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.is_month_over IS 'Whether the month has ended (UTC). The month that has not has the figures so far.';


--
-- Name: COLUMN license_usage_total.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_usage_total.is_newest IS 'Whether it is the newest month of the whole ledger.';


--
-- Name: license_waste; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_waste AS
 SELECT license_product.customer_id,
    license_product.customer_name,
    license_product.product_name,
    license_product.product_id,
    license_product.service,
    license_product.channel,
    license_product.product_kind,
    license_product.processed_date,
    license_product.deployment_processed_date,
    license_product.licenses_sold,
    license_product.licenses_assigned,
    license_product.licenses_qualified,
    license_product.licenses_active,
    license_product.most_used_workload,
    license_product.licenses_unassigned,
    license_product.licenses_unused,
    license_product.active_ratio
   FROM public.license_product
  WHERE (((license_product.product_kind)::text = 'paid'::text) AND (license_product.licenses_unused > 0))
  ORDER BY license_product.licenses_unused DESC, license_product.customer_id, license_product.product_name;


--
-- Name: VIEW license_waste; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_waste IS 'The rows of license_product of paid products that have unused seats, most first.';


--
-- Name: COLUMN license_waste.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_waste.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_waste.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_waste.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_waste.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_waste.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_waste.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_waste.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.processed_date IS 'The processed date (UTC) of the qualified and active seats; null without usage.';


--
-- Name: COLUMN license_waste.deployment_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.deployment_processed_date IS 'The processed date (UTC) of the sold and assigned seats; null without deployment.';


--
-- Name: COLUMN license_waste.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_sold IS 'Seats sold; null if deployment does not name the product or is not fetched. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_waste.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_assigned IS 'Seats assigned to a user; null likewise. They add up as sold seats do.';


--
-- Name: COLUMN license_waste.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_qualified IS 'Qualified seats of the workload that has most; null without usage. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_waste.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_active IS 'Active seats of the most used workload, in the 28 days before processed_date; null without usage. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_waste.most_used_workload; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.most_used_workload IS 'The workload with the most active seats; of several the first by name.';


--
-- Name: COLUMN license_waste.licenses_unassigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_unassigned IS 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';


--
-- Name: COLUMN license_waste.licenses_unused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.licenses_unused IS 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative if more were active. They add up over customers, products, channels and services.';


--
-- Name: COLUMN license_waste.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste.active_ratio IS 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: 0 to 1, or more; null if that is 0. Never add it up: divide sums.';


--
-- Name: license_waste_monthly; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.license_waste_monthly AS
 SELECT license_product_monthly.month,
    license_product_monthly.customer_id,
    license_product_monthly.customer_name,
    license_product_monthly.product_name,
    license_product_monthly.product_id,
    license_product_monthly.service,
    license_product_monthly.channel,
    license_product_monthly.product_kind,
    license_product_monthly.processed_date,
    license_product_monthly.deployment_processed_date,
    license_product_monthly.licenses_sold,
    license_product_monthly.licenses_assigned,
    license_product_monthly.licenses_qualified,
    license_product_monthly.licenses_active,
    license_product_monthly.most_used_workload,
    license_product_monthly.licenses_unassigned,
    license_product_monthly.licenses_unused,
    license_product_monthly.active_ratio,
    license_product_monthly.is_newest
   FROM public.license_product_monthly
  WHERE (((license_product_monthly.product_kind)::text = 'paid'::text) AND (license_product_monthly.licenses_unused > 0));


--
-- Name: VIEW license_waste_monthly; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.license_waste_monthly IS 'The paid products with unused seats at the end of each month (UTC), under present names: the figures of license_waste, from each customer''s last collections of the month.';


--
-- Name: COLUMN license_waste_monthly.month; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.month IS 'The first day of the month, UTC. The newest month has the figures so far.';


--
-- Name: COLUMN license_waste_monthly.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.customer_id IS 'The customer''s tenant id.';


--
-- Name: COLUMN license_waste_monthly.customer_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.customer_name IS 'The customer''s name of now.';


--
-- Name: COLUMN license_waste_monthly.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.product_name IS 'The product''s present name.';


--
-- Name: COLUMN license_waste_monthly.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.product_id IS 'The product''s id, if it is known; also of rows that came without it.';


--
-- Name: COLUMN license_waste_monthly.service; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.service IS 'The service, such as o365 or crm, spelt the same whatever the source is.';


--
-- Name: COLUMN license_waste_monthly.channel; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.channel IS 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';


--
-- Name: COLUMN license_waste_monthly.product_kind; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.product_kind IS 'paid, free or trial: that of product_note, else what the name says.';


--
-- Name: COLUMN license_waste_monthly.processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.processed_date IS 'The processed date (UTC) of the qualified and active seats, the last of the month; null without usage.';


--
-- Name: COLUMN license_waste_monthly.deployment_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.deployment_processed_date IS 'The processed date (UTC) of the sold and assigned seats, the last of the month; null without deployment.';


--
-- Name: COLUMN license_waste_monthly.licenses_sold; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_sold IS 'Seats sold; null if deployment does not name the product or is not fetched. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_waste_monthly.licenses_assigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_assigned IS 'Seats assigned to a user; null likewise. They add up as sold seats do.';


--
-- Name: COLUMN license_waste_monthly.licenses_qualified; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_qualified IS 'Qualified seats of the workload that has most; null without usage. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_waste_monthly.licenses_active; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_active IS 'Active seats of the most used workload, in the 28 days before processed_date; null without usage. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_waste_monthly.most_used_workload; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.most_used_workload IS 'The workload with the most active seats; of several the first by name.';


--
-- Name: COLUMN license_waste_monthly.licenses_unassigned; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_unassigned IS 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';


--
-- Name: COLUMN license_waste_monthly.licenses_unused; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.licenses_unused IS 'Sold seats, or qualified ones where none are known to be sold, less active ones. They add up over customers, products, channels and services, never over months.';


--
-- Name: COLUMN license_waste_monthly.active_ratio; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.active_ratio IS 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: 0 to 1, or more; null if that is 0. Never add it up: divide sums.';


--
-- Name: COLUMN license_waste_monthly.is_newest; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.license_waste_monthly.is_newest IS 'Whether it is the newest month of the whole ledger: license_waste has it as it is now.';


--
-- Name: product_alias; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.product_alias (
    product_name character varying(255) NOT NULL,
    present_name character varying(255) NOT NULL
);


--
-- Name: TABLE product_alias; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.product_alias IS 'For people to edit: product names that stand for another one, for products without ids (source "customer"). product_rename_suspect has lines ready to copy. Views follow at once; the ledger''s rows keep their names.';


--
-- Name: COLUMN product_alias.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_alias.product_name IS 'The old name, as the ledger has it.';


--
-- Name: COLUMN product_alias.present_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_alias.present_name IS 'The name to show instead. It may have an alias itself; a circle ends where it began.';


--
-- Name: product_name_history; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.product_name_history AS
 SELECT name_history.id AS product_id,
    name_history.name AS product_name,
    name_history.first_processed_date_time,
    name_history.last_processed_date_time,
    name_history.run_id,
    ((name_history.first_processed_date_time AT TIME ZONE 'UTC'::text))::date AS first_processed_date,
    ((name_history.last_processed_date_time AT TIME ZONE 'UTC'::text))::date AS last_processed_date
   FROM public.name_history
  WHERE ((name_history.kind)::text = 'product'::text);


--
-- Name: VIEW product_name_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.product_name_history IS 'The names that each product id has had, where the API gives the id (source "commercial").';


--
-- Name: COLUMN product_name_history.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.product_id IS 'The product''s id.';


--
-- Name: COLUMN product_name_history.product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.product_name IS 'A name it has had.';


--
-- Name: COLUMN product_name_history.first_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.first_processed_date_time IS 'The oldest processed date under that name.';


--
-- Name: COLUMN product_name_history.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.last_processed_date_time IS 'The newest processed date under that name.';


--
-- Name: COLUMN product_name_history.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.run_id IS 'The run that last moved one of the two dates.';


--
-- Name: COLUMN product_name_history.first_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.first_processed_date IS 'The date of first_processed_date_time, UTC.';


--
-- Name: COLUMN product_name_history.last_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_name_history.last_processed_date IS 'The date of last_processed_date_time, UTC.';


--
-- Name: product_rename_suspect; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.product_rename_suspect AS
 SELECT DISTINCT product_rename_pair.old_product_name,
    product_rename_pair.new_product_name,
    product_rename_pair.customers,
    product_rename_pair.share_of_holders,
    product_rename_pair.since,
    (
        CASE
            WHEN (product_rename_pair.old_product_id IS NULL) THEN format('insert into product_alias (product_name, present_name) values (%L, %L);'::text, product_rename_pair.old_product_name, product_rename_pair.new_product_name)
            ELSE NULL::text
        END)::character varying(1200) AS alias_statement
   FROM public.product_rename_pair;


--
-- Name: VIEW product_rename_suspect; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.product_rename_suspect IS 'Pairs of products that may be one that was renamed without an id to say so: at five customers or more the new one came in the very collection after the last one that had the old one. Look at share_of_holders: if nearly all that held the old one changed, it was renamed; if few did, they bought another product. alias_statement makes the two one.';


--
-- Name: COLUMN product_rename_suspect.old_product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.old_product_name IS 'The present name of the old product.';


--
-- Name: COLUMN product_rename_suspect.new_product_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.new_product_name IS 'The present name of the new product.';


--
-- Name: COLUMN product_rename_suspect.customers; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.customers IS 'Customers at which the new one followed the old one; of several that fit at a customer the one whose qualified seats are closest. They add up over nothing.';


--
-- Name: COLUMN product_rename_suspect.share_of_holders; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.share_of_holders IS 'Those customers by the customers that held the old product the day before "since": about 1 for a renaming, and more if some got it later. Null if none held it then.';


--
-- Name: COLUMN product_rename_suspect.since; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.since IS 'The first processed date (UTC) on which a new one followed an old one.';


--
-- Name: COLUMN product_rename_suspect.alias_statement; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.product_rename_suspect.alias_statement IS 'A statement ready to copy, which makes the old name stand for the new one in all views. Null if the old product has an id: its name follows the id, and has no alias.';


--
-- Name: rejected_row; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rejected_row (
    rejected_row_id bigint NOT NULL,
    run_id bigint NOT NULL,
    customer_id uuid,
    dataset character varying(16) NOT NULL,
    reason character varying(32) NOT NULL,
    detail text NOT NULL,
    payload jsonb NOT NULL,
    rejected_at timestamp with time zone NOT NULL,
    CONSTRAINT rejected_row_dataset_check CHECK (((dataset)::text = ANY ((ARRAY['usage'::character varying, 'deployment'::character varying])::text[])))
);


--
-- Name: TABLE rejected_row; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.rejected_row IS 'Items of the API that could not become rows of the ledger, as they came.';


--
-- Name: COLUMN rejected_row.rejected_row_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.rejected_row_id IS 'Counts up.';


--
-- Name: COLUMN rejected_row.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.run_id IS 'The run that received the item.';


--
-- Name: COLUMN rejected_row.customer_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.customer_id IS 'The customer whose collection held the item; null for an item of the partner-wide collection that names none.';


--
-- Name: COLUMN rejected_row.dataset; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.dataset IS 'usage or deployment.';


--
-- Name: COLUMN rejected_row.reason; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.reason IS 'missing_field, invalid_value, out_of_range, duplicate_key, wrong_customer or not_storable.';


--
-- Name: COLUMN rejected_row.detail; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.detail IS 'Which item and field, and what is wrong with it.';


--
-- Name: COLUMN rejected_row.payload; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.payload IS 'The item as it came. If jsonb cannot hold it (U+0000, half of a surrogate pair, a number out of range, over 64 KiB) a JSON string with its text.';


--
-- Name: COLUMN rejected_row.rejected_at; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.rejected_row.rejected_at IS 'When it was rejected.';


--
-- Name: rejected_row_rejected_row_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.rejected_row ALTER COLUMN rejected_row_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.rejected_row_rejected_row_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: restatement_restatement_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.restatement ALTER COLUMN restatement_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.restatement_restatement_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: series_name; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.series_name (
    folded text NOT NULL,
    name character varying(512) NOT NULL,
    product_id character varying(512)
);


--
-- Name: TABLE series_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TABLE public.series_name IS 'The spelling under which the ledger keeps each product and workload name: the first that came. A product whose name another one had first is kept as "name (product id)".';


--
-- Name: COLUMN series_name.folded; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.series_name.folded IS 'The name in lower case, without leading and trailing blanks, in Unicode form NFC. The program folds it: which letters Postgres can fold depends on its locale.';


--
-- Name: COLUMN series_name.name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.series_name.name IS 'The name as it is stored.';


--
-- Name: COLUMN series_name.product_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.series_name.product_id IS 'The product that the name belongs to: the first that came with it and an id. Null for a workload''s name, and where no product came with an id.';


--
-- Name: sync_run_run_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.sync_run ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_run_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: workload_name_history; Type: VIEW; Schema: public; Owner: -
--

CREATE VIEW public.workload_name_history AS
 SELECT name_history.id AS workload_code,
    name_history.name AS workload_name,
    name_history.first_processed_date_time,
    name_history.last_processed_date_time,
    name_history.run_id,
    ((name_history.first_processed_date_time AT TIME ZONE 'UTC'::text))::date AS first_processed_date,
    ((name_history.last_processed_date_time AT TIME ZONE 'UTC'::text))::date AS last_processed_date
   FROM public.name_history
  WHERE ((name_history.kind)::text = 'workload'::text);


--
-- Name: VIEW workload_name_history; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON VIEW public.workload_name_history IS 'The names that each workload code has had, where the API gives the code (source "commercial").';


--
-- Name: COLUMN workload_name_history.workload_code; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.workload_code IS 'The workload''s code, such as EXO.';


--
-- Name: COLUMN workload_name_history.workload_name; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.workload_name IS 'A name it has had.';


--
-- Name: COLUMN workload_name_history.first_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.first_processed_date_time IS 'The oldest processed date under that name.';


--
-- Name: COLUMN workload_name_history.last_processed_date_time; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.last_processed_date_time IS 'The newest processed date under that name.';


--
-- Name: COLUMN workload_name_history.run_id; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.run_id IS 'The run that last moved one of the two dates.';


--
-- Name: COLUMN workload_name_history.first_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.first_processed_date IS 'The date of first_processed_date_time, UTC.';


--
-- Name: COLUMN workload_name_history.last_processed_date; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON COLUMN public.workload_name_history.last_processed_date IS 'The date of last_processed_date_time, UTC.';


--
-- Name: license_usage_2026_04_21; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage ATTACH PARTITION public.license_usage_2026_04_21 FOR VALUES FROM ('2026-04-21 00:00:00+00') TO ('2026-05-01 00:00:00+00');


--
-- Name: license_usage_2026_05_01; Type: TABLE ATTACH; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage ATTACH PARTITION public.license_usage_2026_05_01 FOR VALUES FROM ('2026-05-01 00:00:00+00') TO ('2026-05-11 00:00:00+00');


--
-- Data for Name: _sqlx_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public._sqlx_migrations VALUES
	(20261128090000, 'create ledger', '2026-11-29 13:09:55.12727+00', true, '\x7f53416521856edf83d5efabb20f0fd2c0f133ccbb40a6bfa3ec2694d6edad31e1028d98c5ff7d92128322d89d46dc0b', 15369127),
	(20261128090100, 'keep beside ledger', '2026-11-29 13:09:55.144883+00', true, '\xa7bd64088b497d211f81ea3b2d152935ce7971e18e4a4be415f9821b603295fa7cfd8dbcce232a94224c3295de9ba126', 29361359),
	(20261128090200, 'create runs', '2026-11-29 13:09:55.179318+00', true, '\xc2442ddecae99ad811dc73862f78c79210694600fd83877a528d55120995f5cfd841db12ea091739ab6e4fd726afc21f', 19895588),
	(20261128090300, 'create usage views', '2026-11-29 13:09:55.202444+00', true, '\x2ce6835e7d99202b00745b981263fae4ebb536336baa28613b6c9091a51f0eca4948fdd2b8d9aafb0ef151329bbf8575', 8183296),
	(20261128090310, 'create ledger views', '2026-11-29 13:09:55.213566+00', true, '\x6cd62e61a61423004b271a6a3c90701dc13a1527db0cfde7983df4599e62b774460c043dcd18138c4e97e0ff49674e76', 11282071),
	(20261128090400, 'create present names', '2026-11-29 13:09:55.227388+00', true, '\xdf2d3498dc6f2f1312c92d376b3fb4b7b664141fd4c9540f4254a29a90409f17d2e4b3af6a945c5e68f20473ca6299b9', 6719416),
	(20261128090410, 'create month views', '2026-11-29 13:09:55.236668+00', true, '\x08e9bd018ff8eef741d64ef8f18d3762ca05f43a968fdb7f8763bf2ba9cea0d0ce8c56d7c05a340c9992820faf7cc79c', 3813478),
	(20261128090420, 'create product views', '2026-11-29 13:09:55.242817+00', true, '\xb131580fe83b815dfbe6aff0186e8aeffd820f1c27aace14f55cdd9617706fb1ff8dd32ae07d8ba36af4e25d7c058904', 5088087),
	(20261128090430, 'create day views', '2026-11-29 13:09:55.250118+00', true, '\x46090be6ae2404cb9470db7112d4e3c3417270ab26b7367ca57f493925b92ee733ca87ee8661c836374f8b9279f5c28d', 5297078),
	(20261128090440, 'create growth views', '2026-11-29 13:09:55.257756+00', true, '\x1345e964f6c9b643a0c377303c364d7c9a828f00b6cb5b415238285a5a4ebc34f491114d196bd9985bd2407c304ed2b0', 9804210),
	(20261128090500, 'create customer views', '2026-11-29 13:09:55.270034+00', true, '\x075d6d156560cb27483d54997d70f241328018a9a5d651ec6101b6ba00f558aaff0aa545dda8e0f2e2af76601a4f4e8e', 6545357),
	(20261128090510, 'create waste views', '2026-11-29 13:09:55.278865+00', true, '\x1e6f5adcdb0f02b632eacb7c29b93599e21732f85981f185f6747614e2e1a79a9fd39f354dc8a9e39b14991b16b29582', 4785807),
	(20261128090520, 'create holding views', '2026-11-29 13:09:55.285973+00', true, '\xfb0e1beb985799d24a95d60a37ad9069829940d2a36d4c5b7e9bb990f7154554192678061f305f6f896f7e803d14baf7', 5265301),
	(20261129050000, 'add ms ids to failures', '2026-11-29 13:09:55.293606+00', true, '\x9b9b608f1ebcbc5face436fec386e1b65c87e2b4d61586013f26eca1d883ca18a28dcd6560b2fea897da9372d79430c4', 882324),
	(20261129061000, 'show domains of customers', '2026-11-29 13:09:55.301539+00', true, '\x0affd418276b89ada38b7ac2c5e12f49199f7aaeb998d08b0ba8dd4ef38ddff4d4150b8d02a70e3a932870a24664580b', 2204073),
	(20261129090000, 'create product month view', '2026-11-29 13:09:55.307759+00', true, '\x0cfad502fb6ea9acc91344fb98115e07b5233989957ff01ad6bca90d7ec2288f50db82575e34399e61e3e1b82fc8bf7b', 6076660),
	(20261129120000, 'bound reads of views', '2026-11-29 13:09:55.318368+00', true, '\xed12edf2c93123fd10b1479c1c60dacdbb70b60b815d18a281f76a4ec79e88de8b39555b4b37e4f2f6cb7e7f0d71704c', 8265048);


--
-- Data for Name: adoption_target; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: bi_role; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: consent; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.consent VALUES
	('vm', NULL, '2026-11-29 13:09:55.361747+00', '2026-11-29 13:09:55.538438+00', '2027-02-27 13:09:55.538438+00', NULL, NULL);


--
-- Data for Name: customer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.customer VALUES
	('413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Montferro & Mistralle Law BV', 'montferrolaw1.example', '2026-11-29 13:09:55.365521+00', '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.365521+00', NULL, NULL, NULL, '2026-11-29 13:09:55.565771+00', '2026-05-03 00:00:00+00', NULL, NULL, NULL, NULL),
	('05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Grauwald Municipal Works Group', 'grauwaldmunicipalworks3.onmicrosoft.example', '2026-11-29 13:09:55.365521+00', '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.365521+00', NULL, NULL, NULL, '2026-11-29 13:09:55.567179+00', '2026-05-03 00:00:00+00', NULL, NULL, NULL, NULL),
	('df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Nordhamn Municipal Works GmbH', 'nordhamnmunicipalworks0.example', '2026-11-29 13:09:55.365521+00', '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.365521+00', NULL, NULL, NULL, '2026-11-29 13:09:55.568095+00', '2026-05-03 00:00:00+00', NULL, NULL, NULL, NULL),
	('e365dc0d-89de-459b-8cba-a60ec5640395', 'Marisol Energy GmbH', 'marisolenergy2.example', '2026-11-29 13:09:55.365521+00', '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.365521+00', NULL, NULL, NULL, '2026-11-29 13:09:55.567668+00', '2026-05-03 00:00:00+00', NULL, NULL, NULL, NULL);


--
-- Data for Name: lease; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.lease VALUES
	('leader', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('run', 2, NULL, 'vm', '2026-11-29 13:09:55.519217+00', '2026-11-29 13:09:55.519217+00', '2026-11-29 13:10:10.519217+00', '2026-11-29 13:09:55.016017+00', 15443, '2026-11-29 13:09:55.510238+00', 15444, '2026-11-29 13:09:55.520656+00');


--
-- Data for Name: ledger_locale; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.ledger_locale VALUES
	('en-US', '2026-11-29 13:09:55.356494+00');


--
-- Data for Name: license_deployment; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: license_usage_2026_04_21; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_2026_04_21 VALUES
	('2026-04-30 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Dynamics 365 Customer Service Enterprise', 'Microsoft Dynamics CRM', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'crm', NULL, 'reseller', 7, 12, 58.33, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1);


--
-- Data for Name: license_usage_2026_05_01; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_2026_05_01 VALUES
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Exchange Online Archiving for Exchange Online', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 1, 5, 20, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 4, 100, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'SharePoint', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 4, 75, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Teams', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 4, 75, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Yammer', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 0, 4, 0, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 6, 66.67, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 6, 50, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'SharePoint', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 6, 66.67, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Teams', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 6, 6, 100, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Yammer', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 1, 6, 16.67, '2026-11-29 13:09:55.387162+00', '2026-11-29 13:09:55.387162+00', 1),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Exchange', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 8, 8, 100, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 4, 8, 50, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'SharePoint', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 5, 8, 62.5, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Teams', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 10, 8, 125, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Yammer', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 1, 8, 12.5, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Exchange Online (Plan 2)', 'Exchange', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 9, 11, 81.82, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Exchange', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 50, 57, 87.72, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 56, 57, 98.25, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'SharePoint', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 45, 57, 78.95, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Teams', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 33, 57, 57.89, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Yammer', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 7, 57, 12.28, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Exchange', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 24, 29, 82.76, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'SharePoint', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 18, 29, 62.07, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Teams', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 25, 29, 86.21, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Yammer', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 3, 29, 10.34, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Skype for Business Online (Plan 2)', 'Skype For Business', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 1, 14, 7.14, '2026-11-29 13:09:55.412507+00', '2026-11-29 13:09:55.412507+00', 1),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Exchange', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 8, 8, 100, '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.566366+00', 2),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 4, 8, 50, '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.566366+00', 2),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'SharePoint', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 5, 8, 62.5, '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.566366+00', 2),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Teams', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 10, 8, 125, '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.566366+00', 2),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'Microsoft 365 Business Standard', 'Yammer', 'Montferro & Mistralle Law BV', NULL, NULL, 'o365', NULL, 'reseller', 1, 8, 12.5, '2026-11-29 13:09:55.566366+00', '2026-11-29 13:09:55.566366+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Exchange Online Archiving for Exchange Online', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 1, 5, 20, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 4, 100, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'SharePoint', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 4, 75, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Teams', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 4, 75, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Basic', 'Yammer', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 0, 4, 0, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Exchange', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 6, 66.67, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 3, 6, 50, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'SharePoint', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 4, 6, 66.67, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Teams', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 6, 6, 100, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'Microsoft 365 Business Standard', 'Yammer', 'Grauwald Municipal Works Group', NULL, NULL, 'o365', NULL, 'reseller', 1, 6, 16.67, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Exchange Online (Plan 2)', 'Exchange', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 9, 11, 81.82, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Exchange', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 49, 57, 85.96, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Microsoft 365 Apps', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 56, 57, 98.25, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'SharePoint', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 45, 57, 78.95, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Teams', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 33, 57, 57.89, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'Microsoft 365 Business Standard', 'Yammer', 'Nordhamn Municipal Works GmbH', NULL, NULL, 'o365', NULL, 'reseller', 7, 57, 12.28, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Exchange', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 23, 29, 79.31, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'SharePoint', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 18, 29, 62.07, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Teams', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 25, 29, 86.21, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Microsoft 365 Business Basic', 'Yammer', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 3, 29, 10.34, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'Skype for Business Online (Plan 2)', 'Skype For Business', 'Marisol Energy GmbH', NULL, NULL, 'o365', NULL, 'reseller', 1, 14, 7.14, '2026-11-29 13:09:55.583193+00', '2026-11-29 13:09:55.583193+00', 2);


--
-- Data for Name: license_usage_collection; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_collection VALUES
	('2026-05-02 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'o365', 1, '2026-11-29 13:09:55.386999+00', '\x08c4e5d3bb7c93350eac68afb110e0661e200cdee113455c876291d48342e99e', false),
	('2026-04-30 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'crm', 1, '2026-11-29 13:09:55.391989+00', '\xac3c4144503a83621c4868a503da3b41f342246593d3140e24e4d7d62299f150', false),
	('2026-05-02 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'o365', 1, '2026-11-29 13:09:55.389434+00', '\x9b98eeb3c2a363435e1132f6be7d741bd494db790b0bb4d02e32bc1139a8f1d8', false),
	('2026-05-02 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'o365', 1, '2026-11-29 13:09:55.391989+00', '\xb1bf610f17ff3356243f43fed4d773fc662d161dd3e5d3eb1f00e93d3e866ce6', false),
	('2026-05-02 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'o365', 1, '2026-11-29 13:09:55.391705+00', '\xe3ade922a9348a87e0471835bf66000d189adad4c1d7f777cf023f0278eecf75', false),
	('2026-05-03 00:00:00+00', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'o365', 2, '2026-11-29 13:09:55.565771+00', '\x47b16c6798862951085319d9bbaf2a7701c16dd16082660ab47063cab98f0d43', false),
	('2026-05-03 00:00:00+00', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'o365', 2, '2026-11-29 13:09:55.567179+00', '\x2e42d923bbb7e0dd75c258a4d3d80b440bf959d1c0e696f99e70d7a395641229', false),
	('2026-05-03 00:00:00+00', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'o365', 2, '2026-11-29 13:09:55.568095+00', '\xddf5ca23e48f5bc4e52316f5523278c3b8cb10c776242f494184ab63eece78f9', false),
	('2026-05-03 00:00:00+00', 'e365dc0d-89de-459b-8cba-a60ec5640395', 'o365', 2, '2026-11-29 13:09:55.567668+00', '\x8fb61071c4c2316739023c5cb1a3e1eb18d9df6b33b5041023cc83f93c3a113e', false);


--
-- Data for Name: license_usage_day_total; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_day_total VALUES
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Standard', '', 'SharePoint', 3, 0, 54, 71),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Standard', '', 'Yammer', 3, 0, 9, 71),
	('2026-05-02', 'crm', '', 'Dynamics 365 Customer Service Enterprise', '', 'Microsoft Dynamics CRM', 1, 1, 7, 12),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Standard', '', 'Teams', 3, 0, 49, 71),
	('2026-05-02', 'o365', '', 'Skype for Business Online (Plan 2)', '', 'Skype For Business', 1, 0, 1, 14),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Basic', '', 'Exchange', 2, 0, 28, 33),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Standard', '', 'Exchange', 3, 0, 62, 71),
	('2026-05-02', 'o365', '', 'Exchange Online (Plan 2)', '', 'Exchange', 1, 0, 9, 11),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Basic', '', 'Teams', 2, 0, 28, 33),
	('2026-05-02', 'o365', '', 'Exchange Online Archiving for Exchange Online', '', 'Exchange', 1, 0, 1, 5),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Basic', '', 'SharePoint', 2, 0, 21, 33),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Standard', '', 'Microsoft 365 Apps', 3, 0, 63, 71),
	('2026-05-02', 'o365', '', 'Microsoft 365 Business Basic', '', 'Yammer', 2, 0, 3, 33),
	('2026-05-01', 'crm', '', 'Dynamics 365 Customer Service Enterprise', '', 'Microsoft Dynamics CRM', 1, 1, 7, 12),
	('2026-04-30', 'crm', '', 'Dynamics 365 Customer Service Enterprise', '', 'Microsoft Dynamics CRM', 1, 0, 7, 12),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Standard', '', 'SharePoint', 3, 0, 54, 71),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Standard', '', 'Yammer', 3, 0, 9, 71),
	('2026-05-03', 'crm', '', 'Dynamics 365 Customer Service Enterprise', '', 'Microsoft Dynamics CRM', 1, 1, 7, 12),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Standard', '', 'Teams', 3, 0, 49, 71),
	('2026-05-03', 'o365', '', 'Skype for Business Online (Plan 2)', '', 'Skype For Business', 1, 0, 1, 14),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Basic', '', 'Exchange', 2, 0, 27, 33),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Standard', '', 'Exchange', 3, 0, 61, 71),
	('2026-05-03', 'o365', '', 'Exchange Online (Plan 2)', '', 'Exchange', 1, 0, 9, 11),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Basic', '', 'Teams', 2, 0, 28, 33),
	('2026-05-03', 'o365', '', 'Exchange Online Archiving for Exchange Online', '', 'Exchange', 1, 0, 1, 5),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Basic', '', 'SharePoint', 2, 0, 21, 33),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Standard', '', 'Microsoft 365 Apps', 3, 0, 63, 71),
	('2026-05-03', 'o365', '', 'Microsoft 365 Business Basic', '', 'Yammer', 2, 0, 3, 33);


--
-- Data for Name: license_usage_month; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_month VALUES
	('2026-04-01', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', true, NULL, 20115614576929753, '{"Nordhamn Municipal Works GmbH"}', '{"2026-04-30 00:00:00+00"}', '{7}', '{12}', '{58.33}', '{"2026-11-29 13:09:55.412507+00"}', '{"2026-11-29 13:09:55.412507+00"}', '{1}', '{t}', '{t}', '{2026-04-30}'),
	('2026-05-01', '413c56de-68fd-4e96-b5c9-065fdd34b8c9', true, -1099222722041019976, 9207868830909881750, '{"Montferro & Mistralle Law BV","Montferro & Mistralle Law BV","Montferro & Mistralle Law BV","Montferro & Mistralle Law BV","Montferro & Mistralle Law BV"}', '{"2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00"}', '{8,4,5,10,1}', '{8,8,8,8,8}', '{100,50,62.5,125,12.5}', '{"2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00"}', '{"2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00","2026-11-29 13:09:55.566366+00"}', '{2,2,2,2,2}', '{t,t,t,t,t}', '{t,t,t,t,t}', '{2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02}'),
	('2026-05-01', '05ad427c-d9a1-457c-a6de-0d04bf7f4878', true, -4717399092554323548, -2595344692234310881, '{"Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group","Grauwald Municipal Works Group"}', '{"2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00"}', '{1,4,3,3,0,4,3,4,6,1}', '{5,4,4,4,4,6,6,6,6,6}', '{20,100,75,75,0,66.67,50,66.67,100,16.67}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{2,2,2,2,2,2,2,2,2,2}', '{t,t,t,t,t,t,t,t,t,t}', '{t,t,t,t,t,t,t,t,t,t}', '{2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02}'),
	('2026-05-01', 'e365dc0d-89de-459b-8cba-a60ec5640395', true, 3834000528499743501, 3807159975287191933, '{"Marisol Energy GmbH","Marisol Energy GmbH","Marisol Energy GmbH","Marisol Energy GmbH","Marisol Energy GmbH"}', '{"2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00"}', '{23,18,25,3,1}', '{29,29,29,29,14}', '{79.31,62.07,86.21,10.34,7.14}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{2,2,2,2,2}', '{t,t,t,t,t}', '{t,t,t,t,t}', '{2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02}'),
	('2026-05-01', 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', true, -8819610929233406252, -5174888581413627691, '{"Nordhamn Municipal Works GmbH","Nordhamn Municipal Works GmbH","Nordhamn Municipal Works GmbH","Nordhamn Municipal Works GmbH","Nordhamn Municipal Works GmbH","Nordhamn Municipal Works GmbH"}', '{"2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00","2026-05-03 00:00:00+00"}', '{9,49,56,45,33,7}', '{11,57,57,57,57,57}', '{81.82,85.96,98.25,78.95,57.89,12.28}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{"2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00","2026-11-29 13:09:55.583193+00"}', '{2,2,2,2,2,2}', '{t,t,t,t,t,t}', '{t,t,t,t,t,t}', '{2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02,2026-05-02}');


--
-- Data for Name: license_usage_set; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.license_usage_set VALUES
	(-2595344692234310881, '{"Exchange Online Archiving for Exchange Online","Microsoft 365 Business Basic","Microsoft 365 Business Basic","Microsoft 365 Business Basic","Microsoft 365 Business Basic","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard"}', '{Exchange,Exchange,SharePoint,Teams,Yammer,Exchange,"Microsoft 365 Apps",SharePoint,Teams,Yammer}', '{NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL}', '{o365,o365,o365,o365,o365,o365,o365,o365,o365,o365}', '{NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL}', '{reseller,reseller,reseller,reseller,reseller,reseller,reseller,reseller,reseller,reseller}'),
	(3807159975287191933, '{"Microsoft 365 Business Basic","Microsoft 365 Business Basic","Microsoft 365 Business Basic","Microsoft 365 Business Basic","Skype for Business Online (Plan 2)"}', '{Exchange,SharePoint,Teams,Yammer,"Skype For Business"}', '{NULL,NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL}', '{o365,o365,o365,o365,o365}', '{NULL,NULL,NULL,NULL,NULL}', '{reseller,reseller,reseller,reseller,reseller}'),
	(9207868830909881750, '{"Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard"}', '{Exchange,"Microsoft 365 Apps",SharePoint,Teams,Yammer}', '{NULL,NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL}', '{o365,o365,o365,o365,o365}', '{NULL,NULL,NULL,NULL,NULL}', '{reseller,reseller,reseller,reseller,reseller}'),
	(20115614576929753, '{"Dynamics 365 Customer Service Enterprise"}', '{"Microsoft Dynamics CRM"}', '{NULL}', '{NULL}', '{crm}', '{NULL}', '{reseller}'),
	(-5174888581413627691, '{"Exchange Online (Plan 2)","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard","Microsoft 365 Business Standard"}', '{Exchange,Exchange,"Microsoft 365 Apps",SharePoint,Teams,Yammer}', '{NULL,NULL,NULL,NULL,NULL,NULL}', '{NULL,NULL,NULL,NULL,NULL,NULL}', '{o365,o365,o365,o365,o365,o365}', '{NULL,NULL,NULL,NULL,NULL,NULL}', '{reseller,reseller,reseller,reseller,reseller,reseller}');


--
-- Data for Name: name_history; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: product_alias; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: product_note; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.product_note VALUES
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


--
-- Data for Name: rejected_row; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: restatement; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: series_name; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.series_name VALUES
	('exchange', 'Exchange', NULL),
	('exchange online archiving for exchange online', 'Exchange Online Archiving for Exchange Online', NULL),
	('microsoft 365 apps', 'Microsoft 365 Apps', NULL),
	('microsoft 365 business basic', 'Microsoft 365 Business Basic', NULL),
	('microsoft 365 business standard', 'Microsoft 365 Business Standard', NULL),
	('sharepoint', 'SharePoint', NULL),
	('teams', 'Teams', NULL),
	('yammer', 'Yammer', NULL),
	('dynamics 365 customer service enterprise', 'Dynamics 365 Customer Service Enterprise', NULL),
	('exchange online (plan 2)', 'Exchange Online (Plan 2)', NULL),
	('microsoft dynamics crm', 'Microsoft Dynamics CRM', NULL),
	('skype for business', 'Skype For Business', NULL),
	('skype for business online (plan 2)', 'Skype for Business Online (Plan 2)', NULL);


--
-- Data for Name: service_date; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.service_date VALUES
	('usage', '2026-05-02', 'o365', '2026-11-29 13:09:55.386999+00'),
	('usage', '2026-04-30', 'crm', '2026-11-29 13:09:55.391989+00'),
	('usage', '2026-05-03', 'o365', '2026-11-29 13:09:55.565771+00');


--
-- Data for Name: stale_day; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: sync_customer; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sync_customer VALUES
	(1, '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'succeeded', NULL, NULL, NULL, 200, 1, 10, 10, 0, 0, 0, '2026-11-29 13:09:55.386999+00', NULL, NULL),
	(1, '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'succeeded', NULL, NULL, NULL, 200, 1, 5, 5, 0, 0, 0, '2026-11-29 13:09:55.389434+00', NULL, NULL),
	(1, 'e365dc0d-89de-459b-8cba-a60ec5640395', 'succeeded', NULL, NULL, NULL, 200, 1, 5, 5, 0, 0, 0, '2026-11-29 13:09:55.391705+00', NULL, NULL),
	(1, 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'succeeded', NULL, NULL, NULL, 200, 1, 7, 7, 0, 0, 0, '2026-11-29 13:09:55.391989+00', NULL, NULL),
	(2, '413c56de-68fd-4e96-b5c9-065fdd34b8c9', 'succeeded', NULL, NULL, NULL, 200, 1, 5, 5, 0, 0, 0, '2026-11-29 13:09:55.565771+00', NULL, NULL),
	(2, '05ad427c-d9a1-457c-a6de-0d04bf7f4878', 'succeeded', NULL, NULL, NULL, 200, 1, 10, 10, 0, 0, 0, '2026-11-29 13:09:55.567179+00', NULL, NULL),
	(2, 'e365dc0d-89de-459b-8cba-a60ec5640395', 'succeeded', NULL, NULL, NULL, 200, 1, 5, 5, 0, 0, 0, '2026-11-29 13:09:55.567668+00', NULL, NULL),
	(2, 'df0b2f6f-501f-43fc-91ba-27f9c1a52405', 'succeeded', NULL, NULL, NULL, 200, 1, 7, 6, 0, 1, 0, '2026-11-29 13:09:55.568095+00', NULL, NULL);


--
-- Data for Name: sync_run; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.sync_run OVERRIDING SYSTEM VALUE VALUES
	(1, 'backfill', 'customer', true, NULL, NULL, NULL, NULL, NULL, '2026-11-29 13:09:55.352647+00', '2026-11-29 13:09:55.433747+00', 'succeeded', false, NULL, '2026-05-02', NULL, 4, 4, 0, 27, 27, 0, 0, 0, 5, 0, 0, 'vm', NULL),
	(2, 'backfill', 'customer', true, NULL, NULL, NULL, NULL, NULL, '2026-11-29 13:09:55.529737+00', '2026-11-29 13:09:55.596082+00', 'succeeded', false, NULL, '2026-05-03', NULL, 4, 4, 0, 27, 26, 0, 1, 0, 5, 0, 0, 'vm', NULL);


--
-- Name: rejected_row_rejected_row_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.rejected_row_rejected_row_id_seq', 1, false);


--
-- Name: restatement_restatement_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.restatement_restatement_id_seq', 1, false);


--
-- Name: sync_run_run_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.sync_run_run_id_seq', 2, true);


--
-- Name: _sqlx_migrations _sqlx_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);


--
-- Name: adoption_target adoption_target_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.adoption_target
    ADD CONSTRAINT adoption_target_pkey PRIMARY KEY (workload_name);


--
-- Name: bi_role bi_role_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.bi_role
    ADD CONSTRAINT bi_role_pkey PRIMARY KEY (role_name);


--
-- Name: consent consent_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.consent
    ADD CONSTRAINT consent_pkey PRIMARY KEY (host);


--
-- Name: customer customer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.customer
    ADD CONSTRAINT customer_pkey PRIMARY KEY (customer_id);


--
-- Name: lease lease_name_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_name_key UNIQUE (name);


--
-- Name: lease lease_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.lease
    ADD CONSTRAINT lease_pkey PRIMARY KEY (name, epoch);


--
-- Name: ledger_locale ledger_locale_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.ledger_locale
    ADD CONSTRAINT ledger_locale_pkey PRIMARY KEY (since);


--
-- Name: license_deployment license_deployment_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_deployment
    ADD CONSTRAINT license_deployment_pkey PRIMARY KEY (processed_date_time, customer_id, product_name);


--
-- Name: license_usage license_usage_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage
    ADD CONSTRAINT license_usage_pkey PRIMARY KEY (processed_date_time, customer_id, product_name, workload_name);


--
-- Name: license_usage_2026_04_21 license_usage_2026_04_21_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_2026_04_21
    ADD CONSTRAINT license_usage_2026_04_21_pkey PRIMARY KEY (processed_date_time, customer_id, product_name, workload_name);


--
-- Name: license_usage_2026_05_01 license_usage_2026_05_01_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_2026_05_01
    ADD CONSTRAINT license_usage_2026_05_01_pkey PRIMARY KEY (processed_date_time, customer_id, product_name, workload_name);


--
-- Name: license_usage_collection license_usage_collection_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_collection
    ADD CONSTRAINT license_usage_collection_pkey PRIMARY KEY (processed_date_time, customer_id, service);


--
-- Name: license_usage_day_total license_usage_day_total_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_day_total
    ADD CONSTRAINT license_usage_day_total_pkey PRIMARY KEY (date, service, product_id, product_name, workload_code, workload_name);


--
-- Name: license_usage_month license_usage_month_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_month
    ADD CONSTRAINT license_usage_month_pkey PRIMARY KEY (month, customer_id);


--
-- Name: license_usage_set license_usage_set_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.license_usage_set
    ADD CONSTRAINT license_usage_set_pkey PRIMARY KEY (set_id);


--
-- Name: name_history name_history_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.name_history
    ADD CONSTRAINT name_history_pkey PRIMARY KEY (kind, id, name);


--
-- Name: product_alias product_alias_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.product_alias
    ADD CONSTRAINT product_alias_pkey PRIMARY KEY (product_name);


--
-- Name: product_note product_note_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.product_note
    ADD CONSTRAINT product_note_pkey PRIMARY KEY (product_name);


--
-- Name: rejected_row rejected_row_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rejected_row
    ADD CONSTRAINT rejected_row_pkey PRIMARY KEY (rejected_row_id);


--
-- Name: restatement restatement_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.restatement
    ADD CONSTRAINT restatement_pkey PRIMARY KEY (customer_id, restatement_id);


--
-- Name: series_name series_name_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.series_name
    ADD CONSTRAINT series_name_pkey PRIMARY KEY (folded);


--
-- Name: service_date service_date_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.service_date
    ADD CONSTRAINT service_date_pkey PRIMARY KEY (dataset, processed_date, service);


--
-- Name: stale_day stale_day_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.stale_day
    ADD CONSTRAINT stale_day_pkey PRIMARY KEY (date);


--
-- Name: sync_customer sync_customer_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sync_customer
    ADD CONSTRAINT sync_customer_pkey PRIMARY KEY (run_id, customer_id);


--
-- Name: sync_run sync_run_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT sync_run_pkey PRIMARY KEY (run_id);


--
-- Name: license_deployment_customer_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_deployment_customer_idx ON public.license_deployment USING btree (customer_id, processed_date_time);


--
-- Name: INDEX license_deployment_customer_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_deployment_customer_idx IS 'One customer''s history.';


--
-- Name: license_usage_customer_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_customer_idx ON ONLY public.license_usage USING btree (customer_id);


--
-- Name: INDEX license_usage_customer_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_customer_idx IS 'One customer''s history.';


--
-- Name: license_usage_2026_04_21_customer_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_2026_04_21_customer_id_idx ON public.license_usage_2026_04_21 USING btree (customer_id);


--
-- Name: INDEX license_usage_2026_04_21_customer_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_2026_04_21_customer_id_idx IS 'One customer''s history.';


--
-- Name: license_usage_2026_05_01_customer_id_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_2026_05_01_customer_id_idx ON public.license_usage_2026_05_01 USING btree (customer_id);


--
-- Name: INDEX license_usage_2026_05_01_customer_id_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_2026_05_01_customer_id_idx IS 'One customer''s history.';


--
-- Name: license_usage_collection_later_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_collection_later_idx ON public.license_usage_collection USING btree (processed_date_time, customer_id) WHERE has_later_rows;


--
-- Name: INDEX license_usage_collection_later_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_collection_later_idx IS 'The few that may have replaced rows.';


--
-- Name: license_usage_collection_odd_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_collection_odd_idx ON public.license_usage_collection USING btree (processed_date_time) WHERE ((((processed_date_time AT TIME ZONE 'UTC'::text))::time without time zone > '00:00:00'::time without time zone) AND (((processed_date_time AT TIME ZONE 'UTC'::text))::time without time zone <= '24:00:00'::time without time zone));


--
-- Name: INDEX license_usage_collection_odd_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_collection_odd_idx IS 'The few that are not of midnight (UTC).';


--
-- Name: license_usage_month_newest_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_month_newest_idx ON public.license_usage_month USING btree (customer_id) WHERE newest;


--
-- Name: INDEX license_usage_month_newest_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_month_newest_idx IS 'The newest rows of every customer, or of one.';


--
-- Name: license_usage_month_set_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX license_usage_month_set_idx ON public.license_usage_month USING btree (customer_id, set_id, month);


--
-- Name: INDEX license_usage_month_set_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.license_usage_month_set_idx IS 'The first month in which a customer had a set, without reading all months.';


--
-- Name: rejected_row_run_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rejected_row_run_idx ON public.rejected_row USING btree (run_id, customer_id);


--
-- Name: INDEX rejected_row_run_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.rejected_row_run_idx IS 'What a run rejected, of every customer or of one.';


--
-- Name: sync_run_newest_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sync_run_newest_idx ON public.sync_run USING btree (newest_processed_date, run_id);


--
-- Name: INDEX sync_run_newest_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sync_run_newest_idx IS 'For coverage: the runs that were to fetch a date.';


--
-- Name: sync_run_running_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sync_run_running_idx ON public.sync_run USING btree (run_id) WHERE ((outcome)::text = 'running'::text);


--
-- Name: INDEX sync_run_running_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sync_run_running_idx IS 'Runs that a crash left behind, without reading the runs of years.';


--
-- Name: sync_run_tick_idx; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX sync_run_tick_idx ON public.sync_run USING btree (tick) WHERE (tick IS NOT NULL);


--
-- Name: INDEX sync_run_tick_idx; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON INDEX public.sync_run_tick_idx IS 'Whether a tick has been done, without reading the runs of years.';


--
-- Name: license_usage_2026_04_21_customer_id_idx; Type: INDEX ATTACH; Schema: public; Owner: -
--

ALTER INDEX public.license_usage_customer_idx ATTACH PARTITION public.license_usage_2026_04_21_customer_id_idx;


--
-- Name: license_usage_2026_04_21_pkey; Type: INDEX ATTACH; Schema: public; Owner: -
--

ALTER INDEX public.license_usage_pkey ATTACH PARTITION public.license_usage_2026_04_21_pkey;


--
-- Name: license_usage_2026_05_01_customer_id_idx; Type: INDEX ATTACH; Schema: public; Owner: -
--

ALTER INDEX public.license_usage_customer_idx ATTACH PARTITION public.license_usage_2026_05_01_customer_id_idx;


--
-- Name: license_usage_2026_05_01_pkey; Type: INDEX ATTACH; Schema: public; Owner: -
--

ALTER INDEX public.license_usage_pkey ATTACH PARTITION public.license_usage_2026_05_01_pkey;


--
-- Name: license_deployment follow_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_delete AFTER DELETE ON public.license_deployment REFERENCING OLD TABLE AS gone FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_deployment_writers();


--
-- Name: TRIGGER follow_delete ON license_deployment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_delete ON public.license_deployment IS 'For rows that another writer deletes.';


--
-- Name: license_usage follow_delete; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_delete AFTER DELETE ON public.license_usage REFERENCING OLD TABLE AS gone FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_writers();


--
-- Name: TRIGGER follow_delete ON license_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_delete ON public.license_usage IS 'For rows that another writer deletes.';


--
-- Name: license_deployment follow_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_insert AFTER INSERT ON public.license_deployment REFERENCING NEW TABLE AS come FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_deployment_writers();


--
-- Name: TRIGGER follow_insert ON license_deployment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_insert ON public.license_deployment IS 'For rows that another writer inserts.';


--
-- Name: license_usage follow_insert; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_insert AFTER INSERT ON public.license_usage REFERENCING NEW TABLE AS come FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_writers();


--
-- Name: TRIGGER follow_insert ON license_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_insert ON public.license_usage IS 'For rows that another writer inserts.';


--
-- Name: license_deployment follow_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_truncate AFTER TRUNCATE ON public.license_deployment FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_deployment_writers();


--
-- Name: TRIGGER follow_truncate ON license_deployment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_truncate ON public.license_deployment IS 'For a table that another writer empties.';


--
-- Name: license_usage follow_truncate; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_truncate AFTER TRUNCATE ON public.license_usage FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_writers();


--
-- Name: TRIGGER follow_truncate ON license_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_truncate ON public.license_usage IS 'For a ledger that another writer empties.';


--
-- Name: license_deployment follow_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_update AFTER UPDATE ON public.license_deployment REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_deployment_writers();


--
-- Name: TRIGGER follow_update ON license_deployment; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_update ON public.license_deployment IS 'For rows that another writer updates.';


--
-- Name: license_usage follow_update; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER follow_update AFTER UPDATE ON public.license_usage REFERENCING OLD TABLE AS gone NEW TABLE AS come FOR EACH STATEMENT WHEN ((current_setting('seatledger.keeps_months'::text, true) IS DISTINCT FROM 'on'::text)) EXECUTE FUNCTION public.follow_other_writers();


--
-- Name: TRIGGER follow_update ON license_usage; Type: COMMENT; Schema: public; Owner: -
--

COMMENT ON TRIGGER follow_update ON public.license_usage IS 'For rows that another writer updates.';


--
-- Name: rejected_row rejected_row_run_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rejected_row
    ADD CONSTRAINT rejected_row_run_fkey FOREIGN KEY (run_id) REFERENCES public.sync_run(run_id);


--
-- Name: sync_run sync_run_resumes_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.sync_run
    ADD CONSTRAINT sync_run_resumes_fkey FOREIGN KEY (resumes) REFERENCES public.sync_run(run_id);


--
-- PostgreSQL database dump complete
--


