-- Rows that are stored already with the same values are left out, as in upsert_usage.sql.
--
-- If a row comes from another source than before, what only the earlier source knows is kept: ids
-- and codes, the service's display name, and a percentage whose figures have not changed.
with stored as materialized (
    select s.*
    from (
        select
            customer_id,
            unnest(($16::text[])[width_bucket(customer_id, $15)]::timestamptz[]) as date
        from customer
        where customer_id = any($15)
    ) as p
    cross join lateral (
        select
            processed_date_time,
            customer_id,
            product_name,
            customer_name,
            product_id,
            service_name,
            service_code,
            channel,
            licenses_deployed,
            licenses_sold,
            deployment_percent
        from license_deployment
        where processed_date_time = p.date
            and customer_id = p.customer_id
        offset 0
    ) as s
),

incoming as (
    select
        i.customer_id,
        i.product_name,
        i.processed_date_time,
        coalesce(i.customer_name, s.customer_name) as customer_name,
        coalesce(i.product_id, s.product_id) as product_id,
        case
            when i.service_code is null and s.service_code is not null then s.service_name
            else coalesce(i.service_name, s.service_name)
        end as service_name,
        coalesce(i.service_code, s.service_code) as service_code,
        coalesce(i.channel, s.channel) as channel,
        i.licenses_deployed,
        i.licenses_sold,
        case
            when i.licenses_deployed = s.licenses_deployed and i.licenses_sold = s.licenses_sold
                then coalesce(i.deployment_percent, s.deployment_percent)
            else i.deployment_percent
        end as deployment_percent,
        i.seen_at,
        s.customer_id is not null as known,
        s.customer_name as old_customer_name,
        s.product_id as old_product_id,
        s.service_name as old_service_name,
        s.service_code as old_service_code,
        s.channel as old_channel,
        s.licenses_deployed as old_licenses_deployed,
        s.licenses_sold as old_licenses_sold,
        s.deployment_percent as old_deployment_percent
    from unnest(
        $1::uuid[],
        $2::varchar[],
        $3::timestamptz[],
        $4::varchar[],
        $5::varchar[],
        $6::varchar[],
        $7::varchar[],
        $8::varchar[],
        $9::bigint[],
        $10::bigint[],
        $11::double precision[],
        $14::timestamptz[]
    ) as i (
        customer_id,
        product_name,
        processed_date_time,
        customer_name,
        product_id,
        service_name,
        service_code,
        channel,
        licenses_deployed,
        licenses_sold,
        deployment_percent,
        seen_at
    )
    left join stored as s
        on s.processed_date_time = i.processed_date_time
        and s.customer_id = i.customer_id
        and s.product_name = i.product_name
),

changed as (
    select
        *,
        known
        and (
            (licenses_deployed, licenses_sold) <> (old_licenses_deployed, old_licenses_sold)
            -- "<>" ignores a percentage that only one of the sources gives.
            or deployment_percent <> old_deployment_percent
        ) as restated
    from incoming
    where not known
        or (
            customer_name,
            product_id,
            service_name,
            service_code,
            channel,
            licenses_deployed,
            licenses_sold,
            deployment_percent
        ) is distinct from (
            old_customer_name,
            old_product_id,
            old_service_name,
            old_service_code,
            old_channel,
            old_licenses_deployed,
            old_licenses_sold,
            old_deployment_percent
        )
),

restated as (
    insert into restatement (
        customer_id,
        dataset,
        product_name,
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
        'deployment',
        product_name,
        processed_date_time,
        $13,
        $12,
        old_licenses_deployed,
        licenses_deployed,
        old_licenses_sold,
        licenses_sold,
        old_deployment_percent,
        deployment_percent
    from changed
    where restated
),

dates as (
    insert into service_date as d (dataset, processed_date, service, first_seen_at)
    select
        'deployment',
        processed_date,
        service,
        seen_at
    from (
        select
            (processed_date_time at time zone 'UTC')::date as processed_date,
            license_service(service_code, service_name) as service,
            min(seen_at) as seen_at
        from changed
        group by 1, 2
    ) as i
    where not exists (
        select
        from service_date as k
        where k.dataset = 'deployment'
            and k.processed_date = i.processed_date
            and k.service = i.service
            and k.first_seen_at <= i.seen_at
    )
    on conflict (dataset, processed_date, service) do update
    set first_seen_at = least(d.first_seen_at, excluded.first_seen_at)
),

written as (
    insert into license_deployment as u (
        processed_date_time,
        customer_id,
        product_name,
        customer_name,
        product_id,
        service_name,
        service_code,
        channel,
        licenses_deployed,
        licenses_sold,
        deployment_percent,
        first_synced_at,
        last_changed_at,
        run_id
    )
    select
        processed_date_time,
        customer_id,
        product_name,
        customer_name,
        product_id,
        service_name,
        service_code,
        channel,
        licenses_deployed,
        licenses_sold,
        deployment_percent,
        $12,
        $12,
        $13
    from changed
    on conflict (processed_date_time, customer_id, product_name) do update
    set customer_name = excluded.customer_name,
        product_id = excluded.product_id,
        service_name = excluded.service_name,
        service_code = excluded.service_code,
        channel = excluded.channel,
        licenses_deployed = excluded.licenses_deployed,
        licenses_sold = excluded.licenses_sold,
        deployment_percent = excluded.deployment_percent,
        last_changed_at = excluded.last_changed_at,
        run_id = excluded.run_id
    -- xmax, the transaction that replaced the row, is 0 for a row that was just inserted.
    returning u.customer_id, (u.xmax = 0) as inserted
)

select
    customer_id as "customer_id!",
    count(*) filter (where inserted) as "inserted!",
    count(*) filter (where not inserted) as "updated!",
    exists (
        select
        from changed
        where known
            and license_service(service_code, service_name)
            <> license_service(old_service_code, old_service_name)
    ) as "has_left_a_service!"
from written
group by customer_id
