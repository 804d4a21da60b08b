-- Rows of customers and dates that the ledger has rows of already. Those that are there as they come are left out,
-- because an "on conflict" that decides to do nothing still locks, and so writes, the row. Only one run writes at a
-- time; the "on conflict" guards against a person who does too.
--
-- What one source knows and the other does not is kept when the same row comes from the other: ids and codes, the
-- service's name for people, and a percentage whose figures have not changed.
with kept as materialized (
    select k.*
    from (select distinct c, d from unnest($1::uuid[], $4::timestamptz[]) as t (c, d)) as p
    -- The offset keeps this a look into the index for each, whatever the planner believes of a young partition.
    cross join lateral (
        select
            processed_date_time,
            customer_id,
            product_name,
            workload_name,
            customer_name,
            product_id,
            workload_code,
            service_name,
            service_code,
            channel,
            licenses_active,
            licenses_qualified,
            usage_percent
        from license_usage
        where processed_date_time = p.d
            and customer_id = p.c
            -- Constants to the planner, which then leaves the partitions of other dates alone.
            and processed_date_time = any($16::timestamptz[])
        offset 0
    ) as k
),

incoming as (
    select
        i.customer_id,
        i.product_name,
        i.workload_name,
        i.processed_date_time,
        coalesce(i.customer_name, k.customer_name) as customer_name,
        coalesce(i.product_id, k.product_id) as product_id,
        coalesce(i.workload_code, k.workload_code) as workload_code,
        case
            when i.service_code is null and k.service_code is not null then k.service_name
            else coalesce(i.service_name, k.service_name)
        end as service_name,
        coalesce(i.service_code, k.service_code) as service_code,
        coalesce(i.channel, k.channel) as channel,
        i.licenses_active,
        i.licenses_qualified,
        case
            when i.licenses_active = k.licenses_active and i.licenses_qualified = k.licenses_qualified
                then coalesce(i.usage_percent, k.usage_percent)
            else i.usage_percent
        end as usage_percent,
        k.customer_id is not null as known,
        k.customer_name as old_customer_name,
        k.product_id as old_product_id,
        k.workload_code as old_workload_code,
        k.service_name as old_service_name,
        k.service_code as old_service_code,
        k.channel as old_channel,
        k.licenses_active as old_licenses_active,
        k.licenses_qualified as old_licenses_qualified,
        k.usage_percent as old_usage_percent
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
    ) as i (
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
    left join kept as k
        on k.processed_date_time = i.processed_date_time
        and k.customer_id = i.customer_id
        and k.product_name = i.product_name
        and k.workload_name = i.workload_name
),

changed as (
    select
        *,
        known
        and (
            (licenses_active, licenses_qualified) <> (old_licenses_active, old_licenses_qualified)
            -- A percentage that only one source gives is no other figure.
            or usage_percent <> old_usage_percent
        ) as restated
    from incoming
    where not known
        or (
            customer_name,
            product_id,
            workload_code,
            service_name,
            service_code,
            channel,
            licenses_active,
            licenses_qualified,
            usage_percent
        ) is distinct from (
            old_customer_name,
            old_product_id,
            old_workload_code,
            old_service_name,
            old_service_code,
            old_channel,
            old_licenses_active,
            old_licenses_qualified,
            old_usage_percent
        )
),

restated as (
    insert into restatement (
        customer_id,
        dataset,
        product_name,
        workload_name,
        processed_date_time,
        run_id,
        restated_at,
        old_used,
        new_used,
        old_total,
        new_total,
        old_percent,
        new_percent
    )
    select
        customer_id,
        'usage',
        product_name,
        workload_name,
        processed_date_time,
        $15,
        $14,
        old_licenses_active,
        licenses_active,
        old_licenses_qualified,
        licenses_qualified,
        old_usage_percent,
        usage_percent
    from changed
    where restated
),

written as (
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
        $14,
        $14,
        $15
    from changed
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
)

select
    customer_id as "customer_id!",
    count(*) filter (where not known) as "inserted!",
    count(*) filter (where known) as "updated!"
from changed
group by customer_id
