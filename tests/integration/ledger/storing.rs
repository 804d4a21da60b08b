//! What the ledger stores, as its readers see it.

use serde_json::json;

use crate::support::answers::{collection, item_with};
use crate::support::{World, item};

#[tokio::test]
async fn rejections_are_recorded_once_a_run_and_unchanged_rows_are_not_written() {
    let world = World::with_customers(4).await;
    let bad = &world.simulator.customers().await[0];
    let items = json!([item(&json!({})), item(&json!({ "licensesActive": -1 })), {}]);
    world
        .simulator
        .script_for_ever(bad, json!([{ "items": items }]))
        .await;
    let versions = "select ctid::text, xmin::text, cmax::text, xmax::text, u.* from license_usage \
        as u order by 1";
    world.backfill().await.assert_code(0);
    let before = world.lines(versions).await;
    for _ in 0..2 {
        let finished = world.backfill().await;
        finished.assert_code(0);
        let rows = &finished.summary()["rows"];
        assert_eq!(
            [&rows["inserted"], &rows["updated"], &rows["rejected"]],
            [0, 0, 2]
        );
        assert_eq!(rows["unchanged"], before.len());
    }
    assert_eq!(world.lines(versions).await, before);
    assert_eq!(
        world
            .lines(
                "select run_id, reason, payload -> 'licensesActive', rejected_at is not null \
            from rejected_row order by 1, 2"
            )
            .await,
        [
            "1|invalid_value|-1|true",
            "1|missing_field|-|true",
            "2|invalid_value|-1|true",
            "2|missing_field|-|true",
            "3|invalid_value|-1|true",
            "3|missing_field|-|true"
        ]
    );
}

#[tokio::test]
async fn every_object_is_named_as_promised_and_commented() {
    let world = World::with_customers(1).await;
    let ours = "c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v', 'p') and \
        c.relname <> '_sqlx_migrations'";
    let bare = format!(
        "select c.relname, a.attname from pg_class as c
         join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         where {ours} and (col_description(c.oid, a.attnum) is null or obj_description(c.oid, \
         'pg_class') is null)"
    );
    assert_eq!(world.lines(&bare).await, [""; 0]);
    // Indexes that no constraint made, functions and triggers.
    let others = "select indexrelid::regclass::text from pg_index as i
         join pg_class as c on c.oid = i.indexrelid and c.relnamespace = 'public'::regnamespace
         where not exists (select from pg_constraint where conindid = i.indexrelid)
             and not exists (select from pg_inherits where inhrelid = i.indexrelid)
             and obj_description(i.indexrelid, 'pg_class') is null
         union all
         select oid::regprocedure::text from pg_proc
         where pronamespace = 'public'::regnamespace and obj_description(oid, 'pg_proc') is null
         union all
         select tgname from pg_trigger
         where not tgisinternal and tgparentid = 0 and obj_description(oid, 'pg_trigger') is null";
    assert_eq!(world.lines(others).await, [""; 0]);
    let names = format!("select c.relname from pg_class as c where {ours} order by 1");
    assert_eq!(
        world.lines(&names).await,
        [
            "adoption_target",
            "bi_role",
            "consent",
            "coverage",
            "customer",
            "customer_freshness",
            "customer_lifecycle",
            "customer_service",
            "customer_service_date",
            "customer_success",
            "customer_usage",
            "data_completeness",
            "date_dimension",
            "lease",
            "ledger_locale",
            "license_adoption",
            "license_deployment",
            "license_deployment_current",
            "license_deployment_latest",
            "license_deployment_restatement",
            "license_growth",
            "license_held",
            "license_holding",
            "license_product",
            "license_product_monthly",
            "license_seats",
            "license_usage",
            "license_usage_change",
            "license_usage_collection",
            "license_usage_current",
            "license_usage_daily",
            "license_usage_daily_total",
            "license_usage_date_time",
            "license_usage_day_total",
            "license_usage_latest",
            "license_usage_month",
            "license_usage_monthly",
            "license_usage_newest",
            "license_usage_restatement",
            "license_usage_series",
            "license_usage_set",
            "license_usage_total",
            "license_waste",
            "license_waste_monthly",
            "name_history",
            "present_name",
            "product_alias",
            "product_name_history",
            "product_note",
            "product_rename_pair",
            "product_rename_suspect",
            "rejected_row",
            "restatement",
            "series_name",
            "service_date",
            "service_date_superseded",
            "stale_day",
            "sync_customer",
            "sync_run",
            "workload_name_history"
        ]
    );
}

#[tokio::test]
async fn every_column_has_the_type_promised() {
    let world = World::with_customers(1).await;
    let columns = "select a.attname, format_type(a.atttypid, a.atttypmod) || case when \
        a.attnotnull then ' not null' else '' end
                   from pg_attribute as a where a.attrelid = 'license_usage'::regclass and \
                   a.attnum > 0 order by 1";
    let text = "character varying(512)";
    assert_eq!(
        world.lines(columns).await,
        [
            format!("channel|{text}"),
            "customer_id|uuid not null".to_owned(),
            format!("customer_name|{text}"),
            "first_synced_at|timestamp with time zone not null".to_owned(),
            "last_changed_at|timestamp with time zone not null".to_owned(),
            "licenses_active|bigint not null".to_owned(),
            "licenses_qualified|bigint not null".to_owned(),
            "processed_date_time|timestamp with time zone not null".to_owned(),
            format!("product_id|{text}"),
            format!("product_name|{text} not null"),
            "run_id|bigint not null".to_owned(),
            format!("service_code|{text}"),
            format!("service_name|{text}"),
            "usage_percent|double precision".to_owned(),
            format!("workload_code|{text}"),
            format!("workload_name|{text} not null"),
        ]
    );
    let key = "select a.attname from pg_index as i
               join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey)
               where i.indrelid = 'license_usage'::regclass and i.indisprimary order by 1";
    assert_eq!(
        world.lines(key).await,
        [
            "customer_id",
            "processed_date_time",
            "product_name",
            "workload_name"
        ]
    );
    // BI tools truncate a `numeric` without precision, or show it as text.
    let numbers = "select table_name, column_name from information_schema.columns
                   where table_schema = 'public' and data_type = 'numeric'";
    assert_eq!(world.lines(numbers).await, [""; 0]);
    let unbounded = "select table_name, column_name from information_schema.columns
                     where table_schema = 'public' and data_type = 'text' and table_name <> \
                     '_sqlx_migrations' order by 1, 2";
    assert_eq!(
        world.lines(unbounded).await,
        [
            "consent|refusal",
            "coverage|detail",
            "customer|last_failure_detail",
            "customer_freshness|last_failure_detail",
            "rejected_row|detail",
            "series_name|folded",
            "sync_customer|detail",
            "sync_run|detail"
        ]
    );
}

#[tokio::test]
async fn a_database_without_tables_says_what_makes_them_and_they_are_made_once() {
    let world = World::before_migrations().await;
    let before = world.run(&["status"]).await;
    before.assert_code(1);
    assert!(
        before
            .stderr
            .contains("the first run makes them, or: seatledger migrate"),
        "{}",
        before.stderr
    );
    // The role's timeout does not apply to migrations: those of a large ledger take minutes.
    world
        .execute(
            "create schema slow;
             create sequence slow.views;
             create function slow.sleep() returns event_trigger language plpgsql as $$ begin
                 if nextval('slow.views') = 1 then perform pg_sleep(2); end if;
             end $$;
             create event trigger slow on ddl_command_start when tag in ('CREATE VIEW')
             execute function slow.sleep();
             do $$ begin
                 execute format('alter database %I set statement_timeout = 1000',
                                current_database());
             end $$",
        )
        .await;
    world.run(&["migrate"]).await.assert_code(0);
    world
        .execute(
            "drop event trigger slow;
             do $$ begin
                 execute format('alter database %I reset statement_timeout', current_database());
             end $$",
        )
        .await;
    assert!(
        world
            .value::<i64>("select last_value from slow.views")
            .await
            > 1
    );
    let migrations = "select version, installed_on from _sqlx_migrations order by 1";
    let applied = world.lines(migrations).await;
    assert!(!applied.is_empty());
    world.backfill().await.assert_code(0);
    let ledger = world.ledger().await;
    world.run(&["migrate"]).await.assert_code(0);
    assert_eq!(world.lines(migrations).await, applied);
    assert_eq!(world.ledger().await, ledger);
    world.run(&["status"]).await.assert_code(0);
}

#[tokio::test]
async fn the_views_follow_a_series_over_days_and_months() {
    let world = World::with_customers(1).await;
    let customer = &world.simulator.customers().await[0];
    for (day, active, percent) in [
        ("2026-08-30T00:00:00Z", "3", "30"),
        ("2026-08-31T23:30:00Z", "5", "50"),
        ("2026-09-01T01:00:00+02:00", "6", "null"),
        ("2026-09-02T00:00:00Z", "4", "40"),
    ] {
        let quoted = format!("\"{day}\"");
        let own = [
            ("processedDateTime", quoted.as_str()),
            ("licensesActive", active),
            ("usagePercent", percent),
        ];
        // A second series, of another service, is in each answer with the same date and figures.
        let crm = [
            ("productName", "\"Dynamics\""),
            ("processedDateTime", "\"2026-08-29T00:00:00Z\""),
        ];
        let body = collection(&[item_with(&own), item_with(&crm)]);
        world
            .simulator
            .script(customer, json!([{ "text": body }]))
            .await;
        world.backfill().await.assert_code(0);
    }
    let date = "to_char(processed_date_time at time zone 'UTC', 'MM-DD HH24:MI')";
    assert_eq!(
        world
            .lines(&format!(
                "select product_name, {date}, licenses_active, run_id from \
            license_usage_latest order by 1"
            ))
            .await,
        ["Dynamics|08-29 00:00|3|1", "OFFICE 365 E3|09-02 00:00|4|4"]
    );
    assert_eq!(
        world
            .lines(&format!(
                "select product_name, {date}, previous_licenses_active, licenses_active_change, \
                    licenses_qualified_change,
                        usage_percent_change from license_usage_change order by 1, \
                        processed_date_time"
            ))
            .await,
        [
            "Dynamics|08-29 00:00|-|-|-|-",
            "OFFICE 365 E3|08-30 00:00|-|-|-|-",
            "OFFICE 365 E3|08-31 23:00|3|3|0|-",
            "OFFICE 365 E3|08-31 23:30|6|-1|0|-",
            "OFFICE 365 E3|09-02 00:00|5|-1|0|-10",
        ]
    );
    assert_eq!(
        world
            .lines(&format!(
                "select product_name, month, {date}, licenses_active from \
            license_usage_monthly order by 1, 2"
            ))
            .await,
        [
            "Dynamics|2026-08-01|08-29 00:00|3",
            "OFFICE 365 E3|2026-08-01|08-31 23:30|5",
            "OFFICE 365 E3|2026-09-01|09-02 00:00|4",
        ]
    );
    world
        .simulator
        .script_for_ever(customer, json!([{ "status": 403 }]))
        .await;
    world.backfill().await.assert_code(3);
    assert_eq!(
        world
            .lines(
                "select customer_name, last_success_at < last_failure_at, last_processed_date_time \
                    = '2026-09-02Z',
                        age between now() - '2026-09-02Z' - interval '1 minute' and now() - \
                        '2026-09-02Z',
                        last_failure_reason, last_failure_detail from customer_freshness"
            )
            .await,
        ["Contoso|true|true|true|forbidden|status 403: no reason given"]
    );
}

#[tokio::test]
async fn days_add_up_and_nothing_is_ever_deleted() {
    let world = World::with_customers(12).await;
    world
        .execute(
            "create function keep() returns trigger language plpgsql as $$ begin raise exception \
                'deleted'; end $$;
             create trigger keep before delete or truncate on license_usage execute function keep();
             create trigger keep before delete or truncate on customer execute function keep();
             create trigger keep before delete or truncate on sync_run execute function keep();
             create trigger keep before delete or truncate on sync_customer execute function keep();
             create trigger keep before delete or truncate on rejected_row execute function \
             keep();",
        )
        .await;
    let mut known = 0;
    for day in [
        "2026-09-28",
        "2026-09-29",
        "2026-10-01",
        "2026-10-02",
        "2026-10-02",
    ] {
        world.simulator.set_today(day).await;
        let finished = world.backfill().await;
        finished.assert_code(0);
        let inserted = finished.summary()["rows"]["inserted"].as_i64().unwrap();
        known += inserted;
        assert_eq!(
            world
                .value::<i64>("select count(*) from license_usage")
                .await,
            known
        );
    }
    // If customers leave, or their collections are empty, their history stays.
    world
        .simulator
        .script_for_ever("usage", json!([{ "status": 204 }]))
        .await;
    world.backfill().await.assert_code(0);
    assert_eq!(
        world
            .value::<i64>("select count(*) from license_usage")
            .await,
        known
    );
    assert!(
        world
            .value::<i64>("select count(distinct processed_date_time) from license_usage")
            .await
            >= 4
    );
    for (view, expected) in [
        (
            "select count(*), sum(licenses_active) from license_usage_latest",
            "select count(*), sum(licenses_active) from license_usage as u
             where not exists (select from license_usage as n where (n.customer_id, \
             n.product_name, n.workload_name)
                 = (u.customer_id, u.product_name, u.workload_name) and n.processed_date_time > \
                 u.processed_date_time)",
        ),
        (
            "select sum(licenses_active_change), count(*) from license_usage_change",
            "select sum(l.licenses_active - f.licenses_active), (select count(*) from license_usage)
             from license_usage_latest as l
             join (select *, row_number() over (partition by customer_id, product_name, \
             workload_name order by processed_date_time) as n
                   from license_usage) as f using (customer_id, product_name, workload_name) where \
                   f.n = 1",
        ),
    ] {
        assert_eq!(world.lines(view).await, world.lines(expected).await, "{view}");
    }
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_ledgers_that_run_side_by_side() {
    let mut world = World::new().await;
    let customer = world.simulator.customers().await[0].clone();
    let mut url = url::Url::parse(world.database_url()).unwrap();
    let plain = url
        .query()
        .map(|query| format!("{query}&"))
        .unwrap_or_default();
    let mut names = ["north", "south"].into_iter();
    let mut waiting = None;
    for schema in names.by_ref() {
        world.execute(&format!("create schema {schema}")).await;
        url.set_query(Some(&format!("{plain}options=-csearch_path%3D{schema}")));
        world.set("database.url", url.as_str());
        if waiting.is_none() {
            // The first ledger's run is held up while it holds the lock.
            world
                .simulator
                .script(&customer, json!([{ "delay_ms": 60_000 }]))
                .await;
            let running = world.start(&["--backfill"]);
            running.says("Run begun").await;
            crate::support::until("the customer is asked for", async || {
                let path = format!("/v1/customers/{customer}/analytics/licenses/usage");
                let requests = world.simulator.requests("usage").await;
                requests
                    .iter()
                    .any(|request| request["path"] == path)
                    .then_some(())
            })
            .await;
            waiting = Some(running);
        } else {
            world.backfill().await.assert_code(0);
        }
    }
    assert_eq!(
        world
            .lines("select outcome, run_id from south.sync_run")
            .await,
        ["succeeded|1"]
    );
    assert_eq!(
        world
            .lines("select outcome, run_id from north.sync_run")
            .await,
        ["running|1"]
    );
    let running = waiting.unwrap();
    running.signal("TERM");
    running.signal("TERM");
    let ended = running.finish().await;
    assert_eq!(ended.code(), 143, "{}", ended.stderr);
    assert_eq!(
        world.lines("select outcome from north.sync_run").await,
        ["interrupted"]
    );
    assert!(
        world
            .value::<i64>("select count(*) from south.license_usage")
            .await
            > 0
    );
    for table in ["license_usage", "sync_run", "customer"] {
        assert_eq!(
            world
                .value::<i64>(&format!("select count(*) from public.{table}"))
                .await,
            0,
            "{table}"
        );
    }
}
