//! HTTP/1.1 as bytes: a request out of a buffer, a response into one. Written by
//! hand because this server must also be able to say what no well-behaved library
//! lets it: a body cut off, a silent stall, a status line of garbage. Pure; the
//! socket is `connection`'s.

use std::{borrow::Cow, cell::RefCell, collections::BTreeMap, io, io::Write as _};

use chrono::{DateTime, Utc};
use flate2::{Compress, Compression, Crc, FlushCompress, Status};

/// More header bytes than any client here sends; beyond it the connection ends.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Below this a compressed body saves nothing worth the work.
const MIN_GZIP_BYTES: usize = 1024;

pub(crate) const JSON: &str = "application/json; charset=utf-8";

/// A request, read whole.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case, in the order they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    http_1_0: bool,
}

impl Request {
    /// Reads everything up to the blank line; `None` when it is not HTTP.
    pub(crate) fn parse_head(head: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let mut start = lines.next()?.splitn(3, ' ');
        let (method, target, version) = (start.next()?, start.next()?, start.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut headers = Vec::with_capacity(12);
        for line in lines.filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        version.starts_with("HTTP/1.").then(|| Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers,
            body: Vec::new(),
            http_1_0: version == "HTTP/1.0",
        })
    }

    /// The value of the first header of this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    /// Scheme and host by which the client reached this server: a proxy before it may speak TLS.
    pub(crate) fn origin(&self) -> String {
        let host = self.header("host").unwrap_or("localhost");
        let forwarded = self.header("x-forwarded-proto").unwrap_or_default();
        let scheme = match forwarded.split(',').next() {
            Some(scheme) if scheme.trim().eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        format!("{scheme}://{host}")
    }

    /// A HEAD is answered as a GET would be, without the body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    pub(crate) fn content_length(&self) -> usize {
        self.header("content-length")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0)
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        !self.http_1_0
            && self
                .header("connection")
                .is_none_or(|value| !value.eq_ignore_ascii_case("close"))
    }

    pub(crate) fn accepts_gzip(&self) -> bool {
        self.header("accept-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("gzip"))
    }

    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// The body's fields, if it is a form.
    pub(crate) fn form(&self) -> BTreeMap<String, String> {
        url::form_urlencoded::parse(&self.body)
            .into_owned()
            .collect()
    }
}

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
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

    /// Puts these headers in the place of its own of the same names. Unlike with
    /// [`Self::set`], one name may come several times.
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

    /// Whether it announces the end of the connection.
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

    /// Compresses the body if that is worth it.
    pub(crate) fn compress(&mut self) {
        if self.body.len() >= MIN_GZIP_BYTES {
            self.body = gzip(&self.body);
            self.set("Content-Encoding", "gzip");
        }
    }

    /// The status line and the headers with the closing blank line. `length` is
    /// the body's; `None` when it comes in chunks.
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
            let now = date(crate::simulator::now());
            line(&mut head, format_args!("Date: {now}"));
        }
        if closes && !self.closes() {
            line(&mut head, format_args!("Connection: close"));
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// A time as headers have it, without its fractions of a second.
pub(crate) fn date(time: DateTime<Utc>) -> String {
    time.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn line(head: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    write!(head, "{text}\r\n").expect("memory takes every write");
}

thread_local! {
    // A compressor is a third of a megabyte to set up, so each thread keeps one.
    static COMPRESSOR: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

/// A whole gzip member around these bytes.
pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 255];
    packed.reserve(plain.len() / 2 + 128);
    COMPRESSOR.with_borrow_mut(|compressor| {
        compressor.reset();
        loop {
            let done = usize::try_from(compressor.total_in()).expect("the input is in memory");
            let status = compressor
                .compress_vec(&plain[done..], &mut packed, FlushCompress::Finish)
                .expect("a fresh compressor takes any input");
            if status == Status::StreamEnd {
                break;
            }
            packed.reserve(packed.len());
        }
    });
    let mut checksum = Crc::new();
    checksum.update(plain);
    packed.extend_from_slice(&checksum.sum().to_le_bytes());
    packed.extend_from_slice(&checksum.amount().to_le_bytes());
    packed
}

/// A gzip member of pieces that need not be in memory together.
pub(crate) fn gzip_pieces<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    for piece in pieces {
        encoder.write_all(piece)?;
    }
    encoder.finish()
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_request_is_read_with_its_query_and_headers() {
        let head = b"GET /v1/customers?size=2&seekOperation=Next HTTP/1.1\r\nHost: a:1\r\nMS-RequestId:  x \r\n\r\n";
        let request = Request::parse_head(head).unwrap();
        assert_eq!((&*request.method, &*request.path), ("GET", "/v1/customers"));
        assert_eq!(request.query_value("size").as_deref(), Some("2"));
        assert_eq!(request.header("ms-requestid"), Some("x"));
        assert!(request.keeps_alive());
    }

    #[test]
    fn the_origin_is_what_a_proxy_says_it_is() {
        let origin = |headers: &str| {
            let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            Request::parse_head(head.as_bytes()).unwrap().origin()
        };
        assert_eq!(origin("Host: a:1\r\n"), "http://a:1");
        assert_eq!(
            origin("Host: a:1\r\nX-Forwarded-Proto: HTTPS, http\r\n"),
            "https://a:1"
        );
        assert_eq!(origin(""), "http://localhost");
    }

    #[test]
    fn what_is_not_http_is_not_a_request() {
        assert!(Request::parse_head(b"\x16\x03\x01 hello there\r\n\r\n").is_none());
        assert!(Request::parse_head(b"GET /\r\n\r\n").is_none());
    }

    #[test]
    fn a_compressed_body_unpacks_to_itself_each_time() {
        for length in [0_usize, 1, 5_000, 300_000] {
            let plain: Vec<u8> = (0_u8..=250).cycle().take(length).collect();
            let packed = gzip(&plain);
            let mut unpacked = Vec::new();
            let mut decoder = flate2::read::GzDecoder::new(&packed[..]);
            decoder.read_to_end(&mut unpacked).unwrap();
            assert!(unpacked == plain, "{length} bytes");
        }
    }
}
