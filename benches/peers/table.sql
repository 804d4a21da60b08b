-- The ledger of the peers: columns and key of the program's own table, in the same order, without
-- its second index.
create table license_usage (
    processed_date_time timestamptz not null,
    customer_id uuid not null,
    product_name varchar(512) not null,
    workload_name varchar(512) not null,
    customer_name varchar(512),
    product_id varchar(512),
    workload_code varchar(512),
    service_name varchar(512),
    service_code varchar(512),
    channel varchar(512),
    licenses_active bigint not null,
    licenses_qualified bigint not null,
    usage_percent double precision,
    first_synced_at timestamptz not null,
    last_changed_at timestamptz not null,
    run_id bigint not null,
    primary key (processed_date_time, customer_id, product_name, workload_name)
);
