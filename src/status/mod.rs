//! The status address: one JSON object for people and probes, and the metrics. Reads the store, changes nothing, and holds nothing
//! that is secret.

mod metrics;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

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

use crate::consent::Consent;
use crate::partner_center::ConsentFile;
use crate::schedule::Schedule;
use crate::store::Store;

/// What the status address shows.
pub(crate) struct Status {
    pub(crate) store: Store,
    pub(crate) schedule: Schedule,
    pub(crate) clock: Arc<dyn crate::clock::Clock>,
    /// None where no person signs in.
    pub(crate) consent: Option<ConsentFile>,
}

impl Status {
    /// From the file and not from the database, which may be away. What cannot be read is not known.
    fn consent(&self) -> Option<Consent> {
        self.consent.as_ref()?.load().ok()?
    }
}

/// A scrape that waits for longer is given up by Prometheus itself.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(5);

/// Runs looked through for one that has ended.
const RECENT_RUNS: i64 = 10;

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
        .route("/metrics", get(measure))
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
    let consent = status.consent().map(|consent| consent.summary(now));
    let next_run = next.map(|next| json!({ "at": next, "local": status.schedule.in_zone(next) }));
    let (code, body) = match status.store.load_last_runs(1).await {
        Ok(runs) => (
            StatusCode::OK,
            json!({ "database": "available", "next_run": next_run, "last_run": runs.first(), "consent": consent }),
        ),
        Err(error) => (
            StatusCode::SERVICE_UNAVAILABLE,
            json!({ "database": error.to_string(), "next_run": next_run, "last_run": null, "consent": consent }),
        ),
    };
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}

/// Always 200 with what is known: a database that is away is one of the figures.
async fn measure(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let now = status.clock.now();
    let runs = status.store.load_last_runs(RECENT_RUNS);
    let runs = tokio::time::timeout(SCRAPE_PATIENCE, runs).await;
    let runs = runs.ok().and_then(Result::ok);
    let known = metrics::Known {
        now,
        database_up: runs.is_some(),
        last_run: runs
            .into_iter()
            .flatten()
            .find(|run| run.finished_at.is_some()),
        next_run: status.schedule.next_after(now),
        consent: status.consent(),
    };
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    match metrics::render(&known) {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, content_type)], text),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, content_type)],
            format!("# {error}\n"),
        ),
    }
}
