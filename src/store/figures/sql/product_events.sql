with product as (
    select
        product_name,
        count(*) as customers,
        min(first_date) as first_date,
        max(last_date) as last_date,
        bool_or(is_current) as is_current,
        min(min(first_date)) over (partition by max(service)) as first_of_service
    from license_holding
    group by product_name
),

renamed as (
    select old_name, product_name, min(first_date) as date
    from (
        select
            product_name,
            first_processed_date as first_date,
            lag(product_name) over (
                partition by product_id order by first_processed_date_time, run_id
            ) as old_name
        from product_name_history
    ) as name
    where old_name is not null
    group by old_name, product_name
),

event as (
    select
        r.date,
        'renamed' as kind,
        r.product_name::varchar(255) as product_name,
        r.old_name::varchar(255) as old_product_name,
        coalesce(p.customers, 0) as customers
    from renamed as r
    left join product as p on p.product_name = r.product_name::varchar(255)
    union all
    select first_date, 'began', product_name, null, customers
    from product
    where first_date > first_of_service + 14
        and product_name <> all($3::varchar[])
    union all
    select last_date, 'ended', product_name, null, customers
    from product
    where not is_current
        and product_name <> all($2::varchar[])
)

select date, kind, product_name, old_product_name, customers
from event
where date > $1::date - 91
order by date desc, customers desc, product_name, kind
limit 15
