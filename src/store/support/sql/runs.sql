select coalesce(json_agg(t order by t.run_id desc), '[]'::json)
from (
    select
        run_id,
        kind,
        source,
        whole_list,
        cardinality(only_customers) as only_customers,
        asked_date,
        date_from,
        date_to,
        resumes,
        host,
        tick,
        started_at,
        finished_at,
        outcome,
        ended_early,
        detail,
        newest_processed_date,
        learned_rate,
        customers_total,
        customers_succeeded,
        customers_failed,
        rows_received,
        rows_inserted,
        rows_updated,
        rows_unchanged,
        rows_rejected,
        http_requests,
        http_retries,
        http_throttled
    from sync_run
    order by run_id desc
    limit 20
) as t
