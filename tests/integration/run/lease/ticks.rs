//! A tick is done once, and goes on where it was interrupted.

use chrono::{DateTime, Duration, Utc};
use seatledger::config;
use seatledger::ledger::{RowCounts, TrafficCounts};
use seatledger::store::{Begun, FinishedRun, NewRun, RunKind, RunLease, RunOutcome, Store};

use crate::support::{Database, lease_run};

fn tick(hours: i64) -> DateTime<Utc> {
    let first: DateTime<Utc> = "2026-09-20T06:00:00Z".parse().unwrap();
    first + Duration::hours(hours)
}

/// Begins a run for a tick at this hour.
async fn begin(run: &mut RunLease, hours: i64, host: &str, now: i64) -> Begun {
    let new = NewRun {
        kind: RunKind::Schedule,
        source: "customer",
        only: Vec::new(),
        dated: None,
        resumes: None,
        tick: Some(tick(hours)),
        started_at: tick(now),
    };
    run.begin_run(&new, host, false).await.unwrap()
}

/// Does a run for a tick, which must not be done yet. Returns its id and the run that it resumes.
async fn run(
    run: &mut RunLease,
    (hours, host): (i64, &str),
    outcome: RunOutcome,
) -> (i64, Option<i64>) {
    let Begun::Run { run_id, resumes } = begin(run, hours, host, hours).await else {
        panic!("the tick is done");
    };
    let end = FinishedRun {
        outcome,
        detail: None,
        ended_early: outcome == RunOutcome::Interrupted,
        learned_rate: None,
        finished_at: tick(hours),
        customers_total: 1,
        customers_succeeded: 0,
        customers_failed: 0,
        rows: RowCounts::default(),
        http: TrafficCounts::default(),
    };
    run.finish_run(run_id, &end, None).await.unwrap();
    (run_id, resumes)
}

async fn assert_done(run: &mut RunLease, (hours, host): (i64, &str), by: i64) {
    match begin(run, hours, host, 9).await {
        Begun::TickDone(done) => assert_eq!(done.run_id, by),
        Begun::Run { run_id, .. } => panic!("run {run_id} does it again"),
    }
}

#[tokio::test]
async fn a_tick_is_done_by_a_run_that_stored_something_and_failures_count_for_their_host() {
    let database = Database::migrated().await;
    let settings = config::Database::try_new(&database.url(), &std::env::temp_dir(), 3).unwrap();
    let store = Store::new(&settings).unwrap();
    let mut lease = lease_run(&store).await;
    let lease = &mut lease;
    assert_eq!(run(lease, (0, "a"), RunOutcome::Failed).await, (1, None));
    assert_done(lease, (0, "a"), 1).await;
    assert_eq!(run(lease, (0, "b"), RunOutcome::Partial).await, (2, None));
    assert_done(lease, (0, "a"), 2).await;
    assert_done(lease, (0, "c"), 2).await;
    assert_eq!(run(lease, (2, "a"), RunOutcome::Succeeded).await, (3, None));
    // A later tick has done an earlier one.
    assert_done(lease, (1, "b"), 3).await;
    // An interrupted run is gone on with, from the one that began it.
    assert_eq!(
        run(lease, (3, "a"), RunOutcome::Interrupted).await,
        (4, None)
    );
    assert_eq!(
        run(lease, (3, "b"), RunOutcome::Interrupted).await,
        (5, Some(4))
    );
    assert_eq!(
        run(lease, (3, "a"), RunOutcome::Succeeded).await,
        (6, Some(4))
    );
    assert_eq!(
        run(lease, (4, "a"), RunOutcome::Interrupted).await,
        (7, None)
    );
    assert_eq!(run(lease, (5, "a"), RunOutcome::Succeeded).await, (8, None));
}

#[tokio::test]
async fn a_failed_run_is_no_finish_for_another_host() {
    let database = Database::migrated().await;
    let settings = config::Database::try_new(&database.url(), &std::env::temp_dir(), 3).unwrap();
    let store = Store::new(&settings).unwrap();
    let mut lease = lease_run(&store).await;
    run(&mut lease, (0, "a"), RunOutcome::Succeeded).await;
    run(&mut lease, (1, "a"), RunOutcome::Failed).await;
    let now = tick(2);
    let finish = |host| store.load_last_finish(now, host);
    assert_eq!(finish("a").await.unwrap().newest, Some(tick(1)));
    assert_eq!(finish("b").await.unwrap().newest, Some(tick(0)));
}
