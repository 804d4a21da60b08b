-- What a role for BI tools may read, by the rules of grants/differences.sql: the name, and the name
-- as it is written in SQL.
select c.relname::text, c.oid::regclass::text
from pg_class as c
where c.relnamespace = current_schema()::regnamespace
    and (
        (
            c.relname = any($1::text [])
            and c.relkind = 'v'
            and coalesce(obj_description(c.oid, 'pg_class'), '') not like 'Inner view%'
        )
        or (
            c.relname = any($2::text [])
            and c.relkind = 'r'
            and obj_description(c.oid, 'pg_class') like 'For people to edit%'
        )
    )
order by c.relname
