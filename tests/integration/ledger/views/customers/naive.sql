-- The definitions of the views in plain SQL on the ledger alone, without what is kept beside it.

-- Stored, because every definition reads it many times.
create materialized view naive_usage as
select
    u.*,
    lower(coalesce(u.service_code, u.service_name)) as service,
    (u.processed_date_time at time zone 'UTC')::date as processed_date,
    date_trunc('month', u.processed_date_time at time zone 'UTC')::date as month,
    coalesce(
        (
            select n.product_name from license_usage as n where n.product_id = u.product_id
            order by n.processed_date_time desc limit 1
        ),
        (select present_name from product_alias as a where a.product_name = u.product_name),
        u.product_name
    ) as present_name
from license_usage as u;

create index on naive_usage (customer_id, service, processed_date, processed_date_time);
create index on naive_usage (service, processed_date);
analyze naive_usage;

create view naive_deployment as
select
    d.*,
    lower(coalesce(d.service_code, d.service_name)) as service,
    (d.processed_date_time at time zone 'UTC')::date as processed_date,
    date_trunc('month', d.processed_date_time at time zone 'UTC')::date as month
from license_deployment as d;

create view naive_success as
select
    c.*,
    greatest(
        c.last_success_at,
        (
            select max(finished_at) from sync_customer as s
            where s.customer_id = c.customer_id and s.outcome = 'succeeded'
        )
    ) as success_at
from customer as c;

create view naive_current as
select u.*
from naive_usage as u
inner join naive_success as c on c.customer_id = u.customer_id
where c.gone_since is null
    and u.processed_date = (
        select max(n.processed_date) from naive_usage as n
        where n.customer_id = u.customer_id and n.service = u.service
    )
    and not exists (
        select from naive_usage as n
        where n.service = u.service and n.processed_date > u.processed_date
            and n.first_synced_at <= c.success_at
    )
    -- Of two collections on one date the newer row of each series counts.
    and not exists (
        select from naive_usage as n
        where n.customer_id = u.customer_id and n.product_name = u.product_name
            and n.workload_name = u.workload_name
            and n.processed_date_time > u.processed_date_time
    );

create view naive_calendar as
select service, day::date as date
from (
    select
        service, min(processed_date) as first,
        (select max(processed_date) from naive_usage) as last
    from naive_usage group by service
) as s
cross join generate_series(s.first, s.last, interval '1 day') as day;

-- What was in force on each day: of each customer and service the newest collection of a fortnight.
create view naive_in_force as
select d.date, u.*
from (
    select day::date as date
    from generate_series(
        (select min(processed_date) from naive_usage),
        (select max(processed_date) from naive_usage), interval '1 day'
    ) as day
) as d
inner join naive_usage as u
    on u.processed_date_time = (
        select max(n.processed_date_time) from naive_usage as n
        where n.customer_id = u.customer_id and n.service = u.service
            and n.processed_date between d.date - 14 and d.date
    );

-- Today's seats: a product's are those of its largest workload.
create view naive_product as
select
    customer_id, product_name, coalesce(u.service, d.service) as service,
    coalesce(u.channel, d.channel) as channel, u.qualified, u.active, d.sold, d.assigned
from (
    select
        customer_id, present_name as product_name, max(service) as service,
        max(channel) as channel, max(licenses_qualified) as qualified,
        max(licenses_active) as active
    from naive_current group by 1, 2
) as u
full join (
    select
        customer_id, product_name, service, channel, licenses_sold as sold,
        licenses_deployed as assigned
    from naive_deployment as d
    where processed_date_time = (
            select max(n.processed_date_time) from naive_deployment as n
            where n.customer_id = d.customer_id and n.service = d.service
        )
        and not exists (
            select from naive_deployment as n
            inner join naive_success as c on c.customer_id = d.customer_id
            where n.service = d.service and n.processed_date > d.processed_date
                and n.first_synced_at <= c.success_at
        )
) as d using (customer_id, product_name);

create view naive_held as
select
    customer_id, service, present_name, min(processed_date) as first_date,
    max(processed_date) as last_date
from naive_usage
group by customer_id, service, present_name;

-- A product that came in the collection after the last one that had another, by the seats of both.
create materialized view naive_follower as
select
    n.customer_id, o.present_name as old_name, n.present_name as new_name, n.first_date,
    abs(
        (
            select max(u.licenses_qualified) from naive_usage as u
            where u.customer_id = o.customer_id and u.present_name = o.present_name
                and u.processed_date = o.last_date
        )
        - (
            select max(u.licenses_qualified) from naive_usage as u
            where u.customer_id = n.customer_id and u.present_name = n.present_name
                and u.processed_date = n.first_date
        )
    ) as difference
from naive_held as n
inner join naive_held as o
    on o.customer_id = n.customer_id and o.service = n.service
    and o.last_date = (
        select max(u.processed_date) from naive_usage as u
        where u.customer_id = n.customer_id and u.service = n.service
            and u.processed_date < n.first_date
    );

create view naive_renaming as
with fitting as (
    select f.* from naive_follower as f
    where (
        select count(*) from naive_follower as o
        where o.old_name = f.old_name and o.new_name = f.new_name
    ) >= 5
),

closest as (
    select f.* from fitting as f
    where f.difference = (
            select min(o.difference) from fitting as o
            where o.customer_id = f.customer_id and o.new_name = f.new_name
        )
        and f.difference = (
            select min(o.difference) from fitting as o
            where o.customer_id = f.customer_id and o.old_name = f.old_name
        )
)

select
    *,
    count(*) over (partition by old_name, new_name) as customers,
    min(first_date) over (partition by old_name, new_name) as since
from closest;
