//! A ledger that the first version filled, brought up to date.

use std::path::Path;

use serde_json::json;
use sqlx::PgPool;
use sqlx::migrate::Migrator;

use super::support::{World, item, root};

/// The tables as the first version made them.
async fn first_version(pool: &PgPool) {
    let folder = tempfile::TempDir::new().unwrap();
    for name in [
        "20261122090000_create_ledger.sql",
        "20261122090100_create_views.sql",
    ] {
        let path = Path::new("migrations").join(name);
        std::fs::copy(root().join(path), folder.path().join(name)).unwrap();
    }
    let migrator = Migrator::new(folder.path()).await.unwrap();
    migrator.run(pool).await.unwrap();
}

const A: &str = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";
const B: &str = "22222222-70f4-4e1e-9ff1-b2bfce8d9f04";
const C: &str = "33333333-70f4-4e1e-9ff1-b2bfce8d9f04";

/// Three runs: two customers stored on the 26th; one of them on the 27th, where the other failed; a backfill that was
/// stopped. One product has been spelt in two ways.
fn history() -> String {
    format!(
        "insert into customer (customer_id, customer_name, domain, first_seen_at, last_seen_at) values
             ('{A}', 'Contoso', 'contoso.example', '2026-09-28T06:00Z', '2026-09-29T06:00Z'),
             ('{B}', 'Fabrikam', null, '2026-09-28T06:00Z', '2026-09-29T06:00Z'),
             ('{C}', null, null, '2026-09-28T06:00Z', '2026-09-28T06:00Z');
         insert into sync_run (kind, whole_list, started_at, finished_at, outcome, customers_total, http_requests) values
             ('schedule', true, '2026-09-28T06:00Z', '2026-09-28T06:01Z', 'partial', 3, 3),
             ('schedule', true, '2026-09-29T06:00Z', '2026-09-29T06:01Z', 'partial', 2, 2),
             ('backfill', true, '2026-09-29T07:00Z', '2026-09-29T07:01Z', 'interrupted', 3, 1);
         insert into sync_customer values
             (1, '{A}', 'succeeded', null, null, 200, 1, 2, 2, 0, 0, 0, '2026-09-28T06:00:10Z'),
             (1, '{B}', 'succeeded', null, null, 200, 1, 1, 1, 0, 0, 0, '2026-09-28T06:00:11Z'),
             (1, '{C}', 'failed', 'not_found', 'status 404: no reason given', 404, 1, 0, 0, 0, 0, 0, '2026-09-28T06:00:12Z'),
             (2, '{A}', 'succeeded', null, null, 200, 1, 2, 2, 0, 0, 0, '2026-09-29T06:00:10Z'),
             (2, '{B}', 'failed', 'forbidden', 'status 403: no reason given', 403, 1, 0, 0, 0, 0, 0, '2026-09-29T06:00:11Z'),
             (3, '{A}', 'succeeded', null, null, 200, 1, 2, 0, 0, 2, 0, '2026-09-29T07:00:10Z');
         insert into license_usage (processed_date_time, customer_id, product_name, workload_name, customer_name,
             licenses_active, licenses_qualified, usage_percent, first_synced_at, last_changed_at, run_id) values
             ('2026-09-26T00:00Z', '{A}', 'BÜRO 365', 'Exchange', 'Contoso', 3, 10, 30, '2026-09-28T06:00:15Z', '2026-09-28T06:00:15Z', 1),
             ('2026-09-26T00:00Z', '{A}', 'BÜRO 365', 'Überall', 'Contoso', 4, 10, 40, '2026-09-28T06:00:15Z', '2026-09-28T06:00:15Z', 1),
             ('2026-09-26T23:30Z', '{B}', 'BÜRO 365', 'Exchange', 'Fabrikam', 5, 10, 50, '2026-09-28T06:00:15Z', '2026-09-28T06:00:15Z', 1),
             ('2026-09-27T00:00Z', '{A}', 'Büro 365', 'Exchange', 'Contoso', 3, 10, 30, '2026-09-29T06:00:15Z', '2026-09-29T06:00:15Z', 2),
             ('2026-09-27T00:00Z', '{A}', 'Büro 365', 'Überall', 'Contoso', 4, 10, 40, '2026-09-29T06:00:15Z', '2026-09-29T06:00:15Z', 2);
         insert into rejected_row (run_id, customer_id, reason, detail, payload, rejected_at) values
             (1, '{A}', 'missing_field', 'item 3: productName is missing', '{{}}', '2026-09-28T06:00:15Z');"
    )
}

#[sqlx::test(migrations = false)]
async fn what_the_first_version_stored_is_kept_and_made_use_of(pool: PgPool) {
    first_version(&pool).await;
    let mut world = World::with_customers(pool, 1).await;
    world.execute(&history()).await;
    let kept = [
        "select * from license_usage order by 1, 2, 3, 4",
        "select run_id, kind, started_at, finished_at, outcome, detail, customers_total, http_requests from sync_run order by 1",
        "select run_id, customer_id, outcome, reason, detail, http_status, rows_inserted, finished_at from sync_customer order by 1, 2",
        "select customer_id, customer_name, domain, first_seen_at, last_seen_at from customer order by 1",
        "select rejected_row_id, run_id, customer_id, reason, detail, payload, rejected_at from rejected_row",
        "select customer_id, customer_name, last_success_at, last_processed_date_time, last_failure_at, last_failure_reason,
                last_failure_detail from customer_freshness order by 1",
    ];
    let mut before = Vec::new();
    for sql in kept {
        before.push(world.lines(sql).await);
    }
    let behind = world.run(&["status"]).await;
    behind.assert_code(1);
    assert!(
        behind
            .stderr
            .contains("brought up to date with: seatledger migrate"),
        "{}",
        behind.stderr
    );
    // Whatever a role's statements may take: those of a migration take minutes on a large ledger.
    let limit = "do $$ begin execute format('alter database %I set statement_timeout = 1', current_database()); end $$";
    world.execute(limit).await;
    for round in 0..2 {
        world.run(&["migrate"]).await.assert_code(0);
        if round == 0 {
            let no_limit = limit.replace("= 1", "= 0");
            world.execute(&no_limit).await;
        }
        for (sql, before) in kept.iter().zip(&before) {
            assert_eq!(&world.lines(sql).await, before, "{sql}");
        }
    }
    assert_eq!(
        world
            .lines("select processed_date, customer_id, run_id from customer_date order by 1, 2")
            .await,
        [
            format!("2026-09-26|{A}|1"),
            format!("2026-09-26|{B}|1"),
            format!("2026-09-27|{A}|2"),
        ]
    );
    assert_eq!(
        world
            .lines("select processed_date, first_seen_at at time zone 'UTC' from ledger_date order by 1")
            .await,
        ["2026-09-26|2026-09-28T06:00:15", "2026-09-27|2026-09-29T06:00:15"]
    );
    assert_eq!(
        world
            .lines("select folded, name from series_name order by folded collate \"C\"")
            .await,
        ["büro 365|Büro 365", "exchange|Exchange", "überall|Überall"]
    );
    assert_eq!(
        world
            .lines("select run_id, source, newest_processed_date, ended_early, only_customers, resumes from sync_run order by 1")
            .await,
        [
            "1|customer|2026-09-26|false|-|-",
            "2|customer|2026-09-27|false|-|-",
            "3|customer|2026-09-27|true|-|-",
        ]
    );
    assert_eq!(
        world
            .lines("select distinct dataset from rejected_row")
            .await,
        ["usage"]
    );
    assert_eq!(
        world
            .lines("select processed_date, customer_id, state from coverage order by 1, 2")
            .await,
        [
            format!("2026-09-26|{A}|stored"),
            format!("2026-09-26|{B}|stored"),
            format!("2026-09-26|{C}|missed"),
            format!("2026-09-27|{A}|stored"),
            format!("2026-09-27|{B}|denied"),
        ]
    );
    for (view, rows) in [
        ("license_usage_latest", 5),
        ("license_usage_change", 5),
        ("license_usage_monthly", 5),
        ("license_usage_series", 5),
        ("license_seats", 5),
        ("license_deployment_latest", 0),
        ("customer_freshness", 3),
    ] {
        let count = format!("select count(*) from {view}");
        assert_eq!(world.value::<i64>(&count).await, rows, "{view}");
    }
    world.run(&["status"]).await.assert_code(0);

    // The series goes on under its last spelling, and the backfill that was stopped is finished.
    world.set("customers.ids", &format!("{A},{B}"));
    let next = json!({
        "productName": "BÜRO 365",
        "workloadName": "ÜBERALL",
        "processedDateTime": "2026-09-28T00:00:00Z",
    });
    world
        .simulator
        .script_for_ever("usage", json!([{ "items": [item(&next)] }]))
        .await;
    let finished = world.run(&["--backfill", "--resume", "--json"]).await;
    finished.assert_code(0);
    assert_eq!(world.asked().await, [B]);
    assert_eq!(
        world
            .lines("select product_name, workload_name, run_id from license_usage where processed_date_time = '2026-09-28Z'")
            .await,
        ["Büro 365|Überall|4"]
    );
}
