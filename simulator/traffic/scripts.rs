//! Scripted answers: what a test tells the server to say to the next requests of
//! one customer or one endpoint, however wrong. This room reads and queues them;
//! `connection` carries them out.

use std::{
    collections::{HashMap, VecDeque},
    iter,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    simulator::{Kind, lock},
    wire::http,
};

/// Generated bodies are sent in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What `POST /_sim/script` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    target: String,
    answers: VecDeque<Answer>,
    #[serde(default)]
    then: Then,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    #[default]
    Normal,
    Repeat,
}

/// One scripted answer. At most one of the bodies may be given.
///
/// The JSON is kept as the text it came in, so that a test can send numbers and
/// repeated keys that a parser in between would mend.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) gzip: Option<bool>,
    pub(crate) delay_ms: u64,
    pub(crate) cut_after: Option<u64>,
    pub(crate) stall_after: Option<u64>,
    pub(crate) drip_ms: Option<u64>,
    pub(crate) chunked: bool,
    pub(crate) reset: bool,
    pub(crate) normal: bool,
    json: Option<Box<RawValue>>,
    text: Option<String>,
    base64: Option<String>,
    items: Option<Vec<Box<RawValue>>>,
    repeat_item: Option<Box<RawValue>>,
    times: Option<u64>,
    fill_bytes: Option<u64>,
    raw_base64: Option<String>,
}

impl Answer {
    /// What is wrong with it, if anything.
    fn fault(&self) -> Option<String> {
        let bodies = [
            self.normal,
            self.json.is_some(),
            self.text.is_some(),
            self.base64.is_some(),
            self.items.is_some(),
            self.repeat_item.is_some(),
            self.fill_bytes.is_some(),
            self.raw_base64.is_some(),
        ];
        if bodies.into_iter().filter(|given| *given).count() > 1 {
            return Some("an answer has more than one body".to_owned());
        }
        if self.cut_after.is_some() && self.stall_after.is_some() {
            return Some("an answer is cut or stalls, not both".to_owned());
        }
        if self.repeat_item.is_some() != self.times.is_some() {
            return Some("repeat_item and times go together".to_owned());
        }
        [&self.base64, &self.raw_base64]
            .into_iter()
            .flatten()
            .find_map(|text| STANDARD.decode(text).err())
            .map(|error| format!("the base64 can't be read: {error}"))
    }

    /// The exact bytes to send in place of a response.
    pub(crate) fn raw(&self) -> Option<Vec<u8>> {
        self.raw_base64.as_deref().map(decoded)
    }

    /// Whether nothing at all is sent before the connection is reset.
    pub(crate) fn resets_at_once(&self) -> bool {
        self.reset && self.raw_base64.is_none() && self.cut_after.is_none()
    }

    /// The scripted body and its content type.
    pub(crate) fn body(&self) -> (Body, &'static str) {
        let whole = |bytes: Vec<u8>, content_type| (Body::whole(bytes), content_type);
        if let Some(json) = &self.json {
            whole(json.get().into(), http::JSON)
        } else if let Some(text) = &self.text {
            whole(text.clone().into(), "text/plain; charset=utf-8")
        } else if let Some(base64) = &self.base64 {
            whole(decoded(base64), http::JSON)
        } else if let Some(items) = &self.items {
            let texts: Vec<&str> = items.iter().map(|item| item.get()).collect();
            let body = format!("{}{}{TAIL}", head(items.len()), texts.join(","));
            whole(body.into(), http::JSON)
        } else if let (Some(item), Some(times)) = (&self.repeat_item, self.times) {
            (Body::of_copies(item.get(), times), http::JSON)
        } else if let Some(length) = self.fill_bytes {
            (Body::padded(length), http::JSON)
        } else {
            whole(Vec::new(), "")
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD
        .decode(text)
        .expect("base64 was checked when the script was taken in")
}

const TAIL: &str = r#"],"attributes":{"objectType":"Collection"}}"#;

fn head(count: impl std::fmt::Display) -> String {
    format!(r#"{{"totalCount":{count},"items":["#)
}

/// A body that may be far larger than memory: some bytes, then the same bytes
/// over and over, then a few more.
#[derive(Debug)]
pub(crate) struct Body {
    start: Vec<u8>,
    unit_bytes: usize,
    /// Several units, so that a piece is worth a write.
    batch: Vec<u8>,
    batches: u64,
    /// Units left over from the last whole batch.
    rest: usize,
    end: Vec<u8>,
}

impl Body {
    pub(crate) fn whole(bytes: Vec<u8>) -> Self {
        Self::new(bytes, b"", 0, Vec::new())
    }

    fn new(start: Vec<u8>, unit: &[u8], times: u64, end: Vec<u8>) -> Self {
        let in_batch = (PIECE_BYTES / unit.len().max(1)).max(1);
        let per_batch = u64::try_from(in_batch).expect("a batch is small");
        Self {
            start,
            unit_bytes: unit.len(),
            batch: unit.repeat(in_batch),
            batches: times / per_batch,
            rest: usize::try_from(times % per_batch).expect("the rest is below a batch"),
            end,
        }
    }

    /// A usage collection of this item so many times.
    fn of_copies(item: &str, times: u64) -> Self {
        let first = if times == 0 { "" } else { item };
        let start = format!("{}{first}", head(times));
        let unit = format!(",{item}");
        Self::new(
            start.into(),
            unit.as_bytes(),
            times.saturating_sub(1),
            TAIL.into(),
        )
    }

    /// An empty usage collection of just this many bytes, or of a few more than asked.
    fn padded(length: u64) -> Self {
        let opened = TAIL.strip_suffix('}').expect("the tail closes an object");
        let start = format!(r#"{}{opened},"padding":""#, head(0));
        let end = r#""}"#;
        let around = u64::try_from(start.len() + end.len()).unwrap_or(u64::MAX);
        Self::new(
            start.into(),
            b"x",
            length.saturating_sub(around),
            end.into(),
        )
    }

    pub(crate) fn len(&self) -> u64 {
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        size(self.start.len())
            + self.batches.saturating_mul(size(self.batch.len()))
            + size(self.rest * self.unit_bytes)
            + size(self.end.len())
    }

    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let batches = (0..self.batches).map(|_| &self.batch[..]);
        iter::once(&self.start[..])
            .chain(batches)
            .chain([&self.batch[..self.rest * self.unit_bytes], &self.end[..]])
            .filter(|piece| !piece.is_empty())
    }
}

/// The answers still to be given, by target.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    // Spares the ordinary request a lock.
    any: AtomicBool,
    queues: Mutex<HashMap<String, Queue>>,
}

#[derive(Debug)]
struct Queue {
    answers: VecDeque<Answer>,
    then: Then,
}

impl Scripts {
    /// Takes a script in, in place of an earlier one for the same target.
    ///
    /// # Errors
    /// When it can't be carried out; says why.
    pub(crate) fn add(&self, script: Script) -> Result<(), String> {
        let target = script.target.to_ascii_lowercase();
        let endpoints = [
            "usage",
            "deployment",
            "commercial_usage",
            "commercial_deployment",
            "customers",
            "token",
            "devicecode",
        ];
        if !endpoints.contains(&&*target) && uuid::Uuid::try_parse(&target).is_err() {
            return Err(format!(
                "target is a customer's GUID or one of {endpoints:?}"
            ));
        }
        if let Some(fault) = script.answers.iter().find_map(Answer::fault) {
            return Err(fault);
        }
        let queue = Queue {
            answers: script.answers,
            then: script.then,
        };
        lock(&self.queues).insert(target, queue);
        self.any.store(true, Relaxed);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        lock(&self.queues).clear();
        self.any.store(false, Relaxed);
    }

    /// The scripted answer to a request, if there is one. A customer's own script
    /// goes before the one for all usage requests.
    pub(crate) fn next(&self, kind: Kind, about: &str) -> Option<Answer> {
        if !self.any.load(Relaxed) {
            return None;
        }
        let mut queues = lock(&self.queues);
        let mut take = |target: &str| {
            let queue = queues.get_mut(target)?;
            if queue.then == Then::Repeat && queue.answers.len() == 1 {
                return queue.answers.front().cloned();
            }
            queue.answers.pop_front()
        };
        match kind {
            Kind::Usage => take(&about.to_ascii_lowercase()).or_else(|| take("usage")),
            Kind::Other | Kind::OpenId | Kind::Control => None,
            _ => take(kind.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

    fn text_of(body: &Body) -> String {
        let bytes: Vec<u8> = body.pieces().flatten().copied().collect();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), body.len());
        String::from_utf8(bytes).unwrap()
    }

    fn scripts(text: &str) -> Scripts {
        let scripts = Scripts::default();
        scripts.add(serde_json::from_str(text).unwrap()).unwrap();
        scripts
    }

    #[test]
    fn answers_come_in_order_and_then_service_is_normal() {
        let text = format!(r#"{{"target":"{ID}","answers":[{{"status":500}},{{"status":503}}]}}"#);
        let scripts = scripts(&text.replace("4d3c", "4D3C"));
        let next = || {
            scripts
                .next(Kind::Usage, &ID.to_uppercase())
                .map(|it| it.status)
        };
        assert_eq!(
            [next(), next(), next()],
            [Some(Some(500)), Some(Some(503)), None]
        );
    }

    #[test]
    fn the_last_answer_is_repeated_if_asked() {
        let scripts = scripts(
            r#"{"target":"token","answers":[{"status":500},{"reset":true}],"then":"repeat"}"#,
        );
        let next = || scripts.next(Kind::Token, "").map(|answer| answer.reset);
        assert_eq!(
            [next(), next(), next()],
            [Some(false), Some(true), Some(true)]
        );
        assert!(scripts.next(Kind::Customers, "").is_none());
    }

    #[test]
    fn a_repeated_item_makes_a_collection_of_that_many() {
        let body = Body::of_copies(r#"{"a":1.0}"#, 20_000);
        let value: serde_json::Value = serde_json::from_str(&text_of(&body)).unwrap();
        assert_eq!(value["items"].as_array().unwrap().len(), 20_000);
        assert_eq!(value["totalCount"], 20_000);
        assert!(text_of(&Body::of_copies("{}", 0)).contains("[]"));
    }

    #[test]
    fn a_padded_collection_has_the_length_asked_for_and_is_json() {
        for length in [200, 65_536, 1_000_000] {
            let body = Body::padded(length);
            assert_eq!(body.len(), length);
            let value: serde_json::Value = serde_json::from_str(&text_of(&body)).unwrap();
            assert_eq!(value["attributes"]["objectType"], "Collection");
        }
    }

    #[test]
    fn scripted_json_is_sent_letter_by_letter() {
        let answer: Answer = serde_json::from_str(r#"{"json":{"a":5.0,"a":1e400}}"#).unwrap();
        assert_eq!(text_of(&answer.body().0), r#"{"a":5.0,"a":1e400}"#);
    }

    #[test]
    fn an_answer_with_two_bodies_is_refused() {
        let script = r#"{"target":"token","answers":[{"text":"a","json":{}}]}"#;
        let scripts = Scripts::default();
        assert!(scripts.add(serde_json::from_str(script).unwrap()).is_err());
    }
}
