-- Which customer has figures of which processed date, and why not where it has none.
-- One narrow row for some twenty of the ledger, at the right-hand edge of its index: cheap at any length of history.
-- New tables and view: lock nothing in use. Reads the ledger once.

create table ledger_date (
    processed_date date not null,
    first_seen_at timestamptz not null,
    constraint ledger_date_pkey primary key (processed_date)
);

comment on table ledger_date is 'The processed dates (UTC) of which the ledger has rows.';
comment on column ledger_date.processed_date is 'The date.';
comment on column ledger_date.first_seen_at is 'When a row of it was first stored.';

create table customer_date (
    processed_date date not null,
    customer_id uuid not null,
    run_id bigint not null,
    constraint customer_date_pkey primary key (processed_date, customer_id)
);

comment on table customer_date is 'Of which customer and processed date (UTC) the ledger has rows.';
comment on column customer_date.processed_date is 'The date.';
comment on column customer_date.customer_id is 'The customer''s tenant id.';
comment on column customer_date.run_id is 'The run that first stored a row.';

insert into customer_date (processed_date, customer_id, run_id)
select (processed_date_time at time zone 'UTC')::date, customer_id, min(run_id)
from license_usage
group by 1, 2;

insert into ledger_date (processed_date, first_seen_at)
select (processed_date_time at time zone 'UTC')::date, min(first_synced_at)
from license_usage
group by 1;

-- What was tried before runs recorded their date is only known for the newest.
update sync_run as r
set newest_processed_date = (
    select max(d.processed_date)
    from ledger_date as d
    where d.first_seen_at <= coalesce(r.finished_at, r.started_at)
);

create view coverage as
select
    d.processed_date,
    c.customer_id,
    c.customer_name,
    (case
        when s.run_id is not null then 'stored'
        when t.fault_code in ('20002', '60003') then 'no_relationship'
        -- The date came while the partner's own list was without the customer.
        when d.first_seen_at >= c.gone_since then 'no_relationship'
        when d.first_seen_at >= c.absent_since and d.first_seen_at < c.returned_at then 'no_relationship'
        when t.reason in ('forbidden', 'unauthorized') then 'denied'
        when t.outcome = 'succeeded' then 'empty'
        -- A customer's own collection only ever has the newest date.
        when d.processed_date < newest.processed_date and latest.source = 'customer' then 'missed'
        when t.reason = 'throttled' then 'throttled'
        else 'failed'
    end)::varchar(16) as state,
    coalesce(s.run_id, t.run_id) as run_id,
    case when s.run_id is null then t.reason end as reason,
    case when s.run_id is null then t.detail end as detail
from ledger_date as d
cross join customer as c
cross join (select max(processed_date) as processed_date from ledger_date) as newest
left join lateral (select source from sync_run order by run_id desc limit 1) as latest on true
left join customer_date as s on s.processed_date = d.processed_date and s.customer_id = c.customer_id
left join lateral (
    select t.run_id, t.outcome, t.reason, t.fault_code, t.detail
    from sync_run as r
    inner join sync_customer as t on t.run_id = r.run_id and t.customer_id = c.customer_id
    where r.newest_processed_date = d.processed_date and s.run_id is null
    order by r.run_id desc
    limit 1
) as t on true
-- There is nothing to say of the time before a customer was known, nor of a date that only a slower service has, nor of
-- a customer that no run has had on its list since the date came, unless it is gone.
where s.run_id is not null
    or t.run_id is not null
    or (
        d.processed_date >= (c.first_seen_at at time zone 'UTC')::date
        and (d.first_seen_at <= c.last_seen_at or d.first_seen_at >= c.gone_since)
        and exists (select from sync_run as r where r.newest_processed_date = d.processed_date)
    );

comment on view coverage is 'One row a customer and processed date: whether the ledger has its figures, and why not.';
comment on column coverage.processed_date is 'A processed date (UTC) of which the ledger has rows of some customer.';
comment on column coverage.customer_id is 'The customer''s tenant id.';
comment on column coverage.customer_name is 'The newest name the API gave.';
comment on column coverage.state is 'stored: the ledger has rows; empty: asked and answered without rows of that date; no_relationship: no commerce relationship, or gone; denied: refused by role or sign-in; throttled and failed: not fetched so far; missed: not fetched, and the API will not give it again.';
comment on column coverage.run_id is 'The run that stored the first row, or tried last.';
comment on column coverage.reason is 'Why the last try failed, as in sync_customer.';
comment on column coverage.detail is 'The failure in words.';
