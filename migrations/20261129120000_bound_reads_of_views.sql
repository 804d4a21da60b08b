-- What pages and reports read after each run costs no more as the ledger grows older: how complete
-- each day is can be asked for some days, suspected renamings are looked for where a product came
-- and not in all collections, and how fresh each customer is takes one row of each of its services
-- in place of all rows. The views keep their columns and figures.
-- New index, view and function. Locks license_usage_month for writers while the index is built,
-- seconds for a ledger of years, and each replaced view for a moment.

-- Newest dates ------------------------------------------------------------------------------------

-- Any row that counts at a month's end is of the newest date of its service, so that one row tells
-- the date. Only where the first row of the service does not count are all of them read. The
-- services of a set are found once for all customers that have it.
create view customer_service_date as
select
    m.customer_id,
    p.service,
    max(
        case
            when m.are_month_end[p.places[1]] then m.processed_date_times[p.places[1]]
            else (select max(m.processed_date_times[place]) from unnest(p.places) as place)
        end
    ) as processed_date_time
from license_usage_month as m
cross join lateral (
    select
        license_service(r.service_code, r.service_name) as service,
        array_agg(r.place::integer) as places
    from license_usage_set as s
    cross join unnest(s.service_names, s.service_codes)
        with ordinality as r (service_name, service_code, place)
    where s.set_id = m.set_id
    group by license_service(r.service_code, r.service_name)
) as p
where m.newest
group by m.customer_id, p.service;

comment on view customer_service_date
    is 'Inner view: the newest processed date of each customer and service. Read '
    'customer_freshness instead.';
comment on column customer_service_date.customer_id is 'The customer''s tenant id.';
comment on column customer_service_date.service is 'The service: license_service() of its rows.';
comment on column customer_service_date.processed_date_time
    is 'The newest processed date.';

create or replace view customer_service as
select
    n.customer_id,
    n.service,
    max(n.processed_date_time) as processed_date_time,
    max(n.processed_date) as processed_date,
    bool_and(c.gone_since is null and coalesce(s.superseded_at > c.last_success_at, true))
        as is_current
from (
    select *, (processed_date_time at time zone 'UTC')::date as processed_date
    from customer_service_date
) as n
left join customer_success as c on c.customer_id = n.customer_id
left join service_date_superseded as s
    on s.dataset = 'usage' and s.service = n.service and s.processed_date = n.processed_date
-- There is one row each already, but said so that license_usage_latest can be read without this.
group by n.customer_id, n.service;

-- As customer_usage has it, but the last success of each customer is looked up once.
create or replace view customer_freshness as
with known as (
    select
        c.*,
        s.last_success_at as success_at,
        u.last_processed_date_time as processed_date_time,
        (u.last_processed_date_time at time zone 'UTC')::date as processed_date,
        coalesce(u.superseded_at > s.last_success_at, true) as has_current_row
    from customer as c
    inner join customer_success as s on s.customer_id = c.customer_id
    left join (
        -- Of several dates the newest is superseded last.
        select
            d.customer_id,
            max(d.processed_date_time) as last_processed_date_time,
            max(coalesce(s.superseded_at, 'infinity')) as superseded_at
        from customer_service_date as d
        left join service_date_superseded as s
            on s.dataset = 'usage'
            and s.service = d.service
            and s.processed_date = (d.processed_date_time at time zone 'UTC')::date
        group by d.customer_id
    ) as u on u.customer_id = c.customer_id
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

-- Completeness ------------------------------------------------------------------------------------

create function data_completeness_between(first_day date, last_day date)
returns table (
    date date,
    service varchar,
    customers_expected bigint,
    customers_stored bigint,
    completeness double precision,
    state varchar
)
language sql stable security definer rows 200
set jit = off
as $$
    -- What is in force on the first day may have come 14 days before.
    with collection as (
        select
            customer_id,
            service,
            (processed_date_time at time zone 'UTC')::date as processed_date,
            (lead(processed_date_time) over series at time zone 'UTC')::date as next_date
        from license_usage_collection
        where processed_date_time >= (first_day - 14)::timestamp at time zone 'UTC'
            and processed_date_time < (last_day + 1)::timestamp at time zone 'UTC'
        window series as (partition by customer_id, service order by processed_date_time)
    ),

    -- A collection is in force until the day before the customer's next one of that service, and
    -- for 14 days at most. Those of one date that are so for as many days are counted together, so
    -- that few are spread over the calendar.
    alike as (
        select
            k.service,
            k.processed_date,
            least(14, k.next_date - k.processed_date - 1) as days_carried,
            (c.gone_since at time zone 'UTC')::date as gone_date,
            (c.absent_since at time zone 'UTC')::date as absent_date,
            (c.returned_at at time zone 'UTC')::date as returned_date,
            count(*) as customers
        from collection as k
        inner join customer as c on c.customer_id = k.customer_id
        group by 1, 2, 3, 4, 5, 6
    ),

    counted as (
        select
            a.service,
            d.date,
            sum(a.customers)::bigint as expected,
            coalesce(sum(a.customers) filter (where d.date = a.processed_date), 0)::bigint
                as stored
        from alike as a
        cross join generate_series(0, a.days_carried) as n
        cross join lateral (select a.processed_date + n as date) as d
        where d.date = a.processed_date
            or (
                coalesce(d.date < a.gone_date, true)
                and coalesce(d.date < a.absent_date or d.date >= a.returned_date, true)
            )
        group by a.service, d.date
    ),

    calendar as (
        select s.service, day::date as date
        from (
            select service, min(processed_date) as first, max(max(processed_date)) over () as last
            from service_date
            where dataset = 'usage'
            group by service
        ) as s
        cross join generate_series(
            greatest(s.first, first_day)::timestamp,
            least(s.last, last_day)::timestamp,
            interval '1 day'
        ) as day
    )

    select
        d.date,
        d.service,
        coalesce(n.expected, 0),
        coalesce(n.stored, 0),
        n.stored::double precision / n.expected,
        case
            when coalesce(n.stored, 0) = 0 then 'no_figures'
            when n.stored < n.expected then 'partial'
            else 'complete'
        end
    from calendar as d
    left join counted as n on n.service = d.service and n.date = d.date
$$;

comment on function data_completeness_between
    is 'The rows of data_completeness of some days. Reads the collections of these and of the 14 '
    'days before, while the view reads all.';

-- Views run with the rights of their owner, but functions in them with the reader's.
do $$
begin
    execute format(
        'alter function data_completeness_between set search_path = %I, pg_temp', current_schema()
    );
end
$$;

revoke execute on function data_completeness_between from public;

create or replace view data_completeness as
select
    date,
    service::varchar(255) as service,
    customers_expected,
    customers_stored,
    completeness,
    state::varchar(16) as state
from data_completeness_between('-infinity', 'infinity');

-- Renamed products --------------------------------------------------------------------------------

create index license_usage_month_set_idx on license_usage_month (customer_id, set_id, month);

comment on index license_usage_month_set_idx
    is 'The first month in which a customer had a set, without reading all months.';

-- A product that a customer got in the collection after the last one that had another product may
-- be that one under a new name. Where several fit at a customer, because several were renamed at a
-- time, those go together that have the most similar numbers of seats.
create or replace view product_rename_pair as
with held as (
    select customer_id, service, product_name, product_id, first_date, last_date, is_from_the_start
    from license_held
),

-- A product that ended, and one that came in the customer's next collection of that service. A
-- subquery for each pair, because a join would read all collections.
candidate as (
    select
        n.customer_id,
        n.service,
        n.product_name,
        n.first_date,
        o.last_date,
        o.product_name as old_product_name,
        o.product_id as old_product_id,
        count(*) over (partition by o.product_name, n.product_name) as customers
    from held as n
    inner join held as o
        on o.customer_id = n.customer_id
        and o.service = n.service
        and o.last_date < n.first_date
    where not n.is_from_the_start
        and (
            select k.processed_date_time
            from license_usage_date_time as t
            inner join license_usage_collection as k
                on k.processed_date_time = t.processed_date_time
            where t.processed_date > o.last_date
                and t.processed_date < n.first_date
                and k.customer_id = n.customer_id
                and k.service = n.service
            limit 1
        ) is null
),

compared as (
    select c.*, abs(s.old_seats - s.new_seats) as difference
    from candidate as c
    cross join lateral (
        select
            max(k.processed_date_time) filter (where t.processed_date = c.last_date) as came_after,
            min(k.processed_date_time) filter (where t.processed_date = c.first_date) as came_with
        from license_usage_date_time as t
        inner join license_usage_collection as k
            on k.processed_date_time = t.processed_date_time
        where t.processed_date in (c.last_date, c.first_date)
            and k.customer_id = c.customer_id
            and k.service = c.service
        group by k.customer_id
    ) as k
    cross join lateral (
        select
            max(u.licenses_qualified) filter (
                where u.processed_date_time = k.came_after
                    and coalesce(p.present_name, u.product_name)::varchar(255)
                    = c.old_product_name
            ) as old_seats,
            max(u.licenses_qualified) filter (
                where u.processed_date_time = k.came_with
                    and coalesce(p.present_name, u.product_name)::varchar(255) = c.product_name
            ) as new_seats
        from license_usage as u
        left join present_name as p
            on p.kind = 'product' and p.key = name_key(u.product_id, u.product_name)
        where u.customer_id = c.customer_id
            and u.processed_date_time in (k.came_after, k.came_with)
        group by u.customer_id
    ) as s
    where c.customers >= 5
),

closest as (
    select
        customer_id,
        old_product_name,
        old_product_id,
        product_name as new_product_name,
        first_date
    from (
        select
            *,
            min(difference) over (partition by customer_id, product_name) as least_of_new,
            min(difference) over (partition by customer_id, old_product_name) as least_of_old
        from compared
    ) as c
    where difference = least_of_new
        and difference = least_of_old
),

counted as (
    select
        old_product_name,
        new_product_name,
        max(old_product_id)::varchar(255) as old_product_id,
        count(*) as customers,
        min(first_date) as since
    from closest
    group by old_product_name, new_product_name
    having count(*) >= 5
),

-- Customers that held the old product the day before.
held_then as (
    select
        f.date,
        coalesce(p.present_name, f.product_name)::varchar(255) as product_name,
        count(distinct f.customer_id) as holders
    from license_usage_in_force(array(select distinct since - 1 from counted)) as f
    left join present_name as p
        on p.kind = 'product' and p.key = name_key(f.product_id, f.product_name)
    group by 1, 2
),

shared as (
    select c.*, c.customers::double precision / h.holders as share_of_holders
    from counted as c
    left join held_then as h on h.date = c.since - 1 and h.product_name = c.old_product_name
),

ranked as (
    select
        *,
        row_number() over (
            partition by new_product_name
            order by customers desc, share_of_holders desc nulls last, old_product_name
        ) as place_of_old,
        row_number() over (
            partition by old_product_name
            order by customers desc, share_of_holders desc nulls last, new_product_name
        ) as place_of_new
    from shared
)

select
    c.customer_id,
    r.old_product_name,
    r.old_product_id,
    r.new_product_name,
    r.customers,
    r.share_of_holders,
    r.since
from ranked as r
inner join closest as c
    on c.old_product_name = r.old_product_name
    and c.new_product_name = r.new_product_name
where r.place_of_old = 1
    and r.place_of_new = 1;
