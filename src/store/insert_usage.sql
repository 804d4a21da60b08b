-- Rows of customers and dates that the ledger has no row of yet. Should a person write the same at this moment, the
-- statement is refused, and what is done again finds the person's.
insert into license_usage (
    customer_id,
    product_name,
    workload_name,
    processed_date_time,
    customer_name,
    product_id,
    workload_code,
    service_name,
    service_code,
    channel,
    licenses_active,
    licenses_qualified,
    usage_percent,
    first_synced_at,
    last_changed_at,
    run_id
)
select
    *,
    $14::timestamptz,
    $14::timestamptz,
    $15::bigint
from unnest(
    $1::uuid[],
    $2::varchar[],
    $3::varchar[],
    $4::timestamptz[],
    $5::varchar[],
    $6::varchar[],
    $7::varchar[],
    $8::varchar[],
    $9::varchar[],
    $10::varchar[],
    $11::bigint[],
    $12::bigint[],
    $13::double precision[]
)
