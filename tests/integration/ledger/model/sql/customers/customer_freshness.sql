with known as (
    select
        c.customer_id,
        c.customer_name,
        c.domain,
        c.gone_since,
        s.last_success_at,
        f.finished_at as last_failure_at,
        f.reason as last_failure_reason,
        f.detail as last_failure_detail,
        max(u.processed_date_time) as last_processed_date_time,
        max(u.processed_date) as last_processed_date,
        (now() at time zone 'UTC')::date - max(u.processed_date) as age_days,
        bool_or(u.is_current) as has_current_row
    from customer as c
    left join model_success as s on s.customer_id = c.customer_id
    left join lateral (
        select *
        from sync_customer as f
        where f.customer_id = c.customer_id
            and f.outcome = 'failed'
        order by f.finished_at desc
        limit 1
    ) as f on true
    left join model_latest as u on u.customer_id = c.customer_id
    group by 1, 2, 3, 4, 5, 6, 7, 8
),

judged as (
    select
        *,
        case
            when gone_since is not null then 'gone'
            when last_success_at is null or last_failure_at > last_success_at then 'failing'
            when last_processed_date is null then 'never_had_usage'
            when not has_current_row then 'ended'
            when age_days > 14 then 'stale'
            else 'active'
        end as state
    from known
)

select
    customer_id,
    customer_name,
    last_success_at,
    last_processed_date_time,
    now() - last_processed_date_time as age,
    last_failure_at,
    last_failure_reason,
    last_failure_detail,
    gone_since,
    last_processed_date,
    age_days,
    state,
    case state
        when 'gone'
            then 'not on the partner''s list since ' || (gone_since at time zone 'UTC')::date
        when 'failing'
            then coalesce(last_failure_reason || ': ' || last_failure_detail, 'not fetched so far')
        when 'never_had_usage' then 'fetched with success, and no figures have come so far'
        when 'ended'
            then 'fetched with success, and no figures have come after ' || last_processed_date
        when 'stale' then 'newest figures of ' || last_processed_date || ', over 14 days ago'
    end as state_reason,
    domain
from judged
