//! Says when a run waits for somebody's lock on the ledger, and who holds it: nothing else shows
//! why it stands still.

use std::time::Duration;

use tracing::{debug, info, warn};

use crate::causes::with_causes;
use crate::store::{Holder, Store};

/// How often it is looked whether the run waits. A lock that is held for less is nobody's business.
const LOOK: Duration = Duration::from_secs(3);

/// Does `work` on the connection that `store` opened last, and says meanwhile whose lock it waits
/// for.
pub async fn tell_of_locks<T>(store: &Store, work: impl Future<Output = T>) -> T {
    let mut told = Vec::new();
    let done = tokio::select! {
        biased;
        done = Box::pin(work) => done,
        never = watch(store, &mut told) => never,
    };
    if !told.is_empty() {
        info!("The lock on the ledger is free, and work goes on");
    }
    done
}

/// Keeps in `told` whom it has named last.
async fn watch(store: &Store, told: &mut Vec<Holder>) -> ! {
    loop {
        tokio::time::sleep(LOOK).await;
        let holders = match tokio::time::timeout(LOOK, store.load_holders()).await {
            Ok(Ok(holders)) => holders,
            // Where the database is away, who waits for it says so.
            Ok(Err(error)) => {
                debug!(
                    error = with_causes(&error),
                    "Nobody could be asked for locks"
                );
                continue;
            }
            Err(_) => continue,
        };
        let same = |(one, other): (&Holder, &Holder)| one.backend() == other.backend();
        let is_known = holders.len() == told.len() && holders.iter().zip(&*told).all(same);
        // Between two locks there may be a moment without any.
        if holders.is_empty() || is_known {
            continue;
        }
        let who: Vec<String> = holders.iter().map(ToString::to_string).collect();
        let who = who.join("; ");
        warn!(
            lock.holders = who,
            "Waiting for a lock on the ledger, held by {who}"
        );
        *told = holders;
    }
}
