-- Names are the only identity that source "customer" gives a series. What keeps a series together when they change:
-- one spelling per name, the locale they are asked for in, and the names that a product's id has had.
-- New tables: lock nothing in use. The program puts the ledger's names into series_name right after the migrations: the
-- letters that Postgres can fold depend on its locale.

create table series_name (
    folded text not null,
    name varchar(512) not null,
    constraint series_name_pkey primary key (folded)
);

comment on table series_name is 'The spelling under which the ledger keeps each product and workload name: the first that came; of several that an older version kept, the last.';
comment on column series_name.folded is 'The name in lower case, without outer blanks, in Unicode form NFC.';
comment on column series_name.name is 'The name as it is stored.';

create table ledger_locale (
    locale varchar(512) not null,
    since timestamptz not null,
    constraint ledger_locale_pkey primary key (since)
);

comment on table ledger_locale is 'The locale that names are asked for in. The newest row holds.';
comment on column ledger_locale.locale is 'The X-Locale header, such as en-US.';
comment on column ledger_locale.since is 'When a run first asked in it.';

create table product_name_history (
    product_id varchar(512) not null,
    product_name varchar(512) not null,
    first_processed_date_time timestamptz not null,
    last_processed_date_time timestamptz not null,
    run_id bigint not null,
    constraint product_name_history_pkey primary key (product_id, product_name)
);

comment on table product_name_history is 'The names that each product id has had, where the API gives the id (source "commercial").';
comment on column product_name_history.product_id is 'The product''s id.';
comment on column product_name_history.product_name is 'A name it has had.';
comment on column product_name_history.first_processed_date_time is 'The oldest processed date under that name.';
comment on column product_name_history.last_processed_date_time is 'The newest processed date under that name.';
comment on column product_name_history.run_id is 'The run that last moved one of the dates.';

create table workload_name_history (
    workload_code varchar(512) not null,
    workload_name varchar(512) not null,
    first_processed_date_time timestamptz not null,
    last_processed_date_time timestamptz not null,
    run_id bigint not null,
    constraint workload_name_history_pkey primary key (workload_code, workload_name)
);

comment on table workload_name_history is 'The names that each workload code has had, where the API gives the code (source "commercial").';
comment on column workload_name_history.workload_code is 'The workload''s code, such as EXO.';
comment on column workload_name_history.workload_name is 'A name it has had.';
comment on column workload_name_history.first_processed_date_time is 'The oldest processed date under that name.';
comment on column workload_name_history.last_processed_date_time is 'The newest processed date under that name.';
comment on column workload_name_history.run_id is 'The run that last moved one of the dates.';

-- A name that several ids have had stands for the one that had it last. Of two names of one date the one that came
-- last is the newer.
create view license_usage_series as
with product as (
    select distinct on (product_id) product_id, product_name
    from product_name_history
    order by product_id, last_processed_date_time desc, run_id desc, product_name
),

product_of_name as (
    select distinct on (product_name) product_name, product_id
    from product_name_history
    order by product_name, last_processed_date_time desc, run_id desc, product_id
),

workload as (
    select distinct on (workload_code) workload_code, workload_name
    from workload_name_history
    order by workload_code, last_processed_date_time desc, run_id desc, workload_name
),

workload_of_name as (
    select distinct on (workload_name) workload_name, workload_code
    from workload_name_history
    order by workload_name, last_processed_date_time desc, run_id desc, workload_code
),

joined as (
    select
        u.customer_id,
        coalesce(u.product_id, pn.product_id) as product_id,
        coalesce(p.product_name, u.product_name) as product_name,
        coalesce(u.workload_code, wn.workload_code) as workload_code,
        coalesce(w.workload_name, u.workload_name) as workload_name,
        u.processed_date_time,
        u.customer_name,
        u.product_name as product_name_then,
        u.workload_name as workload_name_then,
        u.licenses_active,
        u.licenses_qualified,
        u.usage_percent,
        u.last_changed_at
    from license_usage as u
    left join product_of_name as pn on pn.product_name = u.product_name
    left join product as p on p.product_id = coalesce(u.product_id, pn.product_id)
    left join workload_of_name as wn on wn.workload_name = u.workload_name
    left join workload as w on w.workload_code = coalesce(u.workload_code, wn.workload_code)
)

-- A product that was renamed within one processed date has two rows for it: the later one counts. By ids where they are
-- known: of two products one may by now have the name that the other had.
select distinct on (
    customer_id,
    coalesce(product_id, product_name),
    coalesce(workload_code, workload_name),
    processed_date_time
)
    customer_id,
    product_id,
    product_name,
    workload_code,
    workload_name,
    processed_date_time,
    customer_name,
    product_name_then,
    workload_name_then,
    licenses_active,
    licenses_qualified,
    usage_percent,
    (100.0 * licenses_active / nullif(licenses_qualified, 0))::double precision as active_percent
from joined
order by
    customer_id,
    coalesce(product_id, product_name),
    coalesce(workload_code, workload_name),
    processed_date_time,
    last_changed_at desc;

comment on view license_usage_series is 'The ledger with each product and workload under its present name, so that a series goes on when its name changes.';
comment on column license_usage_series.customer_id is 'The customer''s tenant id.';
comment on column license_usage_series.product_id is 'The product''s id, also for rows that came without it, if the name is known to be that product''s.';
comment on column license_usage_series.product_name is 'The product''s newest name.';
comment on column license_usage_series.workload_code is 'The workload''s code, also for rows that came without it, if the name is known to be that workload''s.';
comment on column license_usage_series.workload_name is 'The workload''s newest name.';
comment on column license_usage_series.processed_date_time is 'The date for which the service processed the figures.';
comment on column license_usage_series.customer_name is 'The customer''s name at that time.';
comment on column license_usage_series.product_name_then is 'The product''s name in the ledger''s row.';
comment on column license_usage_series.workload_name_then is 'The workload''s name in the ledger''s row.';
comment on column license_usage_series.licenses_active is 'Seats whose user was active within 28 days before the processed date.';
comment on column license_usage_series.licenses_qualified is 'Seats that entitle to the workload.';
comment on column license_usage_series.usage_percent is 'As the API gives it; null where it gives none; over 100 is expected.';
comment on column license_usage_series.active_percent is 'Active seats per hundred qualified ones, computed; null where none is qualified.';
