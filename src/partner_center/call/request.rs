//! What a call asks for, under which ids, and how a trace shows its requests.

use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use tracing::field::Empty;
use tracing::{Span, trace_span};
use uuid::Uuid;

use crate::ledger::{CallIds, CustomerId};
use crate::metrics::ApiDataset;
use crate::partner_center::auth::Token;
use crate::partner_center::decode::next::PageRequest;
use crate::partner_center::error::ApiError;

/// One logical call, the same over all its attempts.
pub(in crate::partner_center) struct Call {
    /// The URL, and headers beside those that every call has.
    pub(super) request: PageRequest,
    ids: CallIds,
    pub(super) request_id: HeaderValue,
    pub(super) correlation_id: HeaderValue,
    pub(super) customer: Option<CustomerId>,
    pub(super) dataset: ApiDataset,
    /// HTTP requests so far.
    pub(super) sent: AtomicU32,
}

impl Call {
    /// A call under a correlation id of its own, with one request id for all its attempts.
    pub(in crate::partner_center) fn new(
        request: PageRequest,
        customer: Option<CustomerId>,
        dataset: ApiDataset,
    ) -> Self {
        let ids = CallIds {
            request: Uuid::new_v4(),
            correlation: Uuid::new_v4(),
        };
        let header = |id: Uuid| {
            HeaderValue::from_str(&id.to_string()).expect("a GUID is made of visible characters")
        };
        Self {
            request,
            ids,
            request_id: header(ids.request),
            correlation_id: header(ids.correlation),
            customer,
            dataset,
            sent: AtomicU32::new(0),
        }
    }

    /// How many HTTP requests were sent for it.
    pub(in crate::partner_center) fn sent(&self) -> u32 {
        self.sent.load(Ordering::Relaxed)
    }

    /// The ids that it was sent with; none if no request was sent.
    pub(in crate::partner_center) fn ids(&self) -> Option<CallIds> {
        (self.sent() > 0).then_some(self.ids)
    }

    pub(super) fn headers(&self, locale: &HeaderValue, token: &Token) -> HeaderMap {
        // With room for those that reqwest adds.
        let mut headers = HeaderMap::with_capacity(12);
        headers.extend(self.request.headers.clone());
        headers.insert("ms-requestid", self.request_id.clone());
        headers.insert("ms-correlationid", self.correlation_id.clone());
        headers.insert("ms-contract-version", HeaderValue::from_static("v1"));
        headers.insert(
            "ms-partnercenter-application",
            HeaderValue::from_static("Seatledger"),
        );
        headers.insert("x-locale", locale.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, token.header.clone());
        headers
    }
    /// The span of its next request. It has both of the ids that Microsoft's support asks for.
    pub(super) fn span(&self) -> Span {
        trace_span!(
            "partner_center.request",
            otel.kind = "client",
            dataset = self.dataset.as_str(),
            attempt = self.sent() + 1,
            ms.request_id = self.request_id.to_str().ok(),
            ms.correlation_id = self.correlation_id.to_str().ok(),
            http.response.status_code = Empty,
            error.type = Empty,
            otel.status_code = Empty,
        )
    }
}

/// Notes in the span of a request why it failed.
pub(super) fn record_error(span: &Span, error: &ApiError) {
    if let Some(status) = error.http_status() {
        span.record("http.response.status_code", status);
    }
    span.record("error.type", error.reason().as_str());
    span.record("otel.status_code", "ERROR");
}
