//! Device codes, from their issue to the decision that a person makes in a browser elsewhere.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use uuid::Uuid;

use super::entra_error::{EntraError, required};
use crate::{settings::SimulatorSettings, wire::Form};

/// The codes that were issued and not redeemed yet.
#[derive(Debug, Default)]
pub(crate) struct DeviceCodes(HashMap<String, PendingSignIn>);

#[derive(Debug)]
struct PendingSignIn {
    user_code: String,
    scope: String,
    expires: Instant,
    polls: u32,
    /// Whether the person approved; `None` before the decision.
    approved: Option<bool>,
}

impl DeviceCodes {
    /// Issues a device code and the user code that belongs to it.
    pub(super) fn issue(&mut self, settings: &SimulatorSettings, scope: &str) -> (String, String) {
        let device_code = format!("sim-device-{}", Uuid::new_v4().simple());
        let mut user_code = Uuid::new_v4().simple().to_string().to_ascii_uppercase();
        user_code.truncate(9);
        let pending = PendingSignIn {
            user_code: user_code.clone(),
            scope: scope.to_owned(),
            expires: Instant::now() + Duration::from_secs(settings.device_code_expires_secs),
            polls: 0,
            approved: None,
        };
        self.0.insert(device_code.clone(), pending);
        (device_code, user_code)
    }

    /// Makes the person's decision for one user code, or for all undecided ones if `user_code` is
    /// empty. Returns how many there were.
    pub(crate) fn decide(&mut self, user_code: &str, approved: bool) -> usize {
        let undecided = self.0.values_mut().filter(|pending| {
            pending.approved.is_none() && (user_code.is_empty() || pending.user_code == user_code)
        });
        undecided
            .map(|pending| pending.approved = Some(approved))
            .count()
    }

    /// Redeems the device code in a token request once it is approved, and returns its scope.
    pub(super) fn redeem(
        &mut self,
        settings: &SimulatorSettings,
        form: &Form,
    ) -> Result<String, EntraError> {
        let device_code = required(form, "device_code")?;
        let Some(pending) = self.0.get_mut(device_code) else {
            return Err(EntraError::new(70_000));
        };
        pending.polls += 1;
        if pending.expires <= Instant::now() {
            return Err(EntraError::new(70_019));
        }
        if pending.polls <= settings.device_code_slow_downs {
            return Err(EntraError::slow_down());
        }
        let approves_itself = settings
            .device_code_polls
            .is_some_and(|polls| pending.polls > polls);
        match pending.approved {
            Some(false) => Err(EntraError::new(65_004)),
            None if !approves_itself => Err(EntraError::new(70_016)),
            Some(true) | None => {
                let pending = self.0.remove(device_code);
                Ok(pending.map(|pending| pending.scope).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_code_is_redeemed_once_it_is_approved_or_after_enough_polls() {
        let mut settings = SimulatorSettings::default();
        let mut codes = DeviceCodes::default();
        let poll = |codes: &mut DeviceCodes, settings: &SimulatorSettings, device_code: &str| {
            let form = Form::from([("device_code".to_owned(), device_code.to_owned())]);
            let scope = codes.redeem(settings, &form);
            scope.map_err(|error| error.code)
        };
        let (denied, user_code) = codes.issue(&settings, "a-scope");
        assert_eq!(poll(&mut codes, &settings, &denied), Err(70_016));
        assert_eq!(codes.decide("another", true), 0);
        assert_eq!(codes.decide(&user_code, false), 1);
        assert_eq!(poll(&mut codes, &settings, &denied), Err(65_004));
        let (polled, _) = codes.issue(&settings, "a-scope");
        settings.device_code_polls = Some(1);
        let scope = Ok("a-scope".to_owned());
        assert_eq!(poll(&mut codes, &settings, &polled), Err(70_016));
        assert_eq!(poll(&mut codes, &settings, &polled), scope);
        assert_eq!(poll(&mut codes, &settings, &polled), Err(70_000));
    }
}
