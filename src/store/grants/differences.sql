-- The statements that give the roles what they lack: select on the views, all on the tables that
-- people edit, and execute on functions that the views call, which run with their reader's rights.
-- On a cluster of Citus also select on the tables behind the views, because a worker asks for it.
-- And the statements that take back what else they have of the ledger.
with recursive named as (
    select r.oid, r.rolname
    from pg_roles as r
    where r.rolname = any($1::text [])
),

ledger as (
    select oid, quote_ident(nspname) as name, nspacl, nspowner
    from pg_namespace
    where nspname = current_schema()
),

readable as (
    select c.oid
    from ledger as l
    inner join pg_class as c on c.relnamespace = l.oid
    where c.relname = any($2::text [])
        and c.relkind = 'v'
        and coalesce(obj_description(c.oid, 'pg_class'), '') not like 'Inner view%'
),

editable as (
    select c.oid
    from ledger as l
    inner join pg_class as c on c.relnamespace = l.oid
    where c.relname = any($3::text [])
        and c.relkind = 'r'
        and obj_description(c.oid, 'pg_class') like 'For people to edit%'
),

used (kind, oid) as (
    select 'pg_class'::regclass::oid, oid
    from readable
    union
    select d.refclassid, d.refobjid
    from used as u
    -- What a view uses is recorded of its rule, and what a function uses of itself.
    left join pg_rewrite as r on u.kind = 'pg_class'::regclass and r.ev_class = u.oid
    inner join pg_depend as d
        on d.classid = case when r.oid is null then u.kind else 'pg_rewrite'::regclass end
        and d.objid = coalesce(r.oid, u.oid)
        and d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
    where u.kind <> 'pg_class'::regclass or r.oid is not null
),

wanted (kind, name, permission) as (
    select 'table', oid::regclass::text, 'SELECT'
    from readable
    union all
    select 'table', e.oid::regclass::text, p.permission
    from editable as e
    cross join unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE']) as p (permission)
    union all
    select 'table', c.oid::regclass::text, 'SELECT'
    from used as u
    inner join pg_class as c on c.oid = u.oid
    where u.kind = 'pg_class'::regclass
        and c.relkind in ('r', 'p')
        and c.oid not in (select oid from editable)
        and to_regclass('pg_dist_partition') is not null
    union all
    select 'function', p.oid::regprocedure::text, 'EXECUTE'
    from used as u
    inner join pg_proc as p on p.oid = u.oid
    inner join ledger as l on l.oid = p.pronamespace
    where u.kind = 'pg_proc'::regclass
        and not has_function_privilege('public', p.oid, 'execute')
    union all
    select 'schema', name, 'USAGE'
    from ledger
),

held (kind, name, permission, grantee) as (
    select 'table', c.oid::regclass::text, a.privilege_type, a.grantee
    from ledger as l
    inner join pg_class as c on c.relnamespace = l.oid
    cross join aclexplode(c.relacl) as a
    where c.relkind <> 'S' and pg_has_role(c.relowner, 'usage')
    union all
    select 'function', p.oid::regprocedure::text, a.privilege_type, a.grantee
    from ledger as l
    inner join pg_proc as p on p.pronamespace = l.oid
    cross join aclexplode(p.proacl) as a
    where pg_has_role(p.proowner, 'usage')
    union all
    select 'schema', l.name, a.privilege_type, a.grantee
    from ledger as l
    cross join aclexplode(l.nspacl) as a
),

-- Whoever does not own the schema cannot give or take its use.
possible as (
    select
        n.oid,
        n.rolname,
        has_schema_privilege(n.oid, l.oid, 'usage') as has_usage,
        has_schema_privilege(l.oid, 'usage with grant option') as may_grant_usage
    from named as n
    cross join ledger as l
)

select format('grant %s on %s %s to %I', w.permission, w.kind, w.name, p.rolname) as statement
from possible as p
cross join wanted as w
where $4
    and (w.kind <> 'schema' or (p.may_grant_usage and not p.has_usage))
    and not exists (
        select
        from held as h
        where h.grantee = p.oid
            and (h.kind, h.name, h.permission) = (w.kind, w.name, w.permission)
    )
union all
select format('revoke %s on %s %s from %I', h.permission, h.kind, h.name, p.rolname)
from possible as p
inner join held as h on h.grantee = p.oid
where $5
    and (h.kind <> 'schema' or p.may_grant_usage)
    and not (
        $4
        and exists (
            select
            from wanted as w
            where (h.kind, h.name, h.permission) = (w.kind, w.name, w.permission)
        )
    )
order by statement
