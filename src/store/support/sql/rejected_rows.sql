select coalesce(json_agg(t order by t.run_id desc, t.dataset, t.reason), '[]'::json)
from (
    select
        run_id,
        dataset,
        reason,
        count(*) as rows,
        count(distinct customer_id) as customers,
        max(rejected_at) as last_rejected_at
    from rejected_row
    where run_id in (select r.run_id from sync_run as r order by r.run_id desc limit 20)
    group by run_id, dataset, reason
) as t
