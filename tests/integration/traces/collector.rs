//! A collector that keeps the spans it gets by OTLP over HTTP, and reads them back without the
//! library that wrote them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};

use crate::support::{World, spawn};

/// What the collector does with a batch.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Take,
    Refuse,
    /// Never.
    Hang,
}

/// A request to the collector.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

#[derive(Debug, Clone)]
pub(super) struct Span {
    pub(super) trace: String,
    pub(super) id: String,
    pub(super) parent: String,
    pub(super) name: String,
    pub(super) is_failed: bool,
    pub(super) attributes: BTreeMap<String, String>,
    /// Attributes of the process that sent it.
    pub(super) resource: BTreeMap<String, String>,
}

pub(super) struct Collector {
    url: String,
    batches: Arc<Mutex<Vec<Batch>>>,
}

impl Collector {
    pub(super) async fn start(answer: Answer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let batches = Arc::<Mutex<Vec<Batch>>>::default();
        let log = Arc::clone(&batches);
        let serve = move |request: Request| {
            let log = Arc::clone(&log);
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, 1 << 24).await.unwrap().to_vec();
                log.lock().unwrap().push(Batch {
                    path: head.uri.path().to_owned(),
                    headers: head.headers,
                    body,
                });
                match answer {
                    Answer::Take => StatusCode::OK,
                    Answer::Refuse => StatusCode::UNAUTHORIZED,
                    Answer::Hang => std::future::pending().await,
                }
            }
        };
        spawn(axum::serve(listener, axum::Router::new().fallback(serve)).into_future());
        Self { url, batches }
    }

    /// Has the program send its traces here, soon after each span ends.
    pub(super) fn configure(&self, world: &mut World) {
        world.set_variable("OTEL_EXPORTER_OTLP_ENDPOINT", &self.url);
        world.set_variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    }

    pub(super) fn batches(&self) -> Vec<Batch> {
        self.batches.lock().unwrap().clone()
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        let batches = self.batches();
        let mut spans = Vec::new();
        for of_resource in batches.iter().flat_map(|batch| messages(&batch.body, 1)) {
            let resource = messages(of_resource, 1);
            let resource: BTreeMap<_, _> = resource.into_iter().flat_map(attributes).collect();
            let of_scopes = messages(of_resource, 2).into_iter();
            let found = of_scopes.flat_map(|scope| messages(scope, 2));
            spans.extend(found.map(|span| read(span, resource.clone())));
        }
        spans
    }

    pub(super) fn named(&self, name: &str) -> Vec<Span> {
        let spans = self.spans().into_iter();
        spans.filter(|span| span.name == name).collect()
    }
}

/// A span of `opentelemetry/proto/trace/v1/trace.proto`.
fn read(span: &[u8], resource: BTreeMap<String, String>) -> Span {
    let id = |field| {
        let bytes = messages(span, field).concat();
        bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        })
    };
    // Of the status, the code: 2 is an error.
    let status = messages(span, 15).concat();
    let code = fields(&status).into_iter().find(|(number, _)| *number == 3);
    let attributes = messages(span, 9).into_iter().map(attribute);
    Span {
        trace: id(1),
        id: id(2),
        parent: id(4),
        name: text(&messages(span, 5).concat()),
        is_failed: matches!(code, Some((_, Value::Number(2)))),
        attributes: attributes.collect(),
        resource,
    }
}

fn attributes(resource: &[u8]) -> Vec<(String, String)> {
    messages(resource, 1).into_iter().map(attribute).collect()
}

/// A `KeyValue`, its value as text.
fn attribute(pair: &[u8]) -> (String, String) {
    let value = messages(pair, 2).concat();
    let value = match fields(&value).first() {
        Some((_, Value::Bytes(value))) => text(value),
        Some((_, Value::Number(value))) => value.to_string(),
        None => String::new(),
    };
    (text(&messages(pair, 1).concat()), value)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The values of a field of a protobuf message that are texts, bytes or messages.
fn messages(message: &[u8], field: u64) -> Vec<&[u8]> {
    let of_field = fields(message).into_iter();
    of_field
        .filter_map(|(number, value)| match value {
            Value::Bytes(bytes) if number == field => Some(bytes),
            Value::Bytes(_) | Value::Number(_) => None,
        })
        .collect()
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The fields of a protobuf message, by number.
fn fields(mut message: &[u8]) -> Vec<(u64, Value<'_>)> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = number(&mut message);
        let value = match key & 7 {
            0 => Value::Number(number(&mut message)),
            1 => Value::Bytes(message.split_off(..8).unwrap()),
            2 => {
                let length = usize::try_from(number(&mut message)).unwrap();
                Value::Bytes(message.split_off(..length).unwrap())
            }
            5 => Value::Bytes(message.split_off(..4).unwrap()),
            kind => panic!("no wire type of protobuf: {kind}"),
        };
        found.push((key >> 3, value));
    }
    found
}

/// Takes a number of variable length from the beginning of `bytes`.
fn number(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let byte = *bytes.split_off_first().unwrap();
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}
