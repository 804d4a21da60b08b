//! The status address: one JSON object for people and probes. Reads the store, changes nothing, and holds nothing
//! that is secret.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::schedule::Schedule;
use crate::store::Store;

/// What the status address shows.
pub(crate) struct Status {
    pub(crate) store: Store,
    pub(crate) schedule: Schedule,
    pub(crate) clock: Arc<dyn crate::clock::Clock>,
}

/// Serves until `stop`. A port that is taken costs the status address, not the daemon: keeping the history comes first.
pub(crate) async fn serve(address: SocketAddr, status: Status, stop: CancellationToken) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            error!(%address, %error, "The status address cannot be served; set status.listen to a free address, or to \"\"");
            return;
        }
    };
    info!(address = %listener.local_addr().unwrap_or(address), "Serving the status address");
    let router = Router::new()
        .route("/", get(show))
        .route("/health", get(show))
        .with_state(Arc::new(status));
    let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
    if let Err(error) = served.await {
        error!(%error, "The status address ended");
    }
}

/// 200 while the database answers, 503 otherwise.
async fn show(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let now = status.clock.now();
    let next: Option<DateTime<Utc>> = status.schedule.next_after(now);
    let next_run = next.map(|next| json!({ "at": next, "local": status.schedule.in_zone(next) }));
    let (code, body) = match status.store.load_last_runs(1).await {
        Ok(runs) => (
            StatusCode::OK,
            json!({ "database": "available", "next_run": next_run, "last_run": runs.first() }),
        ),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "database": error.to_string(), "next_run": next_run, "last_run": null }),
        ),
    };
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}
