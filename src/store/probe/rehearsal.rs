//! Rehearses a run: stores an invented customer with the statements of a real run, in a transaction
//! that is rolled back.

use chrono::{DateTime, TimeZone as _, Utc};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::super::error::StoreError;
use super::super::lease::LeaseClaim;
use super::super::migrate::migrations::Migrations;
use super::super::run::{DayTotals, FinishedRun, RunLease, RunOutcome};
use super::BOUNDS;
use crate::ledger::{
    Attributes, Collection, Customer, CustomerId, CustomerOutcome, DeploymentKey, DeploymentRow,
    Name, Rejection, RejectionReason, RowCounts, TrafficCounts, UsageKey, UsageRow,
};
use crate::shutdown::Shutdown;

/// Real runs count up from 1.
const RUN_ID: i64 = -1;

/// Inserts the run with an explicit id, so that the rehearsal uses up no id of the sequence.
const BEGIN: &str = "
    insert into sync_run (run_id, kind, source, whole_list, started_at, outcome)
    overriding system value
    values (-1, 'backfill', 'customer', true, now(), 'running')
";

/// Closes the connection at the end, because the rehearsal changes the session's settings.
pub(super) async fn rehearse(
    mut connection: PgConnection,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let during = || StoreError::during("rehearsing a run");
    sqlx::raw_sql(BOUNDS)
        .execute(&mut connection)
        .await
        .map_err(during())?;
    // Forgotten, so that the driver keeps counting this transaction as open: it turns the
    // transactions of the run's statements into savepoints, and their commits into releases.
    let transaction = connection.begin().await.map_err(during())?;
    std::mem::forget(transaction);
    Migrations::embedded()
        .migrator()
        .run(&mut connection)
        .await
        .map_err(StoreError::migrating)?;
    sqlx::raw_sql(BEGIN)
        .execute(&mut connection)
        .await
        .map_err(during())?;
    // A row of its own, so that a run under way neither disturbs the rehearsal nor is disturbed.
    let claim = LeaseClaim {
        name: "rehearsal",
        epoch: 1,
        holder: Uuid::new_v4(),
    };
    sqlx::query("insert into lease (name, epoch, holder) values ($1, $2, $3)")
        .bind(claim.name)
        .bind(claim.epoch)
        .bind(claim.holder)
        .execute(&mut connection)
        .await
        .map_err(during())?;
    let mut run = RunLease::rehearsed(connection, claim);
    run.record_total(RUN_ID, 1).await?;
    run.record(RUN_ID, &[outcome(now)], now).await?;
    let totals = DayTotals {
        next_date: None,
        shutdown: &Shutdown::default(),
    };
    run.finish_run(RUN_ID, &end(now), Some(totals)).await?;
    run.mark_interrupted(now).await?;
    let mut connection = run.connection;
    sqlx::raw_sql("rollback")
        .execute(&mut connection)
        .await
        .map_err(during())?;
    let _closed = connection.close().await;
    Ok(())
}

/// A row of each dataset and a rejection, of a date that has no partition yet.
fn outcome(now: DateTime<Utc>) -> CustomerOutcome {
    let processed_date_time = Utc
        .with_ymd_and_hms(2199, 1, 1, 0, 0, 0)
        .single()
        .unwrap_or(now);
    let customer = CustomerId::from(Uuid::new_v4());
    let text = "seatledger check";
    let attributes = Attributes {
        customer_name: Some(text.into()),
        product_id: Some(text.into()),
        ..Attributes::default()
    };
    let mut usage = Collection {
        received: 2,
        rejections: vec![Rejection {
            reason: RejectionReason::MissingField,
            detail: text.to_owned(),
            payload: "{}".to_owned(),
        }],
        ..Collection::default()
    };
    let mut deployment = Collection {
        received: 1,
        ..Collection::default()
    };
    if let Some(name) = Name::new(text) {
        usage.rows.push(UsageRow {
            key: UsageKey {
                processed_date_time,
                product_name: name.clone(),
                workload_name: name.clone(),
            },
            licenses_active: 1,
            licenses_qualified: 2,
            usage_percent: Some(50.0),
            workload_code: Some(text.into()),
            attributes: attributes.clone(),
        });
        deployment.rows.push(DeploymentRow {
            key: DeploymentKey {
                processed_date_time,
                product_name: name,
            },
            licenses_deployed: 1,
            licenses_sold: 2,
            deployment_percent: Some(50.0),
            attributes,
        });
    }
    CustomerOutcome {
        customer: Customer {
            name: Some(text.to_owned()),
            ..Customer::from(customer)
        },
        usage,
        deployment,
        failure: None,
        http_status: Some(200),
        attempts: 1,
        finished_at: now,
    }
}

fn end(now: DateTime<Utc>) -> FinishedRun {
    FinishedRun {
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
    }
}
