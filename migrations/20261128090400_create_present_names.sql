-- 6 of 13. Present names: a product has one name in all of its history, so that a renaming neither
-- counts its seats twice nor ends its series. First the tables that people edit.
-- New tables and views: locks nothing in use.

-- Edited by people --------------------------------------------------------------------------------

create table product_alias (
    product_name varchar(255) not null,
    present_name varchar(255) not null,
    constraint product_alias_pkey primary key (product_name)
);

comment on table product_alias
    is 'For people to edit: product names that stand for another one, for products without ids '
    '(source "customer"). product_rename_suspect has lines ready to copy. Views follow at once; '
    'the ledger''s rows keep their names.';
comment on column product_alias.product_name is 'The old name, as the ledger has it.';
comment on column product_alias.present_name
    is 'The name to show instead. It may have an alias itself; a circle ends where it began.';

create table product_note (
    product_name varchar(255) not null,
    product_kind varchar(16) not null,
    constraint product_note_pkey primary key (product_name),
    constraint product_note_product_kind_check check (product_kind in ('paid', 'free', 'trial'))
);

comment on table product_note
    is 'For people to edit: which products are paid, free or trials. A product without a row is a '
    'trial or free if its name has that word in it, and else paid.';
comment on column product_note.product_name is 'The product''s present name.';
comment on column product_note.product_kind is 'paid, free or trial.';

-- Products known to cost nothing whose names do not say so.
insert into product_note (product_name, product_kind)
values
('Microsoft Business Center', 'free'),
('Microsoft Power Apps for Developer', 'free'),
('Microsoft Teams Commercial Cloud (User Initiated)', 'trial'),
('Microsoft Teams Exploratory', 'trial'),
('Microsoft Teams Phone Resource Account', 'free'),
('Microsoft Teams Rooms Basic', 'free'),
('Office 365 A1 for faculty', 'free'),
('Office 365 A1 for students', 'free'),
('Rights Management Adhoc', 'free'),
('Rights Management Service Basic Content Protection', 'free'),
('Windows Store for Business', 'free');

-- Names -------------------------------------------------------------------------------------------

create function name_key(id varchar, name varchar) returns varchar
language sql immutable parallel safe
return coalesce('#' || id, '=' || name);

comment on function name_key
    is 'What a row''s product or workload is known by: its id, or its name if it has no id.';

-- A function of strings, called once for a query: a cluster that distributes the ledger takes no
-- recursive query beside the ledger's tables, and no function that is recorded to depend on them.
create function present_names(of_kind varchar)
returns table (key varchar, present_id varchar, present_name varchar)
language sql stable parallel safe security definer rows 200
as $$
    with recursive newest as (
        select distinct on (id) id, name
        from name_history
        where kind = of_kind
        order by id, last_processed_date_time desc, run_id desc, name
    ),

    -- If several ids have had a name, it stands for the id that had it last.
    by_name as (
        select o.name, o.id, n.name as present_name
        from (
            select distinct on (name) name, id
            from name_history
            where kind = of_kind
            order by name, last_processed_date_time desc, run_id desc, id
        ) as o
        inner join newest as n on n.id = o.id
    ),

    -- Follows aliases from name to name, up to a name that has an id or no alias.
    step as (
        select product_name, product_name as name, array[]::varchar [] as names, false as is_circle
        from product_alias
        where of_kind = 'product'
        union all
        select
            s.product_name,
            a.present_name,
            s.names || s.name,
            a.present_name = any(s.names || s.name)
        from step as s
        inner join product_alias as a on a.product_name = s.name
        where not s.is_circle
            and not exists (select from by_name as o where o.name = s.name)
    )

    select name_key(id, null), id, name
    from newest
    union all
    select name_key(null, name), id, present_name
    from by_name
    union all
    select name_key(null, s.product_name), o.id, coalesce(o.present_name, s.name)
    from step as s
    left join by_name as o on o.name = s.name
    where not exists (select from by_name as o where o.name = s.product_name)
        and (
            s.is_circle
            or o.name is not null
            or not exists (select from product_alias as a where a.product_name = s.name)
        )
$$;

comment on function present_names
    is 'The rows of present_name of products, or of workloads.';

-- Views run with the rights of their owner, but functions in them with the reader's.
do $$
begin
    execute format(
        'alter function present_names set search_path = %I, pg_temp', current_schema()
    );
end
$$;

revoke execute on function present_names from public;

create view present_name as
select 'product'::varchar(16) as kind, p.key, p.present_id, p.present_name
from present_names('product') as p
union all
select 'workload' as kind, w.key, w.present_id, w.present_name
from present_names('workload') as w;

comment on view present_name
    is 'Inner view: the present id and name of each product and workload whose rows may have '
    'another one: by id the newest name of the id; by name that of the id that had the name last, '
    'or the end of the aliases. What is not in it has the name of its row.';
comment on column present_name.kind is 'product or workload.';
comment on column present_name.key is 'name_key() of a row.';
comment on column present_name.present_id
    is 'The product''s id or the workload''s code, if it is known.';
comment on column present_name.present_name is 'The newest name.';

create function product_kind(noted varchar, product_name varchar) returns varchar(16)
language sql immutable parallel safe
return coalesce(
    noted,
    case
        when product_name ~* '\mtrial\M' then 'trial'
        when product_name ~* '\mfree\M' then 'free'
        else 'paid'
    end
);

comment on function product_kind
    is 'The kind of a product: that of product_note, else what its name says.';
