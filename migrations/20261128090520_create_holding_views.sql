-- 13 of 13. Products that seem to have been renamed, and since when each customer has had which
-- product.
-- New views: locks nothing in use.

-- Renamed products --------------------------------------------------------------------------------

-- A product that a customer got in the collection after the last one that had another product may
-- be that one under a new name. Where several fit at a customer, because several were renamed at a
-- time, those go together that have the most similar numbers of seats.
create view product_rename_pair as
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

comment on view product_rename_pair
    is 'Inner view: the customers at which a product is suspected to be renamed. Read '
    'product_rename_suspect or license_holding instead.';
comment on column product_rename_pair.old_product_id is 'The old product''s id, if it has one.';

create view product_rename_suspect as
select distinct
    old_product_name,
    new_product_name,
    customers,
    share_of_holders,
    since,
    -- An alias is for names that no id has had.
    (
        case when old_product_id is null then format(
            'insert into product_alias (product_name, present_name) values (%L, %L);',
            old_product_name,
            new_product_name
        ) end
    )::varchar(1200) as alias_statement
from product_rename_pair;

comment on view product_rename_suspect
    is 'Pairs of products that may be one that was renamed without an id to say so: at five '
    'customers or more the new one came in the very collection after the last one that had the '
    'old one. Look at share_of_holders: if nearly all that held the old one changed, it was '
    'renamed; if few did, they bought another product. alias_statement makes the two one.';
comment on column product_rename_suspect.old_product_name is 'The present name of the old product.';
comment on column product_rename_suspect.new_product_name is 'The present name of the new product.';
comment on column product_rename_suspect.customers
    is 'Customers at which the new one followed the old one; of several that fit at a customer the '
    'one whose qualified seats are closest. They add up over nothing.';
comment on column product_rename_suspect.share_of_holders
    is 'Those customers by the customers that held the old product the day before "since": about 1 '
    'for a renaming, and more if some got it later. Null if none held it then.';
comment on column product_rename_suspect.since
    is 'The first processed date (UTC) on which a new one followed an old one.';
comment on column product_rename_suspect.alias_statement
    is 'A statement ready to copy, which makes the old name stand for the new one in all views. '
    'Null if the old product has an id: its name follows the id, and has no alias.';

-- Holdings ----------------------------------------------------------------------------------------

-- Grouped by what it is joined by, so that Postgres drops the join for whoever does not ask for
-- "replaces".
create view license_holding as
select h.*, r.old_product_name::varchar(255) as replaces
from license_held as h
left join (
    select customer_id, new_product_name, max(old_product_name) as old_product_name
    from product_rename_pair
    group by customer_id, new_product_name
) as r on r.customer_id = h.customer_id and r.new_product_name = h.product_name;

comment on view license_holding
    is 'Which products each customer has or had, under present names: when usage first and last '
    'named each. New products have is_from_the_start false and a late first_date, lost ones '
    'is_current false. Counted rows add up over customers and products.';
comment on column license_holding.replaces
    is 'The old name, where product_rename_suspect takes the product for a renamed one; else null.';

-- Comments ----------------------------------------------------------------------------------------

-- A view's column that has no comment yet is passed through from another relation, and takes its
-- comment.
do $$
declare
    passed record;
begin
    for passed in
        select v.view, c.attname as name, col_description(v.source, s.attnum) as comment
        from (
            values
            ('product_rename_pair'::regclass, 'license_held'::regclass),
            ('product_rename_pair', 'product_rename_suspect'),
            ('license_holding', 'license_held')
        ) as v (view, source)
        inner join pg_attribute as c on c.attrelid = v.view
        inner join pg_attribute as s on s.attrelid = v.source and s.attname = c.attname
        where col_description(v.view, c.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', passed.view, passed.name, passed.comment);
    end loop;
end
$$;
