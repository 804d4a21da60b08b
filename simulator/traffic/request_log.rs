//! The last requests received, so that a test can assert on what was really sent. Requests with a
//! scripted answer are in it too; control calls are not.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Mutex,
    time::Instant,
};

use serde::Serialize;

use super::endpoint::Endpoint;
use crate::{
    lock::lock,
    wire::{Form, HttpRequest},
};

/// One request as it was received. The field names are those of `GET /_sim/requests`.
#[derive(Debug, Serialize)]
struct LoggedRequest {
    /// Counts from 1, also across a clearing of the log.
    n: u64,
    at_ms: u64,
    kind: Endpoint,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    /// The form of a request to the sign-in.
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
}

/// The newest requests, up to a limit.
#[derive(Debug)]
pub(crate) struct RequestLog {
    limit: usize,
    started: Instant,
    kept: Mutex<NumberedRequests>,
}

#[derive(Debug, Default)]
struct NumberedRequests {
    received: u64,
    newest: VecDeque<LoggedRequest>,
}

impl RequestLog {
    /// A log of at most `limit` requests.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            started: Instant::now(),
            kept: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, endpoint: Endpoint, request: &HttpRequest) {
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
        let has_form = matches!(endpoint, Endpoint::Token | Endpoint::DeviceCode);
        let logged = LoggedRequest {
            n: 0,
            at_ms: u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            kind: endpoint,
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.clone(),
            headers,
            form: has_form.then(|| request.form()),
        };
        let mut kept = lock(&self.kept);
        kept.received += 1;
        let n = kept.received;
        while kept.newest.len() >= self.limit {
            kept.newest.pop_front();
        }
        kept.newest.push_back(LoggedRequest { n, ..logged });
    }

    /// The requests with a number above `after`, of one endpoint or of all, as JSON.
    pub(crate) fn to_json(&self, after: u64, endpoint: Option<&str>) -> Vec<u8> {
        let kept = lock(&self.kept);
        let is_wanted =
            |it: &Endpoint| endpoint.is_none_or(|name| it.name().eq_ignore_ascii_case(name));
        let wanted: Vec<&LoggedRequest> = kept
            .newest
            .iter()
            .filter(|request| request.n > after && is_wanted(&request.kind))
            .collect();
        serde_json::to_vec(&wanted).expect("a request is plain JSON")
    }

    pub(crate) fn clear(&self) {
        lock(&self.kept).newest.clear();
    }
}
