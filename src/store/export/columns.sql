-- The columns of a relation: name, expression to select, type and comment. What has no type of its
-- own in a file is selected as text.
select
    a.attname::text,
    case
        when t.name in (
            'boolean', 'bigint', 'double precision', 'date', 'timestamp with time zone'
        ) then quote_ident(a.attname)
        when t.name in ('smallint', 'integer') then format('%I::integer', a.attname)
        when t.name = 'real' then format('%I::double precision', a.attname)
        else format('%I::text', a.attname)
    end,
    t.name,
    coalesce(col_description(a.attrelid, a.attnum), '')
from pg_attribute as a
cross join lateral format_type(a.atttypid, null) as t (name)
where a.attrelid = $1::regclass
    and a.attnum > 0
    and not a.attisdropped
order by a.attnum
