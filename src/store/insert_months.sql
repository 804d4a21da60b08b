-- Customers' first rows of a month. Rows come in the order of the primary key of the ledger, customer by customer.
insert into license_usage_month (
    month,
    customer_id,
    newest,
    texts,
    set_id,
    customer_names,
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
    m.set_id,
    r.customer_names,
    r.processed_date_times,
    r.licenses_active,
    r.licenses_qualified,
    r.usage_percents,
    array_fill($13::timestamptz, array[r.count]),
    array_fill($13::timestamptz, array[r.count]),
    array_fill($14::bigint, array[r.count]),
    array_fill(m.newest, array[r.count])
from unnest($1::integer[], $2::date[], $3::uuid[], $4::boolean[], $5::bigint[], $6::bigint[])
    as m (number, month, customer_id, newest, texts, set_id)
inner join (
    select
        number,
        count(*)::integer as count,
        array_agg(customer_name) as customer_names,
        array_agg(processed_date_time) as processed_date_times,
        array_agg(licenses_active) as licenses_active,
        array_agg(licenses_qualified) as licenses_qualified,
        array_agg(usage_percent) as usage_percents
    from (
        select *
        from unnest(
            $7::integer[],
            $8::varchar[],
            $9::timestamptz[],
            $10::bigint[],
            $11::bigint[],
            $12::double precision[]
        ) with ordinality as t (
            number,
            customer_name,
            processed_date_time,
            licenses_active,
            licenses_qualified,
            usage_percent,
            place
        )
        order by number, place
    ) as t
    group by number
) as r on r.number = m.number
