-- What the connected role may read of the ledger, as lines of "relation,column,type".
copy (
    select c.relname, a.attname, format_type(a.atttypid, null)
    from pg_class as c
    inner join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = current_schema()::regnamespace
        and c.relkind in ('v', 'r', 'p')
        and has_table_privilege(c.oid, 'select')
    order by c.relname, a.attnum
) to stdout (format csv);
