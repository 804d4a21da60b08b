-- The pairs of a product that came to a customer and one whose last collection was the one before,
-- of the same service, where at least 5 customers have them. Of several that fit, those with the
-- closest seats, seen from either side.
with candidate as (
    select
        n.customer_id,
        o.present_name as old_product_name,
        o.present_id as old_product_id,
        n.present_name as new_product_name,
        n.first_date,
        b.came_after,
        b.came_with,
        count(*) over (partition by o.present_name, n.present_name) as customers
    from model_held as n
    cross join lateral (
        select
            max(u.processed_date_time) filter (where u.processed_date < n.first_date)
                as came_after,
            min(u.processed_date_time) filter (where u.processed_date = n.first_date)
                as came_with
        from model_usage as u
        where u.customer_id = n.customer_id
            and u.service = n.service
    ) as b
    inner join model_held as o
        on o.customer_id = n.customer_id
        and o.service = n.service
        and o.last_date = (b.came_after at time zone 'UTC')::date
    where not n.is_from_the_start
),

compared as (
    select
        c.*,
        abs(
            (
                select max(u.licenses_qualified)
                from model_usage as u
                where u.customer_id = c.customer_id
                    and u.present_name = c.old_product_name
                    and u.processed_date_time = c.came_after
            )
            - (
                select max(u.licenses_qualified)
                from model_usage as u
                where u.customer_id = c.customer_id
                    and u.present_name = c.new_product_name
                    and u.processed_date_time = c.came_with
            )
        ) as difference
    from candidate as c
    where c.customers >= 5
)

select c.customer_id, c.old_product_name, c.old_product_id, c.new_product_name, c.first_date
from compared as c
where c.difference is not null
    and not exists (
        select
        from compared as o
        where o.customer_id = c.customer_id
            and (
                o.old_product_name = c.old_product_name or o.new_product_name = c.new_product_name
            )
            and o.difference < c.difference
    )
