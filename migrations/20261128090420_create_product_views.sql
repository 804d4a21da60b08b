-- 8 of 13. Today's usage, seats and unused seats, under present names.
-- New views: locks nothing in use.

create view license_usage_current as
select
    u.customer_id,
    u.customer_name,
    u.product_name,
    u.product_id,
    u.workload_name,
    u.workload_code,
    u.service,
    u.channel,
    product_kind(n.product_kind, u.product_name)::varchar(16) as product_kind,
    u.processed_date,
    s.newest_date - u.processed_date as days_behind,
    u.licenses_qualified,
    u.licenses_active,
    u.licenses_qualified - u.licenses_active as licenses_unused,
    u.licenses_active::double precision / nullif(u.licenses_qualified, 0) as active_ratio
from (
    select
        l.customer_id,
        max(c.customer_name)::varchar(255) as customer_name,
        coalesce(p.present_name, l.product_name)::varchar(255) as product_name,
        max(coalesce(l.product_id, p.present_id))::varchar(255) as product_id,
        coalesce(w.present_name, l.workload_name)::varchar(255) as workload_name,
        max(coalesce(l.workload_code, w.present_id))::varchar(255) as workload_code,
        max(l.service_code_now)::varchar(255) as service,
        max(l.channel)::varchar(255) as channel,
        max(l.processed_date) as processed_date,
        seat_sum(sum(l.licenses_qualified)) as licenses_qualified,
        seat_sum(sum(l.licenses_active)) as licenses_active
    from license_usage_latest as l
    left join customer as c on c.customer_id = l.customer_id
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(l.product_id, l.product_name)
    left join present_name as w
        on w.kind = 'workload' and w.key = name_key(l.workload_code, l.workload_name)
    where l.is_current
    group by
        l.customer_id,
        coalesce(p.present_name, l.product_name)::varchar(255),
        coalesce(w.present_name, l.workload_name)::varchar(255)
) as u
left join (
    select service::varchar(255) as service, max(processed_date) as newest_date
    from service_date
    where dataset = 'usage'
    group by service
) as s on s.service = u.service
left join product_note as n on n.product_name = u.product_name;

comment on view license_usage_current
    is 'Today''s usage: the current rows of each customer, product and workload under present '
    'names. Current is what the customer''s newest collection of that service has, unless the '
    'customer is gone or was fetched with success after a later date of that service had come.';
comment on column license_usage_current.customer_name is 'The customer''s name of now.';
comment on column license_usage_current.product_name is 'The product''s present name.';
comment on column license_usage_current.product_id
    is 'The product''s id, if it is known; also of rows that came without it.';
comment on column license_usage_current.workload_name
    is 'The present name of the workload within the product, such as Exchange or Teams.';
comment on column license_usage_current.workload_code
    is 'The workload''s code, such as EXO, if it is known.';
comment on column license_usage_current.service
    is 'The service, such as o365 or crm, spelt the same whatever the source is.';
comment on column license_usage_current.product_kind
    is 'paid, free or trial: that of product_note, else what the name says.';
comment on column license_usage_current.processed_date
    is 'The date (UTC) for which the service processed the figures.';
comment on column license_usage_current.days_behind
    is 'Days from processed_date to the newest date of that service in the whole ledger.';
comment on column license_usage_current.licenses_qualified
    is 'Seats that entitle to the workload. They add up over customers, and over products within '
    'one workload; the seats of a product repeat on each of its workloads and never add up over '
    'them.';
comment on column license_usage_current.licenses_active
    is 'Seats whose user was active in the 28 days before processed_date. They add up over '
    'customers, and over products within one workload; never over workloads.';
comment on column license_usage_current.licenses_unused
    is 'Qualified less active seats; negative if more were active than qualify. They add up as '
    'the two do. For unused seats of a product take license_product.';
comment on column license_usage_current.active_ratio
    is 'Active seats as a part of qualified ones: 0 to 1, or more; null if none is qualified. '
    'Never add it up: divide sums.';

-- Deployment's history is long and has nothing kept beside it. So rows are looked up from the date
-- on from which a service's figures are current for a customer: usually those of one date for each
-- service. "distinct on" keeps the planner from reading all of the history instead.
create view license_deployment_current as
with service as (
    select service, max(processed_date) as newest_date
    from service_date
    where dataset = 'deployment'
    group by service
),

stored as (
    select
        c.customer_id,
        d.product_name,
        d.product_id,
        s.service,
        d.channel,
        d.processed_date,
        d.licenses_sold,
        d.licenses_deployed,
        d.first_synced_at,
        max(d.processed_date) over (partition by c.customer_id, s.service) as newest_date,
        max(d.first_synced_at) over (
            partition by c.customer_id, s.service, d.processed_date, d.product_id
        ) as last_synced_at
    from customer_success as c
    cross join service as s
    cross join lateral (
        select max(processed_date) as processed_date
        from service_date
        where dataset = 'deployment'
            and service = s.service
            and first_seen_at <= c.last_success_at
    ) as expected
    cross join lateral (
        select distinct on (d.customer_id, d.product_name, u.processed_date)
            d.product_name,
            d.product_id,
            d.channel,
            u.processed_date,
            d.licenses_sold,
            d.licenses_deployed,
            d.first_synced_at
        from license_deployment as d
        cross join lateral (
            select (d.processed_date_time at time zone 'UTC')::date as processed_date
        ) as u
        where d.customer_id = c.customer_id
            and d.processed_date_time
                >= coalesce(expected.processed_date, '-infinity')::timestamp at time zone 'UTC'
            and d.processed_date_time < (s.newest_date + 1)::timestamp at time zone 'UTC'
            and license_service(d.service_code, d.service_name) = s.service
        order by d.customer_id, d.product_name, u.processed_date, d.processed_date_time desc
    ) as d
    where c.gone_since is null
)

select
    d.customer_id,
    max(c.customer_name)::varchar(255) as customer_name,
    coalesce(p.present_name, d.product_name)::varchar(255) as product_name,
    max(coalesce(d.product_id, p.present_id))::varchar(255) as product_id,
    max(d.service)::varchar(255) as service,
    max(d.channel)::varchar(255) as channel,
    max(d.processed_date) as processed_date,
    seat_sum(sum(d.licenses_sold)) as licenses_sold,
    seat_sum(sum(d.licenses_deployed)) as licenses_assigned
from stored as d
left join customer as c on c.customer_id = d.customer_id
left join present_name as p
    on p.kind = 'product' and p.key = name_key(d.product_id, d.product_name)
-- Not "=", of which the planner would expect few rows.
where d.processed_date >= d.newest_date
    -- A product that was renamed between two runs of one date counts under the later name.
    and (d.product_id is null or d.first_synced_at = d.last_synced_at)
group by
    d.customer_id,
    coalesce(p.present_name, d.product_name)::varchar(255);

comment on view license_deployment_current
    is 'Inner view: today''s sold and assigned seats of each customer and product under present '
    'names. Read license_product instead.';

create view license_product as
with used as (
    select distinct on (customer_id, product_name)
        customer_id,
        customer_name,
        product_name,
        max(product_id) over product as product_id,
        max(service) over product as service,
        max(channel) over product as channel,
        max(processed_date) over product as processed_date,
        max(licenses_qualified) over product as licenses_qualified,
        licenses_active,
        workload_name
    from license_usage_current
    window product as (partition by customer_id, product_name)
    order by customer_id, product_name, licenses_active desc, workload_name collate "C"
),

held as (
    select
        coalesce(u.customer_id, d.customer_id) as customer_id,
        coalesce(u.customer_name, d.customer_name) as customer_name,
        coalesce(u.product_name, d.product_name) as product_name,
        coalesce(u.product_id, d.product_id)::varchar(255) as product_id,
        coalesce(u.service, d.service)::varchar(255) as service,
        coalesce(u.channel, d.channel)::varchar(255) as channel,
        u.processed_date,
        d.processed_date as deployment_processed_date,
        d.licenses_sold,
        d.licenses_assigned,
        u.licenses_qualified,
        u.licenses_active,
        u.workload_name as most_used_workload,
        coalesce(d.licenses_sold, u.licenses_qualified) as licenses_paid
    from used as u
    full join license_deployment_current as d
        on u.customer_id = d.customer_id and u.product_name = d.product_name
)

select
    h.customer_id,
    h.customer_name,
    h.product_name,
    h.product_id,
    h.service,
    h.channel,
    product_kind(n.product_kind, h.product_name)::varchar(16) as product_kind,
    h.processed_date,
    h.deployment_processed_date,
    h.licenses_sold,
    h.licenses_assigned,
    h.licenses_qualified,
    h.licenses_active,
    h.most_used_workload,
    h.licenses_sold - h.licenses_assigned as licenses_unassigned,
    h.licenses_paid - coalesce(h.licenses_active, 0) as licenses_unused,
    coalesce(h.licenses_active, 0)::double precision / nullif(h.licenses_paid, 0)
        as active_ratio
from held as h
left join product_note as n on n.product_name = h.product_name;

comment on view license_product
    is 'Today''s seats: one row per customer and product under present names, from the current '
    'rows of usage and deployment. The one place for seats, since usage repeats a product''s '
    'seats on each of its workloads.';
comment on column license_product.processed_date
    is 'The processed date (UTC) of the qualified and active seats; null without usage.';
comment on column license_product.deployment_processed_date
    is 'The processed date (UTC) of the sold and assigned seats; null without deployment.';
comment on column license_product.licenses_sold
    is 'Seats sold; null if deployment does not name the product or is not fetched. They add up '
    'over customers, products, channels and services.';
comment on column license_product.licenses_assigned
    is 'Seats assigned to a user; null likewise. They add up as sold seats do.';
comment on column license_product.licenses_qualified
    is 'Qualified seats of the workload that has most; null without usage. They add up over '
    'customers, products, channels and services.';
comment on column license_product.licenses_active
    is 'Active seats of the most used workload, in the 28 days before processed_date; null without '
    'usage. They add up over customers, products, channels and services.';
comment on column license_product.most_used_workload
    is 'The workload with the most active seats; of several the first by name.';
comment on column license_product.licenses_unassigned
    is 'Sold less assigned seats; negative if more are assigned. They add up as sold seats do.';
comment on column license_product.licenses_unused
    is 'Sold seats, or qualified ones where none are known to be sold, less active ones; negative '
    'if more were active. They add up over customers, products, channels and services.';
comment on column license_product.active_ratio
    is 'Active seats as a part of sold ones, or of qualified ones where none are known to be sold: '
    '0 to 1, or more; null if that is 0. Never add it up: divide sums.';

create view license_waste as
select *
from license_product
where product_kind = 'paid' and licenses_unused > 0
order by licenses_unused desc, customer_id, product_name;

comment on view license_waste
    is 'The rows of license_product of paid products that have unused seats, most first.';
