//! What a process remembers of the ledger between batches and passes does not outlive its truth.

use chrono::{DateTime, Duration, Utc};
use seatledger::config;
use seatledger::ledger::{
    Attributes, Collection, CustomerId, CustomerOutcome, Name, RowCounts, TrafficCounts, UsageKey,
    UsageRow,
};
use seatledger::shutdown::Shutdown;
use seatledger::store::{DayTotals, FinishedRun, NewRun, RunKind, RunLease, RunOutcome, Store};

use crate::support::{Database, begin, lease_run};

/// A pass that stores a row of one customer for this date.
async fn pass(lock: &mut RunLease, customer: &str, date: DateTime<Utc>) {
    let now = date + Duration::hours(30);
    let new = NewRun {
        kind: RunKind::Backfill,
        source: "commercial",
        only: Vec::new(),
        dated: None,
        resumes: None,
        tick: None,
        started_at: now,
    };
    let run_id = begin(lock, &new).await;
    let row = UsageRow {
        key: UsageKey {
            processed_date_time: date,
            product_name: Name::new("Office 365 E3").unwrap(),
            workload_name: Name::new("Teams").unwrap(),
        },
        licenses_active: 3,
        licenses_qualified: 5,
        usage_percent: None,
        workload_code: None,
        attributes: Attributes::default(),
    };
    let outcome = CustomerOutcome {
        customer: customer.parse::<CustomerId>().unwrap().into(),
        usage: Collection::new(vec![row], &["{}"], Vec::new()),
        deployment: Collection::default(),
        failure: None,
        http_status: Some(200),
        attempts: 1,
        finished_at: now,
    };
    lock.record(run_id, &[outcome], now).await.unwrap();
    let end = FinishedRun {
        outcome: RunOutcome::Succeeded,
        detail: None,
        ended_early: false,
        learned_rate: None,
        finished_at: now,
        customers_total: 1,
        customers_succeeded: 1,
        customers_failed: 0,
        rows: RowCounts::default(),
        http: TrafficCounts::default(),
    };
    let shutdown = Shutdown::default();
    let totals = DayTotals {
        next_date: None,
        shutdown: &shutdown,
    };
    lock.finish_run(run_id, &end, Some(totals)).await.unwrap();
}

async fn lock(database: &Database) -> RunLease {
    let settings = config::Database::try_new(&database.url(), &std::env::temp_dir(), 2).unwrap();
    let store = Store::new(&settings).unwrap();
    lease_run(&store).await
}

#[tokio::test]
async fn a_further_pass_under_the_same_lock_counts_in_the_totals_of_a_day_that_was_computed() {
    let database = Database::migrated().await;
    let mut lock = lock(&database).await;
    let date = "2026-09-20T00:00:00Z".parse().unwrap();
    for (customer, total) in [
        ("00000000-0000-4000-8000-000000000001", 1),
        ("00000000-0000-4000-8000-000000000002", 2),
    ] {
        pass(&mut lock, customer, date).await;
        let customers: i64 = sqlx::query_scalar("select customers from license_usage_daily_total")
            .fetch_one(&database.pool())
            .await
            .unwrap();
        assert_eq!(customers, total);
    }
    lock.release().await;
}

#[tokio::test]
async fn rows_go_to_a_partition_that_was_merged_into_another_between_two_batches() {
    let database = Database::migrated().await;
    let mut lock = lock(&database).await;
    let dates = ["2026-09-05", "2026-09-15", "2026-09-25"]
        .map(|day| format!("{day}T00:00:00Z").parse().unwrap());
    for date in dates {
        pass(&mut lock, "00000000-0000-4000-8000-000000000001", date).await;
    }
    let merge = "
        alter table license_usage detach partition license_usage_2026_09_11;
        alter table license_usage detach partition license_usage_2026_09_21;
        insert into license_usage_2026_09_11 select * from license_usage_2026_09_21;
        alter table license_usage attach partition license_usage_2026_09_11
            for values from ('2026-09-11Z') to ('2026-10-01Z')";
    sqlx::raw_sql(merge)
        .execute(&database.pool())
        .await
        .unwrap();
    for date in dates {
        pass(&mut lock, "00000000-0000-4000-8000-000000000002", date).await;
    }
    let counts = "
        select tableoid::regclass || ' ' || count(*)
        from license_usage
        group by tableoid
        order by 1";
    let rows: Vec<String> = sqlx::query_scalar(counts)
        .fetch_all(&database.pool())
        .await
        .unwrap();
    assert_eq!(
        rows,
        ["license_usage_2026_09_01 2", "license_usage_2026_09_11 4"]
    );
    lock.release().await;
}
