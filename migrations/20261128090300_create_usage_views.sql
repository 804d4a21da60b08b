-- 4 of 13. What BI tools read: views, so that the tables behind them may change. Here stand those
-- that show the ledger under the names that its rows have; the next files have those under present
-- names, by day and by customer. Later migrations add columns at the end, because some tools read
-- by position; a column keeps its name, type and place.
-- A view whose comment begins with "Inner view:" is there for other views, not for readers.
-- New views: locks nothing in use.

-- Inner views -------------------------------------------------------------------------------------

-- A run does not write to a customer about which there is nothing new, so the time of the last
-- success may have to be read from the last two runs.
create view customer_success as
select
    c.customer_id,
    c.gone_since,
    greatest(c.last_success_at, s.finished_at) as last_success_at
from customer as c
left join (
    select s.customer_id, max(s.finished_at) as finished_at
    from (select run_id from sync_run order by run_id desc limit 2) as r
    inner join sync_customer as s on s.run_id = r.run_id
    where s.outcome = 'succeeded'
    group by s.customer_id
) as s on s.customer_id = c.customer_id;

comment on view customer_success
    is 'Inner view: when each customer''s collection was last fetched and stored. Read '
    'customer_freshness instead.';
comment on column customer_success.last_success_at
    is 'When the customer''s collection was last fetched and stored.';

create view service_date_superseded as
select
    dataset,
    service,
    processed_date,
    min(first_seen_at) over (
        partition by dataset, service
        order by processed_date desc
        rows between unbounded preceding and 1 preceding
    ) as superseded_at
from service_date;

comment on view service_date_superseded
    is 'Inner view: since when the ledger has had a later date of the same service. Figures of a '
    'customer that was fetched after that moment, and is still at the earlier date, have ended.';
comment on column service_date_superseded.superseded_at
    is 'When a row of any later date of the service was first stored; null for the newest date.';

-- Usage -------------------------------------------------------------------------------------------

create view license_usage_newest as
select
    m.customer_id,
    license_service(r.service_code, r.service_name) as service,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    r.*
from license_usage_month as m
inner join license_usage_set as s on s.set_id = m.set_id
cross join unnest(
    s.product_names, s.workload_names, s.product_ids, s.workload_codes, s.service_names,
    s.service_codes, s.channels, m.customer_names, m.processed_date_times, m.licenses_active,
    m.licenses_qualified, m.usage_percents, m.first_synced_ats, m.last_changed_ats, m.run_ids,
    m.are_month_end, m.are_newest
) as r (
    product_name, workload_name, product_id, workload_code, service_name, service_code, channel,
    customer_name, processed_date_time, licenses_active, licenses_qualified, usage_percent,
    first_synced_at, last_changed_at, run_id, is_month_end, is_newest
)
where m.newest and r.is_newest;

comment on view license_usage_newest
    is 'Inner view: the newest row of each series. Read license_usage_latest instead.';
comment on column license_usage_newest.service is 'The service: license_service() of the row.';
comment on column license_usage_newest.processed_date is 'The date of processed_date_time, UTC.';
comment on column license_usage_newest.is_month_end
    is 'Whether the row is in the customer''s last collection of its service in its month, and is '
    'not replaced.';
comment on column license_usage_newest.is_newest is 'Always true.';

-- Only what is needed of each row is unnested, so that all customers of a large partner are read in
-- a second.
create view customer_service as
select
    n.customer_id,
    n.service,
    max(n.processed_date_time) as processed_date_time,
    max(n.processed_date) as processed_date,
    bool_and(c.gone_since is null and coalesce(s.superseded_at > c.last_success_at, true))
        as is_current
from (
    select
        m.customer_id,
        license_service(r.service_code, r.service_name) as service,
        max(r.processed_date_time) as processed_date_time,
        (max(r.processed_date_time) at time zone 'UTC')::date as processed_date
    from license_usage_month as m
    inner join license_usage_set as s on s.set_id = m.set_id
    cross join unnest(s.service_names, s.service_codes, m.processed_date_times)
        as r (service_name, service_code, processed_date_time)
    where m.newest
    group by m.customer_id, license_service(r.service_code, r.service_name)
) as n
left join customer_success as c on c.customer_id = n.customer_id
left join service_date_superseded as s
    on s.dataset = 'usage' and s.service = n.service and s.processed_date = n.processed_date
-- There is one row each already, but said so that license_usage_latest can be read without this.
group by n.customer_id, n.service;

comment on view customer_service
    is 'Inner view: the newest processed date of each customer and service, and whether its rows '
    'are current: the customer is not gone, and was not fetched after a later date had come.';
comment on column customer_service.service is 'The service: license_service() of its rows.';
comment on column customer_service.processed_date_time is 'The newest processed date.';
comment on column customer_service.processed_date is 'The date of it, UTC.';
comment on column customer_service.is_current is 'Whether the rows of that date are current.';

-- Tools that do not ask for is_current do not pay for it: Postgres drops a join that adds neither
-- rows nor a column in use. coalesce() keeps it from taking the dates for a condition of the join:
-- it would expect few rows, and join the rest row by row.
create view license_usage_latest as
select
    l.customer_id,
    l.product_name::varchar(512) as product_name,
    l.workload_name::varchar(512) as workload_name,
    l.processed_date_time,
    l.customer_name::varchar(512) as customer_name,
    l.product_id::varchar(512) as product_id,
    l.workload_code::varchar(512) as workload_code,
    l.service_name::varchar(512) as service_name,
    l.service_code::varchar(512) as service_code,
    l.channel::varchar(512) as channel,
    l.licenses_active,
    l.licenses_qualified,
    l.usage_percent,
    l.first_synced_at,
    l.last_changed_at,
    l.run_id,
    (100.0 * l.licenses_active / nullif(l.licenses_qualified, 0))::double precision
        as active_percent,
    l.processed_date,
    l.service::varchar(255) as service_code_now,
    coalesce(l.processed_date = c.processed_date and l.is_month_end and c.is_current, false)
        as is_current
from license_usage_newest as l
left join customer_service as c on c.customer_id = l.customer_id and c.service = l.service;

comment on view license_usage_latest
    is 'The newest row of each customer, product and workload, under the names of that row. Rows '
    'that have ended, were renamed or whose customer is gone are among them: for today''s seats '
    'take license_usage_current, or the rows with is_current.';
comment on column license_usage_latest.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';
comment on column license_usage_latest.processed_date is 'The date of processed_date_time, UTC.';
comment on column license_usage_latest.service_code_now
    is 'The service, such as o365 or crm, spelt the same whatever the source is.';
comment on column license_usage_latest.is_current
    is 'Whether the row is of the customer''s newest collection of that service, the customer is '
    'not gone, and it was not fetched with success after a later date of that service had come. A '
    'product id that was renamed between two runs of one processed date is current under the name '
    'that came last.';

create view license_usage_change as
select
    customer_id,
    product_name,
    workload_name,
    processed_date_time,
    customer_name,
    licenses_active,
    licenses_qualified,
    usage_percent,
    lag(processed_date_time) over series as previous_processed_date_time,
    lag(licenses_active) over series as previous_licenses_active,
    lag(licenses_qualified) over series as previous_licenses_qualified,
    lag(usage_percent) over series as previous_usage_percent,
    licenses_active - lag(licenses_active) over series as licenses_active_change,
    licenses_qualified - lag(licenses_qualified) over series as licenses_qualified_change,
    usage_percent - lag(usage_percent) over series as usage_percent_change,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent,
    (processed_date_time at time zone 'UTC')::date as processed_date,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision
    - lag((100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision)
        over series as active_percent_change
from license_usage
window series as (
    partition by customer_id, product_name, workload_name
    order by processed_date_time
);

comment on view license_usage_change
    is 'Each row with the figures of the processed date before it and the difference; null for the '
    'first row of a series. A series that ends has no row for its end, so changes do not add up '
    'to what a partner gained or lost: for weeks, months and years take license_growth.';
comment on column license_usage_change.previous_processed_date_time
    is 'The processed date before this one in the same series.';
comment on column license_usage_change.previous_licenses_active is 'Active seats at that date.';
comment on column license_usage_change.previous_licenses_qualified
    is 'Qualified seats at that date.';
comment on column license_usage_change.previous_usage_percent is 'Usage per cent at that date.';
comment on column license_usage_change.licenses_active_change
    is 'Active seats gained since then; negative if lost.';
comment on column license_usage_change.licenses_qualified_change
    is 'Qualified seats gained since then; negative if lost.';
comment on column license_usage_change.usage_percent_change
    is 'Percentage points gained since then; negative if lost.';
comment on column license_usage_change.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';
comment on column license_usage_change.processed_date is 'The date of processed_date_time, UTC.';
comment on column license_usage_change.active_percent_change
    is 'Percentage points of active_percent gained since the date before; negative if lost.';

-- If several ids have had a name, it stands for the id that had it last. Of two names of an id with
-- the same newest date, the one that a later run recorded is the newer.
create view license_usage_series as
with present as (
    select distinct on (kind, id) kind, id, name
    from name_history
    order by kind, id, last_processed_date_time desc, run_id desc, name
),

owner as (
    select distinct on (kind, name) kind, name, id
    from name_history
    order by kind, name, last_processed_date_time desc, run_id desc, id
),

joined as (
    select
        u.customer_id,
        coalesce(u.product_id, po.id) as product_id,
        coalesce(p.name, u.product_name) as product_name,
        coalesce(u.workload_code, wo.id) as workload_code,
        coalesce(w.name, u.workload_name) as workload_name,
        u.processed_date_time,
        u.customer_name,
        u.product_name as product_name_then,
        u.workload_name as workload_name_then,
        u.licenses_active,
        u.licenses_qualified,
        u.usage_percent,
        u.first_synced_at
    from license_usage as u
    left join owner as po on po.kind = 'product' and po.name = u.product_name
    left join present as p on p.kind = 'product' and p.id = coalesce(u.product_id, po.id)
    left join owner as wo on wo.kind = 'workload' and wo.name = u.workload_name
    left join present as w on w.kind = 'workload' and w.id = coalesce(u.workload_code, wo.id)
),

-- Rows of one date that were first stored together came in one collection: one product that has
-- several names at the same time, whose seats add up.
together as (
    select
        customer_id,
        product_id,
        product_name,
        workload_code,
        workload_name,
        processed_date_time,
        max(customer_name)::varchar(512) as customer_name,
        max(product_name_then)::varchar(512) as product_name_then,
        max(workload_name_then)::varchar(512) as workload_name_then,
        seat_sum(sum(licenses_active)) as licenses_active,
        seat_sum(sum(licenses_qualified)) as licenses_qualified,
        case when count(*) = 1 then max(usage_percent) end as usage_percent,
        first_synced_at
    from joined
    group by
        customer_id,
        coalesce(product_id, product_name),
        coalesce(workload_code, workload_name),
        processed_date_time,
        first_synced_at,
        product_id,
        product_name,
        workload_code,
        workload_name
)

-- A product that was renamed within one processed date has two rows of that date: the later one
-- counts. Rows are told apart by ids where these are known, because a product may by now have the
-- name that another one had.
select distinct on (
    customer_id,
    coalesce(product_id, product_name),
    coalesce(workload_code, workload_name),
    processed_date_time
)
    customer_id,
    product_id,
    product_name,
    workload_code,
    workload_name,
    processed_date_time,
    customer_name,
    product_name_then,
    workload_name_then,
    licenses_active,
    licenses_qualified,
    usage_percent,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent,
    (processed_date_time at time zone 'UTC')::date as processed_date
from together
order by
    customer_id,
    coalesce(product_id, product_name),
    coalesce(workload_code, workload_name),
    processed_date_time,
    first_synced_at desc;

comment on view license_usage_series
    is 'The ledger with each product and workload under its present name, so that a series '
    'continues when its name changes.';
comment on column license_usage_series.product_id
    is 'The product''s id, also for rows that came without it if the name is known to be that '
    'product''s.';
comment on column license_usage_series.product_name is 'The product''s newest name.';
comment on column license_usage_series.workload_code
    is 'The workload''s code, also for rows that came without it if the name is known to be that '
    'workload''s.';
comment on column license_usage_series.workload_name is 'The workload''s newest name.';
comment on column license_usage_series.product_name_then
    is 'The product''s name in the ledger''s row; the last in order where the collection had the '
    'product under several names, whose seats are added up here.';
comment on column license_usage_series.workload_name_then
    is 'The workload''s name in the ledger''s row.';
comment on column license_usage_series.usage_percent
    is 'As the API gives it; null if it gives none, and where rows were added up.';
comment on column license_usage_series.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';
comment on column license_usage_series.processed_date is 'The date of processed_date_time, UTC.';

create view product_name_history as
select
    id as product_id,
    name as product_name,
    first_processed_date_time,
    last_processed_date_time,
    run_id,
    (first_processed_date_time at time zone 'UTC')::date as first_processed_date,
    (last_processed_date_time at time zone 'UTC')::date as last_processed_date
from name_history
where kind = 'product';

comment on view product_name_history
    is 'The names that each product id has had, where the API gives the id (source "commercial").';
comment on column product_name_history.product_id is 'The product''s id.';
comment on column product_name_history.product_name is 'A name it has had.';
comment on column product_name_history.first_processed_date
    is 'The date of first_processed_date_time, UTC.';
comment on column product_name_history.last_processed_date
    is 'The date of last_processed_date_time, UTC.';

create view workload_name_history as
select
    id as workload_code,
    name as workload_name,
    first_processed_date_time,
    last_processed_date_time,
    run_id,
    (first_processed_date_time at time zone 'UTC')::date as first_processed_date,
    (last_processed_date_time at time zone 'UTC')::date as last_processed_date
from name_history
where kind = 'workload';

comment on view workload_name_history
    is 'The names that each workload code has had, where the API gives the code (source '
    '"commercial").';
comment on column workload_name_history.workload_code is 'The workload''s code, such as EXO.';
comment on column workload_name_history.workload_name is 'A name it has had.';
comment on column workload_name_history.first_processed_date
    is 'The date of first_processed_date_time, UTC.';
comment on column workload_name_history.last_processed_date
    is 'The date of last_processed_date_time, UTC.';
