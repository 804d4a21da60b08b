-- The domain of a customer, which people know where they do not know its id, in customer_freshness.
-- Replaces the view by one with a further column at its end: closes it to readers for a moment.

create or replace view customer_freshness as
with known as (
    select
        c.*,
        s.last_success_at as success_at,
        u.last_processed_date_time as processed_date_time,
        (u.last_processed_date_time at time zone 'UTC')::date as processed_date,
        u.has_current_row
    from customer as c
    inner join customer_success as s on s.customer_id = c.customer_id
    left join customer_usage as u on u.customer_id = c.customer_id
),

judged as (
    select
        *,
        (now() at time zone 'UTC')::date - processed_date as age_days,
        case
            when gone_since is not null then 'gone'
            when success_at is null or last_failure_at > success_at then 'failing'
            when processed_date is null then 'never_had_usage'
            when not has_current_row then 'ended'
            -- For so many days figures count in the totals of later days.
            when (now() at time zone 'UTC')::date - processed_date > 14 then 'stale'
            else 'active'
        end as state
    from known
)

select
    customer_id,
    customer_name,
    success_at as last_success_at,
    processed_date_time as last_processed_date_time,
    now() - processed_date_time as age,
    last_failure_at,
    last_failure_reason,
    last_failure_detail,
    gone_since,
    processed_date as last_processed_date,
    age_days,
    state::varchar(16) as state,
    left(
        case state
            when 'gone'
                then 'not on the partner''s list since '
                    || to_char(gone_since at time zone 'UTC', 'YYYY-MM-DD')
            when 'failing'
                then coalesce(
                    nullif(concat_ws(': ', last_failure_reason, last_failure_detail), ''),
                    'not fetched so far'
                )
            when 'never_had_usage' then 'fetched with success, and no figures have come so far'
            when 'ended'
                then 'fetched with success, and no figures have come after '
                    || to_char(processed_date, 'YYYY-MM-DD')
            when 'stale'
                then 'newest figures of ' || to_char(processed_date, 'YYYY-MM-DD')
                    || ', over 14 days ago'
        end,
        255
    )::varchar(255) as state_reason,
    domain::varchar(255) as domain
from judged;

comment on column customer_freshness.domain
    is 'The tenant''s domain; known for customers found by customers.discover.';
