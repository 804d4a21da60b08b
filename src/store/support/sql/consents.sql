select coalesce(json_agg(t order by t.token_issued_at desc), '[]'::json)
from (
    select
        host,
        signed_in_at,
        first_used_at,
        token_issued_at,
        token_expires_at,
        refused_at,
        refusal as detail
    from consent
) as t
