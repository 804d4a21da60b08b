-- What a run learned of its customers. A date of the past, fetched later, does not make a customer's newest date older.
insert into customer as c (
    customer_id, customer_name, domain, first_seen_at, last_seen_at,
    last_success_at, last_processed_date_time, last_failure_at, last_failure_reason, last_failure_detail
)
select
    customer_id, customer_name, domain, $9, $9,
    success_at, processed_date_time, failure_at, failure_reason, failure_detail
from unnest(
    $1::uuid[], $2::varchar[], $3::varchar[],
    $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::varchar[], $8::text[]
) as t (
    customer_id, customer_name, domain,
    success_at, processed_date_time, failure_at, failure_reason, failure_detail
)
on conflict (customer_id) do update
set customer_name = coalesce(excluded.customer_name, c.customer_name),
    domain = coalesce(excluded.domain, c.domain),
    last_seen_at = greatest(excluded.last_seen_at, c.last_seen_at),
    last_success_at = greatest(excluded.last_success_at, c.last_success_at),
    last_processed_date_time = greatest(excluded.last_processed_date_time, c.last_processed_date_time),
    last_failure_at = coalesce(excluded.last_failure_at, c.last_failure_at),
    last_failure_reason = coalesce(excluded.last_failure_reason, c.last_failure_reason),
    last_failure_detail = coalesce(excluded.last_failure_detail, c.last_failure_detail)
