//! Signing in by a code that a person types in a browser elsewhere, while the client
//! asks again and again whether that is done.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use serde_json::json;
use uuid::Uuid;

use crate::{
    settings::Settings,
    sign_in::client as application,
    sign_in::entra_error::{Refusal, refusal},
    sign_in::token::{Form, field, uncached},
    simulator::{Simulator, lock},
    wire::http::{Request, Response},
};

/// The codes given out and not redeemed yet.
#[derive(Debug, Default)]
pub(crate) struct DeviceCodes(HashMap<String, DeviceCode>);

#[derive(Debug)]
struct DeviceCode {
    user_code: String,
    scope: String,
    until: Instant,
    polls: u32,
    decision: Option<bool>,
}

impl DeviceCodes {
    /// What the person decides at the browser, for one user code or for all that
    /// wait; gives how many there were.
    pub(crate) fn decide(&mut self, user_code: &str, approved: bool) -> usize {
        let waiting = self.0.values_mut().filter(|code| {
            code.decision.is_none() && (user_code.is_empty() || code.user_code == user_code)
        });
        waiting.map(|code| code.decision = Some(approved)).count()
    }

    /// Takes a device code in exchange for the scope it was given out for.
    pub(crate) fn redeem(&mut self, settings: &Settings, form: &Form) -> Result<String, Refusal> {
        let given = field(form, "device_code")?;
        let Some(code) = self.0.get_mut(given) else {
            return Err(refusal(70_000));
        };
        code.polls += 1;
        let enough = settings
            .device_code_polls
            .is_some_and(|polls| code.polls > polls);
        if code.until <= Instant::now() {
            return Err(refusal(70_019));
        }
        if code.polls <= settings.device_code_slow_downs {
            return Err(Refusal::slow_down());
        }
        match code.decision {
            Some(false) => Err(refusal(65_004)),
            None if !enough => Err(refusal(70_016)),
            Some(true) | None => {
                let code = self.0.remove(given);
                Ok(code.map(|code| code.scope).unwrap_or_default())
            }
        }
    }
}

/// Answers `POST /{tenant}/oauth2/v2.0/devicecode`.
pub(crate) fn begin(
    simulator: &Simulator,
    settings: &Settings,
    tenant: &str,
    request: &Request,
) -> Response {
    let asked = application::admit(settings, tenant, request).and_then(|form| {
        application::authenticate(settings, &form, tenant, request, false)?;
        field(&form, "scope").map(str::to_owned)
    });
    let scope = match asked {
        Ok(scope) => scope,
        Err(refusal) => return refusal.response(),
    };
    let verification_uri = format!("{}/_sim/device", request.origin());
    let device_code = format!("sim-device-{}", Uuid::new_v4().simple());
    let user_code: String = Uuid::new_v4()
        .simple()
        .to_string()
        .to_ascii_uppercase()
        .chars()
        .take(9)
        .collect();
    let code = DeviceCode {
        user_code: user_code.clone(),
        scope,
        until: Instant::now() + Duration::from_secs(settings.device_code_expires_secs),
        polls: 0,
        decision: None,
    };
    lock(&simulator.authority)
        .device_codes
        .0
        .insert(device_code.clone(), code);
    let message = format!(
        "To sign in, use a web browser to open the page {verification_uri} and enter the code {user_code} to authenticate."
    );
    let body = json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": verification_uri,
        "expires_in": settings.device_code_expires_secs,
        "interval": 1,
        "message": message,
    });
    uncached(Response::json(200, &body))
}
