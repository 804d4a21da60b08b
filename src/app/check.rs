//! `seatledger check`: each part tried in turn, one line each, up to the first thing to mend.

use std::sync::Arc;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::{Exit, Lifecycle};
use crate::partner_center::{Mfa, Probed, advice};
use crate::retry::{Fails as _, GaveUp, Remedy};
use crate::store::Experience;
use crate::usage::Source;

use super::say;

/// Customers on one page of the partner's list.
const LISTED_PER_CALL: usize = 500;

/// Rows on one page of a partner-wide collection.
const ROWS_PER_PAGE: f64 = 10_000.0;

pub(super) async fn run(
    config: &Config,
    clock: Arc<dyn Clock>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Exit> {
    let stop = &lifecycle.stop;
    let syncer = {
        let retry = config.retry.with_doubt(super::START_PATIENCE);
        super::syncer(config, retry, clock, lifecycle)?
    };
    say(&format!("ok    configuration  {}", config.path.display()))?;

    if let Err(error) = syncer.store.probe().await {
        return mend("database", &with_causes(&error), error.remedy());
    }
    say("ok    database       connected, may create tables")?;
    // There may be no tables yet.
    let known = syncer.store.load_locale().await.ok().flatten();
    if let Some(refused) = syncer.refuse_locale(known) {
        return mend("locale", &refused.to_string(), refused.remedy());
    }

    if let Err(error) = syncer.client.sign_in(stop).await {
        return mend("sign-in", &with_causes(&error), error.remedy());
    }
    match syncer.client.examine_token(stop).await {
        Ok(Mfa::Nobody) => say("ok    sign-in        a token was issued")?,
        Ok(seen) => {
            let seen = super::login::mfa(seen);
            say(&format!("ok    sign-in        a token was issued. {seen}"))?;
        }
        Err(error) => return mend("sign-in", &with_causes(&error), error.remedy()),
    }

    let customers = match syncer.list_customers(stop).await {
        Ok(customers) => customers,
        Err(error) => return mend("customers", &with_causes(&error), error.remedy()),
    };
    say(&format!(
        "ok    customers      {} on the list",
        customers.len()
    ))?;

    let Some(first) = customers.first() else {
        return mend("customers", "there is none", Remedy::Configuration);
    };
    let probed = match syncer
        .client
        .probe_usage(config.partner_center.source, first.id, stop)
        .await
    {
        Ok(probed) => probed,
        Err(GaveUp::Failed { error, .. }) => {
            let mut what = format!("customer {}: {}", first.id, with_causes(&error));
            if let Some(status) = error.http_status().filter(|status| *status >= 400) {
                what.push_str("; ");
                what.push_str(advice(Some(status), error.code()));
            }
            return mend("usage", &what, error.remedy());
        }
        Err(GaveUp::Stopped { .. }) => return mend("usage", "stopped", Remedy::Time),
    };
    say(&format!(
        "ok    usage          customer {}: {} rows, {} rejected",
        first.id, probed.rows, probed.rejected
    ))?;
    // A user who may read analytics need not be allowed to list customers, so that a refusal proves nothing here.
    match syncer.client.probe_mfa(stop).await.unwrap_or_default() {
        Some(true) => say("ok    MFA            the API finds the token compliant")?,
        Some(false) => {
            let what = advice(Some(401), Some("900421"));
            return mend("MFA", what, Remedy::Person);
        }
        None => say("ok    MFA            the API does not say whether the token is compliant")?,
    }
    let experience = syncer
        .store
        .load_experience(config.partner_center.source)
        .await
        // There may be no tables yet.
        .unwrap_or_default();
    say(&format!(
        "ok    estimate       {}",
        estimate(config, customers.len(), &probed, experience)
    ))?;
    Ok(Exit::Success)
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
        "a full run takes about {calls} calls, {:.1} minutes at {rate:.1} requests a second ({why}), and brings about {rows:.0} rows (going by {by})",
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

/// Names the first thing to mend.
fn mend(part: &str, what: &str, remedy: Remedy) -> anyhow::Result<Exit> {
    say(&format!("mend  {part:<14} {what}"))?;
    Ok(remedy.into())
}
