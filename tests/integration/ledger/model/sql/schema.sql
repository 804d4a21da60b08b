-- The model of the views: the definitions in naive SQL. It reads the ledger, what runs record about
-- customers, and the tables that people edit, and nothing that is kept beside the ledger.
create schema model;

-- When each collection was first in the ledger. The rows do not say so once some were deleted or
-- written again, so the test records it after each transaction: the time of the customer's outcome
-- in the batch that brought it, or first_synced_at of its rows, whichever is earlier. A collection
-- of which no row is left is forgotten.
create table model.first_collection (
    processed_date_time timestamptz not null,
    customer_id uuid not null,
    service text not null,
    first_seen_at timestamptz not null,
    run_id bigint not null,
    primary key (processed_date_time, customer_id, service)
);

-- The same of the dates of deployment.
create table model.first_deployment_date (
    processed_date date not null,
    service text not null,
    first_seen_at timestamptz not null,
    primary key (processed_date, service)
);

create view model.first_seen as
select
    'usage' as dataset,
    (processed_date_time at time zone 'UTC')::date as processed_date,
    service,
    min(first_seen_at) as first_seen_at
from model.first_collection
group by 2, 3
union all
select 'deployment', processed_date, service, first_seen_at
from model.first_deployment_date;

-- The names under which the batches that were stored brought each id, and for which dates.
create table model.brought_name (
    kind text not null,
    id text not null,
    name text not null,
    first_processed_date_time timestamptz not null,
    last_processed_date_time timestamptz not null,
    run_id bigint not null,
    primary key (kind, id, name)
);

create function model.newest_name(of_kind text, of_id text) returns text language sql
return (
    select name
    from name_history
    where kind = of_kind
        and id = of_id
    order by last_processed_date_time desc, run_id desc, name
    limit 1
);

create function model.owner(of_kind text, of_name text) returns text language sql
return (
    select id
    from name_history
    where kind = of_kind
        and name = of_name
    order by last_processed_date_time desc, run_id desc, id
    limit 1
);

create function model.alias(of_name text) returns text language sql
return (select present_name from product_alias where product_name = of_name);

-- The present id and name of a product.
create function model.present_product(
    id text, name text, out present_id text, out present_name text
)
language plpgsql
as $$
declare
    owned text;
    alias text;
    seen text [] := '{}';
begin
    present_id := id;
    if id is not null then
        present_name := coalesce(model.newest_name('product', id), name);
        return;
    end if;
    present_name := name;
    loop
        owned := model.owner('product', present_name);
        if owned is not null then
            present_id := owned;
            present_name := model.newest_name('product', owned);
            return;
        end if;
        alias := model.alias(present_name);
        exit when alias is null or present_name = any(seen);
        seen := seen || present_name;
        present_name := alias;
    end loop;
end
$$;

-- The present code and name of a workload.
create function model.present_workload(
    code text, name text, out present_code text, out present_name text
)
language sql
begin atomic
    select
        coalesce(code, model.owner('workload', name)),
        coalesce(
            model.newest_name('workload', coalesce(code, model.owner('workload', name))), name
        );
end;

create function model.product_kind(name text) returns text language sql
return coalesce(
    (select product_kind from product_note where product_name = name),
    case
        when name ~* '\mtrial\M' then 'trial'
        when name ~* '\mfree\M' then 'free'
        else 'paid'
    end
);

-- At which epoch of the run lease each transaction of a run has written, and was committed.
create table model.write (
    run_id bigint not null,
    epoch bigint not null,
    end_epoch bigint,
    is_beginning boolean not null,
    at timestamptz not null default clock_timestamp()
);

create function model.run_epoch() returns bigint language sql
return (select epoch from lease where name = 'run');

create function model.note_write() returns trigger language plpgsql
as $$
begin
    insert into model.write (run_id, epoch, is_beginning)
    values (new.run_id, model.run_epoch(), tg_op = 'INSERT' and tg_table_name = 'sync_run');
    return null;
end
$$;

create function model.note_end() returns trigger language plpgsql
as $$
begin
    update model.write
    set end_epoch = model.run_epoch()
    where run_id = new.run_id
        and at = new.at;
    return null;
end
$$;

create trigger note_write after insert on sync_customer
for each row execute function model.note_write();

-- A run that takes over marks the one before as interrupted.
create trigger note_begin after insert on sync_run
for each row execute function model.note_write();
create trigger note_finish after update on sync_run
for each row when (new.detail is null)
execute function model.note_write();

create constraint trigger note_end after insert on model.write
deferrable initially deferred
for each row execute function model.note_end();
