-- Records what a run has learned about its customers. A past date that is fetched later does not
-- set a customer's newest date back. A customer about which there is nothing new is not written,
-- provided that it was in the run before, too: customer_freshness then takes the time of its last
-- success from sync_customer.
with before as materialized (
    select max(run_id) as run_id
    from sync_run
    where run_id < $11
),

stored as materialized (
    select
        customer_id,
        customer_name,
        domain,
        last_success_at,
        last_failure_at,
        last_processed_date_time,
        -- "offset" makes this one index scan per customer, whatever the planner's statistics say.
        exists (
            select
            from sync_customer as o
            where o.run_id = (select run_id from before)
                and o.customer_id = s.customer_id
            offset 0
        ) as was_in_run_before
    from customer as s
    where customer_id = any($1)
)

insert into customer as c (
    customer_id,
    customer_name,
    domain,
    first_seen_at,
    last_seen_at,
    last_success_at,
    last_processed_date_time,
    last_failure_at,
    last_failure_reason,
    last_failure_is_refusal,
    last_failure_detail
)
select
    i.customer_id,
    i.customer_name,
    i.domain,
    $10,
    $10,
    i.success_at,
    i.processed_date_time,
    i.failure_at,
    i.failure_reason,
    i.failure_is_refusal,
    i.failure_detail
from unnest(
    $1::uuid[],
    $2::varchar[],
    $3::varchar[],
    $4::timestamptz[],
    $5::timestamptz[],
    $6::timestamptz[],
    $7::varchar[],
    $8::boolean[],
    $9::text[]
) as i (
    customer_id,
    customer_name,
    domain,
    success_at,
    processed_date_time,
    failure_at,
    failure_reason,
    failure_is_refusal,
    failure_detail
)
left join stored as s on s.customer_id = i.customer_id
where s.customer_id is null
    or not s.was_in_run_before
    or i.failure_at is not null
    or s.last_success_at is null
    or s.last_success_at < s.last_failure_at
    or i.customer_name <> s.customer_name
    or (i.customer_name is not null and s.customer_name is null)
    or i.domain <> s.domain
    or (i.domain is not null and s.domain is null)
    or i.processed_date_time > s.last_processed_date_time
    or (i.processed_date_time is not null and s.last_processed_date_time is null)
on conflict (customer_id) do update
set customer_name = coalesce(excluded.customer_name, c.customer_name),
    domain = coalesce(excluded.domain, c.domain),
    last_seen_at = greatest(excluded.last_seen_at, c.last_seen_at),
    last_success_at = greatest(excluded.last_success_at, c.last_success_at),
    last_processed_date_time
        = greatest(excluded.last_processed_date_time, c.last_processed_date_time),
    last_failure_at = coalesce(excluded.last_failure_at, c.last_failure_at),
    last_failure_reason = coalesce(excluded.last_failure_reason, c.last_failure_reason),
    last_failure_is_refusal
        = coalesce(excluded.last_failure_is_refusal, c.last_failure_is_refusal),
    last_failure_detail = coalesce(excluded.last_failure_detail, c.last_failure_detail)
