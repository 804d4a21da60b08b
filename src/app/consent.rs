//! Keeps an eye on the consent: puts its dates where `status` finds them, and warns while there is
//! time to sign in.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracing::warn;

use crate::causes::with_causes;
use crate::clock::Clock;
use crate::config::Config;
use crate::consent::Consent;
use crate::partner_center::ConsentFile;
use crate::store::Store;

/// How often the daemon looks whether a warning is due, also where no run is.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_hours(1);

/// How often the same is said.
const WARNING_INTERVAL: TimeDelta = TimeDelta::days(1);

pub(super) struct ConsentWatch {
    /// None where no person signs in.
    file: Option<ConsentFile>,
    store: Store,
    clock: Arc<dyn Clock>,
    warned_at: Cell<Option<DateTime<Utc>>>,
}

impl ConsentWatch {
    pub(super) fn new(config: &Config, store: Store, clock: Arc<dyn Clock>) -> Self {
        Self {
            file: ConsentFile::of(&config.auth),
            store,
            clock,
            warned_at: Cell::default(),
        }
    }

    fn load(&self) -> Option<Consent> {
        self.file.as_ref()?.load().unwrap_or_else(|error| {
            warn!(%error, "The age of the consent cannot be read");
            None
        })
    }

    /// After a sign-in: records what is known now. A database that does not take it is no reason to
    /// stop anything.
    pub(super) async fn record(&self) {
        let Some(consent) = self.load() else { return };
        if let Err(error) = self.store.record_consent(&consent).await {
            let error = with_causes(&error);
            warn!(error, "The age of the consent could not be recorded");
        }
    }

    /// With a run: warns if the end is near.
    pub(super) fn warn(&self) {
        let now = self.clock.now();
        if let Some(consent) = self.load().filter(|consent| consent.ends_soon(now)) {
            self.warned_at.set(Some(now));
            say(&consent, now);
        }
    }

    /// Between runs: the same, once a day.
    pub(super) fn warn_daily(&self) {
        if is_due(self.warned_at.get(), self.clock.now()) {
            self.warn();
        }
    }
}

/// A clock that was set back must not silence the warning.
fn is_due(warned_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    warned_at.is_none_or(|warned_at| (now - warned_at).abs() >= WARNING_INTERVAL)
}

fn say(consent: &Consent, now: DateTime<Utc>) {
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
            "The refresh token expires on {date}, in {days_left} days, unless it is renewed \
             before; sign in again while there is time: seatledger --config FILE login"
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
