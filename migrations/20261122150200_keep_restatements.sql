-- What a figure was before the API corrected it.
-- New table; the views are replaced, which locks nothing in use for longer than a moment.

create table license_usage_restatement (
    restatement_id bigint generated always as identity,
    customer_id uuid not null,
    product_name varchar(512) not null,
    workload_name varchar(512) not null,
    processed_date_time timestamptz not null,
    run_id bigint not null,
    restated_at timestamptz not null,
    old_licenses_active bigint not null,
    new_licenses_active bigint not null,
    old_licenses_qualified bigint not null,
    new_licenses_qualified bigint not null,
    old_usage_percent double precision,
    new_usage_percent double precision,
    constraint license_usage_restatement_pkey primary key (restatement_id)
);

create index license_usage_restatement_customer_idx
    on license_usage_restatement (customer_id, processed_date_time);

comment on table license_usage_restatement is 'Each time that a stored row came again with other figures. The ledger holds the newest.';
comment on column license_usage_restatement.restatement_id is 'Counts up.';
comment on column license_usage_restatement.customer_id is 'The customer''s tenant id.';
comment on column license_usage_restatement.product_name is 'The product, as in the ledger.';
comment on column license_usage_restatement.workload_name is 'The workload, as in the ledger.';
comment on column license_usage_restatement.processed_date_time is 'The processed date whose figures changed.';
comment on column license_usage_restatement.run_id is 'The run that brought the new figures.';
comment on column license_usage_restatement.restated_at is 'When they were stored.';
comment on column license_usage_restatement.old_licenses_active is 'Active seats before.';
comment on column license_usage_restatement.new_licenses_active is 'Active seats since.';
comment on column license_usage_restatement.old_licenses_qualified is 'Qualified seats before.';
comment on column license_usage_restatement.new_licenses_qualified is 'Qualified seats since.';
comment on column license_usage_restatement.old_usage_percent is 'Usage per cent before.';
comment on column license_usage_restatement.new_usage_percent is 'Usage per cent since.';

-- The ratio for both sources, one of which gives none. New columns go to the end: what reads by position still fits.
create or replace view license_usage_latest as
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
    run_id,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent
from license_usage
order by customer_id, product_name, workload_name, processed_date_time desc;

create or replace view license_usage_change as
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
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent
from license_usage
window series as (
    partition by customer_id, product_name, workload_name
    order by processed_date_time
);

create or replace view license_usage_monthly as
select distinct on (customer_id, product_name, workload_name, month)
    customer_id,
    product_name,
    workload_name,
    month,
    processed_date_time,
    customer_name,
    licenses_active,
    licenses_qualified,
    usage_percent,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent
from (
    select *, date_trunc('month', processed_date_time at time zone 'UTC')::date as month
    from license_usage
) as dated
order by customer_id, product_name, workload_name, month, processed_date_time desc;

comment on column license_usage_latest.active_percent is 'Active seats per hundred qualified ones, computed; null where none is qualified.';
comment on column license_usage_change.active_percent is 'Active seats per hundred qualified ones, computed; null where none is qualified.';
comment on column license_usage_monthly.active_percent is 'Active seats per hundred qualified ones, computed; null where none is qualified.';
