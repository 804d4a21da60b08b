-- name: customer_freshness (customer_id, last_success_at, last_processed_date, age_days, state)
select
    c.customer_id,
    c.success_at,
    u.last_date,
    (now() at time zone 'UTC')::date - u.last_date,
    case
        when c.gone_since is not null then 'gone'
        when c.success_at is null or c.last_failure_at > c.success_at then 'failing'
        when u.last_date is null then 'never_had_usage'
        when not exists (select from naive_current as n where n.customer_id = c.customer_id)
            then 'ended'
        when (now() at time zone 'UTC')::date - u.last_date > 14 then 'stale'
        else 'active'
    end
from naive_success as c
left join (
    select customer_id, max(processed_date) as last_date from naive_usage group by 1
) as u on u.customer_id = c.customer_id

-- name: customer_lifecycle (customer_id, first_usage_date, last_usage_date, gone_date,
-- returned_date, state)
select
    c.customer_id,
    min(u.processed_date),
    max(u.processed_date),
    (coalesce(c.gone_since, c.absent_since) at time zone 'UTC')::date,
    (c.returned_at at time zone 'UTC')::date,
    case
        when c.gone_since is not null then 'gone'
        when count(u.processed_date) = 0 then 'never_had_usage'
        when not exists (select from naive_current as n where n.customer_id = c.customer_id)
            then 'ended'
        when c.returned_at is not null then 'returned'
        else 'active'
    end
from customer as c
left join naive_usage as u on u.customer_id = c.customer_id
group by c.customer_id

-- name: data_completeness (date, service, customers_expected, customers_stored, completeness,
-- state)
select
    date, service, expected, stored, stored::double precision / nullif(expected, 0),
    case when stored = 0 then 'no_figures' when stored = expected then 'complete' else 'partial' end
from (
    select
        d.date,
        d.service,
        count(distinct u.customer_id) filter (
            where u.processed_date = d.date
                or not coalesce(
                    d.date >= (c.gone_since at time zone 'UTC')::date
                    or d.date >= (c.absent_since at time zone 'UTC')::date
                    and d.date < (c.returned_at at time zone 'UTC')::date, false
                )
        ) as expected,
        count(distinct u.customer_id) filter (where u.processed_date = d.date) as stored
    from naive_calendar as d
    left join naive_usage as u
        on u.service = d.service and u.processed_date between d.date - 14 and d.date
    left join customer as c on c.customer_id = u.customer_id
    group by d.date, d.service
) as counted

-- name: date_dimension (date, month, quarter, year, iso_week, iso_weekday, is_month_end)
select
    day::date, date_trunc('month', day)::date, to_char(day, 'Q')::integer,
    to_char(day, 'YYYY')::integer, to_char(day, 'IW')::integer, to_char(day, 'ID')::integer,
    to_char(day + interval '1 day', 'DD') = '01'
from (
    select min(processed_date) as first, max(processed_date) as last
    from (
        select processed_date from naive_usage
        union all
        select processed_date from naive_deployment
    ) as stored
) as dates
cross join generate_series(
    to_char(first, 'YYYY-01-01')::timestamp, to_char(last, 'YYYY-12-31')::timestamp,
    interval '1 day'
) as day

-- name: license_adoption (customer_id, workload_name, service, channel, processed_date,
-- licenses_qualified, licenses_active, active_ratio, target_ratio, meets_target,
-- licenses_to_target)
select
    customer_id, workload_name, max(service), max(channel), max(processed_date),
    sum(licenses_qualified)::bigint, sum(licenses_active)::bigint,
    (sum(licenses_active)::double precision / sum(licenses_qualified)),
    case workload_name when 'Teams' then 0.07 else 0.4 end::double precision,
    sum(licenses_active) >= case workload_name when 'Teams' then 0.07 else 0.4 end
    * sum(licenses_qualified),
    greatest(
        0,
        ceil(case workload_name when 'Teams' then 0.07 else 0.4 end * sum(licenses_qualified))
        - sum(licenses_active)
    )::bigint
from naive_current
where present_name !~* '\m(free|trial)\M'
group by customer_id, workload_name

-- name: license_waste_monthly (month, customer_id, product_name, product_id, service, channel,
-- processed_date, deployment_processed_date, licenses_sold, licenses_assigned, licenses_qualified,
-- licenses_active, most_used_workload, licenses_unassigned, licenses_unused, active_ratio,
-- is_newest)
select
    month, customer_id, product_name, u.product_id, coalesce(u.service, d.service),
    coalesce(u.channel, d.channel), u.processed_date, d.processed_date, d.licenses_sold,
    d.licenses_deployed, u.licenses_qualified, u.licenses_active, u.workload_name,
    d.licenses_sold - d.licenses_deployed, unused,
    coalesce(u.licenses_active, 0)::double precision
    / coalesce(d.licenses_sold, u.licenses_qualified),
    month = (select max(month) from naive_usage)
from (
    select distinct on (month, customer_id, product_name)
        month, customer_id, present_name as product_name, product_id, service, channel,
        processed_date, workload_name, licenses_active,
        max(licenses_qualified) over (partition by month, customer_id, present_name)
            as licenses_qualified
    from naive_usage as u
    where processed_date_time = (
        select max(n.processed_date_time) from naive_usage as n
        where n.customer_id = u.customer_id and n.service = u.service and n.month = u.month
    )
    order by month, customer_id, product_name, licenses_active desc, workload_name
) as u
full join (
    select distinct on (month, customer_id, product_name) *
    from naive_deployment as d
    where processed_date = (
        select max(n.processed_date) from naive_deployment as n
        where n.customer_id = d.customer_id and n.service = d.service and n.month = d.month
    )
    order by month, customer_id, product_name, processed_date_time desc
) as d using (month, customer_id, product_name)
cross join lateral (
    select coalesce(d.licenses_sold, u.licenses_qualified) - coalesce(u.licenses_active, 0)
        as unused
) as w
where product_name !~* '\m(free|trial)\M' and unused > 0

-- name: product_rename_suspect (old_product_name, new_product_name, customers, share_of_holders,
-- since)
select distinct
    old_name, new_name, customers, customers::double precision
    / (
        select count(distinct customer_id) from naive_in_force as f
        where f.date = r.since - 1 and f.present_name = r.old_name
    ),
    since
from naive_renaming as r
where customers >= 5

-- name: license_holding (customer_id, product_name, service, first_date, last_date, is_current,
-- is_from_the_start, replaces)
select
    h.customer_id, h.present_name, h.service, h.first_date, h.last_date,
    exists (
        select from naive_current as n
        where n.customer_id = h.customer_id and n.present_name = h.present_name
    ),
    h.first_date = (
        select min(f.first_date) from naive_held as f
        where f.customer_id = h.customer_id and f.service = h.service
    ),
    (
        select r.old_name from naive_renaming as r
        where r.customer_id = h.customer_id and r.new_name = h.present_name and r.customers >= 5
    )
from naive_held as h
