//! The one gate that every request to the API passes. Partner Center's limits are not published and
//! change, so they are learned from its answers. Decision 6 says why the limiter is our own.

#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio::time::Instant;

pub(in crate::partner_center) use super::gate::Reply;
use super::gate::ThrottleStatus;
use super::gate::{Decision, Gate, SentRequest};
use super::{POLL, SHORT_PAUSE};
use crate::ledger::CustomerId;
use crate::watchdog::Pulse;

/// How long a request waits for the tenant's limit where calls are not retried. Without it, one
/// pause would fail all customers.
const WITHOUT_RETRIES: Duration = Duration::from_mins(2);

/// Shared by all calls; what it has learned outlives a run.
#[derive(Debug)]
pub(in crate::partner_center) struct Limiter {
    gate: Mutex<Gate>,
    /// Requests queue in the order in which they came; the first waits for the gate.
    queue: tokio::sync::Mutex<()>,
    /// Notified when a reply has come.
    changed: Notify,
    /// The shortest time for which a request waits for the tenant's limit.
    least: Duration,
}

/// The right to send one request. Dropped, it counts as one that got no reply.
#[derive(Debug)]
pub(in crate::partner_center) struct RequestPermit<'a> {
    limiter: &'a Limiter,
    request: Option<SentRequest>,
}

/// The tenant's limit makes every call wait for longer than a call is retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) struct PausedTooLong;

impl Limiter {
    /// `patience`: the time for which a call is retried.
    pub(in crate::partner_center) fn new(max_per_second: Option<f64>, patience: Duration) -> Self {
        let least = if patience.is_zero() {
            WITHOUT_RETRIES
        } else {
            Duration::ZERO
        };
        // A time limit beyond a day makes no difference in practice, and could overflow an
        // `Instant`.
        let most = Duration::from_hours(24);
        let patience = patience.max(least).clamp(SHORT_PAUSE, most);
        Self {
            gate: Mutex::new(Gate::new(max_per_second, patience)),
            queue: tokio::sync::Mutex::new(()),
            changed: Notify::new(),
            least,
        }
    }

    /// Requests a second, as learned; none while nothing was ever refused.
    pub(in crate::partner_center) fn learned(&self) -> Option<f64> {
        self.gate().learned()
    }

    /// All the time so far in which every call had to wait for the tenant's limit.
    pub(super) fn paused(&self) -> Duration {
        self.gate().paused(Instant::now())
    }

    /// Whether any request was ever served.
    pub(super) fn has_served(&self) -> bool {
        self.gate().has_served()
    }

    /// Whether the tenant's limit is known to let no call through at present.
    pub(super) fn is_stuck(&self) -> bool {
        self.gate().is_stuck(Instant::now())
    }

    pub(in crate::partner_center) fn snapshot(&self, wall_clock: DateTime<Utc>) -> ThrottleStatus {
        self.gate().snapshot(Instant::now(), wall_clock)
    }

    /// Waits until a request about a customer, or about none, may be sent. Waits in pauses for no
    /// longer than `left`; a first attempt waits for a short pause even if less is left. Waits with
    /// a known end beat `pulse`.
    pub(in crate::partner_center) async fn acquire(
        &self,
        customer: Option<CustomerId>,
        is_retry: bool,
        left: Duration,
        pulse: &Pulse,
    ) -> Result<RequestPermit<'_>, PausedTooLong> {
        let least = if is_retry {
            self.least
        } else {
            self.least.max(SHORT_PAUSE)
        };
        let left = left.max(least);
        let paused_before = self.paused();
        let mut turn = self.queue.lock().await;
        loop {
            // Registered before the decision, so that no reply in between is missed.
            let changed = self.changed.notified();
            let now = Instant::now();
            let (decision, paused) = {
                let mut gate = self.gate();
                let decision = gate.try_acquire(customer, is_retry, now);
                (decision, gate.paused(now).saturating_sub(paused_before))
            };
            let again = match decision {
                Decision::Send(request) => {
                    return Ok(RequestPermit {
                        limiter: self,
                        request: Some(request),
                    });
                }
                Decision::GiveUp => return Err(PausedTooLong),
                Decision::PausedUntil(_) | Decision::RetriesFirst if paused > left => {
                    return Err(PausedTooLong);
                }
                Decision::RetriesFirst => {
                    drop(turn);
                    pulse.sleep(POLL / 2).await;
                    turn = self.queue.lock().await;
                    continue;
                }
                Decision::PausedUntil(until) => {
                    // One more tick of the timer, so that more than `left` has passed then.
                    let rest = left.saturating_sub(paused);
                    let rest = rest.saturating_add(Duration::from_millis(1));
                    Some(now.checked_add(rest).map_or(until, |end| until.min(end)))
                }
                Decision::WaitUntil(due) => Some(due),
                Decision::WaitForReply => None,
            };
            match again {
                Some(again) => tokio::select! {
                    () = changed => {}
                    // A pause may last for hours, and its end is known.
                    () = pulse.sleep(again.saturating_duration_since(now)) => {}
                },
                // The request that is to be answered has a time limit, and beats.
                None => changed.await,
            }
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn complete(&self, request: SentRequest, reply: Reply) {
        self.gate().complete(request, reply, Instant::now());
        self.changed.notify_one();
    }
}

impl RequestPermit<'_> {
    /// Says how the request was answered.
    pub(in crate::partner_center) fn complete(mut self, reply: Reply) {
        if let Some(request) = self.request.take() {
            self.limiter.complete(request, reply);
        }
    }
}

impl Drop for RequestPermit<'_> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            self.limiter.complete(request, Reply::Missing);
        }
    }
}
