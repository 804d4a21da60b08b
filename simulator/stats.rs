//! Counts for whoever measures: answers per kind of call and status, connections,
//! and how many usage requests were under way at once at the most.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::state::{Kind, lock};

/// How a request was answered, as far as a count goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Answered {
    Status(u16),
    /// Scripted bytes in place of a response.
    Raw,
    /// The connection was reset in place of a response.
    Reset,
}

/// The counts since the start, or since they were last cleared.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    answers: Mutex<BTreeMap<(Kind, Answered), u64>>,
    connections: AtomicU64,
    in_flight: AtomicU64,
    max_in_flight: AtomicU64,
}

/// A usage request under way; it ends when this is dropped.
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
        if kind != Kind::Usage {
            return InFlight(None);
        }
        let now = self.in_flight.fetch_add(1, Relaxed) + 1;
        self.max_in_flight.fetch_max(now, Relaxed);
        InFlight(Some(&self.in_flight))
    }

    pub(crate) fn answered(&self, kind: Kind, how: Answered) {
        *lock(&self.answers).entry((kind, how)).or_default() += 1;
    }

    pub(crate) fn clear(&self) {
        lock(&self.answers).clear();
        self.connections.store(0, Relaxed);
        self.max_in_flight
            .store(self.in_flight.load(Relaxed), Relaxed);
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let mut answers = serde_json::json!({});
        let mut total = 0;
        for ((kind, how), count) in lock(&self.answers).iter() {
            let kind = serde_json::to_value(kind).unwrap_or_default();
            let how = match how {
                Answered::Status(status) => status.to_string(),
                Answered::Raw => "raw".to_owned(),
                Answered::Reset => "reset".to_owned(),
            };
            answers[kind.as_str().unwrap_or_default()][how] = (*count).into();
            total += count;
        }
        serde_json::json!({
            "requests": total,
            "answers": answers,
            "connections": self.connections.load(Relaxed),
            "in_flight": self.in_flight.load(Relaxed),
            "max_in_flight": self.max_in_flight.load(Relaxed),
        })
    }
}
