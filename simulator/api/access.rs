//! Who may call: judges the bearer token, its proof of multi-factor sign-in and the
//! limits of calls, in this order, before any call to the API is looked at.

use std::{
    sync::atomic::Ordering::Relaxed,
    time::{Duration, Instant},
};

use serde_json::json;
use uuid::Uuid;

use crate::{
    api::fault,
    settings::{RefusedBy, RetryAfter, Settings},
    sign_in::token::Bearer,
    simulator::{Kind, Simulator, lock},
    wire::http::{Request, Response},
};

/// The verdict on a call.
pub(crate) struct Admission {
    /// The answer, if it is not admitted.
    pub(crate) refusal: Option<Response>,
    /// Whether its sign-in counts as multi-factor; `None` when no user signed in.
    pub(crate) mfa_compliant: Option<bool>,
}

/// Judges a call.
pub(crate) fn judge(
    simulator: &Simulator,
    settings: &Settings,
    kind: Kind,
    about: &str,
    request: &Request,
) -> Admission {
    let now = Instant::now();
    let refused = |refusal: Response, mfa_compliant| Admission {
        refusal: Some(refusal),
        mfa_compliant,
    };
    let token = request
        .header("authorization")
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = token else {
        let text = "The security token is missing from the request.";
        return refused(unauthorized("800001", text), None);
    };
    let customer = kind
        .subject()
        .and_then(|_| Uuid::try_parse(about).ok())
        .and_then(|id| simulator.world.find(id));
    // Apart, so that the tokens are not locked while the call is judged further.
    let bearer = lock(&simulator.authority).bearer(token.trim(), now);
    let mfa_compliant = match bearer {
        Bearer::Unknown => {
            let text = "Access denied. The token is not valid.";
            return refused(unauthorized("400", text), None);
        }
        Bearer::Expired => {
            let text = "Access denied. The token has expired.";
            return refused(unauthorized("400", text), None);
        }
        Bearer::AppOnly if kind.subject().is_some() => {
            let text = "This operation does not support app-only authentication tokens.";
            return refused(fault(403, "900329", text), None);
        }
        Bearer::AppOnly => None,
        Bearer::User => Some(settings.mfa && !falls_out(simulator, settings, customer)),
    };
    if mfa_compliant == Some(false) {
        let text = "MFA is required, and the token carries no claim of it.";
        return refused(unauthorized("900421", text), mfa_compliant);
    }
    let counted = lock(&simulator.throttle).take(settings, customer, now);
    Admission {
        refusal: counted.err().map(|wait| throttled(settings, wait)),
        mfa_compliant,
    }
}

/// Whether a call is among the share that is refused in spite of its proof.
fn falls_out(simulator: &Simulator, settings: &Settings, customer: Option<u32>) -> bool {
    let call = simulator.calls.fetch_add(1, Relaxed);
    let share = settings.mfa_refused_share;
    match settings.mfa_refused_by {
        RefusedBy::Request => simulator.world.falls_on_request(call, share),
        RefusedBy::Customer => {
            customer.is_some_and(|number| simulator.world.falls_on_customer(number, share))
        }
    }
}

fn unauthorized(code: &str, text: &str) -> Response {
    fault(401, code, text).with("WWW-Authenticate", "Bearer realm=\"\"")
}

fn throttled(settings: &Settings, wait: u64) -> Response {
    let message = format!("Rate limit is exceeded. Try again in {wait} seconds.");
    let body = json!({ "statusCode": 429, "message": message });
    let response = Response::json(429, &body);
    match settings.retry_after {
        RetryAfter::None => response,
        RetryAfter::Seconds => response.with("Retry-After", wait.to_string()),
        RetryAfter::Date => {
            // A date has no fractions, and must not be too early without them.
            let until = crate::simulator::now() + Duration::from_secs(wait + 1);
            response.with("Retry-After", crate::wire::http::date(until))
        }
    }
}
