-- A small ledger with every case of the views of customers and days. Day 1 is 59 days ago and day
-- 58 the newest date. A date's figures are fetched at six in the morning of the day after.
begin;
set local seatledger.keeps_months = on;

create function day(n integer) returns date
language sql stable
return (now() at time zone 'UTC')::date - 60 + n;

create function at(n integer, hour integer default 6) returns timestamptz
language sql stable
return (day(n) + make_interval(hours => hour)) at time zone 'UTC';

create function customer(n integer) returns uuid
language sql immutable
return ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;

create table series (
    customer integer,
    product_id varchar(512),
    product_name varchar(512),
    workload_name varchar(512),
    service varchar(512),
    channel varchar(512),
    first_day integer,
    last_day integer,
    licenses_qualified bigint,
    licenses_active bigint
);

insert into series values
-- 1: paid, free and trial products.
(1, null, 'Office 365 E3', 'Exchange', 'o365', 'reseller', 1, 58, 100, 60),
(1, null, 'Office 365 E3', 'Teams', 'o365', 'reseller', 1, 58, 100, 35),
(1, null, 'Teams Exploratory Trial', 'Teams', 'o365', 'direct', 1, 58, 10, 1),
(1, null, 'Power Automate Free', 'Flow', 'o365', 'direct', 1, 58, 1000, 1),
-- 2: two services, of which one processes every other day and lags.
(2, null, 'Office 365 E3', 'Exchange', 'o365', 'reseller', 1, 58, 30, 30),
(2, null, 'Sales Enterprise', 'Sales', 'crm', 'reseller', 1, 57, 20, 5),
-- 3 to 9: ended, gone, gone and back, never there, failing, never fetched, stale.
(3, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 20, 15, 10),
(4, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 30, 15, 10),
(5, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 25, 15, 10),
(5, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 40, 58, 18, 10),
(7, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 50, 15, 10),
(9, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 30, 15, 10),
-- 10: one of its services has ended.
(10, null, 'Sales Enterprise', 'Sales', 'crm', 'reseller', 1, 20, 20, 5),
(10, null, 'Business Premium', 'Teams', 'o365', 'reseller', 1, 58, 70, 7),
-- 18: another product in place of the old one, at one customer only.
(18, null, 'Office 365 E3', 'Exchange', 'o365', 'reseller', 1, 32, 40, 20),
(18, null, 'Office 365 E5', 'Exchange', 'o365', 'reseller', 33, 58, 40, 20),
-- 19 and 20: renamed, and known to be by its id or by an alias.
(19, 'P1', 'Visio Old', 'Visio', 'visio', 'reseller', 1, 29, 8, 4),
(19, 'P1', 'Visio New', 'Visio', 'visio', 'reseller', 30, 58, 8, 5),
(20, null, 'Project Old', 'Project', 'project', 'reseller', 1, 29, 9, 4),
(20, null, 'Project New', 'Project', 'project', 'reseller', 30, 58, 9, 5),
-- 21: two collections on its last date.
(21, null, 'Business Premium', 'Exchange', 'o365', 'reseller', 1, 58, 12, 6),
-- 22: a date that another writer brought after every success.
(22, null, 'Stream', 'Stream', 'stream', 'reseller', 50, 50, 6, 3);

-- 11 to 17: two products renamed on day 45; 15 has as many seats of one as of the other.
insert into series
select
    n, null, product_name, workload_name, 'o365', 'reseller', first_day, last_day,
    case when n = 15 then 30 when product_name like 'Office%' or product_name like '%E3%'
        then 50 + n else 20 + n end,
    10
from generate_series(11, 17) as n
cross join (
    values
    ('Office 365 E3', 'Exchange', 1, 44),
    ('Office 365 E3', 'Teams', 1, 44),
    ('Microsoft 365 E3', 'Exchange', 45, 58),
    ('Microsoft 365 E3', 'Teams', 45, 58),
    ('Business Premium', 'Exchange', 1, 44),
    ('Business Premium (new)', 'Exchange', 45, 58)
) as p (product_name, workload_name, first_day, last_day)
where not (n = 16 and product_name like 'Business%') and not (n = 17 and product_name like '%E3%');

select add_license_usage_partitions(array(select at(n, 0) from generate_series(1, 58) as n));

insert into license_usage (
    processed_date_time, customer_id, product_name, workload_name, product_id, service_name,
    channel, licenses_active, licenses_qualified, first_synced_at, last_changed_at, run_id
)
select
    at(n, 0), customer(s.customer), product_name, workload_name, product_id, upper(service),
    channel, licenses_active, licenses_qualified, at(n + 1), at(n + 1), n
from series as s
cross join generate_series(s.first_day, s.last_day) as n
-- Two days without a run; a day on which only customer 1 was not fetched.
where n not in (35, 36)
    and not (s.customer = 1 and n = 41)
    and (s.service <> 'crm' or n % 2 = 1);

insert into license_usage (
    processed_date_time, customer_id, product_name, workload_name, service_name, channel,
    licenses_active, licenses_qualified, first_synced_at, last_changed_at, run_id
)
values
(
    at(58, 5), customer(21), 'Business Premium', 'Exchange', 'o365', 'direct', 7, 12, at(59),
    at(59), 1
),
(at(57, 0), customer(22), 'Stream', 'Stream', 'stream', 'reseller', 2, 6, at(60), at(60), 1);

-- Sold and assigned seats: of customer 1 until day 57, with a product that is not used; of customer
-- 5 with a second collection on its last date.
insert into license_deployment (
    processed_date_time, customer_id, product_name, service_name, channel, licenses_deployed,
    licenses_sold, first_synced_at, last_changed_at, run_id
)
select
    at(n, hour), customer(customer), product_name, service, 'reseller', sold - 10 + hour, sold,
    at(n + 1), at(n + 1), n
from (
    values
    (1, 'Office 365 E3', 'o365', 1, 57, 0, 110),
    (1, 'Visio Plan 1', 'visio', 1, 40, 0, 12),
    (2, 'Sales Enterprise', 'crm', 2, 56, 0, 25),
    (5, 'Business Premium', 'o365', 1, 25, 0, 20),
    (5, 'Business Premium', 'o365', 40, 58, 0, 20),
    (5, 'Business Premium', 'o365', 58, 58, 5, 21),
    (13, 'Office 365 E3', 'o365', 1, 44, 0, 80),
    (13, 'Microsoft 365 E3', 'o365', 45, 58, 0, 80)
) as d (customer, product_name, service, first_day, last_day, hour, sold)
cross join generate_series(d.first_day, d.last_day) as n;

insert into name_history values
('product', 'P1', 'Visio Old', at(1, 0), at(29, 0), 1),
('product', 'P1', 'Visio New', at(30, 0), at(58, 0), 30);

insert into product_alias values ('Project Old', 'Project New');

insert into customer (customer_id, customer_name, first_seen_at, last_seen_at, last_success_at)
select customer(n), 'Customer ' || n, at(1), at(59), at(59)
from generate_series(1, 22) as n;

update customer as c
set last_processed_date_time = u.newest
from (
    select customer_id, max(processed_date_time) as newest from license_usage group by customer_id
) as u
where u.customer_id = c.customer_id;

update customer set gone_since = at(31), last_success_at = at(31) where customer_id = customer(4);
update customer
set absent_since = at(27), returned_at = at(40)
where customer_id = customer(5);
update customer
set last_success_at = at(51), last_failure_at = at(59), last_failure_reason = 'forbidden',
    last_failure_detail = 'the role is too small'
where customer_id = customer(7);
update customer set last_success_at = null where customer_id = customer(8);
update customer set last_success_at = at(31) where customer_id = customer(9);

-- Of customer 21 the last success is known from the last run only.
update customer set last_success_at = at(30) where customer_id = customer(21);
insert into sync_run (kind, whole_list, started_at, finished_at, outcome)
values ('schedule', true, at(59), at(59), 'succeeded');
insert into sync_customer (
    run_id, customer_id, outcome, attempts, rows_received, rows_inserted, rows_updated,
    rows_unchanged, rows_rejected, finished_at
)
select run_id, customer(21), 'succeeded', 1, 1, 1, 0, 0, 0, at(59) from sync_run;

select reread_license_usage();
commit;
