-- Takes the rows of a COPY before they are merged. Temporary, so that it is not logged.
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
