//! `seatledger migrate`: the ledger's tables.

use std::sync::Arc;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::store::{Migrations, Store};
use crate::sync::{RunError, Upgrade};

use super::{database_retry_of_a_person, say};

pub(super) async fn migrate(
    config: &Config,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let store = Store::new(&config.database)?;
    bring_up_to_date(&store, config, clock, lifecycle).await?;
    say("The database's tables are up to date")?;
    Ok(Exit::Success)
}

async fn bring_up_to_date(
    store: &Store,
    config: &Config,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> Result<(), RunError> {
    let upgrade = Upgrade {
        store,
        migrations: &Migrations::embedded(),
        retry: database_retry_of_a_person(config.retry).at_start,
        clock,
        shutdown: &lifecycle.shutdown,
    };
    let waiting = watch::Sender::new(None);
    upgrade.run(&waiting).await
}
