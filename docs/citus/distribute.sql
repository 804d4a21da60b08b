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
