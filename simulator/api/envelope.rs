//! What all answers of Partner Center have in common: the form of faults, and the ids in headers.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use uuid::Uuid;

use crate::wire::{HttpRequest, HttpResponse};

/// A fault in Partner Center's form.
pub(super) fn fault(status: u16, code: &str, description: &str) -> HttpResponse {
    let body = json!({
        "code": code,
        "description": description,
        "data": [],
        "source": "PartnerFD",
    });
    HttpResponse::json(status, &body)
}

/// Adds the headers that every answer carries: the caller's ids, or new ones, and the server's.
pub(crate) fn with_ids(response: HttpResponse, request: &HttpRequest) -> HttpResponse {
    let echo = |name: &str| {
        let given = request.header(name).map(ToOwned::to_owned);
        given.unwrap_or_else(|| Uuid::new_v4().to_string())
    };
    let vector = rand::random::<u64>().to_be_bytes();
    response
        .with("MS-RequestId", echo("ms-requestid"))
        .with("MS-CorrelationId", echo("ms-correlationid"))
        .with("MS-CV", format!("{}.0", STANDARD.encode(vector)))
        .with("MS-ServerId", "030020525")
}
