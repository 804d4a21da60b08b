-- What BI tools read. Views, so that the tables behind them may change.
-- New views: locks nothing in use.

create view license_usage_latest as
select distinct on (customer_id, product_name, workload_name)
    customer_id,
    product_name,
    workload_name,
    processed_date_time,
    customer_name,
    product_id,
    workload_code,
    service_name,
    service_code,
    channel,
    licenses_active,
    licenses_qualified,
    usage_percent,
    first_synced_at,
    last_changed_at,
    run_id
from license_usage
order by customer_id, product_name, workload_name, processed_date_time desc;

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
    usage_percent - lag(usage_percent) over series as usage_percent_change
from license_usage
window series as (
    partition by customer_id, product_name, workload_name
    order by processed_date_time
);

create view license_usage_monthly as
select distinct on (customer_id, product_name, workload_name, month)
    customer_id,
    product_name,
    workload_name,
    month,
    processed_date_time,
    customer_name,
    licenses_active,
    licenses_qualified,
    usage_percent
from (
    select *, date_trunc('month', processed_date_time at time zone 'UTC')::date as month
    from license_usage
) as dated
order by customer_id, product_name, workload_name, month, processed_date_time desc;

create view customer_freshness as
select
    c.customer_id,
    c.customer_name,
    success.finished_at as last_success_at,
    newest.processed_date_time as last_processed_date_time,
    now() - newest.processed_date_time as age,
    failure.finished_at as last_failure_at,
    failure.reason as last_failure_reason,
    failure.detail as last_failure_detail
from customer as c
left join lateral (
    select s.finished_at
    from sync_customer as s
    where s.customer_id = c.customer_id and s.outcome = 'succeeded'
    order by s.finished_at desc
    limit 1
) as success on true
left join lateral (
    select u.processed_date_time
    from license_usage as u
    where u.customer_id = c.customer_id
    order by u.processed_date_time desc
    limit 1
) as newest on true
left join lateral (
    select s.finished_at, s.reason, s.detail
    from sync_customer as s
    where s.customer_id = c.customer_id and s.outcome = 'failed'
    order by s.finished_at desc
    limit 1
) as failure on true;

comment on view license_usage_latest is 'The newest row of each customer, product and workload.';
comment on view license_usage_change is 'Each row with the figures of the processed date before it and the difference; null for a series'' first row.';
comment on view license_usage_monthly is 'The last row of each month (UTC) of each customer, product and workload.';
comment on view customer_freshness is 'One row a customer: how old what is known of it is, and how fetching it last failed.';

comment on column license_usage_latest.customer_id is 'The customer''s tenant id.';
comment on column license_usage_latest.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage_latest.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage_latest.processed_date_time is 'The date for which the service processed the figures.';
comment on column license_usage_latest.customer_name is 'The customer''s name at that time.';
comment on column license_usage_latest.product_id is 'The product''s id, where the API gives it.';
comment on column license_usage_latest.workload_code is 'The workload''s code, where the API gives it.';
comment on column license_usage_latest.service_name is 'The service, such as o365 or crm.';
comment on column license_usage_latest.service_code is 'The service''s code, where the API gives it.';
comment on column license_usage_latest.channel is 'How the seats were sold, such as reseller.';
comment on column license_usage_latest.licenses_active is 'Seats whose user was active within 28 days before the processed date.';
comment on column license_usage_latest.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage_latest.usage_percent is 'As the API gives it; null where it gives none; over 100 is expected.';
comment on column license_usage_latest.first_synced_at is 'When the row was first stored.';
comment on column license_usage_latest.last_changed_at is 'When the row was last written: stored, or corrected.';
comment on column license_usage_latest.run_id is 'The run that last wrote the row.';

comment on column license_usage_change.customer_id is 'The customer''s tenant id.';
comment on column license_usage_change.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage_change.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage_change.processed_date_time is 'The date for which the service processed the figures.';
comment on column license_usage_change.customer_name is 'The customer''s name at that time.';
comment on column license_usage_change.licenses_active is 'Seats whose user was active within 28 days before the processed date.';
comment on column license_usage_change.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage_change.usage_percent is 'As the API gives it; null where it gives none; over 100 is expected.';
comment on column license_usage_change.previous_processed_date_time is 'The processed date before this one in the same series.';
comment on column license_usage_change.previous_licenses_active is 'Active seats at that date.';
comment on column license_usage_change.previous_licenses_qualified is 'Qualified seats at that date.';
comment on column license_usage_change.previous_usage_percent is 'Usage per cent at that date.';
comment on column license_usage_change.licenses_active_change is 'Active seats gained since then, or lost.';
comment on column license_usage_change.licenses_qualified_change is 'Qualified seats gained since then, or lost.';
comment on column license_usage_change.usage_percent_change is 'Percentage points gained since then, or lost.';

comment on column license_usage_monthly.customer_id is 'The customer''s tenant id.';
comment on column license_usage_monthly.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage_monthly.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage_monthly.month is 'The first day of the month, UTC.';
comment on column license_usage_monthly.processed_date_time is 'The date for which the service processed the figures.';
comment on column license_usage_monthly.customer_name is 'The customer''s name at that time.';
comment on column license_usage_monthly.licenses_active is 'Seats whose user was active within 28 days before the processed date.';
comment on column license_usage_monthly.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage_monthly.usage_percent is 'As the API gives it; null where it gives none; over 100 is expected.';

comment on column customer_freshness.customer_id is 'The customer''s tenant id.';
comment on column customer_freshness.customer_name is 'The newest name the API gave.';
comment on column customer_freshness.last_success_at is 'When the customer''s collection was last fetched and stored.';
comment on column customer_freshness.last_processed_date_time is 'The newest processed date in the ledger.';
comment on column customer_freshness.age is 'The time since that date.';
comment on column customer_freshness.last_failure_at is 'When fetching or storing last failed; null where it never has.';
comment on column customer_freshness.last_failure_reason is 'Why it failed then.';
comment on column customer_freshness.last_failure_detail is 'The failure in words.';
