//! Logs when a run waits for a lock on the ledger, and which session holds it. Nothing else shows
//! why the run stands still.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::causes::with_causes;
use crate::store::{Holder, Store};
use crate::watchdog::Pulse;

/// How often the holders of locks are looked up. A lock that is held for less is not reported.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(3);

/// After that long without an answer, a look-up that fails as well ends the wait for one. That is
/// within 20 s, because a look-up begins and fails within two intervals.
const SILENCE: Duration = Duration::from_secs(12);

/// Does `work` on the connection that `store` opened last, and meanwhile logs whose lock it waits
/// for.
pub(super) async fn tell_of_locks<T>(
    store: &Store,
    pulse: &Pulse,
    work: impl Future<Output = T>,
) -> T {
    let reported = watch::Sender::new(Vec::new());
    let done = tokio::select! {
        biased;
        done = Box::pin(work) => done,
        never = Box::pin(watch_locks(store, LOOK_UP_INTERVAL, &reported, pulse)) => never,
    };
    if !reported.borrow().is_empty() {
        info!("The lock on the ledger is free, and work goes on");
    }
    done
}

/// Logs who holds the locks, and keeps those that were logged last in `reported`. Beats with each
/// answer: statements have time limits of their own, so that an answering database is waited for
/// within bounds.
pub(super) async fn watch_locks(
    store: &Store,
    interval: Duration,
    reported: &watch::Sender<Vec<Holder>>,
    pulse: &Pulse,
) -> ! {
    loop {
        tokio::time::sleep(interval).await;
        let holders = match tokio::time::timeout(LOOK_UP_INTERVAL, store.load_holders()).await {
            Ok(Ok(holders)) => holders,
            // A database that is away is reported by the work that waits for it.
            Ok(Err(error)) => {
                let error = with_causes(&error);
                debug!(error, "The holders of locks could not be looked up");
                continue;
            }
            Err(_) => continue,
        };
        pulse.beat();
        let same = |(one, other): (&Holder, &Holder)| one.backend() == other.backend();
        let is_known = {
            let known = reported.borrow();
            holders.len() == known.len() && holders.iter().zip(&*known).all(same)
        };
        // Between two locks there may be a moment without any.
        if holders.is_empty() || is_known {
            continue;
        }
        let names = names(&holders);
        warn!(
            lock.holders = names,
            "Waiting for a lock on the ledger, held by {names}"
        );
        reported.send_replace(holders);
    }
}

/// Completes when the session of the connection that `store` opened last has ended, or the server
/// has not answered for [`SILENCE`]: what was sent over a cut network is never answered.
pub(super) async fn lost_session(store: &Store) {
    let mut answered = Instant::now();
    loop {
        tokio::time::sleep(LOOK_UP_INTERVAL).await;
        let asked = tokio::time::timeout(LOOK_UP_INTERVAL, store.has_work_session()).await;
        match asked {
            Ok(Ok(true)) => answered = Instant::now(),
            Ok(Ok(false)) => return,
            _ if answered.elapsed() >= SILENCE => return,
            _ => {}
        }
    }
}

/// The holders in words.
pub(super) fn names(holders: &[Holder]) -> String {
    let names: Vec<String> = holders.iter().map(ToString::to_string).collect();
    names.join("; ")
}
