-- What resuming, coverage and rename-proof series need to know of runs and customers.
-- Adds columns without rewriting tables; reads sync_customer and the ledger once to fill in what is known of
-- customers. The new index locks sync_run for the moment it takes, which holds a few rows a day.

alter table sync_run
    add column source varchar(16) not null default 'customer',
    add column asked_date date,
    add column newest_processed_date date,
    add column date_from date,
    add column date_to date,
    add column only_customers uuid [],
    add column resumes bigint,
    add column ended_early boolean not null default false,
    add column learned_rate double precision,
    add constraint sync_run_source_check check (source in ('customer', 'commercial')),
    add constraint sync_run_resumes_fkey foreign key (resumes) references sync_run (run_id);

update sync_run
set ended_early = true
where outcome = 'interrupted';

create index sync_run_newest_idx on sync_run (newest_processed_date, run_id);

comment on column sync_run.source is 'customer: one collection per customer; commercial: the partner-wide one.';
comment on column sync_run.asked_date is 'The processed date that was asked for by --from and --to; null where the newest was.';
comment on column sync_run.newest_processed_date is 'The processed date (UTC) that the run was after: the newest known when it began or that it received, or the one asked for.';
comment on column sync_run.date_from is 'The first date of the dated backfill that the run belongs to.';
comment on column sync_run.date_to is 'The last date of the dated backfill that the run belongs to.';
comment on column sync_run.only_customers is 'The customers that --customer named; null for the whole list.';
comment on column sync_run.resumes is 'The unfinished run that this one goes on with.';
comment on column sync_run.ended_early is 'Whether the run ended before every customer on its list was asked for.';
comment on column sync_run.learned_rate is 'Requests per second that the API was found to allow; null while it never refused one.';
comment on column sync_run.detail is 'Why the run could not go on, where it could not, or what else a person should know of it.';

alter table sync_customer add column fault_code varchar(64);

comment on column sync_customer.fault_code is 'The API''s own code for the failure, such as 20002; null where it gave none.';
comment on column sync_customer.outcome is 'succeeded: fetched and stored, if only an empty collection; failed: not all that was asked for could be fetched and stored.';
comment on column sync_customer.reason is 'Why it failed: unauthorized, forbidden, not_found, throttled, server_error, timeout, connection, invalid_response, response_too_large, database, interrupted (stopped, or not reached before the run ended) or other; null for a success.';

alter table rejected_row
    alter column customer_id drop not null,
    add column dataset varchar(16) not null default 'usage',
    add constraint rejected_row_dataset_check check (dataset in ('usage', 'deployment'));

comment on column rejected_row.customer_id is 'The customer whose collection held the item; null for an item of the partner-wide collection that names none.';
comment on column rejected_row.dataset is 'usage or deployment.';

alter table customer
    add column listed_at timestamptz,
    add column gone_since timestamptz,
    add column absent_since timestamptz,
    add column returned_at timestamptz,
    add column last_success_at timestamptz,
    add column last_processed_date_time timestamptz,
    add column last_failure_at timestamptz,
    add column last_failure_reason varchar(32),
    add column last_failure_detail text;

comment on column customer.listed_at is 'When the partner''s own list (customers.discover) last named the customer; null where it never did.';
comment on column customer.gone_since is 'When the partner''s own list was first without the customer; null while it names it. The history is kept.';
comment on column customer.absent_since is 'When the absence began that ended with returned_at; null where there was none.';
comment on column customer.returned_at is 'When a customer that was gone was last found on the list again.';
comment on column customer.last_success_at is 'When the customer''s collection was last fetched and stored.';
comment on column customer.last_processed_date_time is 'The newest processed date in the ledger.';
comment on column customer.last_failure_at is 'When fetching or storing last failed; null where it never has.';
comment on column customer.last_failure_reason is 'Why it failed then.';
comment on column customer.last_failure_detail is 'The failure in words.';

update customer as c
set last_success_at = f.last_success_at,
    last_processed_date_time = f.last_processed_date_time,
    last_failure_at = f.last_failure_at,
    last_failure_reason = f.last_failure_reason,
    last_failure_detail = f.last_failure_detail
from customer_freshness as f
where f.customer_id = c.customer_id;

-- Freshness now costs nothing that grows with the history, and neither does keeping it.
create or replace view customer_freshness as
select
    customer_id,
    customer_name,
    last_success_at,
    last_processed_date_time,
    now() - last_processed_date_time as age,
    last_failure_at,
    last_failure_reason,
    last_failure_detail,
    gone_since
from customer;

comment on column customer_freshness.gone_since is 'When the partner''s own list was first without the customer; null while it names it.';

drop index sync_customer_history_idx;
