select coalesce(json_agg(t order by t.name), '[]'::json)
from (
    select name, epoch, holder is not null as is_held, host, acquired_at, renewed_at, expires_at
    from lease
) as t
