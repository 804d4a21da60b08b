//! A person's consent: since when it is known, and until when the refresh token that stands for it
//! lives. Pure; the sign-in writes it down, the store keeps a copy, and `status` and the metrics
//! show it.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// With so much left a person is told to sign in again.
const SOON: TimeDelta = TimeDelta::days(14);

/// When a person consented, and how long that lasts. Holds nothing secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// When the person signed in here; none where the token was brought from elsewhere.
    pub signed_in_at: Option<DateTime<Utc>>,
    /// When a token of this consent was first used here.
    pub first_used_at: DateTime<Utc>,
    /// When the present refresh token was issued.
    pub token_issued_at: DateTime<Utc>,
    /// Until when it lives, unless it is renewed or revoked before.
    pub token_expires_at: DateTime<Utc>,
}

/// The same, as people count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The dates themselves.
    #[serde(flatten)]
    pub consent: Consent,
    /// Whole days since the sign-in, or since the first use where that is all that is known.
    pub age_days: i64,
    /// Whole days until the refresh token dies; below zero once it is dead.
    pub days_left: i64,
}

impl Consent {
    /// A person signed in just now.
    #[must_use]
    pub fn given(now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            signed_in_at: Some(now.trunc_subsecs(6)),
            ..Self::found(now, lifetime)
        }
    }

    /// A token of unknown age was renewed just now.
    #[must_use]
    pub fn found(now: DateTime<Utc>, lifetime: Duration) -> Self {
        // As Postgres keeps it, so that both copies are equal.
        let now = now.trunc_subsecs(6);
        Self {
            signed_in_at: None,
            first_used_at: now,
            token_issued_at: now,
            // A lifetime beyond the calendar is as good as its end.
            token_expires_at: now
                .checked_add_signed(TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }

    /// Its token was renewed just now.
    #[must_use]
    pub fn renewed(self, now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            signed_in_at: self.signed_in_at,
            first_used_at: self.first_used_at,
            ..Self::found(now, lifetime)
        }
    }

    /// Since the sign-in, or since the first use where that is all that is known.
    #[must_use]
    pub fn age(&self, now: DateTime<Utc>) -> TimeDelta {
        now - self.signed_in_at.unwrap_or(self.first_used_at)
    }

    /// Until the present refresh token dies; below zero once it is dead.
    #[must_use]
    pub fn left(&self, now: DateTime<Utc>) -> TimeDelta {
        self.token_expires_at - now
    }

    /// Dates and days.
    #[must_use]
    pub fn summary(self, now: DateTime<Utc>) -> Summary {
        let days = |time: TimeDelta| time.num_seconds().div_euclid(86_400);
        Summary {
            consent: self,
            age_days: days(self.age(now)),
            days_left: days(self.left(now)),
        }
    }

    /// Whether a person should sign in again while there is time.
    #[must_use]
    pub fn ends_soon(&self, now: DateTime<Utc>) -> bool {
        self.left(now) <= SOON
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_hours(24);

    fn noon(day: u32) -> DateTime<Utc> {
        format!("2026-05-{day:02}T12:00:00Z").parse().unwrap()
    }

    #[test]
    fn a_renewal_moves_the_end_and_not_the_beginning() {
        let given = Consent::given(noon(1), 90 * DAY);
        let renewed = given.renewed(noon(21), 90 * DAY);
        assert_eq!(renewed.signed_in_at, Some(noon(1)));
        assert_eq!(renewed.age(noon(21)).num_days(), 20);
        assert_eq!(renewed.left(noon(21)).num_days(), 90);
        let found = Consent::found(noon(2), 90 * DAY).renewed(noon(4), 90 * DAY);
        assert_eq!((found.signed_in_at, found.first_used_at), (None, noon(2)));
    }

    #[test]
    fn the_last_fourteen_days_are_soon() {
        let consent = Consent::given(noon(1), 15 * DAY);
        assert!(!consent.ends_soon(noon(1)));
        assert!(consent.ends_soon(noon(2)));
        assert!(consent.ends_soon(noon(31)));
        assert_eq!(consent.summary(noon(2)).days_left, 14);
        assert_eq!(consent.summary(noon(17)).days_left, -1);
    }

    #[test]
    fn any_lifetime_will_do() {
        let consent = Consent::given(noon(1), Duration::MAX);
        assert!(!consent.ends_soon(noon(31)));
    }
}
