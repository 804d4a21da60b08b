with date as (
    select processed_date, min(first_seen_at) as first_seen_at
    from model.first_seen
    where dataset = 'usage'
    group by processed_date
),

-- What came last of the customers that have no rows of a date, in the runs that were to fetch it.
lacking as (
    select
        d.processed_date,
        d.first_seen_at as date_seen_at,
        c.*,
        t.run_id,
        t.outcome,
        t.reason,
        t.fault_code,
        t.detail
    from date as d
    cross join customer as c
    left join lateral (
        select t.*
        from sync_customer as t
        inner join sync_run as r on r.run_id = t.run_id
        where t.customer_id = c.customer_id
            and r.newest_processed_date = d.processed_date
        order by t.run_id desc
        limit 1
    ) as t on true
    where not exists (
        select
        from model_usage as u
        where u.customer_id = c.customer_id
            and u.processed_date = d.processed_date
    )
)

select
    f.processed_date,
    f.customer_id,
    c.customer_name,
    'stored' as state,
    f.run_id,
    null as reason,
    null as detail
from (
    select
        (processed_date_time at time zone 'UTC')::date as processed_date,
        customer_id,
        min(run_id) as run_id
    from model.first_collection
    group by 1, 2
) as f
inner join customer as c on c.customer_id = f.customer_id
union all
select
    l.processed_date,
    l.customer_id,
    l.customer_name,
    case
        when l.fault_code in ('20002', '60003') then 'no_relationship'
        when l.date_seen_at >= l.gone_since then 'no_relationship'
        when l.date_seen_at >= l.absent_since and l.date_seen_at < l.returned_at
            then 'no_relationship'
        when l.reason in ('forbidden', 'unauthorized') then 'denied'
        when l.outcome = 'succeeded' then 'empty'
        when
            l.processed_date < (select max(processed_date) from date)
            and (select source from sync_run order by run_id desc limit 1) = 'customer'
            then 'missed'
        when l.reason = 'throttled' then 'throttled'
        else 'failed'
    end,
    l.run_id,
    l.reason,
    l.detail
from lacking as l
where l.run_id is not null
    or (
        l.processed_date >= (l.first_seen_at at time zone 'UTC')::date
        and (l.date_seen_at <= l.last_seen_at or l.date_seen_at >= l.gone_since)
        and exists (
            select from sync_run as r where r.newest_processed_date = l.processed_date
        )
    )
