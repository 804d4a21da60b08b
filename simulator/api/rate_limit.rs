//! The limits on the rate of calls: a token bucket for the tenant and one for each customer, with
//! limits that may follow a schedule. Takes the time as an argument.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use crate::settings::SimulatorSettings;

/// Maximum delay of the next served call by refused ones, in seconds. Without a bound, a client
/// that had kept calling would be refused for hours.
const MAX_DEBT_SECS: f64 = 60.0;

/// The refill rate of a bucket in calls per second, and its size in calls.
#[derive(Clone, Copy, Debug)]
struct RateLimit {
    per_second: f64,
    burst: f64,
    refusals_count: bool,
}

/// A token bucket with one token per call. A negative number of tokens is a debt from refused
/// calls.
#[derive(Debug)]
struct TokenBucket {
    tokens: f64,
    filled_at: Instant,
}

impl TokenBucket {
    fn full(now: Instant) -> Self {
        Self {
            tokens: f64::MAX,
            filled_at: now,
        }
    }

    /// Takes one token.
    ///
    /// # Errors
    /// When there is none: the whole seconds until there is one.
    fn take(&mut self, limit: RateLimit, now: Instant) -> Result<(), u64> {
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

/// The buckets of the tenant and of its customers.
#[derive(Debug)]
pub(super) struct RateLimiter {
    tenant: TokenBucket,
    customers: HashMap<u32, TokenBucket>,
    schedule_began: Instant,
}

impl RateLimiter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            tenant: TokenBucket::full(now),
            customers: HashMap::new(),
            schedule_began: now,
        }
    }

    /// Counts the times of the schedule from now on.
    pub(super) fn restart_schedule(&mut self, now: Instant) {
        self.schedule_began = now;
    }

    /// Takes a token for a call, which may be about one customer.
    ///
    /// # Errors
    /// When a limit is exceeded: the whole seconds to wait.
    pub(super) fn take(
        &mut self,
        settings: &SimulatorSettings,
        customer: Option<u32>,
        now: Instant,
    ) -> Result<(), u64> {
        let limit = |per_second: f64, burst: Option<f64>| RateLimit {
            per_second,
            burst: burst.unwrap_or(per_second),
            refusals_count: settings.refusals_count,
        };
        if let Some(per_second) = self.tenant_rate(settings, now) {
            self.tenant.take(limit(per_second, settings.burst), now)?;
        }
        if let (Some(number), Some(per_second)) = (customer, settings.customer_rate_limit) {
            let own = self.customers.entry(number);
            let own = own.or_insert_with(|| TokenBucket::full(now));
            own.take(limit(per_second, settings.customer_burst), now)?;
        }
        Ok(())
    }

    fn tenant_rate(&self, settings: &SimulatorSettings, now: Instant) -> Option<f64> {
        let elapsed = now
            .saturating_duration_since(self.schedule_began)
            .as_secs_f64();
        let mut schedule = settings.rate_schedule.iter().rev();
        let current = schedule.find(|(after, _)| *after <= elapsed);
        current.map_or(settings.rate_limit, |(_, limit)| *limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_second: f64, burst: f64, refusals_count: bool) -> RateLimit {
        RateLimit {
            per_second,
            burst,
            refusals_count,
        }
    }

    #[test]
    fn an_empty_bucket_says_how_long_to_wait() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(start);
        let two = limit(2.0, 2.0, false);
        assert_eq!(bucket.take(two, start), Ok(()));
        assert_eq!(bucket.take(two, start), Ok(()));
        assert_eq!(bucket.take(two, start), Err(1));
        assert_eq!(bucket.take(limit(0.1, 0.1, false), start), Err(11));
        assert_eq!(bucket.take(two, start + Duration::from_millis(600)), Ok(()));
    }

    #[test]
    fn refusals_that_count_delay_the_next_call_up_to_a_bound() {
        let start = Instant::now();
        let mut bucket = TokenBucket::full(start);
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
    fn each_customer_has_a_bucket_within_the_limit_of_the_tenant() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(start);
        let settings = SimulatorSettings {
            rate_limit: Some(0.01),
            burst: Some(4.0),
            customer_rate_limit: Some(0.01),
            customer_burst: Some(1.0),
            ..SimulatorSettings::default()
        };
        let mut take = |customer| limiter.take(&settings, customer, start).is_ok();
        assert!(take(Some(1)));
        assert!(!take(Some(1)));
        assert!(take(Some(2)));
        assert!(take(None));
        assert!(!take(None));
    }

    #[test]
    fn a_scheduled_limit_replaces_the_constant_one_from_its_time_on() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(start);
        let settings = SimulatorSettings {
            rate_limit: Some(9.0),
            rate_schedule: vec![(10.0, Some(3.0)), (20.0, None)],
            ..SimulatorSettings::default()
        };
        let after = |secs| start + Duration::from_secs(secs);
        assert_eq!(limiter.tenant_rate(&settings, after(9)), Some(9.0));
        assert_eq!(limiter.tenant_rate(&settings, after(10)), Some(3.0));
        assert_eq!(limiter.tenant_rate(&settings, after(25)), None);
        limiter.restart_schedule(after(25));
        assert_eq!(limiter.tenant_rate(&settings, after(30)), Some(9.0));
    }
}
