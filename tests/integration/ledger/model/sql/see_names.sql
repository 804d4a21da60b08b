insert into model.brought_name as n (
    kind, id, name, first_processed_date_time, last_processed_date_time, run_id
)
select
    b.kind,
    b.id,
    coalesce(s.name, b.name),
    min(b.processed_date_time),
    max(b.processed_date_time),
    $5
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
    as b (kind, id, name, processed_date_time)
left join series_name as s on s.folded = lower(b.name)
group by b.kind, b.id, coalesce(s.name, b.name)
on conflict (kind, id, name) do update
set first_processed_date_time
        = least(n.first_processed_date_time, excluded.first_processed_date_time),
    last_processed_date_time
        = greatest(n.last_processed_date_time, excluded.last_processed_date_time),
    run_id = excluded.run_id
where excluded.first_processed_date_time < n.first_processed_date_time
    or excluded.last_processed_date_time > n.last_processed_date_time
