-- Does not touch rows that are stored already with the same values. "on conflict" would lock each
-- of them, which is a write.
merge into license_usage as k
using staging as s
on k.processed_date_time = s.processed_date_time
    and k.customer_id = s.customer_id
    and k.product_name = s.product_name
    and k.workload_name = s.workload_name
when matched
    and (
        k.customer_name, k.service_name, k.channel,
        k.licenses_active, k.licenses_qualified, k.usage_percent
    )
    is distinct from (
        s.customer_name, s.service_name, s.channel,
        s.licenses_active, s.licenses_qualified, s.usage_percent
    )
then update set
    customer_name = s.customer_name,
    service_name = s.service_name,
    channel = s.channel,
    licenses_active = s.licenses_active,
    licenses_qualified = s.licenses_qualified,
    usage_percent = s.usage_percent,
    last_changed_at = now(),
    run_id = 1
when not matched then insert (
    processed_date_time,
    customer_id,
    product_name,
    workload_name,
    customer_name,
    service_name,
    channel,
    licenses_active,
    licenses_qualified,
    usage_percent,
    first_synced_at,
    last_changed_at,
    run_id
) values (
    s.processed_date_time,
    s.customer_id,
    s.product_name,
    s.workload_name,
    s.customer_name,
    s.service_name,
    s.channel,
    s.licenses_active,
    s.licenses_qualified,
    s.usage_percent,
    now(),
    now(),
    1
);
