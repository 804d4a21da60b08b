insert into product_name_history as h (
    product_id, product_name, first_processed_date_time, last_processed_date_time, run_id
)
select id, name, oldest, newest, $5
from unnest($1::varchar[], $2::varchar[], $3::timestamptz[], $4::timestamptz[]) as i (id, name, oldest, newest)
where not exists (
    select
    from product_name_history as k
    where k.product_id = i.id
        and k.product_name = i.name
        and k.first_processed_date_time <= i.oldest
        and k.last_processed_date_time >= i.newest
)
on conflict (product_id, product_name) do update
set first_processed_date_time = least(h.first_processed_date_time, excluded.first_processed_date_time),
    last_processed_date_time = greatest(h.last_processed_date_time, excluded.last_processed_date_time),
    run_id = excluded.run_id
