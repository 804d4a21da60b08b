//! Watches the consent: records its dates for `status`, and warns before the refresh token expires.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::Consent;
use crate::partner_center::{ApiError, ConsentFile};
use crate::retry::{Classify as _, Remedy};
use crate::span::counted;
use crate::store::{SignInRefusal, Store};
use crate::sync::{RunError, Syncer};

/// How often the daemon checks whether a warning is due, apart from its runs.
pub(super) const CHECK_INTERVAL: Duration = Duration::from_hours(1);

/// How often the warning is repeated between runs.
const WARNING_INTERVAL: TimeDelta = TimeDelta::days(1);

pub(super) struct ConsentWatch {
    /// None if no person signs in.
    file: Option<ConsentFile>,
    store: Store,
    host: String,
    clock: Arc<dyn Clock>,
    warned_at: Cell<Option<DateTime<Utc>>>,
}

impl ConsentWatch {
    pub(super) fn new(config: &Config, syncer: &Syncer) -> Self {
        Self {
            file: ConsentFile::of(&config.auth),
            store: syncer.store.clone(),
            host: syncer.keeper.instance().host.clone(),
            clock: Arc::clone(&syncer.clock),
            warned_at: Cell::default(),
        }
    }

    fn load(&self) -> Option<Consent> {
        self.file.as_ref()?.load().unwrap_or_else(|error| {
            warn!(%error, "The age of the consent cannot be read");
            None
        })
    }

    /// After a sign-in: records the dates. If the database fails, only a warning is logged.
    pub(super) async fn record(&self) {
        let Some(consent) = self.load() else { return };
        if let Err(error) = self.store.record_consent(&self.host, &consent).await {
            let error = with_causes(&error);
            warn!(error, "The age of the consent could not be recorded");
        }
    }

    /// Records a sign-in that was refused until a person acts, so that `status` shows it on any
    /// host.
    pub(super) async fn record_refusal(&self, error: &RunError) {
        let RunError::Api(refused @ ApiError::SignIn(_)) = error else {
            return;
        };
        if refused.remedy() != Remedy::Person {
            return;
        }
        let refusal = SignInRefusal {
            at: self.clock.now(),
            reason: with_causes(refused),
        };
        if let Err(error) = self.store.record_refusal(&self.host, &refusal).await {
            let error = with_causes(&error);
            warn!(error, "The refused sign-in could not be recorded");
        }
    }

    /// With a run: warns if the token expires soon.
    pub(super) fn warn(&self) {
        let now = self.clock.now();
        if let Some(consent) = self.load().filter(|consent| consent.expires_soon(now)) {
            self.warned_at.set(Some(now));
            log_warning(&consent, now);
        }
    }

    /// Between runs: as [`ConsentWatch::warn`], but once a day.
    pub(super) fn warn_daily(&self) {
        if is_due(self.warned_at.get(), self.clock.now()) {
            self.warn();
        }
    }
}

/// The distance counts in both directions: a clock that was set back must not silence the warning.
fn is_due(warned_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    warned_at.is_none_or(|warned_at| (now - warned_at).abs() >= WARNING_INTERVAL)
}

fn log_warning(consent: &Consent, now: DateTime<Utc>) {
    let days_left = consent.summary(now).days_left;
    let date = consent.token_expires_at.format("%Y-%m-%d");
    if days_left < 0 {
        warn!(
            consent.days_left = days_left,
            "The refresh token has expired on {date}; sign in again: seatledger --config FILE login"
        );
    } else {
        warn!(
            consent.days_left = days_left,
            "The refresh token expires on {date}, in {}, unless it is renewed \
             before; sign in again while there is time: seatledger --config FILE login",
            counted(days_left, "day")
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_due_at_first_and_then_once_a_day() {
        let noon: DateTime<Utc> = "2026-05-04T12:00:00Z".parse().unwrap();
        assert!(is_due(None, noon));
        assert!(!is_due(Some(noon), noon + TimeDelta::hours(23)));
        assert!(is_due(Some(noon), noon + TimeDelta::hours(24)));
        assert!(is_due(Some(noon), noon - TimeDelta::days(300)));
    }
}
