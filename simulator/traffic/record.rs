//! The last requests received, kept so that a test can assert on what was really
//! sent. Raw-faulted requests are here too; calls to `/_sim/` are not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Instant,
};

use serde::Serialize;

use crate::{
    simulator::{Kind, lock},
    wire::http::Request,
};

/// One request as it came.
#[derive(Debug, Serialize)]
struct Entry {
    /// Counts from 1 and goes on when the record is cleared.
    n: u64,
    at_ms: u64,
    kind: Kind,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    /// The fields of a sign-in request.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<BTreeMap<String, String>>,
}

/// The newest requests, at most as many as asked for.
#[derive(Debug)]
pub(crate) struct Record {
    limit: usize,
    started: Instant,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    count: u64,
    entries: VecDeque<Entry>,
}

impl Record {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            started: Instant::now(),
            kept: Mutex::default(),
        }
    }

    pub(crate) fn note(&self, kind: Kind, request: &Request) {
        if self.limit == 0 {
            return;
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &request.headers {
            headers
                .entry(name.clone())
                .and_modify(|earlier| {
                    earlier.push_str(", ");
                    earlier.push_str(value);
                })
                .or_insert_with(|| value.clone());
        }
        let signs_in = matches!(kind, Kind::Token | Kind::DeviceCode);
        let entry = Entry {
            n: 0,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            kind,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers,
            form: signs_in.then(|| request.form()),
        };
        let mut kept = lock(&self.kept);
        kept.count += 1;
        let n = kept.count;
        while kept.entries.len() >= self.limit {
            kept.entries.pop_front();
        }
        kept.entries.push_back(Entry { n, ..entry });
    }

    /// The requests with a number above `after`, of all kinds or of one.
    pub(crate) fn to_json(&self, after: u64, kind: Option<&str>) -> Vec<u8> {
        let kept = lock(&self.kept);
        let wanted: Vec<&Entry> = kept
            .entries
            .iter()
            .filter(|entry| entry.n > after)
            .filter(|entry| kind.is_none_or(|kind| entry.kind.name().eq_ignore_ascii_case(kind)))
            .collect();
        serde_json::to_vec(&wanted).expect("a record is plain JSON")
    }

    pub(crate) fn clear(&self) {
        lock(&self.kept).entries.clear();
    }
}
