//! What the running simulator knows: the world, the settings, and each room's own
//! state, put together once and shared by every connection. Also says which kind
//! of call a request is, since scripts, records and statistics all go by that.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::{
    authority::Authority, faults::Scripts, http::Request, record::Record, stats::Stats,
    world::World,
};

/// What may be changed while the simulator runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the JSON"
)]
pub(crate) struct Settings {
    /// How long each answer waits, and up to how much longer by chance.
    pub(crate) latency_ms: u64,
    pub(crate) jitter_ms: u64,
    /// API calls per second for the whole tenant; `None` is no limit.
    pub(crate) rate_limit: Option<f64>,
    pub(crate) access_token_ttl_secs: u64,
    pub(crate) single_use_refresh_tokens: bool,
    pub(crate) require_client_secret: bool,
    /// The AADSTS number with which every token request fails.
    pub(crate) grant_error: Option<u32>,
    /// Whether tokens carry proof of multi-factor sign-in; without it the API
    /// answers 401 with code 900421.
    pub(crate) mfa: bool,
    /// After how many polls a device code approves itself; `None` is never.
    pub(crate) device_code_polls: Option<u32>,
    pub(crate) device_code_expires_secs: u64,
    pub(crate) next_link: NextLink,
    /// Where a foreign next link leads: scheme and host.
    pub(crate) next_link_host: String,
    pub(crate) max_page_size: usize,
    pub(crate) gzip: bool,
    /// Whether API bodies begin with a UTF-8 byte order mark.
    pub(crate) bom: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            latency_ms: 0,
            jitter_ms: 0,
            rate_limit: None,
            access_token_ttl_secs: 3600,
            single_use_refresh_tokens: false,
            require_client_secret: false,
            grant_error: None,
            mfa: true,
            device_code_polls: None,
            device_code_expires_secs: 900,
            next_link: NextLink::WithoutV1,
            next_link_host: "https://partner-center.example".to_owned(),
            max_page_size: 500,
            gzip: true,
            bom: false,
        }
    }
}

impl Settings {
    /// These settings with some of them replaced by what a JSON object says.
    ///
    /// # Errors
    /// When the text is no object, or names or types are wrong.
    pub(crate) fn merged(&self, patch: &[u8]) -> Result<Self, serde_json::Error> {
        let patch: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(patch)?;
        let mut merged = serde_json::to_value(self)?;
        for (key, value) in patch {
            merged[key] = value;
        }
        serde_json::from_value(merged)
    }
}

/// The forms in which the customer list has been seen to name its next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NextLink {
    WithV1,
    WithoutV1,
    NoSlash,
    Absolute,
    /// Absolute, to a host that must not be given the token.
    Foreign,
    /// The same page for ever.
    Repeat,
}

/// The kinds of call that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Usage,
    Customers,
    Token,
    DeviceCode,
    Other,
    Control,
}

impl Kind {
    /// The kind of a request, and what it is about: a usage call's customer as it
    /// stands in the path, a sign-in's tenant.
    pub(crate) fn of(request: &Request) -> (Self, &str) {
        let mut parts = [""; 8];
        let mut count = 0;
        for part in request.path.split('/').skip(1) {
            let Some(place) = parts.get_mut(count) else {
                return (Self::Other, "");
            };
            *place = part;
            count += 1;
        }
        let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
        match parts[..count] {
            ["_sim", ..] => (Self::Control, ""),
            [tenant, "oauth2", "v2.0", "token"] => (Self::Token, tenant),
            [tenant, "oauth2", "v2.0", "devicecode"] => (Self::DeviceCode, tenant),
            ["v1", customers] if is(customers, "customers") => (Self::Customers, ""),
            ["v1", customers, id, analytics, licenses, usage]
                if is(customers, "customers")
                    && is(analytics, "analytics")
                    && is(licenses, "licenses")
                    && is(usage, "usage") =>
            {
                (Self::Usage, id)
            }
            _ => (Self::Other, ""),
        }
    }
}

/// How many calls the tenant may still make just now.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl Bucket {
    fn new() -> Self {
        Self {
            tokens: f64::MAX,
            filled_at: Instant::now(),
        }
    }

    /// Takes one call out.
    ///
    /// # Errors
    /// When there is none left: how long until there is one, in whole seconds.
    pub(crate) fn take(&mut self, per_second: f64, now: Instant) -> Result<(), u64> {
        let since = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        self.tokens = (self.tokens + since * per_second).min(per_second.max(1.0));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = (1.0 - self.tokens) / per_second;
        let wait = Duration::try_from_secs_f64(wait).unwrap_or(Duration::from_hours(24));
        Err(wait.as_secs() + 1)
    }
}

/// The simulator itself.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) world: World,
    pub(crate) authority: Mutex<Authority>,
    pub(crate) bucket: Mutex<Bucket>,
    pub(crate) scripts: Scripts,
    pub(crate) record: Record,
    pub(crate) stats: Stats,
    /// Ends every connection and the server.
    pub(crate) stop: CancellationToken,
    settings: RwLock<Arc<Settings>>,
    /// The day it is made to be; `None` is the real one.
    today: RwLock<Option<NaiveDate>>,
}

impl Simulator {
    pub(crate) fn new(
        world: World,
        settings: Settings,
        today: Option<NaiveDate>,
        record: usize,
    ) -> Self {
        Self {
            world,
            authority: Mutex::new(Authority::new()),
            bucket: Mutex::new(Bucket::new()),
            scripts: Scripts::default(),
            record: Record::new(record),
            stats: Stats::default(),
            stop: CancellationToken::new(),
            settings: RwLock::new(Arc::new(settings)),
            today: RwLock::new(today),
        }
    }

    // A thread that died while it held a lock leaves the value whole, as every
    // change here is a single assignment; so a poisoned lock is used on.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    pub(crate) fn today(&self) -> NaiveDate {
        let set = *self.today.read().unwrap_or_else(PoisonError::into_inner);
        set.unwrap_or_else(|| now().date_naive())
    }

    pub(crate) fn set_today(&self, today: Option<NaiveDate>) {
        *self.today.write().unwrap_or_else(PoisonError::into_inner) = today;
    }
}

/// The wall clock, which only dates and time stamps come from.
#[expect(
    clippy::disallowed_methods,
    reason = "the simulator has a calendar of its own, and this is its one reader of the real day"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Locks, also when another thread died holding the lock.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_only_what_it_names() {
        let settings = Settings::default();
        let patched = settings
            .merged(br#"{"latency_ms":40,"next_link":"no_slash"}"#)
            .unwrap();
        assert_eq!(patched.latency_ms, 40);
        assert_eq!(patched.next_link, NextLink::NoSlash);
        assert_eq!(patched.access_token_ttl_secs, 3600);
        assert!(settings.merged(br#"{"latency":40}"#).is_err());
    }

    #[test]
    fn a_spent_rate_says_how_long_to_wait() {
        let mut bucket = Bucket::new();
        let start = Instant::now();
        assert_eq!(bucket.take(2.0, start), Ok(()));
        assert_eq!(bucket.take(2.0, start), Ok(()));
        assert_eq!(bucket.take(2.0, start), Err(1));
        assert_eq!(bucket.take(0.1, start), Err(11));
        assert_eq!(bucket.take(2.0, start + Duration::from_millis(600)), Ok(()));
    }

    #[test]
    fn calls_are_told_apart_by_their_path() {
        let kind = |path: &str| {
            let head = format!("GET {path} HTTP/1.1\r\n\r\n");
            let request = Request::parse_head(head.as_bytes()).unwrap();
            let (kind, about) = Kind::of(&request);
            (kind, about.to_owned())
        };
        assert_eq!(kind("/v1/customers").0, Kind::Customers);
        assert_eq!(
            kind("/v1/Customers/ABC/Analytics/licenses/Usage"),
            (Kind::Usage, "ABC".to_owned())
        );
        assert_eq!(kind("/t/oauth2/v2.0/token"), (Kind::Token, "t".to_owned()));
        assert_eq!(kind("/v1//v1/customers").0, Kind::Other);
    }
}
