//! A person's consent: when it was given, and when the refresh token that represents it expires.
//! Pure: the sign-in saves it, the store keeps a copy, and `status` and the metrics show it.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long before the token expires a person is asked to sign in again.
const WARNING_PERIOD: TimeDelta = TimeDelta::days(14);

/// When a person consented, and how long that lasts. Holds no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// When the person signed in here; none if the token was obtained elsewhere.
    pub signed_in_at: Option<DateTime<Utc>>,
    /// When a token of this consent was first used here.
    pub first_used_at: DateTime<Utc>,
    /// When the present refresh token was issued.
    pub token_issued_at: DateTime<Utc>,
    /// When it expires, unless it is renewed or revoked before.
    pub token_expires_at: DateTime<Utc>,
}

/// A consent with the number of days since and until.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConsentSummary {
    /// The dates.
    #[serde(flatten)]
    pub consent: Consent,
    /// Whole days since the sign-in, or since the first use if the sign-in is unknown.
    pub age_days: i64,
    /// Whole days until the refresh token expires; negative afterwards.
    pub days_left: i64,
}

impl Consent {
    /// The consent of a person who has just signed in.
    #[must_use]
    pub fn given(now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            signed_in_at: Some(now.trunc_subsecs(6)),
            ..Self::found(now, lifetime)
        }
    }

    /// The consent of a token of unknown age that has just been renewed.
    #[must_use]
    pub fn found(now: DateTime<Utc>, lifetime: Duration) -> Self {
        // The precision of Postgres, so that both copies are equal.
        let now = now.trunc_subsecs(6);
        Self {
            signed_in_at: None,
            first_used_at: now,
            token_issued_at: now,
            // A date beyond the calendar becomes its last one.
            token_expires_at: now
                .checked_add_signed(TimeDelta::from_std(lifetime).unwrap_or(TimeDelta::MAX))
                .unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }

    /// The same consent, after its token was renewed.
    #[must_use]
    pub fn renewed(self, now: DateTime<Utc>, lifetime: Duration) -> Self {
        Self {
            signed_in_at: self.signed_in_at,
            first_used_at: self.first_used_at,
            ..Self::found(now, lifetime)
        }
    }

    /// The time since the sign-in, or since the first use if the sign-in is unknown. Not below
    /// zero: the clock may have been set back since.
    #[must_use]
    pub fn age(&self, now: DateTime<Utc>) -> TimeDelta {
        let began = self.signed_in_at.unwrap_or(self.first_used_at);
        (now - began).max(TimeDelta::zero())
    }

    /// The time until the present refresh token expires; negative afterwards.
    #[must_use]
    pub fn left(&self, now: DateTime<Utc>) -> TimeDelta {
        self.token_expires_at - now
    }

    /// The dates, with days counted from `now`.
    #[must_use]
    pub fn summary(self, now: DateTime<Utc>) -> ConsentSummary {
        let days = |time: TimeDelta| time.num_seconds().div_euclid(86_400);
        ConsentSummary {
            consent: self,
            age_days: days(self.age(now)),
            days_left: days(self.left(now)),
        }
    }

    /// Whether a person should sign in again now.
    #[must_use]
    pub fn expires_soon(&self, now: DateTime<Utc>) -> bool {
        self.left(now) <= WARNING_PERIOD
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
        assert_eq!(found.summary(noon(1)).age_days, 0, "the clock was set back");
    }

    #[test]
    fn the_warning_begins_fourteen_days_before_the_end() {
        let consent = Consent::given(noon(1), 15 * DAY);
        assert!(!consent.expires_soon(noon(1)));
        assert!(consent.expires_soon(noon(2)));
        assert!(consent.expires_soon(noon(31)));
        assert_eq!(consent.summary(noon(2)).days_left, 14);
        assert_eq!(consent.summary(noon(17)).days_left, -1);
    }

    #[test]
    fn no_lifetime_overflows() {
        let consent = Consent::given(noon(1), Duration::MAX);
        assert!(!consent.expires_soon(noon(31)));
    }
}
