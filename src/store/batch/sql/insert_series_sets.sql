-- Stores the sets of series that the ledger does not have, and returns the id of each by its
-- number.
with incoming as materialized (
    select
        number,
        array_agg(product_name) as product_names,
        array_agg(workload_name) as workload_names,
        array_agg(product_id) as product_ids,
        array_agg(workload_code) as workload_codes,
        array_agg(service_name) as service_names,
        array_agg(service_code) as service_codes,
        array_agg(channel) as channels
    from (
        select *
        from unnest(
            $1::integer[],
            $2::varchar[],
            $3::varchar[],
            $4::varchar[],
            $5::varchar[],
            $6::varchar[],
            $7::varchar[],
            $8::varchar[]
        ) with ordinality as t (
            number,
            product_name,
            workload_name,
            product_id,
            workload_code,
            service_name,
            service_code,
            channel,
            place
        )
        order by number, place
    ) as t
    group by number
),

identified as materialized (
    select
        *,
        license_usage_set_id(
            product_names,
            workload_names,
            product_ids,
            workload_codes,
            service_names,
            service_codes,
            channels
        ) as set_id
    from incoming
),

stored as (
    insert into license_usage_set (
        set_id,
        product_names,
        workload_names,
        product_ids,
        workload_codes,
        service_names,
        service_codes,
        channels
    )
    select distinct on (set_id)
        set_id,
        product_names,
        workload_names,
        product_ids,
        workload_codes,
        service_names,
        service_codes,
        channels
    from identified
    on conflict do nothing
)

select
    number as "number!",
    set_id as "set_id!"
from identified
