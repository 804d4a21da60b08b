//! The tables that are kept beside the ledger agree with it after every kind of change to it.

use serde_json::{Value, json};

use crate::support::{World, item, until};

/// Each table as it is kept, and as the ledger defines it. Totals of stale days are computed when
/// they are read.
const KEPT: [(&str, &str); 5] = [
    (
        "select processed_date_time, customer_id, service from license_usage_collection",
        "select distinct processed_date_time, customer_id,
             lower(coalesce(service_code, service_name, ''))
         from license_usage",
    ),
    (
        "select dataset, service, processed_date from service_date",
        "select distinct 'usage', lower(coalesce(service_code, service_name, '')),
             (processed_date_time at time zone 'UTC')::date
         from license_usage
         union all
         select distinct 'deployment', lower(coalesce(service_code, service_name, '')),
             (processed_date_time at time zone 'UTC')::date
         from license_deployment",
    ),
    (
        "select service, processed_date, first_seen_at from service_date where dataset = 'usage'",
        "select service, (processed_date_time at time zone 'UTC')::date, min(first_seen_at)
         from license_usage_collection group by 1, 2",
    ),
    (
        "select customer_id, month, r.* from license_usage_month
         join license_usage_set using (set_id)
         cross join unnest(product_names, workload_names, are_month_end, first_dates) as r",
        "select customer_id, month, product_name, workload_name,
             (array_agg(date = last order by date desc))[1],
             (min(date) at time zone 'UTC')::date
         from (
             select *, processed_date_time as date,
                 max(processed_date_time) over (partition by customer_id, month, service) as last
             from (
                 select *,
                     date_trunc('month', processed_date_time at time zone 'UTC')::date as month,
                     lower(coalesce(service_code, service_name, '')) as service
                 from license_usage
             ) as dated
         ) as dated
         group by 1, 2, 3, 4",
    ),
    (
        "select * from license_usage_day_total where date not in (select date from stale_day)
         union all
         select * from license_usage_day_totals(array(select date from stale_day))",
        "select day, service, coalesce(product_id, ''),
             case when product_id is null then product_name else '' end,
             coalesce(workload_code, ''),
             case when workload_code is null then workload_name else '' end,
             count(distinct customer_id),
             count(distinct customer_id)
                 filter (where (processed_date_time at time zone 'UTC')::date < day),
             sum(licenses_active)::bigint, sum(licenses_qualified)::bigint
         from (
             select day::date,
                 lower(coalesce(service_code, service_name, '')) as service,
                 max(processed_date_time) over (partition by day, customer_id,
                     lower(coalesce(service_code, service_name, ''))) as newest,
                 u.*
             from (
                 select day
                 from (
                     select min(processed_date_time at time zone 'UTC')::date::timestamp as oldest,
                         max(processed_date_time at time zone 'UTC')::date::timestamp as newest
                     from license_usage
                 ) as reach,
                 generate_series(oldest, newest, '1 day') as day
             ) as days
             join license_usage as u
                 on (u.processed_date_time at time zone 'UTC')::date
                 between day::date - 14 and day::date
         ) as dated
         where processed_date_time = newest
         group by 1, 2, 3, 4, 5, 6",
    ),
];

/// Asserts that what is kept beside the ledger agrees with it.
pub(super) async fn assert_kept(world: &World, when: &str) {
    for (kept, ledger) in KEPT {
        let others =
            format!("(({kept}) except all ({ledger})) union all (({ledger}) except all ({kept}))");
        let others = world.lines(&others).await;
        assert_eq!(others, [""; 0], "{when}: {kept}");
    }
}

/// The versions of all rows of the tables that are kept, without those of runs.
async fn versions(world: &World) -> Vec<String> {
    let mut versions = Vec::new();
    for table in [
        "license_usage_collection",
        "license_usage_day_total",
        "license_usage_month",
        "license_usage_set",
        "service_date",
        "stale_day",
        "restatement",
        "name_history",
    ] {
        let rows = format!("select '{table}', ctid::text, xmin::text, xmax::text from {table}");
        versions.extend(world.lines(&rows).await);
    }
    versions
}

/// Rows of one service on one date.
fn service(name: &str, day: &str, active: i64) -> Vec<Value> {
    let row = |workload: &str| {
        item(&json!({
            "serviceName": name, "processedDateTime": day, "workloadName": workload,
            "licensesActive": active,
        }))
    };
    vec![row("Teams"), row("Exchange")]
}

async fn run(world: &World, what: &str, items: Vec<Value>) {
    let answer = json!([{ "items": items }]);
    world.simulator.script_for_ever("usage", answer).await;
    world.backfill().await.assert_code(0);
    assert_kept(world, what).await;
    assert_eq!(
        world.value::<i64>("select count(*) from stale_day").await,
        0,
        "{what}"
    );
}

#[tokio::test]
async fn what_a_run_stores_is_kept_and_the_same_once_more_writes_nothing() {
    let world = World::with_customers(3).await;
    for (what, o365, crm) in [
        ("a first run", ("2026-09-10", 5), ("2026-09-08", 7)),
        ("a day later", ("2026-09-11", 6), ("2026-09-08", 7)),
        ("a restatement", ("2026-09-11", 9), ("2026-09-08", 7)),
        ("a gap of three weeks", ("2026-10-03", 6), ("2026-09-08", 7)),
        (
            "a date that comes late",
            ("2026-10-03", 6),
            ("2026-09-20", 8),
        ),
        (
            "a figure that is restated late",
            ("2026-10-03", 6),
            ("2026-09-08", 9),
        ),
    ] {
        let items = || {
            let o365 = service("O365", o365.0, o365.1);
            [o365, service("crm", crm.0, crm.1)].concat()
        };
        run(&world, what, items()).await;
        let before = versions(&world).await;
        run(&world, "the same once more", items()).await;
        assert_eq!(versions(&world).await, before, "{what}");
    }
    let carried = "select date, customers, customers_carried from license_usage_day_total
         where service = 'o365' and workload_name = 'Teams'
             and date between '2026-09-24' and '2026-10-03' order by 1";
    assert_eq!(
        world.lines(carried).await,
        ["2026-09-24|3|3", "2026-09-25|3|3", "2026-10-03|3|0"]
    );
}

#[tokio::test]
async fn a_service_that_gets_a_code_is_kept_under_the_code_alone() {
    let mut world = World::with_customers(2).await;
    world.set("partner_center.datasets", "usage,deployment");
    world.backfill().await.assert_code(0);
    assert_kept(&world, "the source without codes").await;
    // What the partner-wide collection calls o365 had another name so far.
    let rename = |table: &str| format!("update {table} set service_name = 'Office 365'");
    world.execute(&rename("license_usage")).await;
    world.execute(&rename("license_deployment")).await;
    assert_kept(&world, "a person's change").await;
    world.use_source_commercial();
    world.backfill().await.assert_code(0);
    assert_kept(&world, "the source with codes").await;
    world.execute("delete from license_deployment").await;
    assert_kept(&world, "a person's deletion").await;
    world
        .execute("begin; set local seatledger.keeps_months = on; delete from license_usage; commit")
        .await;
    world.execute("select reread_license_usage()").await;
    assert_kept(&world, "a deletion past the triggers").await;
}

#[tokio::test]
async fn days_are_stale_from_a_persons_change_to_the_end_of_the_next_run() {
    let world = World::with_customers(2).await;
    for day in ["2026-09-01", "2026-09-20"] {
        run(&world, day, service("o365", day, 5)).await;
    }
    world
        .execute(
            "update license_usage set licenses_active = 8
             where processed_date_time = '2026-09-01Z' and workload_name = 'Teams'",
        )
        .await;
    let stale = "select min(date), max(date), count(*) from stale_day";
    assert_eq!(world.lines(stale).await, ["2026-09-01|2026-09-15|15"]);
    assert_kept(&world, "a person's change").await;
    world
        .execute("delete from license_usage where processed_date_time = '2026-09-20Z'")
        .await;
    assert_eq!(world.lines(stale).await, ["2026-09-01|2026-09-20|17"]);
    assert_kept(&world, "the newest date has gone").await;
    run(&world, "the next run", service("o365", "2026-09-03", 5)).await;
}

#[tokio::test]
async fn the_end_of_a_run_leaves_days_marked_that_another_writer_is_changing() {
    let world = World::with_customers(2).await;
    run(&world, "a run", service("o365", "2026-09-01", 5)).await;
    let change = |customer: &str| {
        format!(
            "update license_usage set licenses_active = 8
             where customer_id = (select {customer}(customer_id::text)::uuid from customer)"
        )
    };
    world.execute(&change("min")).await;
    let mut writer = world.pool.begin().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(change("max")))
        .execute(&mut *writer)
        .await
        .unwrap();
    world.backfill().await.assert_code(0);
    let stale = "select date from stale_day";
    assert_eq!(world.lines(stale).await, ["2026-09-01"]);
    assert_kept(&world, "a run during a person's change").await;
    writer.commit().await.unwrap();
    assert_kept(&world, "a person's change that lasted longer than a run").await;
    run(&world, "the next run", service("o365", "2026-09-01", 5)).await;
}

#[tokio::test]
async fn one_id_under_two_names_counts_a_customer_once() {
    let world = World::with_customers(2).await;
    run(&world, "a run", service("o365", "2026-09-01", 5)).await;
    world
        .execute(
            "update license_usage set product_id = 'id';
             insert into license_usage
             select processed_date_time, customer_id, 'Renamed', workload_name, customer_name,
                 'id', workload_code, service_name, service_code, channel, 2, 3, usage_percent,
                 first_synced_at, now(), 1
             from license_usage",
        )
        .await;
    assert_kept(&world, "two names of one id").await;
    let totals = "select customers, licenses_active from
         license_usage_day_totals(array['2026-09-01'::date]) where workload_name = 'Teams'";
    assert_eq!(world.lines(totals).await, ["2|14"]);
}

#[tokio::test]
async fn a_kill_in_the_middle_of_a_run_leaves_what_is_kept_whole() {
    let world = World::with_customers(6).await;
    run(&world, "a first run", service("o365", "2026-09-01", 5)).await;
    let answer = json!([{ "items": service("o365", "2026-09-02", 6) }]);
    world.simulator.script_for_ever("usage", answer).await;
    let last = world.simulator.customers().await[5].clone();
    let stuck = json!([{ "normal": true, "delay_ms": 60_000 }]);
    world.simulator.script(&last, stuck).await;
    let killed = world.start(&["--backfill"]);
    until("a customer is stored", async || {
        let stored = "select count(*) from license_usage_collection
             where processed_date_time = '2026-09-02Z'";
        (world.value::<i64>(stored).await > 0).then_some(())
    })
    .await;
    killed.signal("KILL");
    killed.finish().await;
    world.database_left().await;
    assert_eq!(
        world.lines("select date from stale_day").await,
        ["2026-09-02"]
    );
    assert_kept(&world, "a kill").await;
    // The kill may have come before the request that was to be stuck.
    world.simulator.unscript().await;
    run(&world, "the next run", service("o365", "2026-09-02", 6)).await;
}

#[tokio::test]
async fn a_dated_backfill_computes_each_days_totals_once() {
    let mut world = World::commercial(3).await;
    world.set("partner_center.datasets", "usage");
    world.simulator.patch(json!({ "reach_days": 90 })).await;
    world
        .execute(
            "create table computed (date date, run_id bigint, primary key (date, run_id));
             create function note_day() returns trigger language plpgsql as $$ begin
                 insert into computed
                 select new.date, max(run_id) from sync_run on conflict do nothing;
                 return null;
             end $$;
             create trigger note_day after insert on license_usage_day_total
             for each row execute function note_day()",
        )
        .await;
    let dates = ["--from", "2026-04-01", "--to", "2026-04-20"];
    world
        .run(&[&["--backfill"][..], &dates].concat())
        .await
        .assert_code(0);
    assert_kept(&world, "a dated backfill").await;
    // The first date that was requested is the newest. A day is computed after the pass for the
    // oldest date that counts on it.
    let computed = "select count(*), count(distinct date), min(run_id), max(run_id) from computed";
    assert_eq!(world.lines(computed).await, ["20|20|15|20"]);
    assert_eq!(world.lines("select date from stale_day").await, [""; 0]);
}
