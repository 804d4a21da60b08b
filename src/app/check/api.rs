//! Checks the token's file, the sign-in and the API.

use tokio::time::{Instant, timeout_at};

use super::checklist::Checklist;
use super::result::PartResult;
use crate::app::login;
use crate::causes::with_causes;
use crate::config::Config;
use crate::ledger::Customer;
use crate::partner_center::{Mfa, Probed, Session, advice, check_token_file};
use crate::retry::{Classify as _, Remedy, RetryError};
use crate::shutdown::Shutdown;
use crate::span::counted;
use crate::sync::Syncer;

/// What is checked, and until when.
pub(super) struct ApiCheck<'a> {
    pub(super) config: &'a Config,
    pub(super) syncer: &'a Syncer,
    pub(super) shutdown: &'a Shutdown,
    pub(super) deadline: Instant,
}

/// What the checks found.
#[derive(Default)]
pub(super) struct Found {
    /// How many customers a run would have; none if the list could not be fetched.
    pub(super) customers: Option<usize>,
    /// The usage of the first of them, if it could be fetched.
    pub(super) probed: Option<Probed>,
}

impl ApiCheck<'_> {
    /// # Errors
    /// When a result cannot be printed.
    pub(super) async fn run(&self, list: &mut Checklist) -> anyhow::Result<Found> {
        let Self {
            config, deadline, ..
        } = *self;
        let mut found = Found::default();
        let session = self.syncer.client.begin_session();
        // A token is spent only if the next one can be stored.
        let mut can_sign_in = true;
        if let Some(file) = check_file(config).await {
            can_sign_in = file.is_ok();
            list.push(file)?;
        }
        let mut has_token = false;
        if can_sign_in {
            list.trying("to sign in");
            let signed_in = sign_in(&session, self.shutdown, deadline).await;
            has_token = signed_in.is_ok();
            list.push(signed_in)?;
        }
        let mut first = None;
        // Without `discover` the list needs no request.
        if has_token || !config.customers.discover {
            list.trying("the list of customers");
            let part = "customers";
            let listing = self.syncer.list_customers(&session, self.shutdown);
            list.push(match timeout_at(deadline, listing).await {
                Ok(Ok(customers)) => {
                    let count = customers.len();
                    found.customers = Some(count);
                    first = customers.into_iter().next();
                    match count {
                        0 => PartResult::faulty(part, "there are none", Remedy::Configuration),
                        count => PartResult::ok(part, format!("{count} on the list")),
                    }
                }
                Ok(Err(error)) => PartResult::faulty(part, with_causes(&error), error.remedy()),
                Err(_) => timed_out(part),
            })?;
        }
        if !has_token {
            return Ok(found);
        }
        if let Some(first) = first {
            list.trying("a customer's usage");
            let fetching = fetch_usage(config, &session, &first, self.shutdown);
            let (result, probed) = timeout_at(deadline, fetching)
                .await
                .unwrap_or_else(|_| (timed_out("usage"), None));
            list.push(result)?;
            found.probed = probed;
        }
        list.trying("whether the API takes the sign-in for multi-factor");
        list.push(check_mfa(&session, self.shutdown, deadline).await)?;
        Ok(found)
    }
}

fn timed_out(part: &'static str) -> PartResult {
    PartResult::faulty(part, "no response in time", Remedy::Time)
}

/// Whether a renewed token can be stored; none if no person signs in.
async fn check_file(config: &Config) -> Option<PartResult> {
    let part = "token file";
    match check_token_file(&config.auth).await {
        Ok(file) => {
            let what = format!("{}: a renewed token can be stored", file?.display());
            Some(PartResult::ok(part, what))
        }
        Err(error) => Some(PartResult::faulty(
            part,
            with_causes(&error),
            error.remedy(),
        )),
    }
}

async fn sign_in(session: &Session, shutdown: &Shutdown, deadline: Instant) -> PartResult {
    let part = "sign-in";
    let signing_in = async {
        session.sign_in(shutdown).await?;
        session.examine_token(shutdown).await
    };
    match timeout_at(deadline, signing_in).await {
        Ok(Ok(Mfa::NoUser)) => PartResult::ok(part, "a token was issued"),
        Ok(Ok(mfa)) => {
            let mfa = login::describe_mfa(mfa);
            PartResult::ok(part, format!("a token was issued. {mfa}"))
        }
        Ok(Err(error)) => PartResult::faulty(part, with_causes(&error), error.remedy()),
        Err(_) => timed_out(part),
    }
}

async fn fetch_usage(
    config: &Config,
    session: &Session,
    customer: &Customer,
    shutdown: &Shutdown,
) -> (PartResult, Option<Probed>) {
    let part = "usage";
    let source = config.partner_center.source;
    let id = customer.id;
    match session.probe_usage(source, id, shutdown).await {
        Ok(probed) => {
            let Probed { rows, rejected, .. } = &probed;
            let what = format!(
                "customer {id}: {}, {rejected} rejected",
                counted(*rows, "row")
            );
            (PartResult::ok(part, what), Some(probed))
        }
        Err(RetryError::Failed { error, .. } | RetryError::Fatal(error)) => {
            let mut what = format!("customer {id}: {}", with_causes(&error));
            if let Some(status) = error.http_status().filter(|status| *status >= 400) {
                what.push_str("; ");
                what.push_str(advice(Some(status), error.code()));
            }
            (PartResult::faulty(part, what, error.remedy()), None)
        }
        Err(RetryError::Stopped { .. }) => {
            (PartResult::faulty(part, "stopped", Remedy::Time), None)
        }
    }
}

/// Only a clear answer of the API counts. The call lists customers, which a user who may read
/// analytics need not be allowed to do, so its refusal proves nothing.
async fn check_mfa(session: &Session, shutdown: &Shutdown, deadline: Instant) -> PartResult {
    let part = "MFA";
    match timeout_at(deadline, session.probe_mfa(shutdown)).await {
        Ok(compliant) => match compliant.unwrap_or_default() {
            Some(true) => PartResult::ok(part, "the API finds the token compliant"),
            Some(false) => {
                PartResult::faulty(part, advice(Some(401), Some("900421")), Remedy::Person)
            }
            None => PartResult::ok(part, "the API does not say whether the token is compliant"),
        },
        Err(_) => timed_out(part),
    }
}
