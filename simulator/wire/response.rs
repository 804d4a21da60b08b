//! An HTTP response, and its head as bytes.

use std::{borrow::Cow, io::Write as _};

use chrono::{DateTime, Utc};

use super::gzip::gzip;
use crate::clock::now;

/// Minimum size in bytes of a body that is compressed. A smaller one fits into one packet anyway.
const MIN_GZIP_BYTES: usize = 1024;

pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// A response before it is sent. `Content-Length`, `Date` and the like are added by [`Self::head`].
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    /// A response with this body; an empty `content_type` sets no such header.
    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut response = Self {
            status,
            headers: Vec::with_capacity(8),
            body: body.into(),
        };
        if !content_type.is_empty() {
            response.set("Content-Type", content_type);
        }
        response
    }

    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("the simulator's own answers are plain JSON");
        Self::new(status, JSON, body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a header, replacing one of the same name.
    pub(crate) fn set(&mut self, name: impl Into<Cow<'static, str>>, value: impl Into<String>) {
        let name = name.into();
        self.headers
            .retain(|(own, _)| !own.eq_ignore_ascii_case(&name));
        self.headers.push((name, value.into()));
    }

    /// Forbids caching.
    pub(crate) fn uncached(self) -> Self {
        self.with("Cache-Control", "no-store, no-cache")
            .with("Pragma", "no-cache")
    }

    /// Replaces the headers of these names. Unlike with [`Self::set`], a name may occur several
    /// times.
    pub(crate) fn replace(&mut self, headers: &[(String, String)]) {
        self.headers.retain(|(own, _)| {
            !headers
                .iter()
                .any(|(name, _)| own.eq_ignore_ascii_case(name))
        });
        let given = headers.iter().cloned();
        self.headers
            .extend(given.map(|(name, value)| (name.into(), value)));
    }

    /// Whether its headers say `Connection: close`.
    pub(crate) fn closes(&self) -> bool {
        self.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close")
        })
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Compresses the body if it is large enough to gain from it.
    pub(crate) fn compress(&mut self) {
        if self.body.len() >= MIN_GZIP_BYTES {
            self.body = gzip(&self.body);
            self.set("Content-Encoding", "gzip");
        }
    }

    /// The status line, the headers and the blank line. `length` is the size of the body in bytes;
    /// `None` for a body in chunks.
    pub(crate) fn head(&self, length: Option<u64>, closes: bool) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        let reason = reason(self.status);
        line(&mut head, format_args!("HTTP/1.1 {} {reason}", self.status));
        for (name, value) in &self.headers {
            line(&mut head, format_args!("{name}: {value}"));
        }
        if !self.has("content-length") && !self.has("transfer-encoding") {
            match length {
                Some(_) if self.status == 204 || self.status == 304 => {}
                Some(length) => line(&mut head, format_args!("Content-Length: {length}")),
                None => line(&mut head, format_args!("Transfer-Encoding: chunked")),
            }
        }
        if !self.has("date") {
            let now = http_date(now());
            line(&mut head, format_args!("Date: {now}"));
        }
        if closes && !self.closes() {
            line(&mut head, format_args!("Connection: close"));
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// A time in the format of HTTP headers, which have whole seconds only.
pub(crate) fn http_date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn line(head: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    write!(head, "{text}\r\n").expect("writing to memory cannot fail");
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        302 => "Found",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        411 => "Length Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
