with stored as materialized (
    select
        (u.processed_date_time at time zone 'UTC')::date as processed_date,
        lower(coalesce(u.service_code, u.service_name, '')) as service,
        min(least(u.first_synced_at, o.finished_at)) as first_seen_at
    from license_deployment as u
    left join unnest($1::uuid[], $2::timestamptz[]) as o (customer_id, finished_at)
        on o.customer_id = u.customer_id
    group by 1, 2
),

gone as (
    delete from model.first_deployment_date as f
    where not exists (
        select
        from stored as s
        where s.processed_date = f.processed_date
            and s.service = f.service
    )
)

insert into model.first_deployment_date (processed_date, service, first_seen_at)
select processed_date, service, first_seen_at
from stored
on conflict do nothing
