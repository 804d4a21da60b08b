//! What the running simulator knows: the world, the settings, and each room's own
//! state, put together once and shared by every connection. Also says which kind
//! of call a request is, since scripts, records and statistics all go by that.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicU64},
    time::Instant,
};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Serialize, Serializer};
use tokio_util::sync::CancellationToken;

use crate::{
    api::partner::Presence,
    api::partner_wide::Indexes,
    api::rate_limit::Throttle,
    settings::Settings,
    sign_in::token::Authority,
    traffic::record::Record,
    traffic::scripts::Scripts,
    traffic::stats::Stats,
    wire::http::Request,
    world::{Subject, World},
};

/// The kinds of call that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// One customer's usage.
    Usage,
    /// One customer's deployment.
    Deployment,
    /// All customers' usage.
    CommercialUsage,
    /// All customers' deployment.
    CommercialDeployment,
    Customers,
    Token,
    DeviceCode,
    /// The page on which a person signs in.
    Authorize,
    /// What an `OpenID` client asks a provider about itself.
    OpenId,
    Other,
    Control,
}

impl Kind {
    /// The name under which scripts, records and statistics know it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Deployment => "deployment",
            Self::CommercialUsage => "commercial_usage",
            Self::CommercialDeployment => "commercial_deployment",
            Self::Customers => "customers",
            Self::Token => "token",
            Self::DeviceCode => "devicecode",
            Self::Authorize => "authorize",
            Self::OpenId => "openid",
            Self::Other => "other",
            Self::Control => "control",
        }
    }

    /// What an analytics call counts.
    pub(crate) const fn subject(self) -> Option<Subject> {
        match self {
            Self::Usage | Self::CommercialUsage => Some(Subject::Usage),
            Self::Deployment | Self::CommercialDeployment => Some(Subject::Deployment),
            Self::Customers
            | Self::Token
            | Self::DeviceCode
            | Self::Authorize
            | Self::OpenId
            | Self::Other
            | Self::Control => None,
        }
    }

    /// Whether it is a call to the API, not to the sign-in or to this simulator.
    pub(crate) const fn is_api(self) -> bool {
        !matches!(
            self,
            Self::Token | Self::DeviceCode | Self::Authorize | Self::OpenId | Self::Control
        )
    }

    /// The methods that its address takes, as the header `Allow` names them. None where there is no such address,
    /// or where that depends on more than the kind.
    pub(crate) const fn methods(self) -> Option<&'static str> {
        match self {
            Self::Usage
            | Self::Deployment
            | Self::CommercialUsage
            | Self::CommercialDeployment
            | Self::Customers
            | Self::OpenId => Some("GET, HEAD"),
            Self::Authorize => Some("GET, HEAD, POST"),
            Self::Token | Self::DeviceCode => Some("POST"),
            Self::Other | Self::Control => None,
        }
    }

    /// The kind of a request, and what it is about: an analytics call's customer as
    /// it stands in the path, a sign-in's tenant.
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
            [tenant, "oauth2", "v2.0", "authorize"] => (Self::Authorize, tenant),
            [tenant, "v2.0", ".well-known", "openid-configuration"]
            | [tenant, ".well-known", "openid-configuration"]
            | [tenant, "discovery", "v2.0", "keys"]
            | [tenant, "discovery", "keys"] => (Self::OpenId, tenant),
            ["v1", customers] if is(customers, "customers") => (Self::Customers, ""),
            ["v1", customers, id, analytics, licenses, what]
                if is(customers, "customers")
                    && is(analytics, "analytics")
                    && is(licenses, "licenses") =>
            {
                match what {
                    _ if is(what, "usage") => (Self::Usage, id),
                    _ if is(what, "deployment") => (Self::Deployment, id),
                    _ => (Self::Other, ""),
                }
            }
            ["v1", ref rest @ ..] | ["partner", "v1", ref rest @ ..] => {
                (Self::of_commercial(rest), "")
            }
            _ => (Self::Other, ""),
        }
    }

    // The trailing slash is documented, and the documented example lacks it.
    fn of_commercial(path: &[&str]) -> Self {
        let path = path.strip_suffix(&[""]).unwrap_or(path);
        let is = |words: [&str; 4]| {
            let pairs = || path.iter().zip(words);
            path.len() == words.len() && pairs().all(|(part, word)| part.eq_ignore_ascii_case(word))
        };
        if is(["analytics", "commercial", "usage", "license"]) {
            Self::CommercialUsage
        } else if is(["analytics", "commercial", "deployment", "license"]) {
            Self::CommercialDeployment
        } else {
            Self::Other
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The simulator itself.
#[derive(Debug)]
pub(crate) struct Simulator {
    pub(crate) world: World,
    pub(crate) authority: Mutex<Authority>,
    pub(crate) throttle: Mutex<Throttle>,
    pub(crate) presence: Presence,
    pub(crate) indexes: Indexes,
    /// How many API calls were judged so far.
    pub(crate) calls: AtomicU64,
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
            throttle: Mutex::new(Throttle::new(Instant::now())),
            presence: Presence::default(),
            indexes: Indexes::default(),
            calls: AtomicU64::new(0),
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
        assert_eq!(
            kind("/v1/customers/ABC/analytics/licenses/deployment"),
            (Kind::Deployment, "ABC".to_owned())
        );
        for (path, expected) in [
            ("analytics/commercial/usage/license", Kind::CommercialUsage),
            (
                "analytics/commercial/deployment/license/",
                Kind::CommercialDeployment,
            ),
            ("analytics/commercial/usage/license//", Kind::Other),
            ("analytics/licenses/usage", Kind::Other),
        ] {
            assert_eq!(kind(&format!("/v1/{path}")).0, expected, "{path}");
            assert_eq!(kind(&format!("/partner/v1/{path}")).0, expected, "{path}");
        }
        assert_eq!(kind("/t/oauth2/v2.0/token"), (Kind::Token, "t".to_owned()));
        for path in [
            "/t/v2.0/.well-known/openid-configuration",
            "/t/discovery/v2.0/keys",
        ] {
            assert_eq!(kind(path), (Kind::OpenId, "t".to_owned()), "{path}");
        }
        assert_eq!(kind("/v1//v1/customers").0, Kind::Other);
    }
}
