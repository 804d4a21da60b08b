-- For customers and dates that the ledger has rows of. Rows that are stored already with the same
-- values are left out before "on conflict" sees them: an "on conflict do update" whose condition is
-- false still locks the row, and so writes a tuple. Only one run writes at a time; "on conflict" is
-- for rows that another writer inserts meanwhile.
--
-- If a row comes from another source than before, what only the earlier source knows is kept: ids
-- and codes, the service's display name, and a percentage whose figures have not changed.
with stored as materialized (
    select s.*
    from (
        select
            customer_id,
            unnest(($18::text[])[width_bucket(customer_id, $17)]::timestamptz[]) as date
        from customer
        where customer_id = any($17)
    ) as p
    -- "offset" makes this one index scan per customer and date: without it the planner joins whole
    -- partitions while they are young and without statistics.
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
        where processed_date_time = p.date
            and customer_id = p.customer_id
            -- Known when the plan is made, so that it opens the partitions of these dates only.
            and processed_date_time = any($16::timestamptz[])
        offset 0
    ) as s
),

incoming as (
    select
        i.customer_id,
        i.product_name,
        i.workload_name,
        i.processed_date_time,
        coalesce(i.customer_name, s.customer_name) as customer_name,
        coalesce(i.product_id, s.product_id) as product_id,
        coalesce(i.workload_code, s.workload_code) as workload_code,
        case
            when i.service_code is null and s.service_code is not null then s.service_name
            else coalesce(i.service_name, s.service_name)
        end as service_name,
        coalesce(i.service_code, s.service_code) as service_code,
        coalesce(i.channel, s.channel) as channel,
        i.licenses_active,
        i.licenses_qualified,
        case
            when
                i.licenses_active = s.licenses_active
                and i.licenses_qualified = s.licenses_qualified
                then coalesce(i.usage_percent, s.usage_percent)
            else i.usage_percent
        end as usage_percent,
        s.customer_id is not null as known,
        s.customer_name as old_customer_name,
        s.product_id as old_product_id,
        s.workload_code as old_workload_code,
        s.service_name as old_service_name,
        s.service_code as old_service_code,
        s.channel as old_channel,
        s.licenses_active as old_licenses_active,
        s.licenses_qualified as old_licenses_qualified,
        s.usage_percent as old_usage_percent
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
    left join stored as s
        on s.processed_date_time = i.processed_date_time
        and s.customer_id = i.customer_id
        and s.product_name = i.product_name
        and s.workload_name = i.workload_name
),

changed as (
    select
        *,
        known
        and (
            (licenses_active, licenses_qualified) <> (old_licenses_active, old_licenses_qualified)
            -- "<>" ignores a percentage that only one of the sources gives.
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
        usage_percent,
        first_synced_at,
        last_changed_at,
        run_id
    )
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
