//! Whose limit a refusal comes from: one customer's own, or the partner's, which is everybody's. Pure in time.
//!
//! After a first refusal one request is let through at a time, until one that was sent after it is answered. If that
//! one is served, others still get through, and the limit is the refused customer's own. If it is refused too, the
//! limit is the partner's, and everybody waits. A pause is as long as enough customers vouch for, so that a few with
//! absurd wishes cannot hold up the rest.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use crate::usage::CustomerId;

/// Among so many answers refusals are looked at together.
const RECENT: u64 = 100;

/// So many refusals among them are everybody's business, whoever they are about.
const TOO_MANY: usize = 20;

/// Who is refused so often while others get through has a limit of its own.
const OWN: u32 = 2;

/// While nobody was ever served, a limit of each one's own looks like one of all, until so many are refused.
const NEVER_SERVED: usize = 12;

/// The longest wish that so many refused customers vouch for: the longer everybody would have to wait, the surer it must
/// be that it is not a few with limits of their own.
const VOUCHED: [Duration; 6] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(20),
    Duration::from_mins(1),
];

/// So many are needed where the server says nothing.
const WITHOUT_WISH: usize = 3;

/// A pause beyond the time in which a call is retried is interrupted by a look so many times in that time.
const LOOKS: u32 = 8;
const LONGEST_LOOK: Duration = Duration::from_mins(1);

/// Beyond this a day or a century is the same, and can be added to a moment.
const LONGEST_PATIENCE: Duration = Duration::from_hours(24);

/// Lower rates did not help, so that for a while few refusals among many answers are not thought to come from the rate.
const TOLERANCE: Duration = Duration::from_mins(1);

/// What is known about refusals.
#[derive(Debug)]
pub(super) struct Blame {
    /// How long a call is retried.
    patience: Duration,
    suspicion: Option<Suspicion>,
    /// How often each was refused, and not served since, while others were.
    own: HashMap<CustomerId, u32>,
    answers: u64,
    /// Refusals among the recent answers, by the number of the answer; whose it was, if not by that one's own limit.
    refused: VecDeque<(u64, Whose)>,
    served_any: bool,
    /// When the latest suspicion arose.
    suspected_at: Option<Instant>,
    tolerant_until: Option<Instant>,
    /// Time spent in pauses that are over.
    paused: Duration,
}

/// Where a refusal may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// From a customer's own limit.
    Own,
    /// From the partner's, heard about a customer or about none.
    Unknown(Option<CustomerId>),
}

/// Refusals that may be the partner's limit.
#[derive(Debug)]
struct Suspicion {
    since: Instant,
    /// Who was refused, and until when each is to wait.
    refused: Vec<(Option<CustomerId>, Instant)>,
    /// When enough were refused, one of them sent after the first refusal, for it to be the partner's limit.
    confirmed_at: Option<Instant>,
    /// The rate was told.
    told: bool,
    /// Refusals since then.
    in_vain: u32,
    /// The one request that is let through.
    probe: Option<u64>,
    paused_until: Option<Instant>,
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
pub(super) enum Sign {
    /// Nothing: it is the customer's own limit.
    Own,
    /// Perhaps something; a second one would be needed.
    First,
    /// Refusals of several customers.
    Several,
    /// Everybody is refused.
    All,
}

impl Blame {
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience: patience.min(LONGEST_PATIENCE),
            suspicion: None,
            own: HashMap::new(),
            answers: 0,
            refused: VecDeque::new(),
            served_any: false,
            suspected_at: None,
            tolerant_until: None,
            paused: Duration::ZERO,
        }
    }

    pub(super) fn gate(&self, now: Instant) -> Gate {
        match &self.suspicion {
            Some(suspicion) if suspicion.paused_until.is_some_and(|until| now < until) => {
                Gate::Paused(suspicion.paused_until.unwrap_or(now))
            }
            Some(suspicion) if suspicion.probe.is_some() => Gate::Probing,
            _ => Gate::Open,
        }
    }

    /// Whether nobody has got through for so long.
    pub(super) fn stuck(&self, now: Instant) -> Option<Duration> {
        let suspicion = self.suspicion.as_ref()?;
        let since = suspicion.confirmed_at?;
        Some(now.saturating_duration_since(since))
    }

    /// Whether nobody has got through for longer than any call is retried.
    pub(super) fn is_hopeless(&self, now: Instant) -> bool {
        self.stuck(now).is_some_and(|stuck| stuck > self.patience)
    }

    /// How often in a row somebody was asked for in vain.
    pub(super) fn in_vain(&self) -> u32 {
        self.suspicion
            .as_ref()
            .map_or(0, |suspicion| suspicion.in_vain)
    }

    /// All the time so far in which nobody got through.
    pub(super) fn paused(&self, now: Instant) -> Duration {
        self.paused + self.stuck(now).unwrap_or_default()
    }

    /// A request goes out.
    pub(super) fn sent(&mut self, id: u64) {
        if let Some(suspicion) = &mut self.suspicion {
            suspicion.probe = Some(id);
        }
    }

    /// A request is answered, or never will be.
    pub(super) fn ended(&mut self, id: u64) {
        if let Some(suspicion) = &mut self.suspicion
            && suspicion.probe == Some(id)
        {
            suspicion.probe = None;
        }
    }

    /// Nobody asked for a while.
    pub(super) fn rested(&mut self, now: Instant) {
        self.paused += self.stuck(now).unwrap_or_default();
        self.suspicion = None;
        self.refused.clear();
        self.own.clear();
    }

    /// A request of `about` that was sent at `sent` got through.
    pub(super) fn served(&mut self, about: Option<CustomerId>, sent: Instant, now: Instant) {
        self.answers += 1;
        self.served_any = true;
        if let Some(customer) = about {
            self.own.remove(&customer);
        }
        let stuck = self.stuck(now).unwrap_or_default();
        if let Some(suspicion) = self.suspicion.take_if(|suspicion| sent > suspicion.since) {
            self.paused += stuck;
            for customer in suspicion.refused.into_iter().filter_map(|(who, _)| who) {
                if Some(customer) != about {
                    *self.own.entry(customer).or_default() += 1;
                }
            }
        }
    }

    /// A request of `about` that was sent at `sent` is refused, and is to wait for `wish`.
    pub(super) fn refused(
        &mut self,
        about: Option<CustomerId>,
        sent: Instant,
        wish: Option<Duration>,
        now: Instant,
    ) -> Sign {
        self.answers += 1;
        while let Some((answer, _)) = self.refused.front()
            && answer + RECENT <= self.answers
        {
            self.refused.pop_front();
        }
        let times = about.and_then(|customer| self.own.get(&customer));
        let own = times.is_some_and(|times| *times >= OWN);
        let whose = if own {
            Whose::Own
        } else {
            Whose::Unknown(about)
        };
        self.refused.push_back((self.answers, whose));
        if self.refused.len() >= TOO_MANY {
            self.own.clear();
            self.tolerant_until = None;
        } else if own {
            return Sign::Own;
        } else if self.tolerant_until.is_some_and(|until| now < until) {
            self.own.extend(about.map(|customer| (customer, OWN)));
            return Sign::Own;
        }
        let several = about.is_none()
            || self.refused.iter().any(|&(_, other)| match other {
                Whose::Own => false,
                Whose::Unknown(other) => other != about,
            });
        // What was sent before the latest doubt was settled says nothing new.
        let late = self.suspicion.is_none() && self.suspected_at.is_some_and(|at| sent <= at);
        if !late {
            self.suspect(about, sent, wish, now);
        }
        match &mut self.suspicion {
            Some(suspicion) if !self.served_any && suspicion.confirmed_at.is_none() => Sign::First,
            Some(suspicion) if suspicion.told => Sign::First,
            Some(suspicion) if suspicion.confirmed_at.is_some() => {
                suspicion.told = true;
                Sign::All
            }
            _ if several => Sign::Several,
            _ => Sign::First,
        }
    }

    /// The refusals that are known now were not the rate's doing.
    pub(super) fn tolerate(&mut self, now: Instant) {
        self.tolerant_until = Some(now + TOLERANCE);
    }

    fn suspect(
        &mut self,
        about: Option<CustomerId>,
        sent: Instant,
        wish: Option<Duration>,
        now: Instant,
    ) {
        let patience = self.patience;
        let suspicion = self.suspicion.get_or_insert_with(|| Suspicion {
            since: now,
            refused: Vec::new(),
            confirmed_at: None,
            told: false,
            in_vain: 0,
            probe: None,
            paused_until: None,
        });
        self.suspected_at = Some(suspicion.since);
        // A wish for centuries is a long one like others.
        let until = now + wish.unwrap_or_default().min(LONGEST_PATIENCE * 2);
        let later = sent > suspicion.since;
        let mut refused = suspicion.refused.iter_mut();
        match refused.find(|(other, _)| *other == about) {
            Some((_, wish)) => *wish = until,
            None => suspicion.refused.push((about, until)),
        }
        let enough = self.served_any || suspicion.refused.len() >= NEVER_SERVED;
        let witnesses = match about {
            // What is about no customer is refused by the partner's limit alone.
            None => Some(VOUCHED.len()),
            Some(_) => (later && enough).then_some(0),
        };
        let pause = witnesses.and_then(|some| suspicion.vouched(some, patience, now));
        if let Some(pause) = pause {
            suspicion.confirmed_at.get_or_insert(now);
            suspicion.in_vain += u32::from(later);
            suspicion.paused_until = suspicion.paused_until.max(Some(now + pause));
        }
    }
}

impl Suspicion {
    /// How long everybody has to wait, if enough of the refused were told so; `witnesses` count besides them. None:
    /// it may be a few that are to wait for reasons of their own.
    fn vouched(&self, witnesses: usize, patience: Duration, now: Instant) -> Option<Duration> {
        let mut wishes: Vec<Duration> = self
            .refused
            .iter()
            .map(|(_, until)| until.saturating_duration_since(now))
            .collect();
        wishes.sort_unstable_by(|a, b| b.cmp(a));
        let vouched = wishes.iter().zip(1..).filter(|&(&wish, count)| {
            let least = if wish.is_zero() { WITHOUT_WISH } else { 0 };
            let count = count + witnesses;
            count >= least && VOUCHED.get(count).is_none_or(|bound| wish <= *bound)
        });
        let longest = vouched.map(|(&wish, _)| wish).max()?;
        let look = (patience / LOOKS).min(LONGEST_LOOK);
        Some(if longest > patience { look } else { longest })
    }
}
