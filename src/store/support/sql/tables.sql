-- A partitioned table with all of its partitions; the rows are the planner's estimate.
select coalesce(json_agg(t order by t.bytes desc), '[]'::json)
from (
    select
        r.relname as name,
        sum(pg_total_relation_size(c.oid))::bigint as bytes,
        sum(greatest(c.reltuples, 0))::bigint as estimated_rows,
        count(*) as partitions
    from pg_class as c
    inner join pg_class as r on r.oid = coalesce(pg_partition_root(c.oid), c.oid)
    inner join pg_namespace as n on n.oid = r.relnamespace
    where
        c.relkind = 'r'
        and r.relname = any($1::text[])
        and n.nspname = any(current_schemas(false))
    group by r.relname
) as t
