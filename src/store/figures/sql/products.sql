with held as materialized (
    select product_name, product_id, product_kind, first_date, last_date
    from license_holding
),

lasting as (
    select
        product_name,
        max(product_kind) as product_kind,
        min(first_date) as first_date,
        max(last_date) as last_date
    from held
    group by product_name
),

now as (
    select
        product_name,
        max(product_kind) as product_kind,
        count(*) as customers,
        sum(coalesce(licenses_sold, licenses_qualified)) as seats,
        sum(licenses_active) as active,
        sum(licenses_unused) as unused
    from license_product
    group by product_name
),

renamed as (
    select product_name, string_agg(old_name, ', ' order by old_name) as renamed_from
    from (
        select h.product_name, n.product_name as old_name
        from held as h
        inner join product_name_history as n on n.product_id = h.product_id
        where n.product_name <> h.product_name
        union
        select present_name, product_name
        from product_alias
    ) as name
    group by product_name
)

select
    coalesce(n.product_name, l.product_name) as product_name,
    coalesce(n.product_kind, l.product_kind) as product_kind,
    coalesce(n.customers, 0) as customers,
    case when n.seats is not null then least(n.seats, 9223372036854775807)::bigint end as seats,
    case when n.active is not null then least(n.active, 9223372036854775807)::bigint end as active,
    case when n.unused is not null then least(n.unused, 9223372036854775807)::bigint end as unused,
    n.active::double precision / nullif(n.seats, 0)::double precision as active_ratio,
    l.first_date,
    l.last_date,
    r.renamed_from
from now as n
full join lasting as l on l.product_name = n.product_name
left join renamed as r on r.product_name = coalesce(n.product_name, l.product_name)
order by seats desc nulls last, product_name
limit 1000
