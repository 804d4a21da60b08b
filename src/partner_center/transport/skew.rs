//! Compares this machine's clock with the dates of the answers. Items that are dated too far ahead
//! of this machine's clock are rejected, so a clock that is years behind makes every item a
//! rejection, and no rejection says why.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::header::{DATE, HeaderMap};

/// A smaller difference is not reported: caches answer with older dates, and clocks drift by
/// minutes.
const MIN_REPORTED: TimeDelta = TimeDelta::days(1);

/// By how much this machine's clock is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSkew {
    ours: DateTime<Utc>,
    theirs: DateTime<Utc>,
}

impl fmt::Display for ClockSkew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let written = |date: DateTime<Utc>| date.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(
            f,
            "this machine's clock says {}, Partner Center's says {}: set this machine's clock, \
             because what is dated over two days ahead of it is refused",
            written(self.ours),
            written(self.theirs)
        )
    }
}

/// The smallest difference between the server's clock and ours that any answer has shown.
#[derive(Debug, Default)]
pub(in crate::partner_center) struct Skew(Mutex<Option<TimeDelta>>);

impl Skew {
    /// Records an answer that was received at `now`.
    pub(in crate::partner_center) fn note(&self, headers: &HeaderMap, now: DateTime<Utc>) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let Some(date) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
            return;
        };
        let skew = DateTime::<Utc>::from(date) - now;
        let mut least = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if least.is_none_or(|least| skew.abs() < least.abs()) {
            *least = Some(skew);
        }
    }

    /// The difference, if it is large enough to be reported.
    pub(in crate::partner_center) fn reported(&self, now: DateTime<Utc>) -> Option<ClockSkew> {
        let least = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let skew = least.filter(|skew| skew.abs() > MIN_REPORTED)?;
        Some(ClockSkew {
            ours: now,
            theirs: now.checked_add_signed(skew)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn told(now: &str, dates: &[&'static str]) -> Option<String> {
        let skew = Skew::default();
        let now = now.parse().unwrap();
        for date in dates {
            let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
            skew.note(&headers, now);
        }
        skew.reported(now).map(|skew| skew.to_string())
    }

    #[test]
    fn a_clock_that_is_off_by_years_is_reported_with_both_times() {
        for (now, theirs) in [
            ("2019-10-21T07:00:00Z", "2026-10-21T07:28:00Z"),
            ("2031-10-21T07:00:00Z", "2026-10-21T07:28:00Z"),
        ] {
            let told = told(now, &["Wed, 21 Oct 2026 07:28:00 GMT"]).unwrap();
            let both = format!("this machine's clock says {now}, Partner Center's says {theirs}: ");
            assert!(told.starts_with(&both), "{told}");
        }
    }

    #[test]
    fn one_answer_that_agrees_outweighs_others() {
        let now = "2026-10-21T07:00:00Z";
        let right = "Wed, 21 Oct 2026 07:28:00 GMT";
        let cached = "Wed, 14 Oct 2026 07:28:00 GMT";
        assert_eq!(told(now, &[cached, right, cached]), None);
        assert_eq!(told(now, &["yesterday", ""]), None);
        assert!(told(now, &[cached]).is_some());
    }
}
