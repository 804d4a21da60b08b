-- Locks, against readers, what a migration will close and our views above it: a view before what
-- it reads, as readers do, so that a reader and the migration cannot wait for each other. "lock
-- table" would lock all that a view reads, too; a change to the owner that it has locks it alone.
-- Views of other owners need no lock, because a migration does not touch them.
do $$
declare
    closed record;
begin
    for closed in
        with recursive above (oid, height) as (
            select coalesce(i.indrelid, c.oid), 0
            from unnest(array[$names]::text []) as n (name)
            inner join pg_class as c on c.oid = to_regclass(quote_ident(n.name))
            left join pg_index as i on i.indexrelid = c.oid
            union
            select r.ev_class, a.height + 1
            from above as a
            inner join pg_depend as d
                on d.classid = 'pg_rewrite'::regclass
                and d.refclassid = 'pg_class'::regclass
                and d.refobjid = a.oid
            inner join pg_rewrite as r on r.oid = d.objid and r.ev_class <> a.oid
        )

        select
            c.oid::regclass as name,
            c.relkind = 'v' as is_view,
            pg_get_userbyid(c.relowner) as owner
        from (select oid, max(height) as height from above group by oid) as a
        inner join pg_class as c on c.oid = a.oid
        where c.relkind in ('v', 'r', 'p') and pg_has_role(c.relowner, 'usage')
        order by c.relkind <> 'v', a.height desc, c.oid
    loop
        if closed.is_view then
            execute format('alter view %s owner to %I', closed.name, closed.owner);
        else
            execute format('lock table %s in access exclusive mode', closed.name);
        end if;
    end loop;
end
$$
