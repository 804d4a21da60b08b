-- The ledger in partitions of a third of a month: the second index is as small as its partition, so that a day's rows
-- touch the same few pages of it however many years are stored; and an operator can put old ones away.
-- What is stored already becomes the oldest partition as it is. Reads it twice, and locks the ledger meanwhile.

-- Views are bound to the table and not to its name, those of the ledger's users too: all of them are made to read the
-- new one, with their owners and grants. What cannot be taken over is for a person to take away first and to give back
-- after.
do $$
declare
    ledger regclass := 'license_usage';
    held text;
begin
    if (select relowner from pg_class where oid = ledger) <> (select oid from pg_roles where rolname = current_user) then
        raise exception 'license_usage belongs to another role than %, and its successor would belong to this one', current_user
            using hint = 'Migrate as its owner.';
    end if;
    select string_agg(what, ', ') into held
    from (
        select 'materialized view ' || c.oid::regclass as what
        from pg_depend as d
        inner join pg_rewrite as r on r.oid = d.objid
        inner join pg_class as c on c.oid = r.ev_class
        where d.refobjid = ledger and d.classid = 'pg_rewrite'::regclass and c.relkind = 'm'
        union
        select 'view of another role ' || c.oid::regclass
        from pg_depend as d
        inner join pg_rewrite as r on r.oid = d.objid
        inner join pg_class as c on c.oid = r.ev_class
        where d.refobjid = ledger and d.classid = 'pg_rewrite'::regclass and c.relkind = 'v'
            and not pg_has_role(c.relowner, 'member')
        union
        select 'policy ' || polname from pg_policy where polrelid = ledger
        union
        select 'row level security' from pg_class where oid = ledger and relrowsecurity
        union
        select 'trigger ' || tgname from pg_trigger where tgrelid = ledger and not tgisinternal
        union
        select 'foreign key ' || conname from pg_constraint where contype = 'f' and confrelid = ledger
        union
        select 'publication ' || p.pubname
        from pg_publication_rel as r
        inner join pg_publication as p on p.oid = r.prpubid
        where r.prrelid = ledger
        union
        select 'grant on column ' || attname from pg_attribute where attrelid = ledger and attacl is not null
        union
        select 'function ' || d.objid::regprocedure
        from pg_depend as d
        where d.classid = 'pg_proc'::regclass
            and d.refobjid in (ledger, (select reltype from pg_class where oid = ledger))
    ) as holders (what);
    if held is not null then
        raise exception 'license_usage is about to be partitioned, and cannot take along: %', held
            using hint = 'Drop these, migrate, and create them anew.';
    end if;
end
$$;

create temporary table dependent_view on commit drop as
select distinct c.oid::regclass as name, pg_get_viewdef(c.oid) as definition, c.reloptions as options
from pg_depend as d
inner join pg_rewrite as r on r.oid = d.objid
inner join pg_class as c on c.oid = r.ev_class
where d.refobjid = 'license_usage'::regclass and d.classid = 'pg_rewrite'::regclass and c.relkind = 'v';

alter table license_usage rename to license_usage_before;
alter index license_usage_pkey rename to license_usage_before_pkey;
drop index license_usage_customer_idx;

create table license_usage (
    processed_date_time timestamptz not null,
    customer_id uuid not null,
    product_name varchar(512) not null,
    workload_name varchar(512) not null,
    customer_name varchar(512),
    product_id varchar(512),
    workload_code varchar(512),
    service_name varchar(512),
    service_code varchar(512),
    channel varchar(512),
    licenses_active bigint not null,
    licenses_qualified bigint not null,
    usage_percent double precision,
    first_synced_at timestamptz not null,
    last_changed_at timestamptz not null,
    run_id bigint not null,
    constraint license_usage_pkey
        primary key (processed_date_time, customer_id, product_name, workload_name),
    constraint license_usage_licenses_active_check check (licenses_active >= 0),
    constraint license_usage_licenses_qualified_check check (licenses_qualified >= 0)
) partition by range (processed_date_time);

-- One customer's history.
create index license_usage_customer_idx on license_usage (customer_id);

comment on table license_usage is 'The ledger: licence usage per customer, product, workload and processed date, as last reported. A sync never deletes from it.';
comment on column license_usage.processed_date_time is 'The date for which the service processed the figures. It lags behind by days and differs by service.';
comment on column license_usage.customer_id is 'The customer''s tenant id.';
comment on column license_usage.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage.customer_name is 'The customer''s name at that time.';
comment on column license_usage.product_id is 'The product''s id, where the API gives it.';
comment on column license_usage.workload_code is 'The workload''s code, such as EXO, where the API gives it.';
comment on column license_usage.service_name is 'The service, such as o365 or crm.';
comment on column license_usage.service_code is 'The service''s code, where the API gives it.';
comment on column license_usage.channel is 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';
comment on column license_usage.licenses_active is 'Seats whose user was active within 28 days before the processed date. Not additive over dates.';
comment on column license_usage.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage.usage_percent is 'As the API gives it; null where it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';
comment on column license_usage.first_synced_at is 'When the row was first stored.';
comment on column license_usage.last_changed_at is 'When the row was last written: stored, or corrected.';
comment on column license_usage.run_id is 'The run that last wrote the row.';

-- Whoever might use the old table may use the new one.
do $$
declare
    granted record;
begin
    for granted in
        select a.privilege_type, a.is_grantable,
            case when a.grantee = 0 then 'public' else a.grantee::regrole::text end as grantee
        from pg_class as c
        cross join lateral aclexplode(c.relacl) as a
        where c.oid = 'license_usage_before'::regclass and a.grantee <> c.relowner
    loop
        execute format(
            'grant %s on license_usage to %s%s',
            granted.privilege_type, granted.grantee, case when granted.is_grantable then ' with grant option' else '' end
        );
    end loop;
end
$$;

-- A third of a month, UTC: from the 1st, the 11th and the 21st.
create function license_usage_period(of_date timestamptz) returns date
language sql immutable parallel safe
return date_trunc('month', of_date at time zone 'UTC')::date
    + 10 * least((extract(day from of_date at time zone 'UTC')::integer - 1) / 10, 2);

comment on function license_usage_period is 'The first day of the third of a month (UTC) that a partition of the ledger holds.';

-- Attached rather than created in place: that leaves whoever reads or writes the ledger undisturbed.
create function add_license_usage_partitions(for_dates timestamptz[]) returns void
language plpgsql
as $$
declare
    period date;
    wanted text;
    name text;
begin
    for period in
        select distinct license_usage_period(d) from unnest(for_dates) as d
        except
        select license_usage_period(d)
        from unnest(for_dates) as d
        inner join (
            select
                substring(bounds from 'FROM \(''([^'']*)''\)')::timestamptz as from_date,
                substring(bounds from 'TO \(''([^'']*)''\)')::timestamptz as to_date
            from pg_inherits as i
            inner join pg_class as c on c.oid = i.inhrelid
            cross join pg_get_expr(c.relpartbound, c.oid) as bounds
            where i.inhparent = 'license_usage'::regclass
        ) as p
            on (d >= p.from_date or p.from_date is null) and (d < p.to_date or p.to_date is null)
    loop
        -- A partition that was detached keeps its name.
        wanted := 'license_usage_' || to_char(period, 'YYYY_MM_DD');
        name := wanted;
        for number in 2..1000 loop
            exit when to_regclass(quote_ident(name)) is null;
            name := wanted || '_' || number;
        end loop;
        execute format('create table %I (like license_usage including all)', name);
        execute format(
            'comment on table %I is %L',
            name, 'The rows of license_usage from ' || period || ' on, for a third of a month. Read license_usage instead.'
        );
        execute format(
            'alter table license_usage attach partition %I for values from (%L) to (%L)',
            name,
            period::timestamp at time zone 'UTC',
            license_usage_period((period + 11)::timestamp at time zone 'UTC')::timestamp at time zone 'UTC'
        );
    end loop;
end
$$;

comment on function add_license_usage_partitions is 'Makes the partitions of the ledger for rows of these dates, where they are not there.';

do $$
declare
    dependent record;
begin
    for dependent in select * from dependent_view loop
        execute format(
            'create or replace view %s %s as %s',
            dependent.name, 'with (' || array_to_string(dependent.options, ', ') || ')', dependent.definition
        );
    end loop;
end
$$;

do $$
declare
    newest date := (select license_usage_period(max(processed_date_time)) from license_usage_before);
begin
    if newest is null then
        drop table license_usage_before;
    else
        comment on table license_usage_before is 'The rows of license_usage that were stored before it had partitions. Read license_usage instead.';
        create index license_usage_before_customer_id_idx on license_usage_before (customer_id);
        execute format(
            'alter table license_usage attach partition license_usage_before for values from (minvalue) to (%L)',
            license_usage_period((newest + 11)::timestamp at time zone 'UTC')::timestamp at time zone 'UTC'
        );
    end if;
end
$$;
