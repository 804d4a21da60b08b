//! `seatledger check`: every part tried that does not depend on one that failed, one line each, and
//! the first thing to mend. Answers within half a minute, whatever is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::ledger::{Customer, Source};
use crate::lifecycle::{Exit, Lifecycle};
use crate::partner_center::{Mfa, Probed, Session, advice, check_token_file};
use crate::retry::{Classify as _, Remedy, RetryError};
use crate::shutdown::Shutdown;
use crate::store::Experience;
use crate::sync::Syncer;

use super::say;

/// Customers on one page of the partner's list.
const LISTED_PER_CALL: usize = 500;

/// Rows on one page of a partner-wide collection.
const ROWS_PER_PAGE: f64 = 10_000.0;

/// The last answer is waited for until then. Half a minute is promised for the whole.
const LIMIT: Duration = Duration::from_secs(28);

/// One answer of the API is waited for no longer: a person is waiting.
const ANSWER: Duration = Duration::from_secs(15);

/// What fails is tried again no longer.
const AGAIN: Duration = Duration::from_secs(2);

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let shutdown = &lifecycle.shutdown;
    let hurried = hurried(config);
    let retry = hurried.retry.with_likely_permanent(super::START_PATIENCE);
    let syncer = super::syncer(&hurried, retry, Arc::clone(&clock), lifecycle)?;
    say(&format!("ok    configuration  {}", config.path.display()))?;

    let ends = Instant::now() + LIMIT;
    let mut found = Vec::new();
    for proven in Box::pin(syncer.store.probe(&*clock)).await {
        found.push(match proven.found {
            Ok(what) => Found::fine(proven.part, what),
            Err(error) => Found::amiss(proven.part, with_causes(&error), error.remedy()),
        });
    }
    let mut asked = Asked::default();
    let known = if found.iter().all(|found| found.remedy.is_none()) {
        // There may be no tables yet.
        syncer.store.load_locale().await.ok().flatten()
    } else {
        None
    };
    if let Some(refused) = syncer.refuse_locale(known) {
        // What would be asked for in a wrong language is not asked for.
        found.push(Found::amiss(
            "locale",
            refused.to_string(),
            refused.remedy(),
        ));
    } else {
        asked = ask(config, &syncer, shutdown, ends).await;
    }
    found.extend(asked.found);
    if let (Some(customers), Some(probed)) = (asked.customers, asked.probed)
        && found.iter().all(|found| found.remedy.is_none())
    {
        let experience = syncer
            .store
            .load_experience(config.partner_center.source)
            .await
            .unwrap_or_default();
        let estimate = estimate(config, customers, &probed, experience);
        found.push(Found::fine("estimate", estimate));
    }
    report(&found)
}

/// What was found of one part.
struct Found {
    part: &'static str,
    what: String,
    /// What mends it; none: nothing is amiss.
    remedy: Option<Remedy>,
}

impl Found {
    fn fine(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            part,
            what: what.into(),
            remedy: None,
        }
    }

    fn amiss(part: &'static str, what: impl Into<String>, remedy: Remedy) -> Self {
        Self {
            remedy: Some(remedy),
            ..Self::fine(part, what)
        }
    }
}

/// The same, with answers that a person can wait for.
fn hurried(config: &Config) -> Config {
    let mut config = config.clone();
    config.retry = config
        .retry
        .with_max_elapsed(config.retry.max_elapsed().min(AGAIN));
    let settings = &mut config.partner_center;
    settings.request_timeout = settings.request_timeout.min(ANSWER);
    settings.connect_timeout = settings.connect_timeout.min(ANSWER);
    config
}

/// What the sign-in and the API say.
#[derive(Default)]
struct Asked {
    found: Vec<Found>,
    customers: Option<usize>,
    probed: Option<Probed>,
}

async fn ask(config: &Config, syncer: &Syncer, shutdown: &Shutdown, ends: Instant) -> Asked {
    let mut asked = Asked::default();
    let session = syncer.client.begin_session();
    let kept = token_file(config).await;
    let can_be_kept = kept.iter().all(|found| found.remedy.is_none());
    asked.found.extend(kept);
    let has_token = if can_be_kept {
        let signed_in = sign_in(&session, shutdown, ends).await;
        let has_token = signed_in.remedy.is_none();
        asked.found.push(signed_in);
        has_token
    } else {
        // Without a place for its successor no token is spent.
        false
    };

    let mut first = None;
    // Those that the configuration lists are known without a question.
    if has_token || !config.customers.discover {
        match timeout_at(ends, syncer.list_customers(&session, shutdown)).await {
            Ok(Ok(customers)) => {
                asked.customers = Some(customers.len());
                asked.found.push(match customers.len() {
                    0 => Found::amiss("customers", "there is none", Remedy::Configuration),
                    count => Found::fine("customers", format!("{count} on the list")),
                });
                first = customers.into_iter().next();
            }
            Ok(Err(error)) => {
                let found = Found::amiss("customers", with_causes(&error), error.remedy());
                asked.found.push(found);
            }
            Err(_) => asked.found.push(unanswered("customers")),
        }
    }
    if !has_token {
        return asked;
    }
    if let Some(first) = first {
        match timeout_at(ends, usage(config, &session, &first, shutdown)).await {
            Ok((found, probed)) => {
                asked.found.push(found);
                asked.probed = probed;
            }
            Err(_) => asked.found.push(unanswered("usage")),
        }
    }
    // A user who may read analytics need not be allowed to list customers, so that a refusal proves
    // nothing here.
    asked
        .found
        .push(match timeout_at(ends, session.probe_mfa(shutdown)).await {
            Ok(seen) => match seen.unwrap_or_default() {
                Some(true) => Found::fine("MFA", "the API finds the token compliant"),
                Some(false) => {
                    Found::amiss("MFA", advice(Some(401), Some("900421")), Remedy::Person)
                }
                None => Found::fine("MFA", "the API does not say whether the token is compliant"),
            },
            Err(_) => unanswered("MFA"),
        });
    asked
}

fn unanswered(part: &'static str) -> Found {
    Found::amiss(part, "no answer in time", Remedy::Time)
}

/// Whether a renewed token can be kept; none where no person signs in.
async fn token_file(config: &Config) -> Option<Found> {
    const PART: &str = "token file";
    match check_token_file(&config.auth).await {
        Ok(file) => {
            let file = file?.display();
            let what = format!("{file}: a renewed token can be kept");
            Some(Found::fine(PART, what))
        }
        Err(error) => Some(Found::amiss(PART, with_causes(&error), error.remedy())),
    }
}

async fn sign_in(session: &Session, shutdown: &Shutdown, ends: Instant) -> Found {
    const PART: &str = "sign-in";
    let signing_in = async {
        session.sign_in(shutdown).await?;
        session.examine_token(shutdown).await
    };
    match timeout_at(ends, signing_in).await {
        Ok(Ok(Mfa::NoUser)) => Found::fine(PART, "a token was issued"),
        Ok(Ok(seen)) => {
            let seen = super::login::mfa(seen);
            Found::fine(PART, format!("a token was issued. {seen}"))
        }
        Ok(Err(error)) => Found::amiss(PART, with_causes(&error), error.remedy()),
        Err(_) => unanswered(PART),
    }
}

async fn usage(
    config: &Config,
    session: &Session,
    customer: &Customer,
    shutdown: &Shutdown,
) -> (Found, Option<Probed>) {
    const PART: &str = "usage";
    let source = config.partner_center.source;
    let id = customer.id;
    match session.probe_usage(source, id, shutdown).await {
        Ok(probed) => {
            let what = format!(
                "customer {id}: {} rows, {} rejected",
                probed.rows, probed.rejected
            );
            (Found::fine(PART, what), Some(probed))
        }
        Err(RetryError::Failed { error, .. } | RetryError::Fatal(error)) => {
            let mut what = format!("customer {id}: {}", with_causes(&error));
            if let Some(status) = error.http_status().filter(|status| *status >= 400) {
                what.push_str("; ");
                what.push_str(advice(Some(status), error.code()));
            }
            (Found::amiss(PART, what, error.remedy()), None)
        }
        Err(RetryError::Stopped { .. }) => (Found::amiss(PART, "stopped", Remedy::Time), None),
    }
}

/// One line for each part, and last the one to be mended first: what a person has to see to comes
/// before what may pass.
fn report(found: &[Found]) -> anyhow::Result<Exit> {
    let (amiss, fine): (Vec<_>, Vec<_>) = found.iter().partition(|found| found.remedy.is_some());
    for Found { part, what, .. } in fine {
        say(&format!("ok    {part:<14} {what}"))?;
    }
    let first = [Remedy::Configuration, Remedy::Person, Remedy::Time]
        .into_iter()
        .find_map(|remedy| Some((amiss.iter().position(|f| f.remedy == Some(remedy))?, remedy)));
    let Some((first, remedy)) = first else {
        return Ok(Exit::Success);
    };
    for (position, Found { part, what, .. }) in amiss.iter().enumerate() {
        if position != first {
            say(&format!("mend  {part:<14} {what}"))?;
        }
    }
    let Found { part, what, .. } = amiss[first];
    let before_others = if amiss.len() > 1 { "first: " } else { "" };
    say(&format!("mend  {part:<14} {before_others}{what}"))?;
    Ok(remedy.into())
}

/// What a full run would take, from what is known so far.
fn estimate(config: &Config, customers: usize, probed: &Probed, experience: Experience) -> String {
    let settings = &config.partner_center;
    let datasets = settings.datasets.len();
    let (rows_each, by) = match experience.rows_per_customer {
        Some(rows) => (rows, "earlier runs"),
        None => (whole(probed.rows), "this one customer"),
    };
    let rows = whole(customers) * rows_each;
    let collections = match settings.source {
        Source::Customer => customers * datasets,
        Source::Commercial => pages(rows) * datasets,
    };
    let calls = collections
        + if config.customers.discover {
            customers.div_ceil(LISTED_PER_CALL)
        } else {
            0
        };
    // So many at a time, each as long as the one just made.
    let unthrottled = whole(settings.max_concurrency) / probed.took.as_secs_f64().max(0.001);
    let (rate, why) = match (experience.learned_rate, settings.max_requests_per_second) {
        (Some(learned), bound) => {
            let rate = bound.map_or(learned, |bound| bound.min(learned));
            (rate, "as the last run learned")
        }
        (None, Some(bound)) if bound < unthrottled => (bound, "as configured"),
        (None, _) => (unthrottled, "if nothing is throttled"),
    };
    format!(
        "a full run takes about {calls} calls, {:.1} minutes at {rate:.1} requests a second \
         ({why}), and brings about {rows:.0} rows (going by {by})",
        whole(calls) / rate / 60.0
    )
}

#[expect(
    clippy::cast_precision_loss,
    reason = "an estimate has no use for the last digit"
)]
fn whole(count: usize) -> f64 {
    count as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of rows is whole and not below zero"
)]
fn pages(rows: f64) -> usize {
    ((rows / ROWS_PER_PAGE).ceil() as usize).max(1)
}
