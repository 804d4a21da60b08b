-- 3 of 13. Runs: what each one did, what became of each customer in it, which items it could not
-- store, the consent behind its token, and the roles that may read. No foreign key of the ledger
-- refers to these tables, so that old runs can be deleted.
-- New tables: locks nothing in use.

create table sync_run (
    run_id bigint generated always as identity,
    kind varchar(16) not null,
    source varchar(16) not null default 'customer',
    whole_list boolean not null,
    only_customers uuid [],
    asked_date date,
    date_from date,
    date_to date,
    resumes bigint,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome varchar(16) not null,
    ended_early boolean not null default false,
    detail text,
    newest_processed_date date,
    learned_rate double precision,
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
    host varchar(255),
    tick timestamptz,
    constraint sync_run_pkey primary key (run_id),
    constraint sync_run_resumes_fkey foreign key (resumes) references sync_run (run_id),
    constraint sync_run_kind_check check (kind in ('schedule', 'backfill', 'startup')),
    constraint sync_run_source_check check (source in ('customer', 'commercial')),
    constraint sync_run_outcome_check
        check (outcome in ('running', 'succeeded', 'partial', 'failed', 'interrupted')),
    constraint sync_run_finished_check check ((outcome = 'running') = (finished_at is null))
);

create index sync_run_running_idx on sync_run (run_id) where outcome = 'running';
create index sync_run_newest_idx on sync_run (newest_processed_date, run_id);
create index sync_run_tick_idx on sync_run (tick) where tick is not null;

comment on index sync_run_running_idx
    is 'Runs that a crash left behind, without reading the runs of years.';
comment on index sync_run_newest_idx is 'For coverage: the runs that were to fetch a date.';
comment on index sync_run_tick_idx
    is 'Whether a tick has been done, without reading the runs of years.';

comment on table sync_run is 'One row per run, which is one walk over the list of customers.';
comment on column sync_run.run_id is 'Counts up with each run.';
comment on column sync_run.kind
    is 'What asked for the run: schedule, backfill (--backfill) or startup (run_on_start, or a '
    'tick missed while the daemon was down).';
comment on column sync_run.source
    is 'customer: one collection per customer; commercial: the partner-wide collection.';
comment on column sync_run.whole_list
    is 'False if --customer restricted the run to some customers.';
comment on column sync_run.only_customers
    is 'The customers that --customer named; null for the whole list.';
comment on column sync_run.asked_date
    is 'The processed date requested by --from and --to; null if it was the newest.';
comment on column sync_run.date_from is 'The first date of the dated backfill the run belongs to.';
comment on column sync_run.date_to is 'The last date of the dated backfill the run belongs to.';
comment on column sync_run.resumes is 'The unfinished run that this one continues.';
comment on column sync_run.started_at is 'When the run began.';
comment on column sync_run.finished_at
    is 'When the run ended, or was found to have been cut off; null while it is running.';
comment on column sync_run.outcome
    is 'running; succeeded: every customer; partial: some failed; failed: none succeeded or the '
    'run could not go on; interrupted: stopped or crashed.';
comment on column sync_run.ended_early
    is 'Whether the run ended before it had requested every customer on its list.';
comment on column sync_run.detail
    is 'Why the run could not go on, if it could not, or what else a person should know of it.';
comment on column sync_run.newest_processed_date
    is 'The processed date (UTC) the run was to fetch: the one requested, or the newest that was '
    'known when it began or that it received.';
comment on column sync_run.learned_rate
    is 'Requests per second that the API was found to allow; null while it has refused none.';
comment on column sync_run.customers_total is 'Customers on the run''s list.';
comment on column sync_run.customers_succeeded
    is 'Customers whose collection was fetched and stored.';
comment on column sync_run.customers_failed is 'Customers with a recorded failure.';
comment on column sync_run.rows_received is 'Items that the API sent.';
comment on column sync_run.rows_inserted is 'Rows that were new.';
comment on column sync_run.rows_updated is 'Rows that came again with other figures.';
comment on column sync_run.rows_unchanged
    is 'Rows that came again as they were, and were not written.';
comment on column sync_run.rows_rejected is 'Items that could not become rows; see rejected_row.';
comment on column sync_run.http_requests
    is 'Requests to the API, including retries, excluding sign-in.';
comment on column sync_run.http_retries is 'Requests among them that repeated an earlier one.';
comment on column sync_run.http_throttled is 'Responses with status 429.';
comment on column sync_run.host is 'The host whose process did the run.';
comment on column sync_run.tick
    is 'The moment of the schedule that the run is for; null if it is not for a tick.';

-- Without a foreign key to sync_run: a run writes both, in that order, and the check would cost
-- more than storing the row.
create table sync_customer (
    run_id bigint not null,
    customer_id uuid not null,
    outcome varchar(16) not null,
    reason varchar(32),
    fault_code varchar(64),
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
    constraint sync_customer_outcome_check check (outcome in ('succeeded', 'failed')),
    constraint sync_customer_reason_check check ((outcome = 'failed') = (reason is not null))
);

comment on table sync_customer is 'What became of each customer in each run.';
comment on column sync_customer.run_id is 'The run.';
comment on column sync_customer.customer_id is 'The customer''s tenant id.';
comment on column sync_customer.outcome
    is 'succeeded: fetched and stored, even if the collection was empty; failed: not everything '
    'that was requested could be fetched and stored.';
comment on column sync_customer.reason
    is 'Why it failed: unauthorized, forbidden, not_found, throttled, server_error, timeout, '
    'connection, invalid_response, response_too_large, database, interrupted (stopped, or not '
    'reached before the run ended) or other; null for a success.';
comment on column sync_customer.fault_code
    is 'The API''s own code for the failure, such as 20002; null if it gave none.';
comment on column sync_customer.detail
    is 'The failure in words, with the API''s own code and text; for a success something worth '
    'knowing, or null.';
comment on column sync_customer.http_status
    is 'The status of the last complete response; null if there was none.';
comment on column sync_customer.attempts is 'HTTP attempts.';
comment on column sync_customer.rows_received is 'Items that the API sent.';
comment on column sync_customer.rows_inserted is 'Rows that were new.';
comment on column sync_customer.rows_updated is 'Rows that came again with other figures.';
comment on column sync_customer.rows_unchanged
    is 'Rows that came again as they were. Of equal items in one collection all but one count '
    'here.';
comment on column sync_customer.rows_rejected
    is 'Items that could not become rows; see rejected_row.';
comment on column sync_customer.finished_at is 'When the outcome was known.';

create table rejected_row (
    rejected_row_id bigint generated always as identity,
    run_id bigint not null,
    customer_id uuid,
    dataset varchar(16) not null,
    reason varchar(32) not null,
    detail text not null,
    payload jsonb not null,
    rejected_at timestamptz not null,
    constraint rejected_row_pkey primary key (rejected_row_id),
    constraint rejected_row_run_fkey foreign key (run_id) references sync_run (run_id),
    constraint rejected_row_dataset_check check (dataset in ('usage', 'deployment'))
);

create index rejected_row_run_idx on rejected_row (run_id, customer_id);

comment on index rejected_row_run_idx is 'What a run rejected, of every customer or of one.';

comment on table rejected_row
    is 'Items of the API that could not become rows of the ledger, as they came.';
comment on column rejected_row.rejected_row_id is 'Counts up.';
comment on column rejected_row.run_id is 'The run that received the item.';
comment on column rejected_row.customer_id
    is 'The customer whose collection held the item; null for an item of the partner-wide '
    'collection that names none.';
comment on column rejected_row.dataset is 'usage or deployment.';
comment on column rejected_row.reason
    is 'missing_field, invalid_value, out_of_range, duplicate_key, wrong_customer or not_storable.';
comment on column rejected_row.detail is 'Which item and field, and what is wrong with it.';
comment on column rejected_row.payload
    is 'The item as it came. If jsonb cannot hold it (U+0000, half of a surrogate pair, a number '
    'out of range, over 64 KiB) a JSON string with its text.';
comment on column rejected_row.rejected_at is 'When it was rejected.';

-- A copy of the file beside each host's refresh token, so that "seatledger status" can show it to
-- people who may not read the token's folder, and on any host.
create table consent (
    host varchar(255) not null,
    signed_in_at timestamptz,
    first_used_at timestamptz not null,
    token_issued_at timestamptz not null,
    token_expires_at timestamptz not null,
    refused_at timestamptz,
    refusal text,
    constraint consent_pkey primary key (host),
    constraint consent_refusal_check check ((refused_at is null) = (refusal is null))
);

comment on table consent
    is 'One row per host with a refresh token: the consent of the person who signed in there last, '
    'as the host''s last run or sign-in knew it. Empty unless auth.method is refresh_token. The '
    'row of a host that is no longer in use can be deleted.';
comment on column consent.host is 'The name of the host that keeps the token.';
comment on column consent.signed_in_at
    is 'When the person signed in with "seatledger login"; null if the token was brought from '
    'elsewhere.';
comment on column consent.first_used_at is 'When a token of this consent was first used here.';
comment on column consent.token_issued_at
    is 'When the present refresh token was issued; it is renewed at every use.';
comment on column consent.token_expires_at
    is 'When the present refresh token expires unless it is renewed or revoked before.';
comment on column consent.refused_at
    is 'When the host''s daemon last failed to sign in because a person has to act; null if the '
    'token was renewed since.';
comment on column consent.refusal is 'Why that sign-in failed.';

create table bi_role (
    role_name varchar(63) not null,
    granted_at timestamptz not null default now(),
    constraint bi_role_pkey primary key (role_name)
);

comment on table bi_role
    is 'The roles that "seatledger grants" lets read the views: each migration grants them its new '
    'views, too.';
comment on column bi_role.role_name is 'The role''s name.';
comment on column bi_role.granted_at is 'When the role was first named.';

-- Every transaction of a run that writes locks the row of its lease "for key share". A renewal does
-- not touch the key and goes on beside such transactions; a takeover changes the epoch, which is in
-- a key, and so waits for them. Most of the page is left free for the versions that renewals make.
create table lease (
    name varchar(16) not null,
    epoch bigint not null default 0,
    holder uuid,
    host varchar(255),
    acquired_at timestamptz,
    renewed_at timestamptz,
    expires_at timestamptz,
    server_started_at timestamptz,
    keeper_pid integer,
    keeper_started_at timestamptz,
    writer_pid integer,
    writer_started_at timestamptz,
    constraint lease_pkey primary key (name, epoch),
    constraint lease_name_key unique (name),
    constraint lease_name_check check (name in ('run', 'leader', 'rehearsal'))
) with (fillfactor = 10);

insert into lease (name) values ('run'), ('leader');

comment on table lease
    is 'Which process may write to the ledger (run), and which daemon does the ticks of the '
    'schedule (leader). A holder renews its row every 5 seconds for 15 seconds.';
comment on column lease.name is 'run or leader.';
comment on column lease.epoch
    is 'Counts up with each takeover. Every transaction of a run that writes proves it first.';
comment on column lease.holder
    is 'The process that holds the lease, a random id of its own; null: the lease is free.';
comment on column lease.host is 'The host of the holder, or of the last one.';
comment on column lease.acquired_at is 'When the holder took the lease, by the database''s clock.';
comment on column lease.renewed_at is 'When the holder last renewed it.';
comment on column lease.expires_at is 'When others may take it, unless it is renewed before.';
comment on column lease.server_started_at
    is 'When the server was started that has the holder''s sessions: the process ids that follow '
    'mean nothing on another.';
comment on column lease.keeper_pid is 'The server process of the session that renews the lease.';
comment on column lease.keeper_started_at is 'When that session began.';
comment on column lease.writer_pid is 'The server process of the session that writes for the run.';
comment on column lease.writer_started_at is 'When that session began.';
