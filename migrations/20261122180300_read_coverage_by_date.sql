-- Coverage of some dates reads what is kept of those dates, and of no others. Locks nothing in use for longer than a
-- moment.

create or replace view coverage as
select
    s.processed_date,
    s.customer_id,
    c.customer_name,
    'stored'::varchar(16) as state,
    s.run_id,
    null::varchar as reason,
    null::text as detail
from customer_date as s
inner join customer as c on c.customer_id = s.customer_id
union all
select
    d.processed_date,
    c.customer_id,
    c.customer_name,
    (case
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
    t.run_id,
    t.reason::varchar as reason,
    t.detail
from ledger_date as d
-- Without "distinct" this would be compared with what is kept of all dates.
cross join lateral (
    select distinct customer_id, customer_name, first_seen_at, last_seen_at, gone_since, absent_since, returned_at
    from customer
    where not exists (
        select
        from customer_date as s
        where s.processed_date = d.processed_date
            and s.customer_id = customer.customer_id
    )
) as c
cross join (select max(processed_date) as processed_date from ledger_date) as newest
left join lateral (select source from sync_run order by run_id desc limit 1) as latest on true
left join lateral (
    select t.run_id, t.outcome, t.reason, t.fault_code, t.detail
    from sync_run as r
    inner join sync_customer as t on t.run_id = r.run_id and t.customer_id = c.customer_id
    where r.newest_processed_date = d.processed_date
    order by r.run_id desc
    limit 1
) as t on true
-- There is nothing to say of the time before a customer was known, nor of a date that only a slower service has, nor of
-- a customer that no run has had on its list since the date came, unless it is gone.
where t.run_id is not null
    or (
        d.processed_date >= (c.first_seen_at at time zone 'UTC')::date
        and (d.first_seen_at <= c.last_seen_at or d.first_seen_at >= c.gone_since)
        and exists (select from sync_run as r where r.newest_processed_date = d.processed_date)
    );
