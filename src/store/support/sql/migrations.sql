select coalesce(json_agg(t order by t.version), '[]'::json)
from (
    select version, success, installed_on
    from _sqlx_migrations
) as t
