//! `seatledger check`: each part tried in turn, one line each, up to the first thing to mend.

use std::sync::Arc;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::retry::GaveUp;

use super::say;

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let stop = &lifecycle.stop;
    let syncer = super::syncer(config, clock, lifecycle)?;
    say(&format!("ok    configuration  {}", config.path.display()))?;

    if let Err(error) = syncer.store.probe().await {
        return mend("database", &with_causes(&error));
    }
    say("ok    database       connected, may create tables")?;

    if let Err(error) = syncer.client.sign_in(stop).await {
        return mend("sign-in", &with_causes(&error));
    }
    say("ok    sign-in        a token was issued")?;

    let customers = match syncer.list_customers(stop).await {
        Ok(customers) => customers,
        Err(error) => return mend("customers", &with_causes(&error)),
    };
    say(&format!(
        "ok    customers      {} on the list",
        customers.len()
    ))?;

    let Some(first) = customers.first() else {
        return mend("customers", "there is none");
    };
    match syncer.client.fetch_usage(first.id, stop).await {
        Ok(fetched) => say(&format!(
            "ok    usage          customer {}: {} rows, {} rejected",
            first.id,
            fetched.collection.rows.len(),
            fetched.collection.rejections.len()
        ))?,
        Err(GaveUp::Failed { error, .. }) => {
            let what = format!("customer {}: {}", first.id, with_causes(&error));
            return mend("usage", &what);
        }
        Err(GaveUp::Stopped { .. }) => return mend("usage", "stopped"),
    }
    Ok(Exit::Success)
}

/// Names the first thing to mend.
fn mend(part: &str, what: &str) -> anyhow::Result<Exit> {
    say(&format!("mend  {part:<14} {what}"))?;
    Ok(Exit::CouldNotRun)
}
