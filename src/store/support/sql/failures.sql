select coalesce(json_agg(t order by t.finished_at desc), '[]'::json)
from (
    select
        s.run_id,
        s.customer_id,
        s.reason,
        s.fault_code,
        s.detail,
        s.http_status,
        s.attempts,
        s.rows_received,
        s.rows_rejected,
        s.finished_at,
        s.ms_request_id,
        s.ms_correlation_id
    from sync_customer as s
    where
        s.outcome = 'failed'
        and s.run_id in (select r.run_id from sync_run as r order by r.run_id desc limit 20)
    order by s.finished_at desc
    limit 50
) as t
