//! Runs of a test's own process, under the run lease.

use seatledger::store::{Begun, Instance, Keeper, LeaseTimes, NewRun, RunAttempt, RunLease, Store};
use tokio_util::task::TaskTracker;

use crate::support::until;

/// Takes the run lease, as another process each time.
pub(crate) async fn lease_run(store: &Store) -> RunLease {
    let instance = Instance::new("test");
    let times = LeaseTimes::default();
    let keeper = Keeper::new(store.clone(), instance, times, TaskTracker::new());
    until("the run lease is free", async || {
        match store.try_lease_run(&keeper).await.unwrap() {
            RunAttempt::Acquired(run) => Some(run),
            // Postgres may not have noticed yet that the run before is gone.
            RunAttempt::Held(_) => None,
        }
    })
    .await
}

/// Begins a run that is for no tick.
pub(crate) async fn begin(run: &mut RunLease, new: &NewRun) -> i64 {
    match run.begin_run(new, "test", false).await.unwrap() {
        Begun::Run { run_id, .. } => run_id,
        Begun::TickDone(done) => panic!("{done}"),
    }
}
