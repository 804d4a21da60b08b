select
    h.customer_id,
    c.customer_name,
    h.present_name as product_name,
    h.present_id as product_id,
    h.service,
    h.channel,
    model.product_kind(h.present_name) as product_kind,
    h.first_date,
    h.last_date,
    h.is_current,
    h.is_from_the_start,
    (
        select r.old_product_name
        from model_rename as r
        inner join model_product_rename_suspect as s
            on s.old_product_name = r.old_product_name
            and s.new_product_name = r.new_product_name
        where r.customer_id = h.customer_id
            and r.new_product_name = h.present_name
    ) as replaces
from model_held as h
left join customer as c on c.customer_id = h.customer_id
