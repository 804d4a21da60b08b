-- 1 of 13. The ledger: which customers there are, their licence usage and deployment by processed
-- date, and what a figure was before the API corrected it. A sync never deletes from these tables.
-- Read on with: what is kept beside the ledger, runs, and the views in eight files.
--
-- These thirteen files are the baseline of the first release and may be edited until then. From the
-- first release on no released migration is edited, not even in a comment: every ledger keeps the
-- checksums of its migrations, and the program refuses a ledger with other ones.
-- New tables: locks nothing in use.

create table customer (
    customer_id uuid not null,
    customer_name varchar(512),
    domain varchar(512),
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    listed_at timestamptz,
    gone_since timestamptz,
    absent_since timestamptz,
    returned_at timestamptz,
    last_success_at timestamptz,
    last_processed_date_time timestamptz,
    last_failure_at timestamptz,
    last_failure_reason varchar(32),
    last_failure_is_refusal boolean,
    last_failure_detail text,
    constraint customer_pkey primary key (customer_id)
);

comment on table customer is 'Every customer that a run has had on its list.';
comment on column customer.customer_id is 'The customer''s tenant id.';
comment on column customer.customer_name is 'The newest name the API gave; null until it gave one.';
comment on column customer.domain
    is 'The tenant''s domain; known for customers found by customers.discover.';
comment on column customer.first_seen_at is 'When a run first had the customer on its list.';
comment on column customer.last_seen_at
    is 'When a run last had the customer on its list and had something new to record about it.';
comment on column customer.listed_at
    is 'When the partner''s own list (customers.discover) last named the customer with something '
    'new to record about it; null if it never did.';
comment on column customer.gone_since
    is 'When the partner''s own list was first without the customer; null while it names it.';
comment on column customer.absent_since
    is 'When the absence began that ended at returned_at; null if there was none.';
comment on column customer.returned_at
    is 'When a customer that was gone was last found on the partner''s list again.';
comment on column customer.last_success_at
    is 'When the customer''s collection was last fetched and stored and there was something new to '
    'record; customer_freshness has the time of the newest success.';
comment on column customer.last_processed_date_time
    is 'The newest processed date in license_usage.';
comment on column customer.last_failure_at
    is 'When fetching or storing last failed; null if it never has.';
comment on column customer.last_failure_reason
    is 'Why it failed then; the values are those of sync_customer.reason.';
comment on column customer.last_failure_is_refusal
    is 'Whether it was a refusal by role, path or sign-in, which asking again does not change.';
comment on column customer.last_failure_detail is 'The same failure in words.';

-- The date leads the primary key, so that a day's rows go to the right-hand edge of the index and
-- storing them costs the same however many years of history there are.
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
) partition by range (processed_date_time);

-- Each partition has an index of its own, so that a day's rows touch few of its pages.
create index license_usage_customer_idx on license_usage (customer_id);

comment on index license_usage_customer_idx is 'One customer''s history.';

comment on table license_usage
    is 'The ledger: licence usage per customer, product, workload and processed date, as last '
    'reported. Partitioned by thirds of a month (UTC).';
comment on column license_usage.processed_date_time
    is 'The date for which the service processed the figures. It lags by days and differs by '
    'service.';
comment on column license_usage.customer_id is 'The customer''s tenant id.';
comment on column license_usage.product_name
    is 'The product, as the API names it in the configured locale; with the product''s id in '
    'brackets where another product had that name first.';
comment on column license_usage.workload_name
    is 'The workload within the product, such as Exchange or Teams.';
comment on column license_usage.customer_name is 'The customer''s name at that time.';
comment on column license_usage.product_id is 'The product''s id, if the API gives it.';
comment on column license_usage.workload_code
    is 'The workload''s code, such as EXO, if the API gives it.';
comment on column license_usage.service_name is 'The service, such as o365 or crm.';
comment on column license_usage.service_code is 'The service''s code, if the API gives it.';
comment on column license_usage.channel
    is 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';
comment on column license_usage.licenses_active
    is 'Seats whose user was active in the 28 days before the processed date. Never add them up '
    'over dates.';
comment on column license_usage.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage.usage_percent
    is 'As the API gives it; null if it gives none. Over 100 is expected: staff turnover, '
    'subscriptions in grace, trials.';
comment on column license_usage.first_synced_at is 'When the row was first stored.';
comment on column license_usage.last_changed_at
    is 'When the row was last written: stored, or corrected.';
comment on column license_usage.run_id is 'The run that last wrote the row.';

-- A period begins on the 1st, the 11th and the 21st of a month.
create function license_usage_period(of_date timestamptz) returns date
language sql immutable parallel safe
return date_trunc('month', of_date at time zone 'UTC')::date
    + 10 * least((extract(day from of_date at time zone 'UTC')::integer - 1) / 10, 2);

comment on function license_usage_period
    is 'The first day of the third of a month (UTC) whose partition of license_usage holds a date.';

create function license_usage_partitions()
returns table (id oid, name text, first_date timestamptz, date_after timestamptz)
language sql stable
begin atomic
    select
        c.oid,
        c.oid::regclass::text,
        substring(b, 'FROM \(''(.*?)''\)')::timestamptz,
        substring(b, 'TO \(''(.*?)''\)')::timestamptz
    from pg_inherits as i
    inner join pg_class as c on c.oid = i.inhrelid
    cross join pg_get_expr(c.relpartbound, c.oid) as b
    where i.inhparent = 'license_usage'::regclass
        and not i.inhdetachpending;
end;

comment on function license_usage_partitions
    is 'The partitions of license_usage: the oid and the name as SQL writes it, the first moment '
    'and the moment after the last one. Null is no bound; a default partition has none.';

-- A partition is created as a table and then attached, which takes a lock that neither waits for
-- readers and writers of the ledger nor blocks them.
create function add_license_usage_partitions(for_dates timestamptz []) returns integer
language plpgsql
as $$
declare
    period date;
    period_after date;
    wanted text;
    name text;
    added integer := 0;
begin
    for period in
        select distinct license_usage_period(d)
        from unnest(for_dates) as d
        -- A partition may have other bounds than a period: an operator may have merged some.
        where not exists (
            select
            from license_usage_partitions() as p
            where d >= coalesce(p.first_date, '-infinity')
                and d < coalesce(p.date_after, 'infinity')
        )
    loop
        period_after := license_usage_period((period + 11)::timestamp at time zone 'UTC');
        -- A table of that name may be a partition that was detached.
        wanted := 'license_usage_' || to_char(period, 'YYYY_MM_DD');
        name := wanted;
        for number in 2..1000 loop
            exit when to_regclass(quote_ident(name)) is null;
            name := wanted || '_' || number;
        end loop;
        execute format('create table %I (like license_usage including all)', name);
        execute format(
            'comment on table %I is %L',
            name,
            'license_usage from ' || period || ', a third of a month. Read license_usage instead.'
        );
        execute format(
            'alter table license_usage attach partition %I for values from (%L) to (%L)',
            name,
            period::timestamp at time zone 'UTC',
            period_after::timestamp at time zone 'UTC'
        );
        added := added + 1;
    end loop;
    return added;
end
$$;

comment on function add_license_usage_partitions
    is 'Creates the partitions of license_usage that rows of these dates need and that do not '
    'exist. Returns how many.';

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

create index license_deployment_customer_idx
    on license_deployment (customer_id, processed_date_time);

comment on index license_deployment_customer_idx is 'One customer''s history.';

comment on table license_deployment
    is 'Sold and deployed seats per customer, product and processed date, as last reported.';
comment on column license_deployment.processed_date_time
    is 'When the service processed the figures, to the microsecond.';
comment on column license_deployment.customer_id is 'The customer''s tenant id.';
comment on column license_deployment.product_name
    is 'The product, as the API names it in the configured locale; with the product''s id in '
    'brackets where another product had that name first.';
comment on column license_deployment.customer_name is 'The customer''s name at that time.';
comment on column license_deployment.product_id is 'The product''s id, if the API gives it.';
comment on column license_deployment.service_name is 'The service, such as o365 or crm.';
comment on column license_deployment.service_code is 'The service''s code, if the API gives it.';
comment on column license_deployment.channel
    is 'How the seats were sold, such as reseller. Seats bought elsewhere are counted too.';
comment on column license_deployment.licenses_deployed is 'Seats assigned to a user.';
comment on column license_deployment.licenses_sold is 'Seats sold.';
comment on column license_deployment.deployment_percent
    is 'As the API gives it; null if it gives none.';
comment on column license_deployment.first_synced_at is 'When the row was first stored.';
comment on column license_deployment.last_changed_at
    is 'When the row was last written: stored, or corrected.';
comment on column license_deployment.run_id is 'The run that last wrote the row.';

-- One table for both datasets: each has a figure of seats in use, a total and a percentage.
create table restatement (
    customer_id uuid not null,
    restatement_id bigint generated always as identity,
    dataset varchar(16) not null,
    product_name varchar(512) not null,
    workload_name varchar(512),
    processed_date_time timestamptz not null,
    run_id bigint not null,
    restated_at timestamptz not null,
    old_used bigint not null,
    new_used bigint not null,
    old_total bigint not null,
    new_total bigint not null,
    old_percent double precision,
    new_percent double precision,
    constraint restatement_pkey primary key (customer_id, restatement_id),
    constraint restatement_dataset_check check (dataset in ('usage', 'deployment')),
    constraint restatement_workload_name_check
        check ((dataset = 'usage') = (workload_name is not null))
);

comment on table restatement
    is 'Each time that a stored row came again with other figures; the ledger holds the newest. '
    'Read license_usage_restatement or license_deployment_restatement instead.';
comment on column restatement.customer_id is 'The customer''s tenant id.';
comment on column restatement.restatement_id is 'Counts up.';
comment on column restatement.dataset
    is 'usage: a row of license_usage; deployment: a row of license_deployment.';
comment on column restatement.product_name is 'The product, as in the ledger.';
comment on column restatement.workload_name
    is 'The workload, as in the ledger; null for deployment.';
comment on column restatement.processed_date_time is 'The processed date whose figures changed.';
comment on column restatement.run_id is 'The run that brought the new figures.';
comment on column restatement.restated_at is 'When the new figures were stored.';
comment on column restatement.old_used
    is 'Before: active seats of usage, deployed seats of deployment.';
comment on column restatement.new_used is 'After: the same.';
comment on column restatement.old_total
    is 'Before: qualified seats of usage, sold seats of deployment.';
comment on column restatement.new_total is 'After: the same.';
comment on column restatement.old_percent is 'Before: usage_percent, or deployment_percent.';
comment on column restatement.new_percent is 'After: the same.';
