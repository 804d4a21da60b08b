//! Scripted answers: what a test wants the next requests of one customer or one endpoint to be
//! answered with, however wrong. Parses and queues them; `server` sends them.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use uuid::Uuid;

use super::{body::ScriptedBody, endpoint::Endpoint};
use crate::{lock::lock, wire};

/// The endpoints that a script may have as its target, besides a customer's GUID.
const TARGETS: [Endpoint; 7] = [
    Endpoint::Usage,
    Endpoint::Deployment,
    Endpoint::PartnerWideUsage,
    Endpoint::PartnerWideDeployment,
    Endpoint::Customers,
    Endpoint::Token,
    Endpoint::DeviceCode,
];

/// The body of `POST /_sim/script`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Script {
    target: String,
    answers: VecDeque<ScriptedAnswer>,
    #[serde(default)]
    then: Then,
}

/// What follows the answers of a script.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Then {
    /// Ordinary answers.
    #[default]
    Normal,
    /// The last scripted answer, for ever.
    Repeat,
}

/// One scripted answer, with at most one of the bodies.
///
/// JSON is kept as the text it arrived as, so that a test can send numbers and duplicate keys that
/// parsing would change.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a member of its own in a test's JSON"
)]
pub(crate) struct ScriptedAnswer {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) gzip: Option<bool>,
    /// Whether it is sent only once all scripts have been removed.
    pub(crate) held: bool,
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

impl ScriptedAnswer {
    /// Why it cannot be sent, if it cannot.
    fn problem(&self) -> Option<String> {
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
            return Some("an answer must not have more than one body".to_owned());
        }
        if self.cut_after.is_some() && self.stall_after.is_some() {
            return Some("cut_after and stall_after exclude each other".to_owned());
        }
        if self.repeat_item.is_some() != self.times.is_some() {
            return Some("repeat_item and times need each other".to_owned());
        }
        [&self.base64, &self.raw_base64]
            .into_iter()
            .flatten()
            .find_map(|text| STANDARD.decode(text).err())
            .map(|error| format!("the base64 cannot be decoded: {error}"))
    }

    /// The exact bytes to send in place of a response.
    pub(crate) fn raw(&self) -> Option<Vec<u8>> {
        self.raw_base64.as_deref().map(decoded)
    }

    /// Whether the connection is reset before anything is sent.
    pub(crate) fn resets_at_once(&self) -> bool {
        self.reset && self.raw_base64.is_none() && self.cut_after.is_none()
    }

    /// The body, unless it is `normal` or raw, and its content type.
    pub(crate) fn body(&self) -> (ScriptedBody, &'static str) {
        if let Some(json) = &self.json {
            (ScriptedBody::whole(json.get().into()), wire::JSON)
        } else if let Some(text) = &self.text {
            let body = ScriptedBody::whole(text.clone().into());
            (body, "text/plain; charset=utf-8")
        } else if let Some(base64) = &self.base64 {
            (ScriptedBody::whole(decoded(base64)), wire::JSON)
        } else if let Some(items) = &self.items {
            let items: Vec<&str> = items.iter().map(|item| item.get()).collect();
            (ScriptedBody::of_items(&items), wire::JSON)
        } else if let (Some(item), Some(times)) = (&self.repeat_item, self.times) {
            (ScriptedBody::of_copies(item.get(), times), wire::JSON)
        } else if let Some(length) = self.fill_bytes {
            (ScriptedBody::padded(length), wire::JSON)
        } else {
            (ScriptedBody::whole(Vec::new()), "")
        }
    }
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD
        .decode(text)
        .expect("the base64 was checked when the script was added")
}

/// The scripts by target, with the answers that they still have to give.
#[derive(Debug, Default)]
pub(crate) struct Scripts {
    by_target: Mutex<HashMap<String, Script>>,
    are_removed: watch::Sender<bool>,
}

impl Scripts {
    /// Adds a script, in place of an earlier one for the same target.
    ///
    /// # Errors
    /// When the target or an answer makes no sense: why.
    pub(crate) fn add(&self, script: Script) -> Result<(), String> {
        let target = script.target.to_ascii_lowercase();
        let endpoints = TARGETS.map(Endpoint::name);
        if !endpoints.contains(&&*target) && Uuid::try_parse(&target).is_err() {
            return Err(format!(
                "target must be a customer's GUID or one of {endpoints:?}"
            ));
        }
        if let Some(problem) = script.answers.iter().find_map(ScriptedAnswer::problem) {
            return Err(problem);
        }
        lock(&self.by_target).insert(target, script);
        self.are_removed.send_replace(false);
        Ok(())
    }

    pub(crate) fn clear(&self) {
        lock(&self.by_target).clear();
        self.are_removed.send_replace(true);
    }

    /// Waits until all scripts have been removed, and none has been added since.
    pub(crate) async fn removed(&self) {
        let mut are_removed = self.are_removed.subscribe();
        let _removed = are_removed.wait_for(|are_removed| *are_removed).await;
    }

    /// The scripted answer to a request, if there is one. For usage, the customer's own script goes
    /// before the one for all customers.
    pub(crate) fn next(&self, endpoint: Endpoint, path_id: &str) -> Option<ScriptedAnswer> {
        let mut scripts = lock(&self.by_target);
        if scripts.is_empty() {
            return None;
        }
        let mut next = |target: &str| {
            let script = scripts.get_mut(target)?;
            if script.then == Then::Repeat && script.answers.len() == 1 {
                return script.answers.front().cloned();
            }
            script.answers.pop_front()
        };
        let own = (endpoint == Endpoint::Usage).then(|| path_id.to_ascii_lowercase());
        own.and_then(|id| next(&id))
            .or_else(|| next(endpoint.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

    fn scripts(text: &str) -> Scripts {
        let scripts = Scripts::default();
        scripts.add(serde_json::from_str(text).unwrap()).unwrap();
        scripts
    }

    #[test]
    fn answers_come_in_order_and_ordinary_ones_follow() {
        let text = format!(r#"{{"target":"{ID}","answers":[{{"status":500}},{{"status":503}}]}}"#);
        let scripts = scripts(&text.replace("4d3c", "4D3C"));
        let next = || {
            let answer = scripts.next(Endpoint::Usage, &ID.to_uppercase());
            answer.map(|answer| answer.status)
        };
        assert_eq!(
            [next(), next(), next()],
            [Some(Some(500)), Some(Some(503)), None]
        );
    }

    #[test]
    fn the_last_answer_is_repeated_on_request() {
        let scripts = scripts(
            r#"{"target":"token","answers":[{"status":500},{"reset":true}],"then":"repeat"}"#,
        );
        let next = || scripts.next(Endpoint::Token, "").map(|answer| answer.reset);
        assert_eq!(
            [next(), next(), next()],
            [Some(false), Some(true), Some(true)]
        );
        assert!(scripts.next(Endpoint::Customers, "").is_none());
    }

    #[test]
    fn scripted_json_is_sent_exactly_as_it_was_given() {
        let answer = r#"{"json":{"a":5.0,"a":1e400}}"#;
        let answer: ScriptedAnswer = serde_json::from_str(answer).unwrap();
        let (body, _) = answer.body();
        let sent: Vec<u8> = body.pieces().flatten().copied().collect();
        assert_eq!(sent, br#"{"a":5.0,"a":1e400}"#);
    }

    #[test]
    fn a_script_that_makes_no_sense_is_refused() {
        for script in [
            r#"{"target":"token","answers":[{"text":"a","json":{}}]}"#,
            r#"{"target":"token","answers":[{"cut_after":1,"stall_after":1}]}"#,
            r#"{"target":"token","answers":[{"times":2}]}"#,
            r#"{"target":"token","answers":[{"base64":"*"}]}"#,
            r#"{"target":"authorize","answers":[]}"#,
        ] {
            let parsed = serde_json::from_str(script).unwrap();
            assert!(Scripts::default().add(parsed).is_err(), "{script}");
        }
    }
}
