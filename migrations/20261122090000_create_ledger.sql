-- The ledger: seats in use per customer, product, workload and processed date, as last reported.
-- The date leads the primary key: a day's rows then go to the right-hand edge of the index, and storing
-- them costs the same however many years lie to the left of it.
-- New tables: locks nothing in use.

create table customer (
    customer_id uuid not null,
    customer_name varchar(512),
    domain varchar(512),
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    constraint customer_pkey primary key (customer_id)
);

comment on table customer is 'Every customer that a run has had on its list. Never deleted from.';
comment on column customer.customer_id is 'The customer''s tenant id.';
comment on column customer.customer_name is 'The newest name the API gave; null until it gave one.';
comment on column customer.domain is 'The tenant''s domain, known for customers found by customers.discover.';
comment on column customer.first_seen_at is 'When a run first had the customer on its list.';
comment on column customer.last_seen_at is 'When a run last had the customer on its list and recorded an outcome.';

create table sync_run (
    run_id bigint generated always as identity,
    kind varchar(16) not null,
    whole_list boolean not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome varchar(16) not null,
    detail text,
    customers_total bigint not null default 0,
    customers_succeeded bigint not null default 0,
    customers_failed bigint not null default 0,
    rows_received bigint not null default 0,
    rows_inserted bigint not null default 0,
    rows_updated bigint not null default 0,
    rows_unchanged bigint not null default 0,
    rows_rejected bigint not null default 0,
    http_requests bigint not null default 0,
    http_retries bigint not null default 0,
    http_throttled bigint not null default 0,
    constraint sync_run_pkey primary key (run_id),
    constraint sync_run_kind_check check (kind in ('schedule', 'backfill', 'startup')),
    constraint sync_run_outcome_check
        check (outcome in ('running', 'succeeded', 'partial', 'failed', 'interrupted')),
    constraint sync_run_finished_check check ((outcome = 'running') = (finished_at is null))
);

-- Finding runs that a crash left behind must not read the runs of years.
create index sync_run_running_idx on sync_run (run_id) where outcome = 'running';

comment on table sync_run is 'One row a run: one walk over the list of customers.';
comment on column sync_run.run_id is 'Counts up with each run.';
comment on column sync_run.kind is 'What asked for the run: schedule, backfill (--backfill) or startup (a tick missed while down).';
comment on column sync_run.whole_list is 'False where --customer restricted the run to some customers.';
comment on column sync_run.started_at is 'When the run began.';
comment on column sync_run.finished_at is 'When the run ended, or was found to have been cut off; null while it is running.';
comment on column sync_run.outcome is 'running; succeeded: every customer; partial: some failed; failed: none succeeded or the run could not go on; interrupted: stopped or crashed.';
comment on column sync_run.detail is 'Why the run could not go on, where it could not.';
comment on column sync_run.customers_total is 'Customers on the run''s list.';
comment on column sync_run.customers_succeeded is 'Customers whose collection was fetched and stored.';
comment on column sync_run.customers_failed is 'Customers with a recorded failure.';
comment on column sync_run.rows_received is 'Items that the API sent.';
comment on column sync_run.rows_inserted is 'Rows that were new.';
comment on column sync_run.rows_updated is 'Rows that came again with other figures.';
comment on column sync_run.rows_unchanged is 'Rows that came again as they were, and were not written.';
comment on column sync_run.rows_rejected is 'Items that could not become rows; see rejected_row.';
comment on column sync_run.http_requests is 'Requests to the API, retries included, sign-in left out.';
comment on column sync_run.http_retries is 'Requests among them that repeated an earlier one.';
comment on column sync_run.http_throttled is 'Answers with status 429.';

create table sync_customer (
    run_id bigint not null,
    customer_id uuid not null,
    outcome varchar(16) not null,
    reason varchar(32),
    detail text,
    http_status integer,
    attempts integer not null,
    rows_received bigint not null,
    rows_inserted bigint not null,
    rows_updated bigint not null,
    rows_unchanged bigint not null,
    rows_rejected bigint not null,
    finished_at timestamptz not null,
    constraint sync_customer_pkey primary key (run_id, customer_id),
    constraint sync_customer_run_fkey foreign key (run_id) references sync_run (run_id),
    constraint sync_customer_outcome_check check (outcome in ('succeeded', 'failed')),
    constraint sync_customer_reason_check check ((outcome = 'failed') = (reason is not null))
);

-- The newest success and failure of each customer, without reading all runs.
create index sync_customer_history_idx on sync_customer (customer_id, outcome, finished_at);

comment on table sync_customer is 'What became of each customer in each run.';
comment on column sync_customer.run_id is 'The run.';
comment on column sync_customer.customer_id is 'The customer''s tenant id.';
comment on column sync_customer.outcome is 'succeeded: fetched and stored, if only an empty collection; failed: nothing stored.';
comment on column sync_customer.reason is 'Why it failed: unauthorized, forbidden, not_found, throttled, server_error, timeout, connection, invalid_response, response_too_large, database, interrupted or other; null for a success.';
comment on column sync_customer.detail is 'The failure in words, with the API''s own code and text; for a success something worth knowing, or null.';
comment on column sync_customer.http_status is 'The status of the last answer that came whole; null where none did.';
comment on column sync_customer.attempts is 'HTTP tries.';
comment on column sync_customer.rows_received is 'Items that the API sent.';
comment on column sync_customer.rows_inserted is 'Rows that were new.';
comment on column sync_customer.rows_updated is 'Rows that came again with other figures.';
comment on column sync_customer.rows_unchanged is 'Rows that came again as they were; of equal items in one collection all but one count here too.';
comment on column sync_customer.rows_rejected is 'Items that could not become rows; see rejected_row.';
comment on column sync_customer.finished_at is 'When the outcome was known.';

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
    constraint license_usage_pkey
        primary key (processed_date_time, customer_id, product_name, workload_name),
    constraint license_usage_licenses_active_check check (licenses_active >= 0),
    constraint license_usage_licenses_qualified_check check (licenses_qualified >= 0)
);

-- One customer's history, and its newest date.
create index license_usage_customer_idx on license_usage (customer_id, processed_date_time);

comment on table license_usage is 'The ledger: licence usage per customer, product, workload and processed date, as last reported. A sync never deletes from it.';
comment on column license_usage.processed_date_time is 'The date for which the service processed the figures. It lags behind by days and differs by service.';
comment on column license_usage.customer_id is 'The customer''s tenant id.';
comment on column license_usage.product_name is 'The product, as the API names it in the configured locale.';
comment on column license_usage.workload_name is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage.customer_name is 'The customer''s name at that time.';
comment on column license_usage.product_id is 'The product''s id, where the API gives it.';
comment on column license_usage.workload_code is 'The workload''s code, such as EXO, where the API gives it.';
comment on column license_usage.service_name is 'The service, such as o365 or crm.';
comment on column license_usage.service_code is 'The service''s code, where the API gives it.';
comment on column license_usage.channel is 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';
comment on column license_usage.licenses_active is 'Seats whose user was active within 28 days before the processed date. Not additive over dates.';
comment on column license_usage.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage.usage_percent is 'As the API gives it; null where it gives none. Over 100 is expected: staff turnover, subscriptions in grace, trials.';
comment on column license_usage.first_synced_at is 'When the row was first stored.';
comment on column license_usage.last_changed_at is 'When the row was last written: stored, or corrected.';
comment on column license_usage.run_id is 'The run that last wrote the row.';

create table rejected_row (
    rejected_row_id bigint generated always as identity,
    run_id bigint not null,
    customer_id uuid not null,
    reason varchar(32) not null,
    detail text not null,
    payload jsonb not null,
    rejected_at timestamptz not null,
    constraint rejected_row_pkey primary key (rejected_row_id),
    constraint rejected_row_run_fkey foreign key (run_id) references sync_run (run_id)
);

create index rejected_row_run_idx on rejected_row (run_id, customer_id);

comment on table rejected_row is 'Items of the API that could not become rows of the ledger, as they came.';
comment on column rejected_row.rejected_row_id is 'Counts up.';
comment on column rejected_row.run_id is 'The run that received the item.';
comment on column rejected_row.customer_id is 'The customer whose collection held the item.';
comment on column rejected_row.reason is 'missing_field, invalid_value, out_of_range, duplicate_key, wrong_customer or not_storable.';
comment on column rejected_row.detail is 'Which item and field, and what is wrong with it.';
comment on column rejected_row.payload is 'The item as it came. Where jsonb cannot hold it (U+0000, half a character, a number beyond measure, over 64 KiB) a JSON string with its text.';
comment on column rejected_row.rejected_at is 'When it was rejected.';
