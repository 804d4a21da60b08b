//! The status address: one JSON object for people and probes, and the metrics. Reads the store,
//! changes nothing, and shows no secret.

mod host;
mod metrics;
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::consent::Consent;
use crate::notify::Notifier;
use crate::partner_center::{Client, ConsentFile};
use crate::schedule::Schedule;
use crate::store::{Reader, RunRecord, StoreError};
use crate::sync::UpgradeWait;
use host::{HostError, Hosts};

/// What the status address is made from.
pub(crate) struct StatusInputs {
    pub(crate) reader: Reader,
    pub(crate) schedule: Schedule,
    /// From the ticker, which knows how the clock was set.
    pub(crate) next_run: watch::Receiver<Option<DateTime<Utc>>>,
    /// What the migrations at the start wait for.
    pub(crate) upgrade: watch::Receiver<Option<UpgradeWait>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) client: Arc<Client>,
    /// The name of this host.
    pub(crate) host: String,
    /// The daemon that does the ticks, from memory, so that it is known while the database is away.
    pub(crate) leader: watch::Receiver<Option<Leader>>,
    /// None if no person signs in.
    pub(crate) consent: Option<ConsentFile>,
    /// `Host` names that are accepted besides those of this machine.
    pub(crate) hosts: Vec<String>,
    /// Knows which notifications were delivered.
    pub(crate) notifier: Notifier,
}

/// The daemon that does the ticks of a schedule that daemons on several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leader {
    /// Its host.
    pub(crate) host: String,
    /// Since when it leads, by the database's clock.
    pub(crate) since: DateTime<Utc>,
    /// Whether it is this process.
    pub(crate) is_this_process: bool,
}

/// How long a request waits for the database or the disk. A scraper gives up after a few seconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The state of a database that takes longer than [`TIMEOUT`].
const NO_ANSWER: &str = "no answer";

/// How many of the newest runs are searched for one that has ended.
const RECENT_RUNS: i64 = 10;

/// The newest runs, or why they are unknown.
type Runs = Result<Vec<RunRecord>, String>;

/// What the routes share.
struct Shared {
    inputs: StatusInputs,
    hosts: Hosts,
    has_warned: AtomicBool,
    /// The last answer of the database, and when it was requested.
    runs: Mutex<Option<(Instant, Arc<Runs>)>>,
}

impl Shared {
    fn next_run(&self) -> Option<DateTime<Utc>> {
        *self.inputs.next_run.borrow()
    }

    /// Read from the file and not from the database, which may be away. None if it cannot be read.
    async fn consent(&self) -> Option<Consent> {
        let file = self.inputs.consent.clone()?;
        // A disk may hang, and must not block the runtime's thread.
        let loaded = tokio::task::spawn_blocking(move || file.load());
        timeout(TIMEOUT, loaded).await.ok()?.ok()?.ok()?
    }

    /// Asks the database. Requests that come while it is being asked share one answer.
    async fn runs(&self) -> Arc<Runs> {
        let came = Instant::now();
        let asked = timeout(TIMEOUT, async {
            let mut last = self.runs.lock().await;
            if let Some((asked_at, runs)) = &*last
                && *asked_at >= came
            {
                return Arc::clone(runs);
            }
            let asked_at = Instant::now();
            let runs = self.inputs.reader.load_last_runs(RECENT_RUNS, TIMEOUT);
            // Without causes, which may contain details of the database's host.
            let runs = Arc::new(runs.await.map_err(|error| match error {
                StoreError::TimedOut { .. } => NO_ANSWER.to_owned(),
                error => error.to_string(),
            }));
            *last = Some((asked_at, Arc::clone(&runs)));
            runs
        });
        asked
            .await
            .unwrap_or_else(|_| Arc::new(Err(NO_ANSWER.to_owned())))
    }
}

/// Serves until `shutdown`. If the port is taken, the daemon goes on without a status address.
pub(crate) async fn serve(address: SocketAddr, inputs: StatusInputs, shutdown: CancellationToken) {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
            error!(
                %address,
                %error,
                "The status address cannot be served; set status.listen to a free address, or to \
                 \"\""
            );
            return;
        }
    };
    info!(address = %listener.local_addr().unwrap_or(address), "Serving the status address");
    let shared = Arc::new(Shared {
        hosts: Hosts::new(address.ip(), inputs.hosts.clone()),
        inputs,
        has_warned: AtomicBool::new(false),
        runs: Mutex::default(),
    });
    let router = Router::new()
        .route("/", get(show))
        .route("/health", get(show))
        .route("/metrics", get(measure))
        .fallback(not_found)
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(Arc::clone(&shared));
    let rest = || {
        let shared = Arc::clone(&shared);
        async move { shared.inputs.reader.rest().await }
    };
    server::run(listener, router, shutdown, rest).await;
    rest().await;
}

/// Refuses requests for other hosts and all methods but GET and HEAD.
async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = match shared.hosts.check(&request) {
        Err(refusal) => refuse(&shared, &refusal),
        Ok(()) if matches!(*request.method(), Method::GET | Method::HEAD) => {
            next.run(request).await
        }
        Ok(()) => (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
            "the status address is only read: GET or HEAD\n",
        )
            .into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refuse(shared: &Shared, refusal: &HostError) -> Response {
    let status = match refusal {
        HostError::Unclear => StatusCode::BAD_REQUEST,
        HostError::Foreign(_) => StatusCode::MISDIRECTED_REQUEST,
    };
    // One warning, for an operator who has forgotten a name. A client that tries many names must
    // not fill the log.
    if shared.has_warned.swap(true, Ordering::Relaxed) {
        debug!(%refusal, "A request to the status address was refused");
    } else {
        warn!(%refusal, "A request to the status address was refused: {refusal}");
    }
    (status, format!("{refusal}\n")).into_response()
}

async fn not_found() -> impl IntoResponse {
    (
        StatusCode::NOT_FOUND,
        "there is nothing here; there are /, /health and /metrics\n",
    )
}

/// Status 200 while the database answers, else 503.
async fn show(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (consent, runs) = tokio::join!(shared.consent(), shared.runs());
    let now = shared.inputs.clock.now();
    let consent = consent.map(|consent| consent.summary(now));
    let next_run = shared.next_run().map(|next| {
        let local = shared.inputs.schedule.in_zone(next);
        json!({ "at": next, "local": local })
    });
    let (code, database, last_run) = match &*runs {
        Ok(runs) => (StatusCode::OK, "available", runs.first()),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.as_str(), None),
    };
    // Without the names of roles and programs, which are in the log.
    let upgrade =
        shared.inputs.upgrade.borrow().as_ref().map(
            |wait| json!({ "waiting_since": wait.since, "blocked_by_backends": wait.backends }),
        );
    let body = json!({
        "database": database,
        "migration": upgrade,
        "host": shared.inputs.host,
        "leader": &*shared.inputs.leader.borrow(),
        "next_run": next_run,
        "last_run": last_run,
        "consent": consent,
        "throttle": shared.inputs.client.throttle(),
    });
    (
        code,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}

/// Always status 200: whether the database answers is one of the metrics.
async fn measure(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let (consent, runs) = tokio::join!(shared.consent(), shared.runs());
    let runs = runs.as_ref().as_ref().ok();
    let values = metrics::MetricValues {
        now: shared.inputs.clock.now(),
        database_up: runs.is_some(),
        last_run: runs
            .into_iter()
            .flatten()
            .find(|run| run.finished_at.is_some())
            .cloned(),
        next_run: shared.next_run(),
        leader: shared.inputs.leader.borrow().clone(),
        consent,
        throttle: shared.inputs.client.throttle(),
        notifications: ["ping", "webhook"]
            .map(|target| (target, shared.inputs.notifier.counts(target))),
    };
    match metrics::render(&values) {
        Ok(text) => (
            StatusCode::OK,
            [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
            text,
        ),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, metrics::CONTENT_TYPE)],
            format!("# {error}\n"),
        ),
    }
}
