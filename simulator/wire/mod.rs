//! HTTP/1.1 as bytes.

pub(crate) mod http;
