select
    f.processed_date_time,
    f.customer_id,
    f.service,
    f.first_seen_at,
    f.run_id,
    (
        select count(distinct u.first_synced_at) > 1
        from model_usage as u
        where u.processed_date_time = f.processed_date_time
            and u.customer_id = f.customer_id
            and u.service = f.service
    ) as has_later_rows
from model.first_collection as f
