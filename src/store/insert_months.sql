-- Customers' first rows of a month. Rows come in the order of the primary key of the ledger, customer by customer.
insert into license_usage_month (
    month,
    customer_id,
    newest,
    texts,
    product_names,
    workload_names,
    customer_names,
    product_ids,
    workload_codes,
    service_names,
    service_codes,
    channels,
    processed_date_times,
    licenses_active,
    licenses_qualified,
    usage_percents,
    first_synced_ats,
    last_changed_ats,
    run_ids,
    are_newest
)
select
    m.month,
    m.customer_id,
    m.newest,
    m.texts,
    r.product_names,
    r.workload_names,
    r.customer_names,
    r.product_ids,
    r.workload_codes,
    r.service_names,
    r.service_codes,
    r.channels,
    r.processed_date_times,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percents,
    array_fill($19::timestamptz, array[r.count]),
    array_fill($19::timestamptz, array[r.count]),
    array_fill($20::bigint, array[r.count]),
    array_fill(m.newest, array[r.count])
from unnest($1::integer[], $2::date[], $3::uuid[], $4::boolean[], $5::bigint[])
    as m (number, month, customer_id, newest, texts)
inner join (
    select
        number,
        count(*)::integer as count,
        array_agg(product_name) as product_names,
        array_agg(workload_name) as workload_names,
        array_agg(customer_name) as customer_names,
        array_agg(product_id) as product_ids,
        array_agg(workload_code) as workload_codes,
        array_agg(service_name) as service_names,
        array_agg(service_code) as service_codes,
        array_agg(channel) as channels,
        array_agg(processed_date_time) as processed_date_times,
        array_agg(licenses_active) as licenses_active,
        array_agg(licenses_qualified) as licenses_qualified,
        array_agg(usage_percent) as usage_percents
    from unnest(
        $6::integer[],
        $7::varchar[],
        $8::varchar[],
        $9::varchar[],
        $10::varchar[],
        $11::varchar[],
        $12::varchar[],
        $13::varchar[],
        $14::varchar[],
        $15::timestamptz[],
        $16::bigint[],
        $17::bigint[],
        $18::double precision[]
    ) as t (
        number,
        product_name,
        workload_name,
        customer_name,
        product_id,
        workload_code,
        service_name,
        service_code,
        channel,
        processed_date_time,
        licenses_active,
        licenses_qualified,
        usage_percent
    )
    group by number
) as r on r.number = m.number
