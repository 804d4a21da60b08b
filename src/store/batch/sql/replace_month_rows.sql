-- Replaces the rows of customers' months by those of a later date, which have the same texts in the
-- same order. All of them are still at the month's end, and their series' first dates stay.
-- "materialized" makes the planner aggregate the rows once and not once per month.
with incoming as materialized (
    select
        i.month,
        i.customer_id,
        r.*
    from unnest($1::integer[], $2::date[], $3::uuid[]) as i (number, month, customer_id)
    inner join (
        select
            number,
            count(*)::integer as count,
            array_agg(processed_date_time) as processed_date_times,
            array_agg(licenses_active) as licenses_active,
            array_agg(licenses_qualified) as licenses_qualified,
            array_agg(usage_percent) as usage_percents
        from (
            select *
            from unnest(
                $4::integer[],
                $5::timestamptz[],
                $6::bigint[],
                $7::bigint[],
                $8::double precision[]
            ) with ordinality as t (
                number,
                processed_date_time,
                licenses_active,
                licenses_qualified,
                usage_percent,
                place
            )
            order by number, place
        ) as t
        group by number
    ) as r on r.number = i.number
)

update license_usage_month as m
set processed_date_times = i.processed_date_times,
    licenses_active = i.licenses_active,
    licenses_qualified = i.licenses_qualified,
    usage_percents = i.usage_percents,
    first_synced_ats = array_fill($9::timestamptz, array[i.count]),
    last_changed_ats = array_fill($9::timestamptz, array[i.count]),
    run_ids = array_fill($10::bigint, array[i.count])
from incoming as i
where m.month = i.month
    and m.customer_id = i.customer_id
