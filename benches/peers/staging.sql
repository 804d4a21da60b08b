-- Where COPY puts rows before they are merged. Temporary, so that it is not written to the log.
create temporary table staging (
    customer_id uuid,
    product_name varchar(512),
    workload_name varchar(512),
    processed_date_time timestamptz,
    customer_name varchar(512),
    service_name varchar(512),
    channel varchar(512),
    licenses_active bigint,
    licenses_qualified bigint,
    usage_percent double precision
);
