-- A customer whose figures came again as they were is not written to: what a run found is in sync_customer anyway.
-- The stamps of such customers are brought up to date when they drop out of the last two runs. Locks nothing in use for
-- longer than a moment.

-- The program is the only writer, in one transaction after the run's own row; the check cost more than the row.
alter table sync_customer drop constraint sync_customer_run_fkey;

create or replace view customer_freshness as
select
    c.customer_id,
    c.customer_name,
    greatest(c.last_success_at, s.finished_at) as last_success_at,
    c.last_processed_date_time,
    now() - c.last_processed_date_time as age,
    c.last_failure_at,
    c.last_failure_reason,
    c.last_failure_detail,
    c.gone_since
from customer as c
left join (
    select s.customer_id, max(s.finished_at) as finished_at
    from (select run_id from sync_run order by run_id desc limit 2) as r
    inner join sync_customer as s on s.run_id = r.run_id
    where s.outcome = 'succeeded'
    group by s.customer_id
) as s on s.customer_id = c.customer_id;

comment on column customer.last_seen_at is 'When a run last had the customer on its list, as of the last time that there was something new to write of it.';
comment on column customer.last_success_at is 'When the customer''s collection was last fetched and stored, as of the last time that there was something new to write of it; customer_freshness has the newest.';

comment on column customer.listed_at is 'When the partner''s own list (customers.discover) named the customer, as of the last time that there was something new to write of it; null where it never did.';
