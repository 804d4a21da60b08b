//! `seatledger verify`: asks the API again and compares what it gives with what is stored.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use indicatif::MultiProgress;
use tokio::sync::watch;
use tracing::{Instrument as _, trace_span};

use crate::cli::Verify;
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::CustomerId;
use crate::lifecycle::{Exit, Lifecycle};
use crate::printable::printable;
use crate::store::Store;
use crate::sync::{Progress, Verified, VerifyRequest};

use super::{START_RETRY, complain, print, progress, say, syncer};

/// How long a failed call is retried at most: a person waits, and a run may be under way that needs
/// what the API allows.
const MAX_RETRY_TIME: Duration = Duration::from_mins(1);

/// How long the names of customers are waited for.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn run(
    arguments: &Verify,
    config: &Config,
    clock: Arc<dyn Clock>,
    bars: MultiProgress,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let mut config = config.clone();
    config.partner_center.max_concurrency = 1;
    let max_elapsed = config.retry.max_elapsed().min(MAX_RETRY_TIME);
    let retry = config.retry.with_max_elapsed(max_elapsed);
    let retry = retry.with_likely_permanent(START_RETRY);
    let syncer = syncer(&config, retry, clock, lifecycle)?;
    let request = VerifyRequest {
        only: arguments.customer.clone(),
        sample: Some(i64::from(arguments.sample)).filter(|sample| *sample > 0),
        source: arguments.source.unwrap_or(syncer.source),
    };
    let (progress, watched) = watch::channel(Progress::default());
    let drawing = lifecycle.tasks.spawn(progress::draw(
        bars,
        watched,
        Arc::clone(&syncer.client),
        Arc::clone(&syncer.clock),
    ));
    let compared = syncer
        .verify(&request, &lifecycle.shutdown, &progress)
        .instrument(trace_span!("sync.verify"))
        .await;
    drop(progress);
    // The bar must be gone before the result is printed.
    let _drawn = drawing.await;
    let mut found = compared?;
    // Anything but a terminal may be a log, which must not have names.
    if io::stdout().is_terminal() {
        add_names(&mut found, &syncer.store).await;
    } else {
        found.hide_names();
    }
    syncer.store.close().await;
    if arguments.json {
        say(&serde_json::to_string(&found).context("the result cannot be written")?)?;
    } else {
        print(&found.to_string())?;
    }
    if found.customers.total == 0 {
        complain("the ledger has no customer with rows yet; a backfill stores some");
        return Ok(Exit::CouldNotRun);
    }
    Ok(if found.is_equal() {
        Exit::Success
    } else {
        Exit::SomeFailed
    })
}

/// Without names the result is still of use.
async fn add_names(found: &mut Verified, store: &Store) {
    let differing = found.differences.iter().map(|it| it.customer_id);
    let ids: HashSet<CustomerId> = differing
        .chain(found.failures.iter().map(|it| it.customer_id))
        .collect();
    let ids: Vec<CustomerId> = ids.into_iter().collect();
    let known = tokio::time::timeout(NAMES_TIMEOUT, store.load_customer_names(&ids)).await;
    let known = known.map(Result::unwrap_or_default).unwrap_or_default();
    let name = |id: &CustomerId| known.get(id).map(|name| printable(name));
    for difference in &mut found.differences {
        difference.customer_name = name(&difference.customer_id);
    }
    for failure in &mut found.failures {
        failure.customer_name = name(&failure.customer_id);
    }
}
