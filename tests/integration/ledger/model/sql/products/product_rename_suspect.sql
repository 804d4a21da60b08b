-- Of the pairs of a new product with one that may be its old name, those that at least 5 customers
-- have, and of a product's several pairs the one that most have.
with counted as (
    select
        old_product_name,
        new_product_name,
        max(old_product_id) as old_product_id,
        count(*) as customers,
        min(first_date) as since
    from model_rename
    group by old_product_name, new_product_name
    having count(*) >= 5
),

shared as (
    select
        c.*,
        c.customers::double precision / nullif((
            select count(distinct f.customer_id)
            from model_in_force as f
            where f.date = c.since - 1
                and f.present_name = c.old_product_name
        ), 0) as share_of_holders
    from counted as c
)

select
    s.old_product_name,
    s.new_product_name,
    s.customers,
    s.share_of_holders,
    s.since,
    case
        when s.old_product_id is null
            then 'insert into product_alias (product_name, present_name) values ('
                || quote_literal(s.old_product_name) || ', '
                || quote_literal(s.new_product_name) || ');'
    end as alias_statement
from shared as s
where not exists (
    select
    from shared as o
    where (o.old_product_name = s.old_product_name)
        <> (o.new_product_name = s.new_product_name)
        and (
            o.customers, coalesce(o.share_of_holders, -1), s.old_product_name, s.new_product_name
        ) > (
            s.customers, coalesce(s.share_of_holders, -1), o.old_product_name, o.new_product_name
        )
)
