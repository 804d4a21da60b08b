//! What can go wrong between sending a request and having its whole answer.

use std::sync::Arc;

use crate::partner_center::transport::barrier::{Barrier, Route};

/// There is no whole answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The time of one attempt is over.
    #[error("no whole answer in time (partner_center.request_timeout, connect_timeout)")]
    Timeout,
    /// No connection, or it broke, or what came over it was not HTTP.
    #[error("the connection to {to} failed or broke")]
    Connection {
        /// Host and port, and the proxy in between.
        to: String,
        /// Why.
        #[source]
        source: Arc<reqwest::Error>,
    },
    /// No connection is possible before a person has acted.
    #[error(transparent)]
    Barred(Barrier),
    /// The body cannot be decompressed.
    #[error("the body's compression is broken or ends too early")]
    Corrupt,
    /// The body is over this limit in bytes, counted after decompression.
    #[error("the body is over {0} bytes (partner_center.max_response_bytes)")]
    TooLarge(u64),
    /// The body is compressed in a way that was not asked for.
    #[error("{0} (Content-Encoding)")]
    Encoding(String),
}

impl From<reqwest::Error> for TransportError {
    /// The URL is removed from the error: it names the customer.
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        if let Some(barrier) = Barrier::before(&error) {
            return Self::Barred(barrier);
        }
        Self::Connection {
            to: Route::of(&error).to_string(),
            source: Arc::new(error.without_url()),
        }
    }
}
