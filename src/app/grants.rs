//! `seatledger migrate` and `seatledger grants`: the ledger's tables, and who may read them.

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

/// Lets a role read, or with `revoke` no longer.
pub(super) async fn run(
    config: &Config,
    clock: &Arc<dyn Clock>,
    lifecycle: &Lifecycle,
    role: &str,
    revoke: bool,
) -> anyhow::Result<Exit> {
    let store = Store::new(&config.database)?;
    bring_up_to_date(&store, config, clock, lifecycle).await?;
    if revoke {
        let revoked = store.revoke(role).await?;
        say(&if revoked.had_any {
            format!("The role {role:?} may no longer read the ledger")
        } else {
            format!("The role {role:?} had no right to take back")
        })?;
        for left in revoked.left {
            say(&format!(
                "It still has {left}, which only the schema's owner may take back"
            ))?;
        }
        return Ok(Exit::Success);
    }
    let granted = store.grant(role).await?;
    let (views, tables) = (granted.views, granted.tables.join(", "));
    say(&format!(
        "The role {role:?} may read {views} views, now and after each migration"
    ))?;
    if !tables.is_empty() {
        say(&format!("It may edit {tables}"))?;
    }
    for setting in granted.settings {
        say(&format!("It has {setting}"))?;
    }
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
