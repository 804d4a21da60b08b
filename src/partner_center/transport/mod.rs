//! HTTP as such: connections, TLS and proxies, redirects, compression, bodies of bounded size.
//! Knows no token and no endpoint.

pub(super) mod aside;
pub(super) mod barrier;
pub(super) mod connections;
pub(super) mod encoding;
pub(super) mod error;
pub(super) mod http;
pub(super) mod skew;
