-- A customer counts once within a day, service, and product and workload of one id or name.
with counted as (
    select
        date,
        service,
        present_name,
        present_workload,
        max(present_id) as present_id,
        max(present_code) as present_code,
        count(distinct customer_id) as customers,
        count(distinct customer_id) filter (where processed_date < date) as customers_carried,
        sum(licenses_active) as licenses_active,
        sum(licenses_qualified) as licenses_qualified
    from model_in_force
    group by
        date,
        service,
        product_id,
        case when product_id is null then product_name end,
        workload_code,
        case when workload_code is null then workload_name end,
        present_name,
        present_workload
)

select
    c.date,
    c.present_name as product_name,
    max(c.present_id) as product_id,
    c.present_workload as workload_name,
    max(c.present_code) as workload_code,
    max(c.service) as service,
    k.product_kind,
    sum(c.customers) as customers,
    sum(c.customers_carried) as customers_carried,
    sum(c.licenses_active) as licenses_active,
    sum(c.licenses_qualified) as licenses_qualified,
    c.date = r.newest as is_newest
from counted as c
inner join model_kind as k on k.present_name = c.present_name
cross join model_reach as r
group by c.date, c.present_name, c.present_workload, k.product_kind, r.newest
