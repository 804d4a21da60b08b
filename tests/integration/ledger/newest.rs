//! The views of newest rows agree with the ledger after every kind of change to it.

use serde_json::{Value, json};

use super::kept::assert_kept;
use crate::support::{World, item};

/// The views as the ledger defines them.
const VIEWS: [(&str, &str); 3] = [
    (
        "select customer_id, product_name, workload_name, processed_date_time, customer_name, \
            product_id, workload_code,
             service_name, service_code, channel, licenses_active, licenses_qualified, \
             usage_percent, first_synced_at,
             last_changed_at, run_id
         from license_usage_latest",
        "select distinct on (customer_id, product_name, workload_name) customer_id, product_name, \
            workload_name,
             processed_date_time, customer_name, product_id, workload_code, service_name, \
             service_code, channel,
             licenses_active, licenses_qualified, usage_percent, first_synced_at, last_changed_at, \
             run_id
         from license_usage order by 1, 2, 3, 4 desc",
    ),
    (
        "select customer_id, product_name, workload_name, month, processed_date_time, \
            customer_name, licenses_active,
             licenses_qualified, usage_percent
         from license_usage_monthly",
        "select distinct on (customer_id, product_name, workload_name, month) customer_id, \
            product_name, workload_name,
             month, processed_date_time, customer_name, licenses_active, licenses_qualified, \
             usage_percent
         from (
             select *, date_trunc('month', processed_date_time at time zone 'UTC')::date as month \
             from license_usage
         ) as dated
         order by 1, 2, 3, 4, 5 desc",
    ),
    (
        "select month, product_name, workload_name, customers, licenses_active, licenses_qualified \
            from license_usage_total",
        "select month, product_name, workload_name, count(*), sum(licenses_active)::bigint, \
            sum(licenses_qualified)::bigint
         from (
             select *, max(processed_date_time) over (
                 partition by customer_id, month, lower(coalesce(service_code, service_name, ''))
             ) as month_end
             from (
                 select *, date_trunc('month', processed_date_time at time zone 'UTC')::date as \
                 month from license_usage
             ) as dated
         ) as collected
         where processed_date_time = month_end group by 1, 2, 3",
    ),
];

async fn assert_views(world: &World, when: &str) {
    for (view, ledger) in VIEWS {
        let others =
            format!("(({view}) except all ({ledger})) union all (({ledger}) except all ({view}))");
        let count: i64 = world
            .value(&format!("select count(*) from ({others}) as others"))
            .await;
        assert_eq!(count, 0, "{when}: {view}");
    }
}

/// A row of Teams or another workload.
fn row(day: &str, workload: &str, active: i64) -> Value {
    item(&json!({ "processedDateTime": day, "workloadName": workload, "licensesActive": active }))
}

/// What the API gives run by run: day, workload and active seats of each row.
const DAYS: [(&str, &str); 19] = [
    ("a first date", "2026-08-30 Teams 1, 2026-08-30 Exchange 2"),
    ("the next", "2026-08-31 Teams 3, 2026-08-31 Exchange 4"),
    (
        "the next month",
        "2026-09-01 Teams 5, 2026-09-01 Exchange 6",
    ),
    (
        "the same once more",
        "2026-09-01 Teams 5, 2026-09-01 Exchange 6",
    ),
    (
        "a figure that is corrected",
        "2026-09-01 Teams 7, 2026-09-01 Exchange 6",
    ),
    (
        "the day after it",
        "2026-09-02 Teams 5, 2026-09-02 Exchange 6",
    ),
    (
        "a series more",
        "2026-09-03 Teams 5, 2026-09-03 Exchange 6, 2026-09-03 Yammer 7",
    ),
    (
        "a series that ends",
        "2026-09-04 Teams 8, 2026-09-04 Yammer 9",
    ),
    ("a date with one series only", "2026-09-05 Teams 10"),
    (
        "two dates at once",
        "2026-09-06 Teams 11, 2026-09-05 Yammer 12",
    ),
    (
        "two months at once",
        "2026-10-01 Teams 13, 2026-09-30 Yammer 14",
    ),
    ("one that comes late", "2026-09-29 Yammer 15"),
    (
        "a series that returns",
        "2026-10-02 Exchange 16, 2026-10-02 Teams 17",
    ),
    (
        "an older month",
        "2026-07-15 Teams 18, 2026-07-15 Exchange 19",
    ),
    (
        "an hour of the same day",
        "2026-10-02T05:00:00 Exchange 20, 2026-10-02T05:00:00 Teams 21",
    ),
    (
        "the first moment of a month",
        "2026-11-01T00:00:00 Exchange 22, 2026-11-01T00:00:00 Teams 23",
    ),
    (
        "the last moment of a month",
        "2026-10-31T23:59:59.999999 Exchange 24",
    ),
    (
        "the last hour of a month, written as the next month of another zone",
        "2026-11-01T00:30:00+02:00 Teams 25",
    ),
    ("nothing", ""),
];

/// The items of rows in the form that [`DAYS`] has.
fn items(rows: &str) -> Value {
    let rows = rows.split(", ").filter(|row| !row.is_empty());
    let items = rows.map(|text| {
        let mut words = text.split(' ');
        let (day, workload) = (words.next().unwrap(), words.next().unwrap());
        row(day, workload, words.next().unwrap().parse().unwrap())
    });
    items.collect()
}

#[tokio::test]
async fn the_views_of_newest_rows_say_what_the_ledger_says() {
    let world = World::with_customers(3).await;
    let customer = &world.simulator.customers().await[1].clone();
    let renamed = json!([item(
        &json!({ "processedDateTime": "2026-10-03", "customerName": "Renamed" })
    )]);
    let days = DAYS.iter().map(|(when, rows)| (*when, items(rows)));
    for (when, items) in days.chain([("other names", renamed)]) {
        let script = json!([{ "items": items }]);
        world.simulator.script_for_ever(customer, script).await;
        world.backfill().await.assert_code(0);
        assert_views(&world, when).await;
        assert_kept(&world, when).await;
    }
    let truth = "select count(*) from license_usage_latest where customer_id = ";
    assert!(world.value::<i64>(&format!("{truth}'{customer}'")).await >= 3);
}

#[tokio::test]
async fn rows_that_a_person_writes_or_deletes_are_in_the_views_and_come_again() {
    let world = World::with_customers(3).await;
    world.backfill().await.assert_code(0);
    let ledger = world.ledger().await;
    world
        .execute(
            "select add_license_usage_partitions(array_agg(processed_date_time - interval '1 \
            month')) from license_usage",
        )
        .await;
    let changes = [
        "insert into license_usage (processed_date_time, customer_id, product_name, workload_name, \
            licenses_active,
             licenses_qualified, first_synced_at, last_changed_at, run_id)
         select date, customer_id, 'Restored ' || product_name, workload_name, 1, 2, now(), now(), 1
         from license_usage cross join unnest(array[processed_date_time, processed_date_time - \
         interval '1 month']) as date",
        "update license_usage set licenses_active = licenses_active + 1",
        "update license_usage set processed_date_time = processed_date_time - interval '1 month', \
            product_name = product_name || ' 2'
         where product_name not like 'Restored%' and workload_name = (select min(workload_name) \
         from license_usage)",
        "begin; set local search_path = ''; update public.license_usage set licenses_qualified = \
            licenses_qualified + 1; commit",
        "delete from license_usage where product_name like 'Restored%' and processed_date_time > \
            now() - interval '1 month'",
        "delete from license_usage where product_name like 'Restored%'",
        "delete from license_usage where customer_id = (select min(customer_id::text)::uuid from \
            license_usage)",
        "truncate license_usage",
    ];
    for change in changes {
        world.execute(change).await;
        assert_views(&world, change).await;
        assert_kept(&world, change).await;
        assert!(world.ledger().await != ledger, "{change}");
    }
    world.backfill().await.assert_code(0);
    assert_eq!(world.ledger().await, ledger);
    assert_views(&world, "a run that brought all of it again").await;
    for change in [
        "update license_usage set licenses_active = licenses_active + 1",
        "delete from license_usage where workload_name = (select min(workload_name) from \
            license_usage)",
    ] {
        world.execute(change).await;
        world.backfill().await.assert_code(0);
        assert_eq!(world.ledger().await, ledger, "{change}");
        assert_views(&world, "a run after a person's change").await;
    }
}

#[tokio::test]
async fn rows_written_by_a_role_with_rights_to_the_ledger_alone_are_in_the_views() {
    let world = World::with_customers(2).await;
    world.backfill().await.assert_code(0);
    // A role belongs to the server, not to the database, so it may exist already.
    world
        .execute(
            "do $$ begin create role ledger_writer; exception when duplicate_object then null; end \
                $$;
             grant select, insert, update, delete, truncate on license_usage to ledger_writer",
        )
        .await;
    let latest = "select customer_id, product_name, licenses_active from license_usage_latest \
        order by 1, 2, 3";
    for change in [
        "insert into public.license_usage (processed_date_time, customer_id, product_name, \
            workload_name,
             licenses_active, licenses_qualified, first_synced_at, last_changed_at, run_id)
         select processed_date_time, customer_id, 'Restored ' || product_name, workload_name, 1, \
         2, now(), now(), 1
         from public.license_usage",
        "update public.license_usage set licenses_active = licenses_active + 1",
        "delete from public.license_usage where product_name like 'Restored%'",
        "truncate public.license_usage",
    ] {
        let before = world.lines(latest).await;
        let as_writer = format!(
            "begin; set local role ledger_writer; set local search_path = ''; {change}; commit"
        );
        world.execute(&as_writer).await;
        assert_ne!(world.lines(latest).await, before, "{change}");
        assert_views(&world, change).await;
        assert_kept(&world, change).await;
    }
}

#[tokio::test]
async fn rows_written_past_the_triggers_are_in_the_views_after_a_reread() {
    let world = World::with_customers(3).await;
    world.backfill().await.assert_code(0);
    let ledger = world.ledger().await;
    world
        .execute(
            "select add_license_usage_partitions(array_agg(processed_date_time - interval '2 \
            months')) from license_usage",
        )
        .await;
    let past =
        |change: &str| format!("begin; set local seatledger.keeps_months = on; {change}; commit");
    let latest = "select processed_date_time, product_name, licenses_active from \
        license_usage_latest order by 1, 2, 3";
    let before = world.lines(latest).await;
    for (change, reread) in [
        (
            "update license_usage set licenses_active = licenses_active + 1",
            "select reread_license_usage()",
        ),
        (
            "insert into license_usage (processed_date_time, customer_id, product_name, \
                workload_name, licenses_active,
                 licenses_qualified, first_synced_at, last_changed_at, run_id)
             select processed_date_time - interval '2 months', customer_id, 'Restored ' || \
             product_name, workload_name, 1, 2,
                 now(), now(), 1
             from license_usage",
            "select reread_license_usage(array_agg(distinct date_trunc('month', \
                processed_date_time at time zone 'UTC')::date))
             from license_usage where product_name like 'Restored%'",
        ),
        (
            "delete from license_usage
             where customer_id = (select min(customer_id::text)::uuid from license_usage)",
            "select reread_license_usage(of_customers => array[min(customer_id::text)::uuid]) from \
                customer",
        ),
        ("truncate license_usage", "select reread_license_usage()"),
    ] {
        let known = world.lines(latest).await;
        world.execute(&past(change)).await;
        assert_eq!(world.lines(latest).await, known, "not followed: {change}");
        world.execute(reread).await;
        assert_ne!(world.lines(latest).await, known, "{change}");
        assert_views(&world, change).await;
        assert_kept(&world, change).await;
    }
    world.backfill().await.assert_code(0);
    assert_eq!(world.ledger().await, ledger);
    assert_eq!(world.lines(latest).await, before);
    assert_views(&world, "a run that brought all of it again").await;
}

#[tokio::test]
async fn a_ledger_without_triggers_is_right_after_runs_and_after_a_reread() {
    let world = World::with_customers(2).await;
    world
        .execute(
            "do $$ declare of_ours record; begin
                 for of_ours in
                     select tgname, tgrelid::regclass from pg_trigger
                     where not tgisinternal and tgparentid = 0
                 loop
                     execute format('drop trigger %I on %s', of_ours.tgname, of_ours.tgrelid);
                 end loop;
             end $$",
        )
        .await;
    let of = |day: &str, active| json!([{ "items": [row(day, "Teams", active)] }]);
    for (day, active) in [("2026-09-15", 1), ("2026-09-25", 2), ("2026-09-25", 3)] {
        let answer = of(day, active);
        world.simulator.script_for_ever("usage", answer).await;
        world.backfill().await.assert_code(0);
        assert_views(&world, day).await;
        assert_kept(&world, day).await;
    }
    let ledger = world.ledger().await;
    for change in [
        "update license_usage set licenses_active = licenses_active + 1",
        "delete from license_usage where processed_date_time > '2026-09-20'",
    ] {
        world.execute(change).await;
        world.execute("select reread_license_usage()").await;
        assert_views(&world, change).await;
        assert_kept(&world, change).await;
    }
    for day in ["2026-09-15", "2026-09-25"] {
        let active = if day == "2026-09-15" { 1 } else { 3 };
        let answer = of(day, active);
        world.simulator.script_for_ever("usage", answer).await;
        world.backfill().await.assert_code(0);
    }
    assert_eq!(world.ledger().await, ledger);
    assert_views(&world, "runs that brought all of it again").await;
    assert_kept(&world, "runs that brought all of it again").await;
}

#[tokio::test]
async fn a_detached_partition_takes_its_rows_along_and_a_new_one_takes_new_rows() {
    let world = World::with_customers(2).await;
    let of = |day: &str| json!([{ "items": [row(day, "Teams", 1)] }]);
    for day in ["2026-08-05", "2026-09-15", "2026-09-25"] {
        world.simulator.script_for_ever("usage", of(day)).await;
        world.backfill().await.assert_code(0);
    }
    let partitions = "select inhrelid::regclass::text from pg_inherits where inhparent = \
        'license_usage'::regclass order by 1";
    assert_eq!(
        world.lines(partitions).await,
        [
            "license_usage_2026_08_01",
            "license_usage_2026_09_11",
            "license_usage_2026_09_21"
        ]
    );
    let analyzed = "select count(distinct attname) from pg_stats where tablename = 'license_usage'";
    assert_eq!(world.value::<i64>(analyzed).await, 5);
    world
        .execute("alter table license_usage detach partition license_usage_2026_08_01")
        .await;
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await,
        4
    );
    // The detached partition keeps its name. Its dates are stored again when they are fetched
    // again, in a partition of another name.
    world
        .simulator
        .script_for_ever("usage", of("2026-08-05"))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world.lines(partitions).await,
        [
            "license_usage_2026_08_01_2",
            "license_usage_2026_09_11",
            "license_usage_2026_09_21"
        ]
    );
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await,
        6
    );
    // Partitions that an operator merged keep their rows, and no other is created for their dates.
    world
        .execute(
            "alter table license_usage detach partition license_usage_2026_09_11;
             alter table license_usage detach partition license_usage_2026_09_21;
             insert into license_usage_2026_09_11 select * from license_usage_2026_09_21;
             alter table license_usage attach partition license_usage_2026_09_11
                 for values from ('2026-09-11Z') to ('2026-10-01Z');
             select reread_license_usage(array['2026-09-01'::date])",
        )
        .await;
    world
        .simulator
        .script_for_ever("usage", of("2026-09-26"))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world.lines(partitions).await,
        ["license_usage_2026_08_01_2", "license_usage_2026_09_11"]
    );
    assert_views(&world, "a run after partitions were merged").await;
}
