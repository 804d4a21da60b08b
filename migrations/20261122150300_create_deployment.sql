-- Sold and deployed seats, the sibling of the usage ledger, under the same rules.
-- New tables and views: lock nothing in use.

create table license_deployment (
    processed_date_time timestamptz not null,
    customer_id uuid not null,
    product_name varchar(512) not null,
    customer_name varchar(512),
    product_id varchar(512),
    service_name varchar(512),
    service_code varchar(512),
    channel varchar(512),
    licenses_deployed bigint not null,
    licenses_sold bigint not null,
    deployment_percent double precision,
    first_synced_at timestamptz not null,
    last_changed_at timestamptz not null,
    run_id bigint not null,
    constraint license_deployment_pkey primary key (processed_date_time, customer_id, product_name),
    constraint license_deployment_licenses_deployed_check check (licenses_deployed >= 0),
    constraint license_deployment_licenses_sold_check check (licenses_sold >= 0)
);

create index license_deployment_customer_idx on license_deployment (customer_id, processed_date_time);

comment on table license_deployment is 'Sold and deployed seats per customer, product and processed date, as last reported. A sync never deletes from it.';
comment on column license_deployment.processed_date_time is 'When the service processed the figures, to the microsecond.';
comment on column license_deployment.customer_id is 'The customer''s tenant id.';
comment on column license_deployment.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_deployment.customer_name is 'The customer''s name at that time.';
comment on column license_deployment.product_id is 'The product''s id, where the API gives it.';
comment on column license_deployment.service_name is 'The service, such as o365 or crm.';
comment on column license_deployment.service_code is 'The service''s code, where the API gives it.';
comment on column license_deployment.channel is 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';
comment on column license_deployment.licenses_deployed is 'Seats assigned to a user.';
comment on column license_deployment.licenses_sold is 'Seats sold.';
comment on column license_deployment.deployment_percent is 'As the API gives it; null where it gives none.';
comment on column license_deployment.first_synced_at is 'When the row was first stored.';
comment on column license_deployment.last_changed_at is 'When the row was last written: stored, or corrected.';
comment on column license_deployment.run_id is 'The run that last wrote the row.';

create table license_deployment_restatement (
    restatement_id bigint generated always as identity,
    customer_id uuid not null,
    product_name varchar(512) not null,
    processed_date_time timestamptz not null,
    run_id bigint not null,
    restated_at timestamptz not null,
    old_licenses_deployed bigint not null,
    new_licenses_deployed bigint not null,
    old_licenses_sold bigint not null,
    new_licenses_sold bigint not null,
    old_deployment_percent double precision,
    new_deployment_percent double precision,
    constraint license_deployment_restatement_pkey primary key (restatement_id)
);

comment on table license_deployment_restatement is 'Each time that a stored row of license_deployment came again with other figures.';
comment on column license_deployment_restatement.restatement_id is 'Counts up.';
comment on column license_deployment_restatement.customer_id is 'The customer''s tenant id.';
comment on column license_deployment_restatement.product_name is 'The product, as in license_deployment.';
comment on column license_deployment_restatement.processed_date_time is 'The processed date whose figures changed.';
comment on column license_deployment_restatement.run_id is 'The run that brought the new figures.';
comment on column license_deployment_restatement.restated_at is 'When they were stored.';
comment on column license_deployment_restatement.old_licenses_deployed is 'Deployed seats before.';
comment on column license_deployment_restatement.new_licenses_deployed is 'Deployed seats since.';
comment on column license_deployment_restatement.old_licenses_sold is 'Sold seats before.';
comment on column license_deployment_restatement.new_licenses_sold is 'Sold seats since.';
comment on column license_deployment_restatement.old_deployment_percent is 'Deployment per cent before.';
comment on column license_deployment_restatement.new_deployment_percent is 'Deployment per cent since.';

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
    run_id
from license_deployment
order by customer_id, product_name, processed_date_time desc;

comment on view license_deployment_latest is 'The newest row of each customer and product.';
comment on column license_deployment_latest.customer_id is 'The customer''s tenant id.';
comment on column license_deployment_latest.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_deployment_latest.processed_date_time is 'When the service processed the figures.';
comment on column license_deployment_latest.customer_name is 'The customer''s name at that time.';
comment on column license_deployment_latest.product_id is 'The product''s id, where the API gives it.';
comment on column license_deployment_latest.service_name is 'The service, such as o365 or crm.';
comment on column license_deployment_latest.service_code is 'The service''s code, where the API gives it.';
comment on column license_deployment_latest.channel is 'How the seats were sold, such as reseller.';
comment on column license_deployment_latest.licenses_deployed is 'Seats assigned to a user.';
comment on column license_deployment_latest.licenses_sold is 'Seats sold.';
comment on column license_deployment_latest.deployment_percent is 'As the API gives it; null where it gives none.';
comment on column license_deployment_latest.deployed_percent is 'Deployed seats per hundred sold ones, computed; null where none is sold.';
comment on column license_deployment_latest.first_synced_at is 'When the row was first stored.';
comment on column license_deployment_latest.last_changed_at is 'When the row was last written: stored, or corrected.';
comment on column license_deployment_latest.run_id is 'The run that last wrote the row.';

-- Products that are sold and not used, and used and not sold here, are both worth seeing.
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
    u.processed_date_time as usage_processed_date_time
from license_deployment_latest as d
full join license_usage_latest as u
    on u.customer_id = d.customer_id and u.product_name = d.product_name;

comment on view license_seats is 'Sold, assigned and active seats side by side: the newest of each, one row a customer, product and workload. The seats of a product repeat on each of its workloads.';
comment on column license_seats.customer_id is 'The customer''s tenant id.';
comment on column license_seats.customer_name is 'The customer''s name.';
comment on column license_seats.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_seats.product_id is 'The product''s id, where the API gives it.';
comment on column license_seats.workload_name is 'The workload within the product; null for a product without usage.';
comment on column license_seats.licenses_sold is 'Seats sold of the product; null where deployment does not name it.';
comment on column license_seats.licenses_assigned is 'Seats of the product assigned to a user.';
comment on column license_seats.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_seats.licenses_active is 'Seats whose user was active within 28 days before the processed date.';
comment on column license_seats.deployed_percent is 'Assigned seats per hundred sold ones, computed.';
comment on column license_seats.active_percent is 'Active seats per hundred qualified ones, computed.';
comment on column license_seats.deployment_processed_date_time is 'Of when the sold and assigned seats are.';
comment on column license_seats.usage_processed_date_time is 'Of when the qualified and active seats are.';
