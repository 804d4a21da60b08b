-- 5 of 13. Deployment, restatements and customers, under the names that the ledger's rows have.
-- New views: locks nothing in use.

-- Deployment --------------------------------------------------------------------------------------

create view license_deployment_latest as
select distinct on (customer_id, product_name)
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
    (100.0 * licenses_deployed / nullif(licenses_sold, 0))::double precision as deployed_percent,
    first_synced_at,
    last_changed_at,
    run_id,
    (processed_date_time at time zone 'UTC')::date as processed_date
from license_deployment
order by customer_id, product_name, processed_date_time desc;

comment on view license_deployment_latest
    is 'The newest row of each customer and product, under the name of that row. Rows that have '
    'ended, were renamed or whose customer is gone are among them: for today''s seats take '
    'license_product.';
comment on column license_deployment_latest.deployed_percent
    is 'Deployed seats per hundred sold ones, computed; null if none is sold.';
comment on column license_deployment_latest.processed_date
    is 'The date of processed_date_time, UTC.';

-- A full join, because products that are sold and not used, or used and not sold by the partner,
-- matter as well.
create view license_seats as
select
    coalesce(d.customer_id, u.customer_id) as customer_id,
    coalesce(d.customer_name, u.customer_name) as customer_name,
    coalesce(d.product_name, u.product_name) as product_name,
    coalesce(d.product_id, u.product_id) as product_id,
    u.workload_name,
    d.licenses_sold,
    d.licenses_deployed as licenses_assigned,
    u.licenses_qualified,
    u.licenses_active,
    d.deployed_percent,
    u.active_percent,
    d.processed_date_time as deployment_processed_date_time,
    u.processed_date_time as usage_processed_date_time,
    coalesce(u.workload_name, '')::varchar(512) as workload_key,
    d.processed_date as deployment_processed_date,
    u.processed_date as usage_processed_date
from license_deployment_latest as d
full join license_usage_latest as u
    on u.customer_id = d.customer_id and u.product_name = d.product_name;

comment on view license_seats
    is 'Sold, assigned and active seats side by side: the newest of each, one row per customer, '
    'product and workload, under the names of these rows. The seats of a product repeat on each of '
    'its workloads, and what has ended is among the rows: for today''s seats take license_product.';
comment on column license_seats.customer_name is 'The customer''s name.';
comment on column license_seats.workload_name
    is 'The workload within the product; null for a product without usage.';
comment on column license_seats.workload_key
    is 'workload_name, or an empty text for a product without usage: customer_id, product_name and '
    'workload_key tell each row apart.';
comment on column license_seats.licenses_sold
    is 'Seats sold of the product; null if deployment does not name it.';
comment on column license_seats.licenses_assigned is 'Seats of the product assigned to a user.';
comment on column license_seats.deployed_percent
    is 'Assigned seats per hundred sold ones, computed; null if none is sold.';
comment on column license_seats.deployment_processed_date_time
    is 'The processed date of the sold and assigned seats.';
comment on column license_seats.usage_processed_date_time
    is 'The processed date of the qualified and active seats.';
comment on column license_seats.deployment_processed_date
    is 'The date of deployment_processed_date_time, UTC.';
comment on column license_seats.usage_processed_date
    is 'The date of usage_processed_date_time, UTC.';
comment on column license_seats.active_percent
    is 'Active seats per hundred qualified ones, computed; null if none is qualified.';

-- Restatements ------------------------------------------------------------------------------------

create view license_usage_restatement as
select
    r.restatement_id,
    r.customer_id,
    r.product_name,
    r.workload_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used as old_licenses_active,
    r.new_used as new_licenses_active,
    r.old_total as old_licenses_qualified,
    r.new_total as new_licenses_qualified,
    r.old_percent as old_usage_percent,
    r.new_percent as new_usage_percent,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    c.customer_name
from restatement as r
left join customer as c on c.customer_id = r.customer_id
where r.dataset = 'usage';

comment on view license_usage_restatement
    is 'Each time that a stored row of license_usage came again with other figures. The ledger '
    'holds the newest.';
comment on column license_usage_restatement.old_licenses_active is 'Active seats before.';
comment on column license_usage_restatement.new_licenses_active is 'Active seats since.';
comment on column license_usage_restatement.old_licenses_qualified is 'Qualified seats before.';
comment on column license_usage_restatement.new_licenses_qualified is 'Qualified seats since.';
comment on column license_usage_restatement.old_usage_percent is 'Usage per cent before.';
comment on column license_usage_restatement.new_usage_percent is 'Usage per cent since.';
comment on column license_usage_restatement.processed_date
    is 'The date of processed_date_time, UTC.';
comment on column license_usage_restatement.customer_name is 'The customer''s name of now.';

create view license_deployment_restatement as
select
    r.restatement_id,
    r.customer_id,
    r.product_name,
    r.processed_date_time,
    r.run_id,
    r.restated_at,
    r.old_used as old_licenses_deployed,
    r.new_used as new_licenses_deployed,
    r.old_total as old_licenses_sold,
    r.new_total as new_licenses_sold,
    r.old_percent as old_deployment_percent,
    r.new_percent as new_deployment_percent,
    (r.processed_date_time at time zone 'UTC')::date as processed_date,
    c.customer_name
from restatement as r
left join customer as c on c.customer_id = r.customer_id
where r.dataset = 'deployment';

comment on view license_deployment_restatement
    is 'Each time that a stored row of license_deployment came again with other figures.';
comment on column license_deployment_restatement.old_licenses_deployed is 'Deployed seats before.';
comment on column license_deployment_restatement.new_licenses_deployed is 'Deployed seats since.';
comment on column license_deployment_restatement.old_licenses_sold is 'Sold seats before.';
comment on column license_deployment_restatement.new_licenses_sold is 'Sold seats since.';
comment on column license_deployment_restatement.old_deployment_percent
    is 'Deployment per cent before.';
comment on column license_deployment_restatement.new_deployment_percent
    is 'Deployment per cent since.';
comment on column license_deployment_restatement.processed_date
    is 'The date of processed_date_time, UTC.';
comment on column license_deployment_restatement.customer_name is 'The customer''s name of now.';

-- Customers ---------------------------------------------------------------------------------------

create view customer_usage as
select
    customer_id,
    max(processed_date_time) as last_processed_date_time,
    bool_or(is_current) as has_current_row
from customer_service
group by customer_id;

comment on view customer_usage
    is 'Inner view: how recent the usage of each customer that has any is. Read customer_freshness '
    'instead.';
comment on column customer_usage.last_processed_date_time
    is 'The newest processed date of its usage.';
comment on column customer_usage.has_current_row
    is 'Whether any of its rows is current, as in license_usage_latest.';

create view customer_freshness as
with known as (
    select
        c.*,
        s.last_success_at as success_at,
        u.last_processed_date_time as processed_date_time,
        (u.last_processed_date_time at time zone 'UTC')::date as processed_date,
        u.has_current_row
    from customer as c
    inner join customer_success as s on s.customer_id = c.customer_id
    left join customer_usage as u on u.customer_id = c.customer_id
),

judged as (
    select
        *,
        (now() at time zone 'UTC')::date - processed_date as age_days,
        case
            when gone_since is not null then 'gone'
            when success_at is null or last_failure_at > success_at then 'failing'
            when processed_date is null then 'never_had_usage'
            when not has_current_row then 'ended'
            -- For so many days figures count in the totals of later days.
            when (now() at time zone 'UTC')::date - processed_date > 14 then 'stale'
            else 'active'
        end as state
    from known
)

select
    customer_id,
    customer_name,
    success_at as last_success_at,
    processed_date_time as last_processed_date_time,
    now() - processed_date_time as age,
    last_failure_at,
    last_failure_reason,
    last_failure_detail,
    gone_since,
    processed_date as last_processed_date,
    age_days,
    state::varchar(16) as state,
    left(
        case state
            when 'gone'
                then 'not on the partner''s list since '
                    || to_char(gone_since at time zone 'UTC', 'YYYY-MM-DD')
            when 'failing'
                then coalesce(
                    nullif(concat_ws(': ', last_failure_reason, last_failure_detail), ''),
                    'not fetched so far'
                )
            when 'never_had_usage' then 'fetched with success, and no figures have come so far'
            when 'ended'
                then 'fetched with success, and no figures have come after '
                    || to_char(processed_date, 'YYYY-MM-DD')
            when 'stale'
                then 'newest figures of ' || to_char(processed_date, 'YYYY-MM-DD')
                    || ', over 14 days ago'
        end,
        255
    )::varchar(255) as state_reason
from judged;

comment on view customer_freshness
    is 'One row per customer: how old its newest figures are, in one word how it is, and how '
    'fetching it last failed.';
comment on column customer_freshness.last_success_at
    is 'When the customer''s collection was last fetched and stored.';
comment on column customer_freshness.last_processed_date_time
    is 'The newest processed date of its usage; null if it never had usage.';
comment on column customer_freshness.age is 'The time since the newest processed date.';
comment on column customer_freshness.last_processed_date
    is 'The date of last_processed_date_time, UTC.';
comment on column customer_freshness.age_days
    is 'Days (UTC) since last_processed_date. A service lags by some days itself.';
comment on column customer_freshness.state
    is 'The first that applies: gone: not on the partner''s list (customers.discover); failing: '
    'fetching failed after the last success, or never succeeded; never_had_usage: no row of usage '
    'has ever come; ended: none of its rows is current; stale: the newest figures are over 14 days '
    'old, and no longer count in the totals of days; active. "seatledger status" says the same.';
comment on column customer_freshness.state_reason
    is 'Why it is in that state, in words; null if it is active.';

create view coverage as
with ledger_date as (
    select processed_date, min(first_seen_at) as first_seen_at
    from service_date
    where dataset = 'usage'
    group by processed_date
)

select
    d.processed_date,
    s.customer_id,
    c.customer_name,
    'stored'::varchar(16) as state,
    s.run_id,
    null::varchar as reason,
    null::text as detail
from ledger_date as d
-- One range of the index per date.
cross join lateral (
    select k.customer_id, min(k.run_id) as run_id
    from license_usage_collection as k
    where k.processed_date_time >= d.processed_date::timestamp at time zone 'UTC'
        and k.processed_date_time < (d.processed_date + 1)::timestamp at time zone 'UTC'
    group by k.customer_id
) as s
inner join customer as c on c.customer_id = s.customer_id
union all
select
    d.processed_date,
    c.customer_id,
    c.customer_name,
    (case
        -- The API's codes for a customer without a commerce relationship.
        when t.fault_code in ('20002', '60003') then 'no_relationship'
        -- The date was published while the partner's own list lacked the customer.
        when d.first_seen_at >= c.gone_since then 'no_relationship'
        when d.first_seen_at >= c.absent_since and d.first_seen_at < c.returned_at
            then 'no_relationship'
        when t.reason in ('forbidden', 'unauthorized') then 'denied'
        when t.outcome = 'succeeded' then 'empty'
        -- A customer's own collection never has another date than the newest.
        when d.processed_date < newest.processed_date and latest.source = 'customer' then 'missed'
        when t.reason = 'throttled' then 'throttled'
        else 'failed'
    end)::varchar(16) as state,
    t.run_id,
    t.reason::varchar as reason,
    t.detail
from ledger_date as d
-- "distinct" keeps the planner from turning this into a join with all collections.
cross join lateral (
    select distinct
        customer_id, customer_name, first_seen_at, last_seen_at, gone_since, absent_since,
        returned_at
    from customer
    where not exists (
        select
        from license_usage_collection as k
        where k.processed_date_time >= d.processed_date::timestamp at time zone 'UTC'
            and k.processed_date_time < (d.processed_date + 1)::timestamp at time zone 'UTC'
            and k.customer_id = customer.customer_id
    )
) as c
cross join (select max(processed_date) as processed_date from ledger_date) as newest
left join lateral (select source from sync_run order by run_id desc limit 1) as latest on true
left join lateral (
    select t.run_id, t.outcome, t.reason, t.fault_code, t.detail
    from sync_run as r
    inner join sync_customer as t on t.run_id = r.run_id and t.customer_id = c.customer_id
    where r.newest_processed_date = d.processed_date
    order by r.run_id desc
    limit 1
) as t on true
-- There is no row for dates before a customer was known, for dates that only a slower service has,
-- or for a customer that no run has had on its list since the date was published, unless it is
-- gone.
where t.run_id is not null
    or (
        d.processed_date >= (c.first_seen_at at time zone 'UTC')::date
        and (d.first_seen_at <= c.last_seen_at or d.first_seen_at >= c.gone_since)
        and exists (select from sync_run as r where r.newest_processed_date = d.processed_date)
    );

comment on view coverage
    is 'One row per customer and processed date: whether the ledger has its figures, and why not.';
comment on column coverage.processed_date
    is 'A processed date (UTC) of which the ledger has rows of at least one customer.';
comment on column coverage.state
    is 'stored: the ledger has rows; empty: requested, and the response had no rows of that date; '
    'no_relationship: no commerce relationship, or gone; denied: refused by role or sign-in; '
    'throttled and failed: not fetched so far; missed: not fetched, and the API will not give '
    'it again.';
comment on column coverage.run_id is 'The run that stored the first row, or tried last.';
comment on column coverage.reason is 'Why the last try failed, as in sync_customer.';
comment on column coverage.detail is 'The failure in words.';

-- Comments ----------------------------------------------------------------------------------------

-- A view's column, in this file and the one before it, that has no comment yet is passed through
-- from another relation, and takes its comment.
do $$
declare
    passed record;
begin
    for passed in
        select v.view, c.attname as name, col_description(v.source, s.attnum) as comment
        from (
            values
            ('service_date_superseded'::regclass, 'service_date'::regclass),
            ('license_usage_newest', 'license_usage'),
            ('customer_service', 'license_usage'),
            ('license_usage_latest', 'license_usage'),
            ('license_usage_change', 'license_usage'),
            ('license_usage_series', 'license_usage'),
            ('product_name_history', 'name_history'),
            ('workload_name_history', 'name_history'),
            ('license_deployment_latest', 'license_deployment'),
            ('license_seats', 'license_usage'),
            ('license_usage_restatement', 'restatement'),
            ('license_deployment_restatement', 'restatement'),
            ('customer_success', 'customer'),
            ('customer_usage', 'customer'),
            ('customer_freshness', 'customer'),
            ('coverage', 'customer')
        ) as v (view, source)
        inner join pg_attribute as c on c.attrelid = v.view
        inner join pg_attribute as s on s.attrelid = v.source and s.attname = c.attname
        where col_description(v.view, c.attnum) is null
    loop
        execute format('comment on column %s.%I is %L', passed.view, passed.name, passed.comment);
    end loop;
end
$$;
