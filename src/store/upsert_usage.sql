-- One statement for all rows of a batch. Rows that are already there as they come are filtered out by a
-- look-up in the primary key, because an "on conflict" that decides to do nothing still locks, and so
-- writes, the row. Only one run writes at a time; the "on conflict" guards against a person who does too.
with incoming as (
    select *
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
    ) as t (
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
        usage_percent
    )
),

written as (
    insert into license_usage as u (
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
        i.*,
        $14,
        $14,
        $15
    from incoming as i
    where not exists (
        select
        from license_usage as k
        where k.processed_date_time = i.processed_date_time
            and k.customer_id = i.customer_id
            and k.product_name = i.product_name
            and k.workload_name = i.workload_name
            and (
                k.customer_name,
                k.product_id,
                k.workload_code,
                k.service_name,
                k.service_code,
                k.channel,
                k.licenses_active,
                k.licenses_qualified,
                k.usage_percent
            ) is not distinct from (
                i.customer_name,
                i.product_id,
                i.workload_code,
                i.service_name,
                i.service_code,
                i.channel,
                i.licenses_active,
                i.licenses_qualified,
                i.usage_percent
            )
    )
    on conflict (processed_date_time, customer_id, product_name, workload_name) do update
    set customer_name = excluded.customer_name,
        product_id = excluded.product_id,
        workload_code = excluded.workload_code,
        service_name = excluded.service_name,
        service_code = excluded.service_code,
        channel = excluded.channel,
        licenses_active = excluded.licenses_active,
        licenses_qualified = excluded.licenses_qualified,
        usage_percent = excluded.usage_percent,
        last_changed_at = excluded.last_changed_at,
        run_id = excluded.run_id
    -- A row that was just inserted has no deleting transaction.
    returning u.customer_id, (u.xmax = 0) as inserted
)

select
    customer_id as "customer_id!",
    count(*) filter (where inserted) as "inserted!",
    count(*) filter (where not inserted) as "updated!"
from written
group by customer_id
