//! The figures of the front page as JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::site::Site;
use crate::store::Figures;

/// `docs/json.md` has its form.
#[derive(Serialize)]
struct Document<'a> {
    version: u8,
    #[serde(flatten)]
    figures: &'a Figures,
}

/// From memory.
pub(super) async fn show(State(site): State<Arc<Site>>) -> Response {
    let Some(figures) = site.observer.figures() else {
        let refusal = "the figures have not been computed yet\n";
        return (StatusCode::SERVICE_UNAVAILABLE, refusal).into_response();
    };
    let document = Document {
        version: 1,
        figures: &figures,
    };
    match serde_json::to_string(&document) {
        Ok(json) => ([(header::CONTENT_TYPE, "application/json")], json + "\n").into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
