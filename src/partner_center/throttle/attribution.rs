//! Attributes refused requests to a limit: one customer's own, or the partner tenant's, which holds
//! for every call. Reads no clock: the time is an argument.
//!
//! A refusal opens an incident. If a request that was sent after it is served before a quorum of
//! customers is refused, the incident closes as one of customers' own limits. Otherwise the limit
//! is the tenant's: every call pauses for the wait that the quorum was asked for, or else for a
//! third of the time since the quorum was reached, and then one request at a time probes until one
//! is served.
//!
//! The quorum is three customers: four times as many until a request has been served; three more
//! for each recent incident that customers' own limits caused, unless most of the recent answers
//! are refusals; and twice as many for a wait of over five seconds. A 503 without `Retry-After`
//! counts once three customers have been served after one.

#[cfg(test)]
mod tests;

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::{POLL, PROBE_SHARE, SHORT_PAUSE};
use crate::ledger::CustomerId;
use crate::retry::{LONGEST_SPREAD, SPREAD_SHARE};

/// Customers that must be refused, with no request served in between, before the limit counts as
/// the tenant's. With two, a pair of customers with limits of their own would pause every call.
const QUORUM: usize = 3;

/// The quorum until a request has been served: a customer's own limit looks like the tenant's then.
/// With half as many, ten such customers at the beginning of a run would pause it.
pub(super) const UNSURE_QUORUM: usize = 4 * QUORUM;

/// Refusals and incidents are recent if they are among this many answers.
const RECENT: u64 = 100;

/// A pause that is longer than the time for which calls are retried is interrupted by this many
/// probes in that time, so that a wait of a century does not end a run that could go on.
const PROBES: u32 = 16;

/// Whose limit a refusal comes from, according to the evidence so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Customer,
    Tenant(Evidence),
}

/// What says that a limit is the tenant's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Several customers were refused recently, while others were served.
    Several,
    /// A quorum was refused and no request served.
    Quorum,
}

/// A request that is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) customer: Option<CustomerId>,
    pub(super) sent: Instant,
    pub(super) retry_after: Option<Duration>,
    /// It is a 503 without `Retry-After`, which a server in trouble answers too.
    pub(super) may_be_fault: bool,
}

/// Whether a request may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passage {
    Open,
    /// Every call waits, at least until this time.
    Paused(Instant),
    /// A probe is under way.
    Probing,
}

/// Refused requests so far, by the limit that refused them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RefusedByScope {
    /// The partner tenant's, which holds for every call.
    pub tenant: u64,
    /// One customer's own.
    pub customer: u64,
}

#[derive(Debug)]
pub(super) struct Attribution {
    /// The time for which a call is retried.
    patience: Duration,
    incident: Option<Incident>,
    answers: u64,
    /// The recent refusals, by the number of the answer.
    recent_refused: VecDeque<(u64, Option<CustomerId>)>,
    /// The recent incidents that customers' own limits caused, by the number of the answer that
    /// closed them.
    recent_own: VecDeque<u64>,
    has_served: bool,
    /// Customers that were refused and not served since.
    waiting: HashSet<CustomerId>,
    /// Those among them whose latest refusal may be a fault.
    faulty: HashSet<CustomerId>,
    /// The recent answers by which one of those was served. With `QUORUM` of them, 503 counts as a
    /// limit and not as a fault.
    recovered: VecDeque<u64>,
    since_pause: SincePause,
    /// Time spent in pauses that are over.
    paused: Duration,
    refused: RefusedByScope,
}

/// Refusals that may be the tenant's limit.
#[derive(Debug)]
struct Incident {
    since: Instant,
    /// The refused customers, and the time until which each was asked to wait.
    refused: Vec<(Option<CustomerId>, Instant)>,
    /// Refusals that are not attributed to a limit yet.
    pending: u64,
    /// When the quorum was reached.
    confirmed_at: Option<Instant>,
    /// The longest wait that a quorum was asked for.
    told: Duration,
    in_single_file: bool,
    probe: Option<u64>,
    paused_until: Option<Instant>,
}

/// Which requests were served and refused since the last pause began.
#[derive(Debug, Clone, Copy, Default)]
struct SincePause {
    retried_served: bool,
    retried_refused: bool,
    new_served: bool,
}

impl SincePause {
    /// Whether customers are served once they have waited, and no others are: then each has a limit
    /// of its own.
    fn shows_own_limits(self) -> bool {
        self.retried_served && !self.retried_refused && !self.new_served
    }
}

impl Attribution {
    /// `patience`: the time for which a call is retried.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            incident: None,
            answers: 0,
            recent_refused: VecDeque::new(),
            recent_own: VecDeque::new(),
            has_served: false,
            waiting: HashSet::new(),
            faulty: HashSet::new(),
            recovered: VecDeque::new(),
            since_pause: SincePause::default(),
            paused: Duration::ZERO,
            refused: RefusedByScope::default(),
        }
    }

    pub(super) fn passage(&self, now: Instant) -> Passage {
        let Some(incident) = &self.incident else {
            return Passage::Open;
        };
        match incident.paused_until {
            Some(until) if now < until => Passage::Paused(until),
            _ if incident.in_single_file && incident.probe.is_some() => Passage::Probing,
            _ => Passage::Open,
        }
    }

    /// Whether any request was ever served.
    pub(super) fn has_served(&self) -> bool {
        self.has_served
    }

    /// Whether retries go before first attempts just after a pause: they have waited as the server
    /// asked, and are served if customers' own limits had refused them.
    pub(super) fn retries_first(&self, now: Instant) -> bool {
        let Some(incident) = &self.incident else {
            return false;
        };
        let spread = (incident.told / SPREAD_SHARE).min(LONGEST_SPREAD);
        let until = incident.paused_until.map(|until| until + spread);
        !spread.is_zero() && !self.is_hopeless(now) && until.is_some_and(|until| now < until)
    }

    /// For how long the tenant's limit has been known to let no call through.
    pub(super) fn stuck(&self, now: Instant) -> Option<Duration> {
        let since = self.incident.as_ref()?.confirmed_at?;
        Some(now.saturating_duration_since(since))
    }

    /// When the latest pause of the incident ends or ended.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.incident.as_ref()?.paused_until
    }

    /// Whether the tenant's limit has let no call through for longer than any call is retried.
    pub(super) fn is_hopeless(&self, now: Instant) -> bool {
        self.stuck(now).is_some_and(|stuck| stuck > self.patience)
    }

    /// All the time so far in which the tenant's limit let no call through.
    pub(super) fn paused(&self, now: Instant) -> Duration {
        self.paused + self.stuck(now).unwrap_or_default()
    }

    /// Refused requests so far. Those of an incident are counted once they are attributed to a
    /// limit.
    pub(super) fn refused_so_far(&self) -> RefusedByScope {
        self.refused
    }

    pub(super) fn sent(&mut self, id: u64) {
        if let Some(incident) = &mut self.incident {
            incident.probe = Some(id);
        }
    }

    /// A request is answered, or never will be.
    pub(super) fn ended(&mut self, id: u64) {
        if let Some(incident) = &mut self.incident {
            incident.probe.take_if(|probe| *probe == id);
        }
    }

    /// No request was sent for a while, so earlier refusals say nothing about now.
    pub(super) fn rested(&mut self, now: Instant) {
        self.close(now);
        self.recent_refused.clear();
        self.waiting.clear();
        self.faulty.clear();
        self.recovered.clear();
        self.recent_own.clear();
    }

    /// Ends the incident. Returns whether customers' own limits caused it.
    fn close(&mut self, now: Instant) -> bool {
        self.paused = self.paused(now);
        let Some(incident) = self.incident.take() else {
            return false;
        };
        self.refused.customer += incident.pending;
        incident.confirmed_at.is_none()
    }

    /// A request about `customer` that was sent at `sent` was served.
    pub(super) fn served(&mut self, customer: Option<CustomerId>, sent: Instant, now: Instant) {
        self.answers += 1;
        self.has_served = true;
        if customer.is_some_and(|customer| self.waiting.remove(&customer)) {
            self.since_pause.retried_served = true;
        } else {
            self.since_pause.new_served = true;
        }
        if customer.is_some_and(|customer| self.faulty.remove(&customer)) {
            self.recovered.push_back(self.answers);
        }
        if self.incident.as_ref().is_some_and(|it| sent > it.since) && self.close(now) {
            self.recent_own.push_back(self.answers);
        }
    }

    /// A request was refused.
    pub(super) fn refused(&mut self, refusal: Refusal, now: Instant) -> Scope {
        let customer = refusal.customer;
        self.answers += 1;
        let oldest = self.answers.saturating_sub(RECENT);
        self.recent_refused.retain(|(answer, _)| *answer > oldest);
        self.recent_own.retain(|answer| *answer > oldest);
        self.recovered.retain(|answer| *answer > oldest);
        if let Some(customer) = customer {
            if refusal.may_be_fault {
                self.faulty.insert(customer);
            } else {
                self.faulty.remove(&customer);
            }
        }
        let may_be_fault = refusal.may_be_fault && self.recovered.len() < QUORUM;
        let is_new = customer.is_none_or(|customer| self.waiting.insert(customer));
        self.since_pause.retried_refused |= !is_new;
        let mut recent = self.recent_refused.iter();
        let several = customer.is_none() || recent.any(|(_, other)| *other != customer);
        self.recent_refused.push_back((self.answers, customer));
        // Customers that always fail with 503 come first in a run, and must not pause the others.
        if may_be_fault || self.since_pause.shows_own_limits() {
            self.refused.customer += 1;
            return Scope::Customer;
        }
        let was_stuck = self.stuck(now).is_some();
        self.add_to_incident(refusal, now);
        let is_stuck = self.stuck(now).is_some();
        if let Some(incident) = &mut self.incident {
            incident.pending += 1;
            if is_stuck {
                self.refused.tenant += std::mem::take(&mut incident.pending);
            }
        }
        if is_stuck && !was_stuck {
            Scope::Tenant(Evidence::Quorum)
        } else if several && is_new && self.has_served {
            Scope::Tenant(Evidence::Several)
        } else {
            Scope::Customer
        }
    }

    /// How many customers must be refused in a row before a short pause.
    fn quorum(&self) -> usize {
        let recent = usize::try_from(self.answers.min(RECENT)).unwrap_or(usize::MAX);
        let are_most_refused = self.recent_refused.len() * 2 > recent;
        let least = if self.has_served {
            QUORUM
        } else {
            UNSURE_QUORUM
        };
        if are_most_refused {
            least
        } else {
            least + QUORUM * self.recent_own.len()
        }
    }

    /// Adds a refusal to the incident, or opens one. Pauses every call if the limit is the
    /// tenant's.
    fn add_to_incident(&mut self, refusal: Refusal, now: Instant) {
        let quorum = self.quorum();
        let in_single_file = self.recent_own.is_empty();
        let incident = self.incident.get_or_insert_with(|| Incident {
            since: now,
            refused: Vec::new(),
            pending: 0,
            confirmed_at: None,
            told: Duration::ZERO,
            in_single_file,
            probe: None,
            paused_until: None,
        });
        let customer = refusal.customer;
        // A wait beyond `patience` makes no difference, and a long one could overflow an `Instant`.
        let wait = refusal
            .retry_after
            .unwrap_or_default()
            .min(self.patience * 2);
        let mut refused = incident.refused.iter_mut();
        match refused.find(|(other, _)| *other == customer) {
            Some((_, until)) => *until = now + wait,
            None => incident.refused.push((customer, now + wait)),
        }
        let told = if customer.is_none() {
            // A request about no customer is refused only by the tenant's limit.
            Some(wait)
        } else if refusal.sent <= incident.since {
            return;
        } else {
            incident.quorum_wait(quorum, now)
        };
        let told = if incident.confirmed_at.is_some() {
            // One refused probe prolongs the pause for every call, but by no more than a quorum was
            // asked to wait, or by a short pause.
            told.unwrap_or_default()
                .max(wait.min(incident.told.max(SHORT_PAUSE)))
        } else if let Some(told) = told {
            told
        } else {
            return;
        };
        incident.told = incident.told.max(told);
        incident.in_single_file = true;
        let since = *incident.confirmed_at.get_or_insert(now);
        self.since_pause = SincePause::default();
        let pause = if told > self.patience {
            self.patience / PROBES
        } else if told.is_zero() {
            (now.saturating_duration_since(since) / PROBE_SHARE).max(POLL)
        } else {
            told
        };
        incident.paused_until = incident.paused_until.max(Some(now + pause));
    }
}

impl Incident {
    /// The longest wait that a quorum was asked for; none without a quorum. A wait over
    /// `SHORT_PAUSE` takes twice the quorum, so that a few customers with absurd waits do not hold
    /// up the others.
    fn quorum_wait(&self, quorum: usize, now: Instant) -> Option<Duration> {
        let left = |until: Instant| until.saturating_duration_since(now);
        let mut waits: Vec<Duration> = self.refused.iter().map(|(_, it)| left(*it)).collect();
        waits.sort_unstable_by(|a, b| b.cmp(a));
        let long = waits.get(quorum * 2 - 1).copied();
        let short = waits.get(quorum - 1).filter(|wait| **wait <= SHORT_PAUSE);
        long.max(short.copied())
    }
}
