//! How often the API may be called: token buckets for the tenant and for each
//! customer, and limits that change as time goes by. Takes the time as an argument.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::settings::Settings;

/// How far refused calls can push the next good one away.
const MAX_DEBT_SECS: f64 = 60.0;

/// A limit of calls per second, of which some may come at once.
#[derive(Clone, Copy, Debug)]
struct Limit {
    per_second: f64,
    burst: f64,
    refusals_count: bool,
}

/// How many calls may still be made just now.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self {
            tokens: f64::MAX,
            filled_at: now,
        }
    }

    /// Takes one call out.
    ///
    /// # Errors
    /// When there is none left: how long until there is one, in whole seconds.
    fn take(&mut self, limit: Limit, now: Instant) -> Result<(), u64> {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + since * limit.per_second).min(limit.burst.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        if limit.refusals_count {
            let debt = (limit.per_second * MAX_DEBT_SECS).max(1.0);
            self.tokens = (self.tokens - 1.0).max(-debt);
        }
        let wait = (1.0 - self.tokens) / limit.per_second;
        let wait = Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_hours(24));
        Err(wait.as_secs() + 1)
    }
}

/// All buckets.
#[derive(Debug)]
pub(crate) struct Throttle {
    tenant: Bucket,
    customers: HashMap<u32, Bucket>,
    /// When the schedule began.
    since: Instant,
}

impl Throttle {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tenant: Bucket::full(now),
            customers: HashMap::new(),
            since: now,
        }
    }

    /// The schedule counts from now on.
    pub(crate) fn begin_schedule(&mut self, now: Instant) {
        self.since = now;
    }

    /// Counts a call, which may be about one customer.
    ///
    /// # Errors
    /// When it is one too many: how long to wait, in whole seconds.
    pub(crate) fn take(
        &mut self,
        settings: &Settings,
        customer: Option<u32>,
        now: Instant,
    ) -> Result<(), u64> {
        let limit = |per_second: f64, burst: Option<f64>| Limit {
            per_second,
            burst: burst.unwrap_or(per_second),
            refusals_count: settings.refusals_count,
        };
        if let Some(per_second) = self.tenant_rate(settings, now) {
            self.tenant.take(limit(per_second, settings.burst), now)?;
        }
        if let (Some(number), Some(per_second)) = (customer, settings.customer_rate_limit) {
            let own = self.customers.entry(number);
            let own = own.or_insert_with(|| Bucket::full(now));
            own.take(limit(per_second, settings.customer_burst), now)?;
        }
        Ok(())
    }

    fn tenant_rate(&self, settings: &Settings, now: Instant) -> Option<f64> {
        let elapsed = now.saturating_duration_since(self.since).as_secs_f64();
        let mut schedule = settings.rate_schedule.iter().rev();
        let current = schedule.find(|(after, _)| *after <= elapsed);
        current.map_or(settings.rate_limit, |(_, limit)| *limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_second: f64, burst: f64, refusals_count: bool) -> Limit {
        Limit {
            per_second,
            burst,
            refusals_count,
        }
    }

    #[test]
    fn a_spent_rate_says_how_long_to_wait() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let two = limit(2.0, 2.0, false);
        assert_eq!(bucket.take(two, start), Ok(()));
        assert_eq!(bucket.take(two, start), Ok(()));
        assert_eq!(bucket.take(two, start), Err(1));
        assert_eq!(bucket.take(limit(0.1, 0.1, false), start), Err(11));
        assert_eq!(bucket.take(two, start + Duration::from_millis(600)), Ok(()));
    }

    #[test]
    fn refusals_that_count_put_the_next_call_off_up_to_a_bound() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        let strict = limit(1.0, 1.0, true);
        assert_eq!(bucket.take(strict, start), Ok(()));
        assert_eq!(bucket.take(strict, start), Err(3));
        assert_eq!(bucket.take(strict, start), Err(4));
        for _ in 0..200 {
            assert!(bucket.take(strict, start).is_err());
        }
        assert_eq!(bucket.take(strict, start), Err(62));
        assert_eq!(bucket.take(strict, start + Duration::from_secs(61)), Ok(()));
    }

    #[test]
    fn each_customer_has_a_bucket_of_its_own_within_the_tenants() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        let settings = Settings {
            rate_limit: Some(0.01),
            burst: Some(4.0),
            customer_rate_limit: Some(0.01),
            customer_burst: Some(1.0),
            ..Settings::default()
        };
        let mut take = |customer| throttle.take(&settings, customer, start).is_ok();
        assert!(take(Some(1)));
        assert!(!take(Some(1)));
        assert!(take(Some(2)));
        assert!(take(None));
        assert!(!take(None));
    }

    #[test]
    fn a_scheduled_limit_replaces_the_usual_one_from_its_time_on() {
        let start = Instant::now();
        let mut throttle = Throttle::new(start);
        let settings = Settings {
            rate_limit: Some(9.0),
            rate_schedule: vec![(10.0, Some(3.0)), (20.0, None)],
            ..Settings::default()
        };
        let after = |secs| start + Duration::from_secs(secs);
        assert_eq!(throttle.tenant_rate(&settings, after(9)), Some(9.0));
        assert_eq!(throttle.tenant_rate(&settings, after(10)), Some(3.0));
        assert_eq!(throttle.tenant_rate(&settings, after(25)), None);
        throttle.begin_schedule(after(25));
        assert_eq!(throttle.tenant_rate(&settings, after(30)), Some(9.0));
    }
}
