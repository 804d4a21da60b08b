//! Take, renew, resign: the rules, with short times, for two processes in one.

use std::sync::Arc;
use std::time::Duration;

use seatledger::config;
use seatledger::store::{
    Attempt, Instance, Keeper, Lease, LeaseName, LeaseRecord, LeaseState, LeaseTimes, Previous,
    Store,
};
use tokio_util::task::TaskTracker;

use crate::support::{Database, Link, Lost, until};

/// Long enough for a busy machine.
const TIMES: LeaseTimes = LeaseTimes {
    renew_every: Duration::from_millis(300),
    lasts: Duration::from_secs(3),
};

fn keeper(url: &str, host: &str) -> Arc<Keeper> {
    let settings = config::Database::try_new(url, &std::env::temp_dir(), 3).unwrap();
    let store = Store::new(&settings).unwrap();
    Keeper::new(store, Instance::new(host), TIMES, TaskTracker::new())
}

async fn acquire(keeper: &Arc<Keeper>, name: LeaseName) -> Lease {
    match keeper.try_acquire(name).await.unwrap() {
        Attempt::Acquired(lease) => lease,
        Attempt::Held(record) => panic!("held by {record}"),
    }
}

async fn holder(keeper: &Arc<Keeper>, name: LeaseName) -> LeaseRecord {
    match keeper.try_acquire(name).await.unwrap() {
        Attempt::Acquired(_) => panic!("free"),
        Attempt::Held(record) => record,
    }
}

/// Waits until the lease can be taken.
async fn follow(keeper: &Arc<Keeper>) -> Lease {
    until("the lease can be taken", async || {
        match keeper.try_acquire(LeaseName::Run).await.unwrap() {
            Attempt::Acquired(lease) => Some(lease),
            Attempt::Held(_) => None,
        }
    })
    .await
}

async fn execute(database: &Database, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&database.pool()).await.unwrap();
}

#[tokio::test]
async fn a_lease_is_held_by_one_process_and_each_name_by_itself() {
    let database = Database::migrated().await;
    let (one, other) = (
        keeper(&database.url(), "one"),
        keeper(&database.url(), "other"),
    );
    let run = acquire(&one, LeaseName::Run).await;
    assert_eq!((run.epoch(), run.previous()), (1, Previous::Free));
    let found = holder(&other, LeaseName::Run).await;
    assert_eq!(found.host.as_deref(), Some("one"));
    assert_eq!(found.state, LeaseState::Held);
    // Not even the process itself can have it twice.
    holder(&one, LeaseName::Run).await;
    let leader = acquire(&other, LeaseName::Leader).await;
    run.resign().await;
    let run = acquire(&other, LeaseName::Run).await;
    assert_eq!((run.epoch(), run.previous()), (2, Previous::Resigned));
    drop((run, leader));
    until("dropped leases are given back", async || {
        let one = one.try_acquire(LeaseName::Leader).await.unwrap();
        matches!(one, Attempt::Acquired(_)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lease_is_renewed_for_as_long_as_it_is_held_and_its_key_stays() {
    let database = Database::migrated().await;
    let (one, other) = (
        keeper(&database.url(), "one"),
        keeper(&database.url(), "other"),
    );
    let lease = acquire(&one, LeaseName::Run).await;
    // As a transaction of a run that writes, which neither waits for a renewal nor holds it up.
    let mut writing = database.pool().begin().await.unwrap();
    sqlx::raw_sql("select from lease where name = 'run' for key share")
        .execute(&mut *writing)
        .await
        .unwrap();
    let first = holder(&other, LeaseName::Run).await;
    until("the lease is renewed beyond its first term", async || {
        let now = holder(&other, LeaseName::Run).await;
        (now.renewed_at > first.expires_at).then_some(())
    })
    .await;
    assert!(!lease.lost().is_cancelled());
    // A takeover waits for such a transaction.
    execute(
        &database,
        "update lease set expires_at = now() - interval '1 h' where name = 'run'",
    )
    .await;
    let found = other.try_acquire(LeaseName::Run).await.unwrap();
    assert!(matches!(found, Attempt::Held(_)), "{found:?}");
    writing.rollback().await.unwrap();
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_is_taken_when_it_ends_and_its_holder_learns_by_whom() {
    let database = Database::migrated().await;
    let link = Link::to(&database.url()).await;
    let (one, other) = (keeper(link.url(), "one"), keeper(&database.url(), "other"));
    let lease = acquire(&one, LeaseName::Run).await;
    link.lose(Lost::BOTH);
    one.silence().await;
    let taken = follow(&other).await;
    assert_eq!((taken.epoch(), taken.previous()), (2, Previous::Expired));
    assert!(taken.previous().is_cut_off());
    assert!(!lease.lost().is_cancelled());
    link.mend();
    lease.lost().cancelled().await;
    let loss = lease.loss().unwrap().to_string();
    assert!(
        loss.contains("did not renew in time: host other, since "),
        "{loss}"
    );
    // It is not given back in the name of the new holder.
    lease.resign().await;
    assert_eq!(holder(&one, LeaseName::Run).await.epoch, 2);
}

#[tokio::test]
async fn a_lease_whose_session_has_ended_is_taken_at_once() {
    let database = Database::migrated().await;
    let other = keeper(&database.url(), "other");
    let url = database.url();
    // A runtime that ends takes its sessions with it and gives nothing back, as a killed process.
    let killed = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            drop(acquire(&keeper(&url, "one"), LeaseName::Run).await);
        });
    });
    tokio::task::spawn_blocking(|| killed.join().unwrap())
        .await
        .unwrap();
    let taken = follow(&other).await;
    assert_eq!((taken.epoch(), taken.previous()), (2, Previous::Gone));
}

#[tokio::test]
async fn a_database_clock_that_is_set_back_does_not_make_a_lease_last() {
    let database = Database::migrated().await;
    let other = keeper(&database.url(), "other");
    execute(
        &database,
        "update lease
         set holder = gen_random_uuid(),
             epoch = 7,
             host = 'one',
             acquired_at = now() + interval '59 min',
             renewed_at = now() + interval '60 min',
             expires_at = now() + interval '61 min'
         where name = 'run'",
    )
    .await;
    let taken = acquire(&other, LeaseName::Run).await;
    assert_eq!((taken.epoch(), taken.previous()), (8, Previous::Expired));
}

#[tokio::test]
async fn a_restarted_server_leaves_the_holder_the_rest_of_its_term() {
    let database = Database::migrated().await;
    let other = keeper(&database.url(), "other");
    // The session is unknown, but to another server.
    execute(
        &database,
        "update lease
         set holder = gen_random_uuid(),
             host = 'one',
             renewed_at = now(),
             expires_at = now() + interval '3 s',
             keeper_pid = 1,
             keeper_started_at = now(),
             server_started_at = pg_postmaster_start_time() - interval '1 h'
         where name = 'run'",
    )
    .await;
    assert_eq!(holder(&other, LeaseName::Run).await.state, LeaseState::Held);
    assert_eq!(follow(&other).await.previous(), Previous::Expired);
}
