//! `seatledger status`: whether the figures are up to date, the last and the next run, which host
//! leads, the consent of each, and which customers need a person; read from the database.
//! [`Standing`] judges what was read; `screen`, `form` and `monitor` say it to a person,
//! to a program and to a monitoring system.

mod form;
mod monitor;
mod screen;
#[cfg(test)]
mod tests;

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use tokio::time::timeout;

use crate::causes::with_causes;
use crate::cli::StatusBounds;
use crate::config::{Config, Method};
use crate::lifecycle::Exit;
use crate::schedule::Timeliness;
use crate::standing::Standing;
use crate::store::Store;

use super::{complain, print, say};

/// Customers that need a person, at most: the text shows fewer than JSON.
const SHOWN_ON_SCREEN: i64 = 10;
const SHOWN_IN_JSON: i64 = 1_000;

/// How long `--check` reads. Monitoring systems kill a plugin that takes over ten seconds.
const CHECK_LIMIT: Duration = Duration::from_secs(8);

/// Shows it to a person, or as JSON.
pub(super) async fn run(config: &Config, now: DateTime<Utc>, json: bool) -> anyhow::Result<Exit> {
    let shown = if json { SHOWN_IN_JSON } else { SHOWN_ON_SCREEN };
    let standing = load(config, now, shown).await?;
    if json {
        let form = serde_json::to_string(&form::form(&standing));
        say(&form.context("the status cannot be written")?)?;
    } else {
        print(&screen::screen(&standing))?;
    }
    Ok(match standing.timeliness {
        Timeliness::OnTime => Exit::Success,
        Timeliness::Late | Timeliness::Overdue => Exit::CouldNotRun,
    })
}

/// Says it to a monitoring system, in one line.
pub(super) async fn check(
    config: &Config,
    now: DateTime<Utc>,
    bounds: &StatusBounds,
) -> anyhow::Result<Exit> {
    let line = match timeout(CHECK_LIMIT, load(config, now, 0)).await {
        Ok(Ok(standing)) => monitor::line(&standing, bounds),
        Ok(Err(error)) => monitor::unknown(&with_causes(&*error)),
        Err(_) => monitor::unknown("the database gave no answer in time"),
    };
    say(&line.text)?;
    Ok(Exit::Monitored(line.state.code()))
}

/// Says to a monitoring system why there is nothing to judge: the command line or the configuration
/// is wrong.
pub(super) fn check_impossible(why: &str) -> anyhow::Result<Exit> {
    let line = monitor::unknown(why);
    say(&line.text)?;
    Ok(Exit::Monitored(line.state.code()))
}

async fn load(config: &Config, now: DateTime<Utc>, shown: i64) -> anyhow::Result<Standing> {
    let store = Store::new(&config.database)?;
    store.reach().await?;
    let upgrade = describe_upgrade(&store).await?;
    if let Some(upgrade) = &upgrade {
        // At once, because the tables may be older than what is read below.
        complain(upgrade);
    }
    // Of no customer only the number.
    let mut attention = store.load_attention(shown.max(1)).await?;
    attention
        .shown
        .truncate(usize::try_from(shown).unwrap_or_default());
    let overview = store.load_overview(now).await?;
    store.close().await;
    let schedule = config.schedule.schedule.clone();
    let has_sign_ins = matches!(config.auth.method, Method::RefreshToken { .. });
    Ok(Standing {
        upgrade,
        ..Standing::new(now, schedule, overview, attention, has_sign_ins)
    })
}

/// What a daemon or `migrate` may be waiting for, if the tables are not up to date.
async fn describe_upgrade(store: &Store) -> anyhow::Result<Option<String>> {
    let missing = store.load_missing_migrations().await?;
    if missing == 0 {
        return Ok(None);
    }
    let users = store.load_users().await?;
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    let mut said = format!(
        "the tables are not up to date (migrations to apply: {missing}); the daemon applies them \
         as it starts, and so does: seatledger migrate"
    );
    if !users.is_empty() {
        said.push_str("; these sessions use the tables, which may keep the migrations waiting: ");
        said.push_str(&users.join("; "));
    }
    Ok(Some(said))
}
