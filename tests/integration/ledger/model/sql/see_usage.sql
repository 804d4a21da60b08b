with stored as materialized (
    select
        u.processed_date_time,
        u.customer_id,
        lower(coalesce(u.service_code, u.service_name, '')) as service,
        min(least(u.first_synced_at, o.finished_at)) as first_seen_at,
        min(u.run_id) as run_id
    from license_usage as u
    left join unnest($1::uuid[], $2::timestamptz[]) as o (customer_id, finished_at)
        on o.customer_id = u.customer_id
    group by 1, 2, 3
),

gone as (
    delete from model.first_collection as f
    where not exists (
        select
        from stored as s
        where s.processed_date_time = f.processed_date_time
            and s.customer_id = f.customer_id
            and s.service = f.service
    )
)

insert into model.first_collection (
    processed_date_time, customer_id, service, first_seen_at, run_id
)
select processed_date_time, customer_id, service, first_seen_at, run_id
from stored
on conflict do nothing
