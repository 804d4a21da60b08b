//! Whose limit a refusal comes from: one customer's own, or the partner's, which is everybody's.
//! Pure in time.
//!
//! A refusal opens an incident, and the answers to what is sent after it settle it. Served: others
//! still get through, and the limit was that of the refused customers. Refused, for a quorum of
//! customers without one that is served in between: it is the partner's, and everybody waits for as
//! long as the quorum was told to, or for a share of the time that it has lasted, and then lets one
//! request at a time find out.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::ledger::CustomerId;
use crate::retry::{LONGEST_SPREAD, SPREAD_SHARE};

/// So many customers that are refused, with no other served in between, show the partner's limit.
const QUORUM: usize = 3;

/// While nobody was ever served, limits of each one's own look like one of all, and so do customers
/// who always fail with 503, until so many are refused.
pub(in crate::partner_center) const UNSURE_QUORUM: usize = 12;

/// To keep everybody waiting for longer than this takes twice the quorum: a few customers with
/// absurd wishes are not to hold up the rest.
const LONG_WISH: Duration = Duration::from_secs(5);

/// Among so many answers refusals are looked at together.
const RECENT: u64 = 100;

/// Each incident among them doubles the quorum, so often at the most: where many customers have
/// limits of their own, a few refusals in a row say little.
const MOST_DOUBLINGS: usize = 6;
const OWN_DOUBLINGS: usize = 3;

/// Where no wait is asked for, somebody finds out after this share of the time that nobody has got
/// through. A pause beyond the time in which a call is retried is interrupted by a look so many
/// times in that time.
const SHARE: u32 = 4;
const LOOKS: u32 = 8;
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// Beyond this a day or a century is the same, and can be added to a moment.
const LONGEST_PATIENCE: Duration = Duration::from_hours(24);

/// What is known about refusals.
#[derive(Debug)]
pub(super) struct Attribution {
    /// How long a call is retried.
    patience: Duration,
    incident: Option<Incident>,
    /// When the latest incident began.
    latest: Option<Instant>,
    answers: u64,
    /// The recent refusals, by the number of the answer.
    refused: VecDeque<(u64, Option<CustomerId>)>,
    /// The recent incidents that are settled, likewise.
    settled: VecDeque<u64>,
    served_any: bool,
    /// Customers that were refused and not served since.
    waiting: HashSet<CustomerId>,
    /// Those among them whose latest refusal is doubtful.
    doubtful: HashSet<CustomerId>,
    /// The recent answers with which one of those was served, by number: a server in trouble, or a
    /// customer whose data always fails, does not come right so often.
    recovered: VecDeque<u64>,
    since_pause: SincePause,
    /// Time spent in pauses that are over.
    paused: Duration,
}

/// Refusals that may be the partner's limit.
#[derive(Debug)]
struct Incident {
    since: Instant,
    /// Who was refused, and until when each is to wait.
    refused: Vec<(Option<CustomerId>, Instant)>,
    /// When it was known to be the partner's limit.
    confirmed_at: Option<Instant>,
    /// The longest wait that a quorum was told.
    vouched: Duration,
    /// One request at a time is let through.
    in_single_file: bool,
    /// The one that is.
    probe: Option<u64>,
    paused_until: Option<Instant>,
}

/// Who fared how since everybody last had to wait.
#[derive(Debug, Clone, Copy, Default)]
struct SincePause {
    /// Customers that were refused before and had waited.
    waited_served: bool,
    waited_refused: bool,
    /// Others.
    others_served: bool,
}

/// A request that is refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusal {
    pub(super) about: Option<CustomerId>,
    pub(super) sent: Instant,
    /// For how long it is to wait.
    pub(super) wish: Option<Duration>,
    /// It may be a server in trouble.
    pub(super) is_doubtful: bool,
}

/// Whether a request may be made now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// Everybody waits, at least until then.
    Paused(Instant),
    /// One is on its way to find out.
    Probing,
}

/// What a refusal says about the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Evidence {
    /// Nothing: it may be one customer's.
    One,
    /// Something: several customers were refused of late.
    Several,
    /// Everybody is refused.
    Everybody,
}

impl Attribution {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience: patience.min(LONGEST_PATIENCE),
            incident: None,
            latest: None,
            answers: 0,
            refused: VecDeque::new(),
            settled: VecDeque::new(),
            served_any: false,
            waiting: HashSet::new(),
            doubtful: HashSet::new(),
            recovered: VecDeque::new(),
            since_pause: SincePause::default(),
            paused: Duration::ZERO,
        }
    }

    pub(super) fn gate(&self, now: Instant) -> Gate {
        let Some(incident) = &self.incident else {
            return Gate::Open;
        };
        match incident.paused_until {
            Some(until) if now < until => Gate::Paused(until),
            _ if incident.in_single_file && incident.probe.is_some() => Gate::Probing,
            _ => Gate::Open,
        }
    }

    /// Whether anybody ever got through.
    pub(super) fn has_served(&self) -> bool {
        self.served_any
    }

    /// Whether those who were told when to come again are to be the first after a pause: they have
    /// waited as told, and are answered if the limit was each one's own.
    pub(super) fn retries_first(&self, now: Instant) -> bool {
        let Some(incident) = &self.incident else {
            return false;
        };
        let grace = (incident.vouched / SPREAD_SHARE).min(LONGEST_SPREAD);
        !grace.is_zero()
            && !self.is_hopeless(now)
            && incident
                .paused_until
                .is_some_and(|until| now < until + grace)
    }

    /// For how long nobody has got through, if it is known that nobody does.
    pub(super) fn stuck(&self, now: Instant) -> Option<Duration> {
        let since = self.incident.as_ref()?.confirmed_at?;
        Some(now.saturating_duration_since(since))
    }

    /// When the pause ends or ended, if there is an incident that led to one.
    pub(super) fn paused_until(&self) -> Option<Instant> {
        self.incident.as_ref()?.paused_until
    }

    /// Whether nobody has got through for longer than any call is retried.
    pub(super) fn is_hopeless(&self, now: Instant) -> bool {
        self.stuck(now).is_some_and(|stuck| stuck > self.patience)
    }

    /// All the time so far in which nobody got through.
    pub(super) fn paused(&self, now: Instant) -> Duration {
        self.paused + self.stuck(now).unwrap_or_default()
    }

    /// A request goes out.
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

    /// Nobody asked for a while.
    pub(super) fn rested(&mut self, now: Instant) {
        self.paused = self.paused(now);
        self.incident = None;
        self.refused.clear();
        self.waiting.clear();
        self.doubtful.clear();
        self.recovered.clear();
        self.settled.clear();
    }

    /// A request of `about` that was sent at `sent` got through.
    pub(super) fn served(&mut self, about: Option<CustomerId>, sent: Instant, now: Instant) {
        self.answers += 1;
        self.served_any = true;
        if about.is_some_and(|customer| self.waiting.remove(&customer)) {
            self.since_pause.waited_served = true;
        } else {
            self.since_pause.others_served = true;
        }
        if about.is_some_and(|customer| self.doubtful.remove(&customer)) {
            self.recovered.push_back(self.answers);
        }
        if self.incident.as_ref().is_some_and(|it| sent > it.since) {
            self.paused = self.paused(now);
            self.incident = None;
            self.settled.push_back(self.answers);
        }
    }

    /// A request is refused.
    pub(super) fn refused(&mut self, mut refusal: Refusal, now: Instant) -> Evidence {
        let Refusal { about, sent, .. } = refusal;
        self.answers += 1;
        let oldest = self.answers.saturating_sub(RECENT);
        self.refused.retain(|(answer, _)| *answer > oldest);
        self.settled.retain(|answer| *answer > oldest);
        self.recovered.retain(|answer| *answer > oldest);
        if let Some(customer) = about {
            if refusal.is_doubtful {
                self.doubtful.insert(customer);
            } else {
                self.doubtful.remove(&customer);
            }
        }
        // Where customers are served after a 503, it is a limit like others.
        refusal.is_doubtful &= self.recovered.len() < QUORUM;
        let is_new = about.is_none_or(|customer| self.waiting.insert(customer));
        self.since_pause.waited_refused |= !is_new;
        // Who has waited is served, and nobody else: each has a limit of its own.
        let SincePause {
            waited_served,
            waited_refused,
            others_served,
        } = self.since_pause;
        let is_own = waited_served && !waited_refused && !others_served;
        let several = about.is_none() || self.refused.iter().any(|(_, other)| *other != about);
        self.refused.push_back((self.answers, about));
        // What was sent before the latest incident began says nothing new once that is settled.
        let is_late = self.incident.is_none() && self.latest.is_some_and(|at| sent <= at);
        // A 503 for a customer who had one before may be for ever.
        if refusal.is_doubtful && !is_new {
            Evidence::One
        } else if is_own {
            if !is_late {
                self.note(refusal, OWN_DOUBLINGS, now);
            }
            Evidence::One
        } else if !is_late && self.note(refusal, 0, now) {
            Evidence::Everybody
        } else if several && is_new && self.served_any && !refusal.is_doubtful {
            Evidence::Several
        } else {
            Evidence::One
        }
    }

    /// So many customers that are refused in a row show the partner's limit.
    fn quorum(&self, is_doubtful: bool, doublings: usize) -> usize {
        let recent = usize::try_from(self.answers.min(RECENT)).unwrap_or(usize::MAX);
        let are_most_refused = self.refused.len() * 2 > recent && !is_doubtful;
        let doublings = if are_most_refused {
            doublings
        } else {
            doublings + self.settled.len().min(MOST_DOUBLINGS)
        };
        let least = if self.served_any && !is_doubtful {
            QUORUM
        } else {
            UNSURE_QUORUM
        };
        least << doublings
    }

    /// Takes a refusal into the incident. Says whether it is known by it that everybody is refused.
    fn note(&mut self, refusal: Refusal, doublings: usize, now: Instant) -> bool {
        let Refusal {
            about, sent, wish, ..
        } = refusal;
        let quorum = self.quorum(refusal.is_doubtful, doublings);
        let is_sure = self.settled.is_empty();
        let incident = self.incident.get_or_insert_with(|| Incident {
            since: now,
            refused: Vec::new(),
            confirmed_at: None,
            vouched: Duration::ZERO,
            in_single_file: is_sure,
            probe: None,
            paused_until: None,
        });
        self.latest = Some(incident.since);
        // A wish for centuries is a long one like others.
        let wish = wish.unwrap_or_default().min(LONGEST_PATIENCE * 2);
        match incident.refused.iter_mut().find(|(who, _)| *who == about) {
            Some((_, until)) => *until = now + wish,
            None => incident.refused.push((about, now + wish)),
        }
        // What is about no customer is refused by the partner's limit alone.
        let is_partners = about.is_none();
        if sent <= incident.since && !is_partners {
            return false;
        }
        let told = if is_partners {
            Some(wish)
        } else {
            incident.told(quorum, now)
        };
        let is_news = incident.confirmed_at.is_none();
        let pause = if is_news {
            let Some(told) = told else {
                return false;
            };
            told
        } else {
            // Once it is known, one that comes after a pause speaks for all, and for no longer than
            // others did.
            let trusted = wish.min(incident.vouched.max(LONG_WISH));
            told.unwrap_or_default().max(trusted)
        };
        incident.vouched = incident.vouched.max(pause);
        incident.in_single_file = true;
        let since = *incident.confirmed_at.get_or_insert(now);
        self.since_pause = SincePause::default();
        let stuck = now.saturating_duration_since(since);
        let pause = if !pause.is_zero() {
            pause
        } else if refusal.is_doubtful {
            // Those who always fail come first in a run, and the others are not to wait for long
            // behind them.
            SHORTEST_PAUSE
        } else {
            (stuck / SHARE).clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
        };
        // Beyond the time in which a call is retried it is looked at again from time to time.
        let pause = if pause > self.patience {
            (self.patience / LOOKS).min(LONGEST_LOOK)
        } else {
            pause
        };
        incident.paused_until = incident.paused_until.max(Some(now + pause));
        is_news
    }
}

impl Incident {
    /// The longest wait that enough of the refused were told; none where it may be a few that are
    /// to wait for reasons of their own.
    fn told(&self, quorum: usize, now: Instant) -> Option<Duration> {
        let left = |until: Instant| until.saturating_duration_since(now);
        let mut waits: Vec<Duration> = self.refused.iter().map(|(_, it)| left(*it)).collect();
        waits.sort_unstable_by(|a, b| b.cmp(a));
        let long = waits.get(quorum * 2 - 1).copied();
        let short = waits.get(quorum - 1).filter(|wait| **wait <= LONG_WISH);
        long.max(short.copied())
    }
}
