//! Counts for measurements: answers by endpoint and status, API calls served and refused per
//! second, connections, and the largest number of analytics requests in flight.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use serde::Serialize;
use serde_json::{Value, json};

use super::endpoint::Endpoint;
use crate::lock::lock;

/// How a request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answered {
    Status(u16),
    /// Scripted bytes in place of a response.
    Raw,
    /// The connection was reset in place of a response.
    Reset,
}

/// Maximum number of seconds kept, so that the memory of a simulator that runs for days is bounded.
const MAX_SECONDS: usize = 3_600;

/// The counts since the start, or since they were last cleared.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    answers: Mutex<BTreeMap<(Endpoint, Answered), u64>>,
    per_second: Mutex<CallsPerSecond>,
    connections: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

/// The answered API calls, second by second.
#[derive(Debug, Default)]
struct CallsPerSecond {
    /// When the first call was answered.
    began: Option<Instant>,
    seconds: VecDeque<SecondOfCalls>,
}

/// The calls that were answered within one second. A second without any has no entry.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct SecondOfCalls {
    /// Whole seconds since the first answer.
    second: u64,
    served: u64,
    /// Answered with 429.
    refused: u64,
}

impl CallsPerSecond {
    fn add(&mut self, refused: bool, now: Instant) {
        let began = *self.began.get_or_insert(now);
        let second = now.saturating_duration_since(began).as_secs();
        if self.seconds.back().is_none_or(|last| last.second < second) {
            self.seconds.push_back(SecondOfCalls {
                second,
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

/// Counts an analytics request as in flight until it is dropped.
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

    pub(crate) fn begin(&self, endpoint: Endpoint) -> InFlight<'_> {
        if endpoint.dataset().is_none() {
            return InFlight(None);
        }
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        InFlight(Some(&self.in_flight))
    }

    pub(crate) fn answered(&self, endpoint: Endpoint, how: Answered) {
        *lock(&self.answers).entry((endpoint, how)).or_default() += 1;
        if endpoint.is_api() {
            let refused = how == Answered::Status(429);
            lock(&self.per_second).add(refused, Instant::now());
        }
    }

    pub(crate) fn clear(&self) {
        lock(&self.answers).clear();
        *lock(&self.per_second) = CallsPerSecond::default();
        self.connections.store(0, Relaxed);
        self.max_in_flight
            .store(self.in_flight.load(Relaxed), Relaxed);
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut answers = json!({});
        let mut total = 0;
        for ((endpoint, how), count) in lock(&self.answers).iter() {
            let how = match how {
                Answered::Status(status) => status.to_string(),
                Answered::Raw => "raw".to_owned(),
                Answered::Reset => "reset".to_owned(),
            };
            answers[endpoint.name()][how] = (*count).into();
            total += count;
        }
        json!({
            "requests": total,
            "answers": answers,
            "per_second": lock(&self.per_second).seconds,
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
    fn served_and_refused_calls_are_counted_second_by_second() {
        let mut calls = CallsPerSecond::default();
        let start = Instant::now();
        for (millis, refused) in [(0, false), (900, true), (1_000, true), (3_500, false)] {
            calls.add(refused, start + Duration::from_millis(millis));
        }
        let seconds: Vec<_> = calls
            .seconds
            .iter()
            .map(|it| (it.second, it.served, it.refused))
            .collect();
        assert_eq!(seconds, [(0, 1, 1), (1, 0, 1), (3, 1, 0)]);
    }
}
