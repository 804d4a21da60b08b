//! `seatledger check`: tries every part that does not depend on a failed one, and prints a line for
//! each, as soon as it is known that the part is ready. The last line is the first thing to mend.
//! Ends within 30 s, whatever does not respond.

mod api;
mod checklist;
mod estimate;
mod result;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::MultiProgress;
use tokio::time::{Instant, timeout_at};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::{Config, ConfigError, StatusSettings};
use crate::lifecycle::{Exit, Lifecycle};
use crate::notify;
use crate::printable::printable;
use crate::retry::Classify as _;
use crate::span::counted;
use crate::standing::RecordedLeader;
use crate::store::Store;
use api::ApiCheck;
use checklist::Checklist;
use estimate::EstimateInput;
use result::PartResult;

const CONFIGURATION: &str = "configuration";

/// When the last response must be there. The whole command may take half a minute.
const TIME_LIMIT: Duration = Duration::from_secs(28);

/// For how long the database is checked, at most: the sign-in and the API need some of the time.
const DATABASE_TIME_LIMIT: Duration = Duration::from_secs(18);

/// The timeout of a call, at most: a person is waiting.
const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a failed call is retried, at most: the command has to end in time.
const MAX_RETRY_TIME: Duration = Duration::from_secs(2);

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    bars: MultiProgress,
    lifecycle: &Lifecycle,
    json: bool,
) -> anyhow::Result<Exit> {
    let impatient = with_short_timeouts(config);
    let retry = impatient.retry.with_likely_permanent(super::START_RETRY);
    let syncer = super::syncer(&impatient, retry, Arc::clone(&clock), lifecycle)?;
    let begun = Instant::now();
    let deadline = begun + TIME_LIMIT;
    let mut list = Checklist::new(json, bars);
    list.push(PartResult::ok(CONFIGURATION, describe_settings(config)))?;
    if let Some(said) = describe_status(&config.status) {
        list.push(PartResult::ok("status address", said))?;
    }
    let has_targets = config.notify.ping.is_some() || config.notify.webhook.is_some();
    list.trying(if has_targets {
        "the database, and where notifications go"
    } else {
        "the database"
    });
    let host = &syncer.keeper.instance().host;
    let (proven, notified) = tokio::join!(
        Box::pin(syncer.store.probe(&*clock, begun + DATABASE_TIME_LIMIT)),
        notify::probe(&config.notify, host, &*clock),
    );
    for proven in proven {
        list.push(match proven.found {
            Ok(what) => PartResult::ok(proven.part, what),
            Err(error) => PartResult::faulty(proven.part, with_causes(&error), error.remedy()),
        })?;
    }
    let is_database_ready = list.is_ok();
    for (part, tried) in notified {
        list.push(match tried {
            Ok(what) => PartResult::ok(part, what),
            Err((what, remedy)) => PartResult::faulty(part, what, remedy),
        })?;
    }
    let schedule = describe_schedule(config, &syncer.store, clock.now());
    let schedule = if is_database_ready {
        timeout_at(deadline, schedule).await.ok()
    } else {
        None
    };
    let next_tick = || describe_next_tick(config, clock.now());
    let schedule = schedule.unwrap_or_else(next_tick);
    list.push(PartResult::ok("schedule", schedule))?;
    let stored_locale = if is_database_ready {
        // There may be no tables yet.
        let loading = timeout_at(deadline, syncer.store.load_locale());
        loading.await.ok().and_then(Result::ok).flatten()
    } else {
        None
    };
    if let Some(refused) = syncer.refuse_locale(stored_locale) {
        // A run would not fetch anything in this locale, so nothing is fetched here either.
        let (what, remedy) = (refused.to_string(), refused.remedy());
        list.push(PartResult::faulty("locale", what, remedy))?;
        return list.finish();
    }
    let api = ApiCheck {
        config,
        syncer: &syncer,
        shutdown: &lifecycle.shutdown,
        deadline,
    };
    let found = api.run(&mut list).await?;
    if let (Some(customers), Some(probed)) = (found.customers, found.probed)
        && list.is_ok()
    {
        list.trying("to estimate a run");
        let settings = &config.partner_center;
        let experience = timeout_at(deadline, syncer.store.load_experience(settings.source));
        let experience = experience.await.ok().and_then(Result::ok);
        let estimate = estimate::describe(&EstimateInput {
            settings,
            customers,
            discover: config.customers.discover,
            probed_rows: probed.rows,
            call_duration: probed.took,
            experience: experience.unwrap_or_default(),
        });
        list.push(PartResult::ok("estimate", estimate))?;
    }
    list.finish()
}

/// Says in JSON that there is no valid configuration.
pub(super) fn say_misconfigured(error: &ConfigError) -> anyhow::Result<Exit> {
    let mut list = Checklist::new(true, MultiProgress::new());
    let fault = PartResult::faulty(CONFIGURATION, error.to_string(), error.remedy());
    list.push(fault)?;
    list.finish()
}

/// The file, and where the settings come from.
fn describe_settings(config: &Config) -> String {
    let origins = &config.origins;
    let mut said = format!(
        "{}: {}",
        config.path.display(),
        counted(origins.in_file, "setting")
    );
    for (count, from) in [
        (origins.in_environment, "from the environment"),
        (origins.credentials, "from systemd credentials"),
    ] {
        if count > 0 {
            let _infallible = write!(said, ", {count} {from}");
        }
    }
    said
}

/// Where the status address is, and whether it shows names of customers; none if it is off.
fn describe_status(settings: &StatusSettings) -> Option<String> {
    let address = settings.listen?;
    let pages = match (
        settings.has_pages,
        address.ip().to_canonical().is_loopback(),
    ) {
        (true, true) => "with pages, for this machine only",
        (true, false) => {
            "with pages that show names of customers to everybody who reaches it: let only a \
             reverse proxy that asks for a password reach it"
        }
        (false, _) => "without pages (status.pages)",
    };
    Some(format!("http://{address}{}/ {pages}", settings.path_prefix))
}

fn describe_next_tick(config: &Config, now: DateTime<Utc>) -> String {
    let schedule = &config.schedule.schedule;
    let next = schedule.next_after(now);
    next.map_or_else(
        || "there are no further ticks".to_owned(),
        |next| format!("the next tick is {}", schedule.in_zone(next)),
    )
}

/// The next tick, and who does it.
async fn describe_schedule(config: &Config, store: &Store, now: DateTime<Utc>) -> String {
    let next = describe_next_tick(config, now);
    // There may be no tables yet.
    let leases = store.load_leases().await.unwrap_or_default();
    match RecordedLeader::among(&leases) {
        Some(leader) => format!("{next}; the daemon of {} does it", printable(&leader.host)),
        None => format!("{next}; no daemon runs that would do it"),
    }
}

/// The configuration with timeouts that a person can wait for.
fn with_short_timeouts(config: &Config) -> Config {
    let mut config = config.clone();
    let max_elapsed = config.retry.max_elapsed().min(MAX_RETRY_TIME);
    config.retry = config.retry.with_max_elapsed(max_elapsed);
    let settings = &mut config.partner_center;
    settings.request_timeout = settings.request_timeout.min(MAX_CALL_TIMEOUT);
    settings.connect_timeout = settings.connect_timeout.min(MAX_CALL_TIMEOUT);
    config
}
