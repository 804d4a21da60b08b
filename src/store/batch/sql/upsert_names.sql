-- A name whose dates lie within the stored ones is left out before "on conflict" sees it: an "on
-- conflict do update" whose condition is false still locks the row, and so writes a tuple.
insert into name_history as h (
    kind, id, name, first_processed_date_time, last_processed_date_time, run_id
)
select
    kind,
    id,
    name,
    oldest,
    newest,
    $6
from
    unnest($1::varchar[], $2::varchar[], $3::varchar[], $4::timestamptz[], $5::timestamptz[])
        as i (kind, id, name, oldest, newest)
where not exists (
    select
    from name_history as k
    where k.kind = i.kind
        and k.id = i.id
        and k.name = i.name
        and k.first_processed_date_time <= i.oldest
        and k.last_processed_date_time >= i.newest
)
on conflict (kind, id, name) do update
set first_processed_date_time
        = least(h.first_processed_date_time, excluded.first_processed_date_time),
    last_processed_date_time
        = greatest(h.last_processed_date_time, excluded.last_processed_date_time),
    run_id = excluded.run_id
