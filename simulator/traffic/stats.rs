//! Counts for whoever measures: answers per kind of call and status, API calls served
//! and refused per second, connections, and how many analytics requests were under way
//! at once at the most.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use serde::Serialize;

use crate::simulator::{Kind, lock};

/// How a request was answered, as far as a count goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answered {
    Status(u16),
    /// Scripted bytes in place of a response.
    Raw,
    /// The connection was reset in place of a response.
    Reset,
}

/// The pace is kept for so long.
const MAX_SECONDS: usize = 3_600;

/// The counts since the start, or since they were last cleared.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    answers: Mutex<BTreeMap<(Kind, Answered), u64>>,
    pace: Mutex<Pace>,
    connections: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

/// What became of API calls, second by second.
#[derive(Debug, Default)]
struct Pace {
    /// When the first call was answered.
    began: Option<Instant>,
    seconds: VecDeque<Second>,
}

/// One second in which calls were answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Second {
    /// Whole seconds after the first answer.
    #[serde(rename = "second")]
    place: u64,
    served: u64,
    /// Answered with 429.
    refused: u64,
}

impl Pace {
    fn note(&mut self, refused: bool, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let second = now.saturating_duration_since(began).as_secs();
        if self.seconds.back().is_none_or(|last| last.place < second) {
            self.seconds.push_back(Second {
                place: second,
                served: 0,
                refused: 0,
            });
            if self.seconds.len() > MAX_SECONDS {
                self.seconds.pop_front();
            }
        }
        if let Some(last) = self.seconds.back_mut() {
            last.served += u64::from(!refused);
            last.refused += u64::from(refused);
        }
    }
}

/// An analytics request under way; it ends when this is dropped.
pub(crate) struct InFlight<'a>(Option<&'a AtomicU64>);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.0 {
            count.fetch_sub(1, Relaxed);
        }
    }
}

impl Stats {
    pub(crate) fn connected(&self) {
        self.connections.fetch_add(1, Relaxed);
    }

    pub(crate) fn begin(&self, kind: Kind) -> InFlight<'_> {
        if kind.subject().is_none() {
            return InFlight(None);
        }
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        InFlight(Some(&self.in_flight))
    }

    pub(crate) fn answered(&self, kind: Kind, how: Answered) {
        *lock(&self.answers).entry((kind, how)).or_default() += 1;
        if kind.is_api() {
            let refused = how == Answered::Status(429);
            lock(&self.pace).note(refused, Instant::now());
        }
    }

    pub(crate) fn clear(&self) {
        lock(&self.answers).clear();
        *lock(&self.pace) = Pace::default();
        self.connections.store(0, Relaxed);
        self.max_in_flight
            .store(self.in_flight.load(Relaxed), Relaxed);
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut answers = serde_json::json!({});
        let mut total = 0;
        for ((kind, how), count) in lock(&self.answers).iter() {
            let how = match how {
                Answered::Status(status) => status.to_string(),
                Answered::Raw => "raw".to_owned(),
                Answered::Reset => "reset".to_owned(),
            };
            answers[kind.name()][how] = (*count).into();
            total += count;
        }
        serde_json::json!({
            "requests": total,
            "answers": answers,
            "per_second": lock(&self.pace).seconds,
            "connections": self.connections.load(Relaxed),
            "in_flight": self.in_flight.load(Relaxed),
            "max_in_flight": self.max_in_flight.load(Relaxed),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_pace_tells_served_from_refused_second_by_second() {
        let mut pace = Pace::default();
        let start = Instant::now();
        for (millis, refused) in [(0, false), (900, true), (1_000, true), (3_500, false)] {
            pace.note(refused, start + Duration::from_millis(millis));
        }
        let seconds: Vec<_> = pace
            .seconds
            .iter()
            .map(|it| (it.place, it.served, it.refused))
            .collect();
        assert_eq!(seconds, [(0, 1, 1), (1, 0, 1), (3, 1, 0)]);
    }
}
