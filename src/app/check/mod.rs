//! `seatledger check`: tries every part that does not depend on a failed one, and prints a line for
//! each. The last line is the first thing to mend. Ends within 30 s, whatever does not respond.

mod api;
mod estimate;
mod result;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::say;
use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::notify;
use crate::retry::{Classify as _, Remedy};
use estimate::EstimateInput;
use result::{PartResult, lines};

/// When the last response must be there. The whole command may take half a minute.
const TIME_LIMIT: Duration = Duration::from_secs(28);

/// The timeout of a call, at most: a person is waiting.
const MAX_CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a failed call is retried, at most: the command has to end in time.
const MAX_RETRY_TIME: Duration = Duration::from_secs(2);

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let shutdown = &lifecycle.shutdown;
    let impatient = with_short_timeouts(config);
    let retry = impatient.retry.with_likely_permanent(super::START_RETRY);
    let syncer = super::syncer(&impatient, retry, Arc::clone(&clock), lifecycle)?;
    say(&format!("ok    configuration  {}", config.path.display()))?;

    let deadline = Instant::now() + TIME_LIMIT;
    let mut results = Vec::new();
    let host = &syncer.keeper.instance().host;
    let (proven, notified) = tokio::join!(
        Box::pin(syncer.store.probe(&*clock)),
        notify::probe(&config.notify, host, &*clock),
    );
    for proven in proven {
        results.push(match proven.found {
            Ok(what) => PartResult::ok(proven.part, what),
            Err(error) => PartResult::faulty(proven.part, with_causes(&error), error.remedy()),
        });
    }
    for (part, tried) in notified {
        results.push(match tried {
            Ok(what) => PartResult::ok(part, what),
            Err(what) => PartResult::faulty(part, what, Remedy::Person),
        });
    }
    let stored_locale = if all_ok(&results) {
        // There may be no tables yet.
        syncer.store.load_locale().await.ok().flatten()
    } else {
        None
    };
    if let Some(refused) = syncer.refuse_locale(stored_locale) {
        // A run would not fetch anything in this locale, so nothing is fetched here either.
        let (what, remedy) = (refused.to_string(), refused.remedy());
        results.push(PartResult::faulty("locale", what, remedy));
        return report(&results);
    }
    let api = api::check(config, &syncer, shutdown, deadline).await;
    results.extend(api.results);
    if let (Some(customers), Some(probed)) = (api.customers, api.probed)
        && all_ok(&results)
    {
        let settings = &config.partner_center;
        let experience = syncer.store.load_experience(settings.source).await;
        let estimate = estimate::describe(&EstimateInput {
            settings,
            customers,
            discover: config.customers.discover,
            probed_rows: probed.rows,
            call_duration: probed.took,
            experience: experience.unwrap_or_default(),
        });
        results.push(PartResult::ok("estimate", estimate));
    }
    report(&results)
}

fn all_ok(results: &[PartResult]) -> bool {
    results.iter().all(PartResult::is_ok)
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

fn report(results: &[PartResult]) -> anyhow::Result<Exit> {
    let (lines, remedy) = lines(results);
    for line in lines {
        say(&line)?;
    }
    Ok(remedy.map_or(Exit::Success, Exit::from))
}
