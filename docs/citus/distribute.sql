-- Distributes a ledger over the workers of a Citus cluster; docs/scaling.md says when and how.
-- For psql on the coordinator, as the owner of the ledger, while no run is under way: each table is
-- locked while its rows move. It may be run again, also after a version of seatledger has brought
-- new tables. Rows are spread over as many shards as citus.shard_count says.

-- Citus takes no triggers on distributed tables. A run keeps what is beside the ledger up to date
-- by itself; whoever writes to the ledger by hand calls reread_license_usage() afterwards.
do $$
declare
    unwanted record;
begin
    for unwanted in
        select t.tgrelid::regclass as relation, t.tgname as name
        from pg_trigger as t
        where t.tgrelid in ('license_usage'::regclass, 'license_deployment'::regclass)
            and t.tgparentid = 0
            and not t.tgisinternal
    loop
        execute format('drop trigger %I on %s', unwanted.name, unwanted.relation);
    end loop;
end
$$;

-- Citus would make the table a part of the coordinator alone.
alter table rejected_row drop constraint if exists rejected_row_run_fkey;

-- Whole on every node: what all customers share, and what people edit.
do $$
declare
    relation regclass;
begin
    for relation in
        select t
        from unnest(array[
            'sync_run', 'rejected_row', 'series_name', 'ledger_locale', 'name_history',
            'service_date', 'stale_day', 'license_usage_day_total', 'license_usage_set',
            'product_alias', 'product_note', 'adoption_target'
        ]::regclass []) as t
        where not exists (select from pg_dist_partition where logicalrelid = t)
    loop
        perform create_reference_table(relation);
        perform truncate_local_data_after_distributing_table(relation);
    end loop;
end
$$;

-- By customer: all rows of a customer are on one node, so that joins by customer stay there. New
-- partitions of license_usage are distributed as it is.
do $$
declare
    relation regclass;
begin
    if not exists (select from pg_dist_partition where logicalrelid = 'customer'::regclass) then
        perform create_distributed_table('customer', 'customer_id');
        perform truncate_local_data_after_distributing_table('customer');
    end if;
    for relation in
        select t
        from unnest(array[
            'sync_customer', 'license_usage', 'license_usage_collection', 'license_usage_month',
            'license_deployment', 'restatement'
        ]::regclass []) as t
        where not exists (select from pg_dist_partition where logicalrelid = t)
    loop
        perform create_distributed_table(relation, 'customer_id', colocate_with => 'customer');
        perform truncate_local_data_after_distributing_table(relation);
    end loop;
end
$$;

-- A query for one customer goes to that customer's worker, and with it the function present_names,
-- which may ask for rows there only with this setting. Citus warns of wrong results, but the tables
-- that this function reads are whole on every node.
do $$
begin
    execute format(
        'alter database %I set citus.allow_nested_distributed_execution = on', current_database()
    );
end
$$;

-- Citus plans a query of a function with parameters only if the function is one of PL/pgSQL.
do $$
declare
    body text := (
        select p.prosrc
        from pg_proc as p
        inner join pg_language as l on l.oid = p.prolang
        where p.oid = 'data_completeness_between'::regproc
            and l.lanname = 'sql'
    );
begin
    if body is not null then
        execute format(
            'create or replace function data_completeness_between(first_day date, last_day date)
            returns table (
                date date,
                service varchar,
                customers_expected bigint,
                customers_stored bigint,
                completeness double precision,
                state varchar
            )
            language plpgsql stable security definer rows 200
            set jit = off set search_path = %I, pg_temp
            as %L',
            current_schema(),
            '#variable_conflict use_column
            begin
                return query
                select t.date, t.service, t.expected, t.stored, t.completeness, t.state::varchar
                from (' || body || ')
                    as t (date, service, expected, stored, completeness, state);
            end'
        );
    end if;
end
$$;

-- Citus has no plan for a subquery for each pair of products, so that here all collections of the
-- customers are read.
create or replace view product_rename_pair as
with held as (
    select customer_id, service, product_name, product_id, first_date, last_date, is_from_the_start
    from license_held
),

-- New products, with the collection that brought each and the one before it.
came as (
    select
        n.customer_id,
        n.service,
        n.product_name,
        n.first_date,
        min(k.processed_date_time) filter (where d.date = n.first_date) as came_with,
        max(k.processed_date_time) filter (where d.date < n.first_date) as came_after
    from held as n
    inner join license_usage_collection as k
        on k.customer_id = n.customer_id and k.service = n.service
    cross join lateral (
        select (k.processed_date_time at time zone 'UTC')::date as date
    ) as d
    where not n.is_from_the_start
    group by 1, 2, 3, 4
),

candidate as (
    select
        n.*,
        o.product_name as old_product_name,
        o.product_id as old_product_id,
        count(*) over (partition by o.product_name, n.product_name) as customers
    from came as n
    inner join held as o
        on o.customer_id = n.customer_id
        and o.service = n.service
        and o.last_date = (n.came_after at time zone 'UTC')::date
),

compared as (
    select c.*, abs(s.old_seats - s.new_seats) as difference
    from candidate as c
    cross join lateral (
        select
            max(u.licenses_qualified) filter (
                where u.processed_date_time = c.came_after
                    and coalesce(p.present_name, u.product_name)::varchar(255)
                    = c.old_product_name
            ) as old_seats,
            max(u.licenses_qualified) filter (
                where u.processed_date_time = c.came_with
                    and coalesce(p.present_name, u.product_name)::varchar(255) = c.product_name
            ) as new_seats
        from license_usage as u
        left join present_name as p
            on p.kind = 'product' and p.key = name_key(u.product_id, u.product_name)
        where u.customer_id = c.customer_id
            and u.processed_date_time in (c.came_after, c.came_with)
        group by u.customer_id
    ) as s
    where c.customers >= 5
),

closest as (
    select
        customer_id,
        old_product_name,
        old_product_id,
        product_name as new_product_name,
        first_date
    from (
        select
            *,
            min(difference) over (partition by customer_id, product_name) as least_of_new,
            min(difference) over (partition by customer_id, old_product_name) as least_of_old
        from compared
    ) as c
    where difference = least_of_new
        and difference = least_of_old
),

counted as (
    select
        old_product_name,
        new_product_name,
        max(old_product_id)::varchar(255) as old_product_id,
        count(*) as customers,
        min(first_date) as since
    from closest
    group by old_product_name, new_product_name
    having count(*) >= 5
),

-- Customers that held the old product the day before.
held_then as (
    select
        f.date,
        coalesce(p.present_name, f.product_name)::varchar(255) as product_name,
        count(distinct f.customer_id) as holders
    from license_usage_in_force(array(select distinct since - 1 from counted)) as f
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(f.product_id, f.product_name)
    group by 1, 2
),

shared as (
    select c.*, c.customers::double precision / h.holders as share_of_holders
    from counted as c
    left join held_then as h on h.date = c.since - 1 and h.product_name = c.old_product_name
),

ranked as (
    select
        *,
        row_number() over (
            partition by new_product_name
            order by customers desc, share_of_holders desc nulls last, old_product_name
        ) as place_of_old,
        row_number() over (
            partition by old_product_name
            order by customers desc, share_of_holders desc nulls last, new_product_name
        ) as place_of_new
    from shared
)

select
    c.customer_id,
    r.old_product_name,
    r.old_product_id,
    r.new_product_name,
    r.customers,
    r.share_of_holders,
    r.since
from ranked as r
inner join closest as c
    on c.old_product_name = r.old_product_name
    and c.new_product_name = r.new_product_name
where r.place_of_old = 1
    and r.place_of_new = 1;
