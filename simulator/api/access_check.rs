//! The check that every call passes before it is answered: its bearer token, the token's proof of
//! multi-factor sign-in, and the limits on the rate of calls, in this order.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use uuid::Uuid;

use super::{envelope::fault, rate_limit::RateLimiter};
use crate::{
    clock::now,
    lock::lock,
    settings::{MfaRefusedBy, RetryAfter, SimulatorSettings},
    sign_in::{Bearer, Issued},
    traffic::RequestContext,
    wire::{HttpResponse, http_date},
    world::World,
};

/// The state of the check.
#[derive(Debug)]
pub(crate) struct AccessCheck {
    rate_limiter: Mutex<RateLimiter>,
    /// Number of users' calls so far. A share of the calls is drawn by their numbers.
    user_calls: AtomicU64,
}

/// The result for one call.
pub(super) struct Access {
    /// The answer to a call that is refused.
    pub(super) refusal: Option<HttpResponse>,
    /// Whether the sign-in counts as multi-factor; `None` if no user signed in.
    pub(super) mfa_compliant: Option<bool>,
}

impl AccessCheck {
    pub(super) fn new() -> Self {
        Self {
            rate_limiter: Mutex::new(RateLimiter::new(Instant::now())),
            user_calls: AtomicU64::new(0),
        }
    }

    /// Starts the schedule of rate limits now.
    pub(crate) fn restart_rate_schedule(&self) {
        lock(&self.rate_limiter).restart_schedule(Instant::now());
    }

    pub(super) fn check(
        &self,
        issued: &Mutex<Issued>,
        world: &World,
        context: &RequestContext<'_>,
    ) -> Access {
        let settings = context.settings;
        let dataset = context.endpoint.dataset();
        let customer = dataset
            .and_then(|_| Uuid::try_parse(context.path_id).ok())
            .and_then(|id| world.find(id));
        let mfa_compliant = match bearer(issued, context) {
            Err(refusal) => {
                return Access {
                    refusal: Some(refusal),
                    mfa_compliant: None,
                };
            }
            Ok(Bearer::User) => {
                Some(settings.mfa && !self.is_in_refused_share(world, settings, customer))
            }
            Ok(_) => None,
        };
        let refusal = if mfa_compliant == Some(false) {
            let text = "MFA is required, and the token carries no claim of it.";
            Some(unauthorized("900421", text))
        } else {
            let taken = lock(&self.rate_limiter).take(settings, customer, Instant::now());
            taken.err().map(|wait_secs| throttled(settings, wait_secs))
        };
        Access {
            refusal,
            mfa_compliant,
        }
    }

    /// Whether a call belongs to the share that is refused in spite of its proof.
    fn is_in_refused_share(
        &self,
        world: &World,
        settings: &SimulatorSettings,
        customer: Option<u32>,
    ) -> bool {
        let call = self.user_calls.fetch_add(1, Relaxed);
        let share = settings.mfa_refused_share;
        match settings.mfa_refused_by {
            MfaRefusedBy::Request => world.is_in_call_share(call, share),
            MfaRefusedBy::Customer => {
                customer.is_some_and(|number| world.is_in_customer_share(number, share))
            }
        }
    }
}

/// The kind of the call's token, if it is valid and may make this call.
///
/// # Errors
/// When it is not: the answer.
fn bearer(issued: &Mutex<Issued>, context: &RequestContext<'_>) -> Result<Bearer, HttpResponse> {
    let token = context
        .request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        let text = "The security token is missing from the request.";
        return Err(unauthorized("800001", text));
    };
    let bearer = lock(issued).bearer(token.trim(), Instant::now());
    match bearer {
        Bearer::Unknown => Err(unauthorized(
            "400",
            "Access denied. The token is not valid.",
        )),
        Bearer::Expired => Err(unauthorized("400", "Access denied. The token has expired.")),
        Bearer::AppOnly if context.endpoint.dataset().is_some() => {
            let text = "This operation does not support app-only authentication tokens.";
            Err(fault(403, "900329", text))
        }
        Bearer::AppOnly | Bearer::User => Ok(bearer),
    }
}

fn unauthorized(code: &str, text: &str) -> HttpResponse {
    fault(401, code, text).with("WWW-Authenticate", "Bearer realm=\"\"")
}

fn throttled(settings: &SimulatorSettings, wait_secs: u64) -> HttpResponse {
    let message = format!("Rate limit is exceeded. Try again in {wait_secs} seconds.");
    let body = json!({ "statusCode": 429, "message": message });
    let response = HttpResponse::json(429, &body);
    match settings.retry_after {
        RetryAfter::None => response,
        RetryAfter::Seconds => response.with("Retry-After", wait_secs.to_string()),
        RetryAfter::Date => {
            // The header has whole seconds only, and must not be too early by the rest.
            let until = now() + Duration::from_secs(wait_secs + 1);
            response.with("Retry-After", http_date(until))
        }
    }
}
