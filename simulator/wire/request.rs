//! An HTTP request: its head parsed out of bytes, its query and form decoded.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// Maximum size of a request's head in bytes. Without a bound, a client that never sends the blank
/// line could fill the memory.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// The fields of a form, each with its last value.
pub(crate) type Form = BTreeMap<String, String>;

/// A complete request.
#[derive(Debug)]
pub(crate) struct HttpRequest {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names in lower case, in the order received.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    http_1_0: bool,
}

impl HttpRequest {
    /// Parses everything up to the blank line; `None` if it is not HTTP/1.x. The body stays empty.
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

    /// The value of the first header named `name`, which must be in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    /// The scheme and host that the client used: `https` if a proxy in front of this server says
    /// that it terminated TLS.
    pub(crate) fn origin(&self) -> String {
        let host = self.header("host").unwrap_or("localhost");
        let forwarded = self.header("x-forwarded-proto").unwrap_or_default();
        let scheme = match forwarded.split(',').next() {
            Some(scheme) if scheme.trim().eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        format!("{scheme}://{host}")
    }

    /// A HEAD request gets the headers of the GET and no body.
    pub(crate) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// The announced size of the body in bytes; 0 if it is missing or unreadable.
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

    /// The value of the first query parameter named `name`, in any letter case.
    pub(crate) fn query_value(&self, name: &str) -> Option<String> {
        form_urlencoded::parse(self.query.as_bytes())
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.into_owned())
    }

    /// The body read as a form.
    pub(crate) fn form(&self) -> Form {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_query_and_headers() {
        let head = b"GET /v1/customers?size=2&seekOperation=Next HTTP/1.1\r\n\
            Host: a:1\r\nMS-RequestId:  x \r\n\r\n";
        let request = HttpRequest::parse_head(head).unwrap();
        assert_eq!((&*request.method, &*request.path), ("GET", "/v1/customers"));
        assert_eq!(request.query_value("size").as_deref(), Some("2"));
        assert_eq!(request.header("ms-requestid"), Some("x"));
        assert!(request.keeps_alive());
    }

    #[test]
    fn the_origin_is_the_one_that_a_proxy_reports() {
        let origin = |headers: &str| {
            let head = format!("GET / HTTP/1.1\r\n{headers}\r\n");
            HttpRequest::parse_head(head.as_bytes()).unwrap().origin()
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
        assert!(HttpRequest::parse_head(b"\x16\x03\x01 hello there\r\n\r\n").is_none());
        assert!(HttpRequest::parse_head(b"GET /\r\n\r\n").is_none());
    }
}
