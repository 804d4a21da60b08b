select
    id as product_id,
    name as product_name,
    first_processed_date_time,
    last_processed_date_time,
    run_id,
    (first_processed_date_time at time zone 'UTC')::date as first_processed_date,
    (last_processed_date_time at time zone 'UTC')::date as last_processed_date
from model.brought_name
where kind = 'product'
