-- Each section of the figures in plain SQL on the ledger, with the fields in alphabetical order.

-- name: newest_date
select max(processed_date) from naive_usage

-- name: attention
select customer_id
from naive_success as c
where gone_since is null
    and (
        success_at is null
        or last_failure_at > success_at
        or (
            exists (select from naive_current as n where n.customer_id = c.customer_id)
            and (now() at time zone 'UTC')::date - 14 > (
                select max(processed_date) from naive_usage as u
                where u.customer_id = c.customer_id
            )
            and success_at < (select max(finished_at) from sync_run) - interval '14 days'
        )
    )
order by coalesce(success_at, first_seen_at), customer_id

-- name: rename_suspects
select
    case
        when not exists (
            select from naive_usage as u
            where u.present_name = r.old_name and u.product_id is not null
        )
            then format(
                'insert into product_alias (product_name, present_name) values (%L, %L);',
                old_name, new_name
            )
    end as alias_statement,
    customers, new_name, old_name, customers::double precision
    / (
        select count(distinct customer_id) from naive_in_force as f
        where f.date = r.since - 1 and f.present_name = r.old_name
    ) as share_of_holders,
    since
from (
    select distinct customers, old_name, new_name, since from naive_renaming where customers >= 5
) as r
order by customers desc, old_name

-- name: tiles
select
    sum(sold) as sold, sum(assigned) as assigned, sum(active) as active,
    sum(greatest(0, coalesce(sold, qualified) - coalesce(active, 0))) as unused
from naive_product as p
left join product_note as n using (product_name)
where coalesce(n.product_kind, 'paid') = 'paid' and product_name !~* '\m(free|trial)\M'

-- name: tile_months
with used as (
    select
        month, customer_id, present_name as product_name, max(licenses_active) as active,
        max(licenses_qualified) as qualified
    from naive_usage as u
    where processed_date_time = (
        select max(n.processed_date_time) from naive_usage as n
        where n.customer_id = u.customer_id and n.service = u.service and n.month = u.month
    )
    group by 1, 2, 3
),

deployed as (
    select distinct on (month, customer_id, product_name)
        month, customer_id, product_name, licenses_sold as sold, licenses_deployed as assigned
    from naive_deployment as d
    where processed_date = (
        select max(n.processed_date) from naive_deployment as n
        where n.customer_id = d.customer_id and n.service = d.service and n.month = d.month
    )
    order by month, customer_id, product_name, processed_date_time desc
),

total as (
    select
        month, sum(sold) as sold, sum(assigned) as assigned, sum(active) as active,
        sum(greatest(0, coalesce(sold, qualified) - coalesce(active, 0))) as unused
    from used
    full join deployed using (month, customer_id, product_name)
    left join product_note as n using (product_name)
    where coalesce(n.product_kind, 'paid') = 'paid' and product_name !~* '\m(free|trial)\M'
    group by month
)

select tile, month, seats
from total
cross join lateral (
    values
    (1, 'sold', sold), (2, 'assigned', assigned), (3, 'active', active), (4, 'unused', unused)
) as t (place, tile, seats)
where (month + interval '1 month')::date <= (select max(processed_date) + 1 from naive_usage)
order by place, month

-- name: workload_days
with paid as (
    select f.*
    from naive_in_force as f
    left join product_note as n on n.product_name = f.present_name
    where coalesce(n.product_kind, 'paid') = 'paid' and f.present_name !~* '\m(free|trial)\M'
),

total as (
    select
        workload_name, date, sum(licenses_active) as active,
        sum(licenses_qualified) as qualified,
        2 * count(distinct (customer_id, present_name)) filter (where processed_date < date)
        >= count(distinct (customer_id, present_name)) as is_carried
    from paid
    group by 1, 2
),

newest as (select max(processed_date) as date from naive_usage)

select
    l.workload_name, t.active, d.date, coalesce(t.is_carried, false) as is_carried, t.qualified
from newest as n
inner join total as l on l.date = n.date
cross join lateral (
    select n.date - k as date from generate_series(0, 89) as k
) as d
left join total as t on t.workload_name = l.workload_name and t.date = d.date
where (
    select count(*) from total as o
    where o.date = n.date
        and (o.active > l.active or (o.active = l.active and o.workload_name < l.workload_name))
) < 8
order by l.active desc, l.workload_name, d.date

-- name: workload_months
with total as (
    select
        f.workload_name, f.date, sum(f.licenses_active) as active,
        sum(f.licenses_qualified) as qualified
    from naive_in_force as f
    left join product_note as n on n.product_name = f.present_name
    where coalesce(n.product_kind, 'paid') = 'paid' and f.present_name !~* '\m(free|trial)\M'
    group by 1, 2
),

line as (
    select workload_name, active
    from total
    where date = (select max(processed_date) from naive_usage)
    order by 2 desc, 1
    limit 8
)

select
    l.workload_name, t.active, d.last <= n.date as is_over, m.month, t.qualified
from line as l
cross join (select max(processed_date) as date, max(month) as month from naive_usage) as n
cross join lateral (
    select (n.month - make_interval(months => k))::date as month from generate_series(0, 12) as k
) as m
cross join lateral (select (m.month + interval '1 month')::date - 1 as last) as d
left join total as t on t.workload_name = l.workload_name and t.date = least(d.last, n.date)
order by l.active desc, l.workload_name, m.month

-- name: completeness
select service, date, customers_expected, state, customers_stored
from data_completeness as d
where date > (select max(processed_date) - 91 from naive_usage)
order by (
    select max(customers_expected) from data_completeness as m
    where m.service = d.service
        and m.date > (select max(processed_date) - 91 from naive_usage)
) desc, service, date

-- name: movers
with newest as (select max(processed_date) as date from naive_usage),

held as (
    select
        customer_id, present_name as product_name, workload_name,
        sum(licenses_active) as active, max(service) as service,
        max(processed_date) as processed_date
    from naive_current group by 1, 2, 3
),

ago as (
    select
        customer_id, present_name as product_name, workload_name,
        sum(licenses_active) as active
    from naive_in_force where date = (select date - 7 from newest) group by 1, 2, 3
),

moved as (
    select distinct on (customer_id, product_name)
        customer_id, product_name, workload_name, coalesce(a.active, 0) as before,
        coalesce(h.active, 0) as after, coalesce(h.active, 0) - coalesce(a.active, 0) as change
    from held as h
    full join ago as a using (customer_id, product_name, workload_name)
    where coalesce(h.active, 0) <> coalesce(a.active, 0)
        and coalesce(
            (select max(processed_date) from naive_usage as s where s.service = h.service)
            - h.processed_date <= 14, true
        )
        and product_name not in (
            select unnest(array[old_name, new_name]) from naive_renaming
            where customers >= 5 and since > (select date - 21 from newest)
        )
    order by 1, 2, abs(coalesce(h.active, 0) - coalesce(a.active, 0)) desc, 3
)

select m.customer_id, c.customer_name, before, product_name, after, workload_name
from moved as m
left join customer as c on c.customer_id = m.customer_id
order by abs(change) desc, m.customer_id, product_name
limit 12

-- name: waste
select
    active, p.customer_id, c.customer_name, product_name, coalesce(sold, qualified) as seats,
    coalesce(sold, qualified) - coalesce(active, 0) as unused
from naive_product as p
left join product_note as n using (product_name)
left join customer as c on c.customer_id = p.customer_id
where coalesce(n.product_kind, 'paid') = 'paid' and product_name !~* '\m(free|trial)\M'
    and coalesce(sold, qualified) > coalesce(active, 0)
order by unused desc, p.customer_id, product_name
limit 12

-- name: waste_total
select
    count(distinct customer_id) as customers,
    sum(coalesce(sold, qualified) - coalesce(active, 0)) as unused
from naive_product as p
left join product_note as n using (product_name)
where coalesce(n.product_kind, 'paid') = 'paid' and product_name !~* '\m(free|trial)\M'
    and coalesce(sold, qualified) > coalesce(active, 0)

-- name: product_events
with product as (
    select
        present_name as product_name, max(service) as service,
        count(distinct customer_id) as customers, min(first_date) as first_date,
        max(last_date) as last_date
    from naive_held group by 1
),

event as (
    select p.customers, n.date, 'renamed' as kind, n.old_name, n.product_name
    from (
        select
            product_name, min(processed_date) as date,
            lag(product_name) over (partition by product_id order by min(processed_date))
                as old_name
        from naive_usage where product_id is not null group by product_id, product_name
    ) as n
    left join product as p on p.product_name = n.product_name
    where n.old_name is not null
    union all
    select customers, first_date, 'began', null, product_name
    from product as p
    where first_date > 14 + (
            select min(first_date) from product as s where s.service = p.service
        )
        and product_name not in (select new_name from naive_renaming where customers >= 5)
    union all
    select customers, last_date, 'ended', null, product_name
    from product
    where product_name not in (select present_name from naive_current)
        and product_name not in (select old_name from naive_renaming where customers >= 5)
)

select * from event
where date > (select max(processed_date) - 91 from naive_usage)
order by date desc, customers desc, product_name, kind
limit 15
