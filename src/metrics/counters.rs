//! What the work counts up. A series whose labels are known is there from the start with 0, so that
//! a rule sees its first increase.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::ledger::Dataset;

/// The upper bounds of the durations, in seconds. An attempt takes at most
/// `partner_center.request_timeout`, 60 s unless set.
const DURATIONS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Codes of answers that come sooner or later.
const KNOWN_CODES: [Option<u16>; 8] = [
    Some(200),
    Some(401),
    Some(403),
    Some(404),
    Some(429),
    Some(500),
    Some(503),
    None,
];

/// Reasons for which a call is made again.
const KNOWN_RETRIES: [&str; 5] = [
    "throttled",
    "server_error",
    "timeout",
    "connection",
    "unauthorized",
];

/// What a request asks the API for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ApiDataset {
    /// Licence usage.
    Usage,
    /// Licence deployment.
    Deployment,
    /// The partner's list of customers.
    Customers,
    /// Anything else, such as a look at the token.
    Other,
}

impl ApiDataset {
    const ALL: [Self; 4] = [Self::Usage, Self::Deployment, Self::Customers, Self::Other];

    /// Its name in metrics and traces.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Deployment => "deployment",
            Self::Customers => "customers",
            Self::Other => "other",
        }
    }
}

impl From<Dataset> for ApiDataset {
    fn from(dataset: Dataset) -> Self {
        match dataset {
            Dataset::Usage => Self::Usage,
            Dataset::Deployment => Self::Deployment,
        }
    }
}

impl EncodeLabelValue for ApiDataset {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.as_str(), encoder)
    }
}

/// The HTTP status of an answer, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Code(Option<u16>);

impl From<Option<u16>> for Code {
    fn from(code: Option<u16>) -> Self {
        Self(code)
    }
}

impl EncodeLabelValue for Code {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => EncodeLabelValue::encode(&code, encoder),
            None => EncodeLabelValue::encode(&"none", encoder),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) dataset: ApiDataset,
    pub(super) code: Code,
}

/// By which way a notification goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotifyChannel {
    /// `notify.ping_url`.
    Ping,
    /// `notify.webhook_url`.
    Webhook,
}

type Label = (&'static str, &'static str);
type Labelled<const N: usize> = Family<[Label; N], Counter>;

pub(super) fn notification(target: NotifyChannel, is_delivered: bool) -> [Label; 2] {
    let target = match target {
        NotifyChannel::Ping => "ping",
        NotifyChannel::Webhook => "webhook",
    };
    let outcome = if is_delivered { "delivered" } else { "failed" };
    [("target", target), ("outcome", outcome)]
}

pub(super) struct Counters {
    pub(super) runs: Labelled<1>,
    pub(super) customers_done: Labelled<1>,
    pub(super) items: Labelled<1>,
    pub(super) rows: Labelled<1>,
    pub(super) api_requests: Family<RequestLabels, Counter>,
    pub(super) api_retries: Labelled<1>,
    pub(super) api_refused: Labelled<1>,
    pub(super) api_duration: Histogram,
    pub(super) in_flight: Gauge,
    pub(super) throttle_wait: Counter<f64, AtomicU64>,
    pub(super) notifications: Labelled<2>,
    #[cfg(feature = "otel")]
    pub(super) trace_spans: Labelled<1>,
}

impl Counters {
    pub(super) fn registered_in(registry: &mut Registry) -> Self {
        let mut known = |name: &str, help: &str, label: &'static str, values: &[&'static str]| {
            let family = Labelled::<1>::default();
            for value in values {
                drop(family.get_or_create(&[(label, value)]));
            }
            registry.register(name, help, family.clone());
            family
        };
        let runs = known(
            "runs",
            "Runs of this process that have ended, by outcome",
            "outcome",
            &["succeeded", "partial", "failed", "interrupted"],
        );
        let customers_done = known(
            "customers_done",
            "Customers that this process has recorded, by outcome",
            "outcome",
            &["succeeded", "failed"],
        );
        let items = known(
            "items",
            "Items that the API sent, by what became of them",
            "fate",
            &["row", "rejected"],
        );
        let rows = known(
            "rows",
            "Rows that this process has stored, by what that changed",
            "fate",
            &["inserted", "updated", "unchanged"],
        );
        let api_retries = known(
            "api_retries",
            "Calls to the API that were made again, by why the attempt before failed",
            "reason",
            &KNOWN_RETRIES,
        );
        let api_refused = known(
            "api_requests_refused",
            "Requests that a limit of the API refused, by whose limit it was",
            "scope",
            &["tenant", "customer"],
        );
        #[cfg(feature = "otel")]
        let trace_spans = known(
            "trace_spans",
            "Spans for the collector of traces, by whether it took them",
            "fate",
            &["sent", "lost"],
        );
        let counters = Self {
            runs,
            customers_done,
            items,
            rows,
            api_requests: Family::default(),
            api_retries,
            api_refused,
            api_duration: Histogram::new(DURATIONS),
            in_flight: Gauge::default(),
            throttle_wait: Counter::default(),
            notifications: Family::default(),
            #[cfg(feature = "otel")]
            trace_spans,
        };
        counters.register_others(registry);
        counters
    }

    fn register_others(&self, registry: &mut Registry) {
        for dataset in ApiDataset::ALL {
            for code in KNOWN_CODES {
                let code = code.into();
                let labels = RequestLabels { dataset, code };
                drop(self.api_requests.get_or_create(&labels));
            }
        }
        for target in [NotifyChannel::Ping, NotifyChannel::Webhook] {
            for is_delivered in [true, false] {
                let labels = notification(target, is_delivered);
                drop(self.notifications.get_or_create(&labels));
            }
        }
        registry.register(
            "api_requests",
            "Requests to the API, retries included, by dataset and HTTP status",
            self.api_requests.clone(),
        );
        registry.register(
            "api_request_duration_seconds",
            "From a request to the end of its answer",
            self.api_duration.clone(),
        );
        registry.register(
            "api_requests_in_flight",
            "Requests to the API under way",
            self.in_flight.clone(),
        );
        registry.register(
            "throttle_wait_seconds",
            "Time in which the partner's limit let no request through",
            self.throttle_wait.clone(),
        );
        registry.register(
            "notifications",
            "Notifications, by target and outcome",
            self.notifications.clone(),
        );
    }
}
