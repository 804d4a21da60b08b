//! Finds out what the status address shows, while no request waits for it: the database is asked
//! when a run begins or ends, every half minute, and after a request that found what is known old.

mod figures;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{StatusInputs, StatusParts};
use crate::consent::Consent;
use crate::metrics::{Facts, LastRun, LeaderFacts, Part, ThrottleFacts};
use crate::partner_center::ThrottleStatus;
use crate::standing::past_runs;
use crate::store::{Figures, Overview, ProductList, Reader, StoreError};

/// How often the database is asked, and the file of the consent is read.
const INTERVAL: Duration = Duration::from_secs(30);

/// How often the database is asked while it is away.
const AWAY_INTERVAL: Duration = Duration::from_secs(5);

/// From which age on a request has the database asked again.
const OLD: Duration = Duration::from_secs(5);

/// What was last found out about the database.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// What it last answered; none if it never did.
    pub(super) overview: Option<Arc<Overview>>,
    /// Why it does not answer now.
    pub(super) away: Option<Away>,
    asked_at: Option<Instant>,
}

/// A database that does not answer.
#[derive(Clone)]
pub(super) struct Away {
    pub(super) since: DateTime<Utc>,
    /// Without causes, which may contain details of the database's host.
    pub(super) error: String,
}

/// Finds out and remembers.
pub(super) struct Observer {
    pub(super) inputs: StatusInputs,
    database: watch::Sender<Known>,
    consent: watch::Sender<Option<Consent>>,
    figures: watch::Sender<Option<Arc<Figures>>>,
    products: watch::Sender<Option<Arc<ProductList>>>,
    wanted: Notify,
}

impl Observer {
    pub(super) fn new(inputs: StatusInputs) -> Self {
        Self {
            inputs,
            database: watch::Sender::default(),
            consent: watch::Sender::default(),
            figures: watch::Sender::default(),
            products: watch::Sender::default(),
            wanted: Notify::new(),
        }
    }

    pub(super) fn parts(&self) -> Arc<StatusParts> {
        Arc::clone(&self.inputs.parts.borrow())
    }

    pub(super) fn next_run(&self) -> Option<DateTime<Utc>> {
        *self.parts().next_run.borrow()
    }

    pub(super) fn consent(&self) -> Option<Consent> {
        *self.consent.borrow()
    }

    /// What is known of the database. Has it asked again if that is old.
    pub(super) fn known(&self) -> Known {
        let known = self.database.borrow().clone();
        if known.asked_at.is_some_and(|at| at.elapsed() >= OLD) {
            self.wanted.notify_one();
        }
        known
    }

    /// Finds out, until `shutdown`.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        tokio::select! {
            () = self.watch_database(shutdown) => {}
            never = self.watch_figures() => match never {},
            never = self.watch_consent() => match never {},
        }
    }

    async fn watch_database(&self, shutdown: &CancellationToken) {
        let mut parts = self.inputs.parts.clone();
        let mut runs = self.inputs.metrics.changes();
        let mut leader = self.inputs.leader.clone();
        let mut reader = Reader::new(self.parts().store.clone());
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.ask(&mut reader) => {}
            }
            let is_away = self.database.borrow().away.is_some();
            let pause = if is_away { AWAY_INTERVAL } else { INTERVAL };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = sleep(pause) => {}
                () = self.wanted.notified() => {}
                Ok(()) = runs.changed() => {}
                Ok(()) = leader.changed() => {}
                Ok(()) = parts.changed() => {
                    let replaced = Reader::new(self.parts().store.clone());
                    std::mem::replace(&mut reader, replaced).close().await;
                }
            }
        }
        reader.close().await;
    }

    async fn ask(&self, reader: &mut Reader) {
        let known = self.database.borrow().overview.clone();
        let now = self.inputs.clock.now();
        let asked = reader.load_overview(now, known.as_deref()).await;
        let metrics = &self.inputs.metrics;
        let away = match &asked {
            Ok(_) => {
                metrics.error_is_over(Part::Database);
                None
            }
            Err(error) => {
                metrics.error_stands(Part::Database);
                Some(match error {
                    StoreError::TimedOut { .. } => "no answer".to_owned(),
                    error => error.to_string(),
                })
            }
        };
        let overview = asked.ok().map(Arc::new);
        metrics.update(|facts| {
            facts.database.is_up = overview.is_some();
            if let Some(overview) = &overview {
                put(overview, facts);
            }
        });
        self.database.send_modify(|known| {
            let since = known.away.as_ref().map_or(now, |away| away.since);
            known.away = away.map(|error| Away { since, error });
            known.overview = overview.or(known.overview.take());
            known.asked_at = Some(Instant::now());
        });
    }

    /// The disk may hang, so that another thread reads; at most one at a time waits for it.
    async fn watch_consent(&self) -> Infallible {
        let mut parts = self.inputs.parts.clone();
        let mut changes = self.inputs.metrics.changes();
        loop {
            let found = match self.parts().consent.clone() {
                None => None,
                Some(file) => {
                    let read = tokio::task::spawn_blocking(move || file.load()).await;
                    read.ok().and_then(|read| read.ok().flatten())
                }
            };
            self.inputs.metrics.update(|facts| {
                let given =
                    |consent: Consent| consent.signed_in_at.unwrap_or(consent.first_used_at);
                facts.consent_at = found.map(given);
                facts.token_expires_at = found.map(|consent| consent.token_expires_at);
            });
            self.consent.send_replace(found);
            tokio::select! {
                () = sleep(INTERVAL) => {}
                Ok(()) = parts.changed() => {}
                Ok(()) = changes.changed() => {}
            }
        }
    }

    /// Brings the metrics up to the moment, from memory.
    pub(super) fn refresh_metrics(&self) {
        let parts = self.parts();
        let throttle = parts.client.count_throttle();
        let connections = parts.store.connections();
        let leader = self.inputs.leader.borrow().clone();
        let overview = self.database.borrow().overview.clone();
        let now = self.inputs.clock.now();
        // Without tables there is no beginning to count from.
        let overview = overview.filter(|overview| overview.ledger_since.is_some());
        let past = overview.map(|overview| past_runs(&overview, now));
        self.inputs.metrics.update(|facts| {
            facts.turned_at = Some(now - self.inputs.pulse.age());
            facts.next_run_at = *parts.next_run.borrow();
            facts.success_due_at = past.and_then(|past| parts.schedule.success_due(&past));
            facts.throttle = of_throttle(&throttle);
            facts.leader = leader.map(|leader| LeaderFacts {
                host: leader.host,
                since: leader.since,
                is_this_process: leader.is_this_process,
            });
            let count = |connections| i64::try_from(connections).unwrap_or(i64::MAX);
            facts.database.idle_connections = count(connections.idle);
            facts.database.used_connections = count(connections.used);
            facts.database.max_connections = count(connections.max);
        });
    }
}

fn of_throttle(throttle: &ThrottleStatus) -> ThrottleFacts {
    ThrottleFacts {
        allowed_per_second: throttle.allowed_per_second,
        is_paused: throttle.paused_until.is_some(),
    }
}

fn put(overview: &Overview, facts: &mut Facts) {
    facts.last_run = overview.last_finished.as_ref().and_then(|run| {
        let finished_at = run.finished_at?;
        Some(LastRun {
            finished_at,
            // If the clock was set back during the run, it seems to end before it began.
            seconds: (finished_at - run.started_at).num_seconds().max(0),
            outcome: run.outcome.clone(),
            rows: run.rows_received - run.rows_rejected,
            rejected_rows: run.rows_rejected,
        })
    });
    facts.last_success_at = overview.last_success_at;
    facts.database.schema_version = overview.schema_version;
    let figures = overview.figures;
    facts.customers = figures.map(|figures| figures.customers.each());
    facts.database.ledger_bytes = figures.map(|figures| figures.ledger_bytes);
    facts.newest_processed_at = figures
        .and_then(|figures| figures.newest_processed_date)
        .map(|date| date.and_time(NaiveTime::MIN).and_utc());
}
