-- The views of others that use what a migration removes, of a table or of its partitions, each as
-- a part of a sentence.
select distinct
    format(
        '%s of role %s (uses %s%s)',
        f.oid::regclass,
        pg_get_userbyid(f.relowner),
        c.relname,
        '.' || a.attname
    ) as view
from unnest($1::text [], $2::text []) as n (name, column_name)
inner join pg_class as c
    on c.oid = to_regclass(quote_ident(n.name))
    or c.oid in (
        select inhrelid from pg_inherits where inhparent = to_regclass(quote_ident(n.name))
    )
left join pg_attribute as a on a.attrelid = c.oid and a.attname = n.column_name
inner join pg_depend as d
    on d.classid = 'pg_rewrite'::regclass
    and d.refclassid = 'pg_class'::regclass
    and d.refobjid = c.oid
    and (n.column_name is null or d.refobjsubid = a.attnum)
inner join pg_rewrite as r on r.oid = d.objid and r.ev_class <> c.oid
inner join pg_class as f on f.oid = r.ev_class
where not (
    f.relnamespace = to_regnamespace(quote_ident(current_schema()))
    and f.relname = any($3::text [])
)
order by view
