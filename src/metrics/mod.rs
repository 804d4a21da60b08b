//! The numbers that Prometheus scrapes: counters that the work counts up while it is under way, and
//! facts that were last found out. Rendered from memory, so that a scrape waits for nothing. A
//! leaf: it uses the clock, and the ledger's words.
//!
//! The names, the types and the labels are an interface; `docs/watching.md` lists them.

mod counters;
mod facts;
mod process;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::prometheus_text::encode;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::clock::{Clock, SystemClock};
use counters::{Counters, RequestLabels};
use facts::FactsPage;
use process::ProcessPage;

pub use counters::{ApiDataset, NotifyChannel};
pub use facts::{DatabaseFacts, Facts, LastRun, LeaderFacts, Part, ThrottleFacts};

/// The format of the page: the oldest one, which every scraper accepts.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of this process. Clones share them, so that they outlive a reload.
#[derive(Clone)]
pub struct Metrics(Arc<Shared>);

struct Shared {
    registry: Registry,
    counters: Counters,
    facts: Arc<Mutex<Facts>>,
    clock: Arc<dyn Clock>,
    changed: watch::Sender<()>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(Arc::new(SystemClock))
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Metrics {
    /// The numbers of a process that starts now.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let mut registry = Registry::default();
        let facts = Arc::<Mutex<Facts>>::default();
        let own = registry.sub_registry_with_prefix("seatledger");
        let counters = Counters::registered_in(own);
        own.register_collector(Box::new(FactsPage(Arc::clone(&facts))));
        registry.register_collector(Box::new(ProcessPage::new(clock.now())));
        Self(Arc::new(Shared {
            registry,
            counters,
            facts,
            clock,
            changed: watch::Sender::new(()),
        }))
    }

    /// The page for a scraper.
    ///
    /// # Errors
    /// Never in practice: memory is written to.
    pub fn render(&self) -> Result<String, fmt::Error> {
        // A page has some 15 KB.
        let mut text = String::with_capacity(1 << 15);
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// Changes what was last found out.
    pub fn update(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts());
    }

    fn facts(&self) -> MutexGuard<'_, Facts> {
        self.0.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Told when a run of this process begins or ends, or an error begins or ends to stand: what
    /// was read from the database is to be read again.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    /// A part of the program does not work. Does nothing while that is known.
    pub fn error_stands(&self, part: Part) {
        let now = self.0.clock.now();
        let is_new = self.facts().errors.begin(part, now);
        if is_new {
            self.0.changed.send_replace(());
        }
    }

    /// A part of the program works again.
    pub fn error_is_over(&self, part: Part) {
        let was_standing = self.facts().errors.end(part);
        if was_standing {
            self.0.changed.send_replace(());
        }
    }

    /// A request to the API is about to be sent. Counted when the value is dropped.
    #[must_use]
    pub fn begin_request(&self, dataset: ApiDataset) -> RequestCount {
        self.0.counters.in_flight.inc();
        RequestCount {
            metrics: self.clone(),
            labels: RequestLabels {
                dataset,
                code: None.into(),
            },
            began: Instant::now(),
        }
    }

    /// A call is made again, because an attempt failed with `reason`.
    pub fn count_retry(&self, reason: &'static str) {
        let retries = &self.0.counters.api_retries;
        retries.get_or_create(&[("reason", reason)]).inc();
    }

    /// Adds what the throttle has counted since it was last asked.
    pub fn count_throttle(&self, paused: Duration, refused_tenant: u64, refused_customer: u64) {
        let counters = &self.0.counters;
        counters.throttle_wait.inc_by(paused.as_secs_f64());
        for (scope, count) in [("tenant", refused_tenant), ("customer", refused_customer)] {
            let refused = counters.api_refused.get_or_create(&[("scope", scope)]);
            refused.inc_by(count);
        }
    }

    /// A run begins. It is under way until the value is dropped.
    #[must_use]
    pub fn begin_run(&self) -> RunUnderWay {
        self.facts().customers_pending = Some(0);
        self.0.changed.send_replace(());
        RunUnderWay(self.clone())
    }

    /// How many customers of the run under way are not recorded yet.
    pub fn set_pending(&self, customers: u64) {
        self.facts().customers_pending = Some(customers);
    }

    /// A run has ended with `outcome`, the name in `sync_run`.
    pub fn count_run(&self, outcome: &'static str) {
        let runs = &self.0.counters.runs;
        runs.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A customer was recorded, with so many items that became rows or were rejected.
    pub fn count_customer(&self, is_success: bool, rows: u64, rejected: u64) {
        let counters = &self.0.counters;
        let outcome = if is_success { "succeeded" } else { "failed" };
        let done = counters
            .customers_done
            .get_or_create(&[("outcome", outcome)]);
        done.inc();
        for (fate, count) in [("row", rows), ("rejected", rejected)] {
            let items = counters.items.get_or_create(&[("fate", fate)]);
            items.inc_by(count);
        }
    }

    /// So many rows were stored.
    pub fn count_rows(&self, inserted: u64, updated: u64, unchanged: u64) {
        for (fate, count) in [
            ("inserted", inserted),
            ("updated", updated),
            ("unchanged", unchanged),
        ] {
            let rows = self.0.counters.rows.get_or_create(&[("fate", fate)]);
            rows.inc_by(count);
        }
    }

    /// So many spans were sent to the collector of traces, or are lost.
    #[cfg(feature = "otel")]
    pub(crate) fn count_spans(&self, count: u64, is_sent: bool) {
        let fate = if is_sent { "sent" } else { "lost" };
        let spans = &self.0.counters.trace_spans;
        spans.get_or_create(&[("fate", fate)]).inc_by(count);
    }

    /// A notification was delivered, or given up.
    pub fn count_notification(&self, channel: NotifyChannel, is_delivered: bool) {
        let labels = counters::notification(channel, is_delivered);
        self.0.counters.notifications.get_or_create(&labels).inc();
        let part = match channel {
            NotifyChannel::Ping => Part::Ping,
            NotifyChannel::Webhook => Part::Webhook,
        };
        if is_delivered {
            self.error_is_over(part);
        } else {
            self.error_stands(part);
        }
    }
}

/// A request to the API under way. Dropped without an answer, it counts as one with code `none`.
#[derive(Debug)]
pub struct RequestCount {
    metrics: Metrics,
    labels: RequestLabels,
    began: Instant,
}

impl RequestCount {
    /// The beginning of the answer has come.
    pub fn answered(&mut self, status: u16) {
        self.labels.code = Some(status).into();
    }
}

impl Drop for RequestCount {
    fn drop(&mut self) {
        let counters = &self.metrics.0.counters;
        counters.in_flight.dec();
        let took = self.began.elapsed().as_secs_f64();
        counters.api_duration.observe(took);
        counters.api_requests.get_or_create(&self.labels).inc();
    }
}

/// A run under way.
#[derive(Debug)]
pub struct RunUnderWay(Metrics);

impl Drop for RunUnderWay {
    fn drop(&mut self) {
        self.0.facts().customers_pending = None;
        self.0.0.changed.send_replace(());
    }
}

#[cfg(test)]
mod tests;
