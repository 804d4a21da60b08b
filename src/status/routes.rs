//! What the status address answers. No answer waits for anything.
//!
//! Each request passes [`guard`] first. What is added here is served only where pages are, unless
//! [`is_open`] names it: a route that is forgotten there shows nobody a customer's name.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tracing::{debug, warn};

use super::badges;
use super::data;
use super::figures;
use super::host::{HostError, Hosts};
use super::html;
use super::observer::Observer;
use super::server::PageTurn;
use super::site::Site;
use crate::metrics::CONTENT_TYPE;
use crate::pages::Section;
use crate::watchdog;

const NO_PAGES: &str = "\
    pages with names of customers are off here, because this address is reached from other \
    machines or status.pages is false: status.pages = true serves them\n";

const MANY_PAGES: &str = "too many pages are being loaded: try again in some seconds\n";

pub(super) fn router(observer: Arc<Observer>, listen: IpAddr) -> Router {
    let site = Arc::new(Site::new(observer, listen));
    let routes = Router::new()
        .route("/", get(show))
        .route("/icon.svg", get(html::icon))
        .route("/healthz", get(live))
        .route("/readyz", get(ready))
        .route("/health", get(ready))
        .route("/metrics", get(measure))
        .route("/customers", get(html::show_customers))
        .route("/products", get(html::show_products))
        .route("/customers/{customer_id}", get(html::show_customer))
        .route("/runs", get(html::show_runs))
        .route("/runs/{run_id}", get(html::show_run))
        .route("/data/figures.json", get(figures::show))
        .route("/badge/freshness.svg", get(badges::freshness))
        .route("/badge/last-run.svg", get(badges::last_run))
        .merge(data::routes())
        .fallback(not_found)
        .with_state(Arc::clone(&site));
    // The guard changes the path, so it has to come before the choice of the route.
    Router::new()
        .fallback_service(routes)
        .layer(middleware::from_fn_with_state(site, guard))
}

/// Refuses requests for other hosts, all methods but GET and HEAD, and what holds names of
/// customers where pages are off. Takes the prefix of a reverse proxy from the path.
async fn guard(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let parts = site.observer.parts();
    let hosts = Hosts::new(site.listen, parts.hosts.clone());
    let mut response = match hosts.check(&request) {
        Err(refusal) => refuse(&site, &refusal),
        Ok(()) if matches!(*request.method(), Method::GET | Method::HEAD) => {
            let request = without_prefix(request, &parts.path_prefix);
            if is_open(&request) {
                next.run(request).await
            } else if !parts.has_pages {
                (StatusCode::FORBIDDEN, NO_PAGES).into_response()
            } else if let Ok(turn) = Arc::clone(&site.turns).try_acquire_owned() {
                let mut response = next.run(request).await;
                response.extensions_mut().insert(PageTurn::new(turn));
                response
            } else {
                (StatusCode::SERVICE_UNAVAILABLE, MANY_PAGES).into_response()
            }
        }
        Ok(()) => (
            StatusCode::METHOD_NOT_ALLOWED,
            [(header::ALLOW, "GET, HEAD")],
            "the status address is only read: GET or HEAD\n",
        )
            .into_response(),
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        // The path of a page may hold a customer's id.
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // A page has a policy of its own, which admits its style sheet.
    let policy = headers.entry(header::CONTENT_SECURITY_POLICY);
    policy.or_insert(HeaderValue::from_static(
        "default-src 'none'; frame-ancestors 'none'",
    ));
    response
}

/// The request as it is without the prefix. A path without it stays as it is: some proxies take it
/// away, and probes come past the proxy.
fn without_prefix(mut request: Request, prefix: &str) -> Request {
    let uri = request.uri();
    let rest = uri.path().strip_prefix(prefix);
    let Some(rest) = rest.filter(|rest| rest.is_empty() || rest.starts_with('/')) else {
        return request;
    };
    let slash = if rest.is_empty() { "/" } else { "" };
    let query = uri.query().map(|query| format!("?{query}"));
    let path = format!("{slash}{rest}{}", query.unwrap_or_default());
    if let Ok(uri) = path.parse() {
        *request.uri_mut() = uri;
    }
    request
}

/// Whether the answer to this request holds no name of a customer.
fn is_open(request: &Request) -> bool {
    match request.uri().path() {
        "/healthz" | "/readyz" | "/health" | "/metrics" | "/icon.svg" => true,
        // As JSON it holds counts.
        "/" => !html::prefers_html(request.headers()),
        path => path.starts_with("/badge/"),
    }
}

fn refuse(site: &Site, refusal: &HostError) -> Response {
    let status = match refusal {
        HostError::Unclear => StatusCode::BAD_REQUEST,
        HostError::Foreign(_) => StatusCode::MISDIRECTED_REQUEST,
    };
    // One warning is enough for an operator who forgot a name in status.hosts. More would let a
    // client fill the log.
    if site.has_warned.swap(true, Ordering::Relaxed) {
        debug!(%refusal, "A request to the status address was refused");
    } else {
        warn!(%refusal, "A request to the status address was refused: {refusal}");
    }
    (status, format!("{refusal}\n")).into_response()
}

async fn not_found(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    if html::prefers_html(&headers) {
        let problem = "There are the overview, the customers, the products and the runs: the links \
                       at the top lead to them.";
        return html::missing(&site, &headers, Section::Overview, problem);
    }
    (
        StatusCode::NOT_FOUND,
        "there is nothing here; there are /, /customers, /products, /runs, /healthz, /readyz and \
         /metrics\n",
    )
        .into_response()
}

fn answer(is_fine: bool, body: &Value) -> impl IntoResponse + use<> {
    let status = if is_fine {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        [(header::CONTENT_TYPE, "application/json")],
        format!("{body}\n"),
    )
}

/// Whether the program's work moves on.
async fn live(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let age = site.observer.inputs.pulse.age();
    if age < watchdog::limit() {
        (StatusCode::OK, "alive\n".to_owned())
    } else {
        let said = format!("stuck: nothing has moved on for {} s\n", age.as_secs());
        (StatusCode::SERVICE_UNAVAILABLE, said)
    }
}

/// Whether the daemon can do its work, part by part.
async fn ready(State(site): State<Arc<Site>>) -> impl IntoResponse {
    let observer = &site.observer;
    let known = observer.known();
    let (parts, next_run) = (observer.parts(), observer.next_run());
    let leader = observer.inputs.leader.borrow().clone();
    let is_up = known.away.is_none() && known.overview.is_some();
    let schema = known.overview.as_ref();
    let schema = schema.and_then(|overview| overview.schema_version);
    // A newer schema is for the daemon to judge: it refuses it at its start.
    let has_schema = schema >= site.schema;
    let waiting_for = if !is_up {
        Some("the database")
    } else if parts.upgrade.borrow().is_some() {
        Some("sessions that use the ledger's tables")
    } else if !has_schema {
        Some("the migrations")
    } else if leader.is_none() {
        Some("the sign-in")
    } else {
        None
    };
    let role = match &leader {
        None => "starting",
        Some(leader) if leader.is_this_process => "leader",
        Some(_) => "standby",
    };
    let is_fine = waiting_for.is_none() && next_run.is_some();
    let body = json!({
        "version": 1,
        "ready": is_fine,
        "waiting_for": waiting_for,
        "database": {
            "ok": is_up,
            "as_of": known.overview.as_ref().map(|overview| overview.as_of),
            "error": known.away.as_ref().map(|away| &away.error),
            "away_since": known.away.as_ref().map(|away| away.since),
        },
        "schema": { "ok": has_schema, "version": schema, "wanted": site.schema },
        "schedule": { "ok": next_run.is_some(), "next_run": next_run },
        "role": { "ok": leader.is_some(), "name": role, "leader": leader },
    });
    answer(is_fine, &body)
}

/// What there is to see: a page for browsers, JSON for others. Status 503 while the database is
/// away.
async fn show(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    if html::prefers_html(&headers) {
        return html::show_front(&site);
    }
    let observer = &site.observer;
    let known = observer.known();
    let parts = observer.parts();
    let now = observer.inputs.clock.now();
    let overview = known.overview.as_deref();
    let is_up = known.away.is_none() && overview.is_some();
    let database = match &known.away {
        Some(away) => away.error.as_str(),
        None if overview.is_some() => "available",
        None => "not asked yet",
    };
    let next_run = observer.next_run().map(|next| {
        let local = parts.schedule.in_zone(next);
        json!({ "at": next, "local": local })
    });
    // Without the names of roles and programs, which are in the log.
    let upgrade =
        parts.upgrade.borrow().as_ref().map(
            |wait| json!({ "waiting_since": wait.since, "blocked_by_backends": wait.backends }),
        );
    let body = json!({
        "version": 1,
        "database": database,
        "database_away_since": known.away.as_ref().map(|away| away.since),
        "as_of": overview.map(|overview| overview.as_of),
        "migration": upgrade,
        "host": observer.inputs.host,
        "leader": &*observer.inputs.leader.borrow(),
        "next_run": next_run,
        "last_run": overview.and_then(|overview| overview.last_finished.as_ref()),
        "run_under_way": overview.and_then(|overview| overview.running.as_ref()),
        "last_success_at": overview.and_then(|overview| overview.last_success_at),
        "customers": overview.and_then(|overview| overview.figures).map(|it| it.customers),
        "consent": observer.consent().map(|consent| consent.summary(now)),
        "throttle": parts.client.throttle(),
    });
    let mut answer = answer(is_up, &body).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    answer
}

/// Always status 200: whether the database answers is one of the metrics.
async fn measure(State(site): State<Arc<Site>>) -> impl IntoResponse {
    // Has the database asked if that was long ago.
    let _known = site.observer.known();
    site.observer.refresh_metrics();
    match site.observer.inputs.metrics.render() {
        Ok(text) => (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], text),
        Err(error) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            [(header::CONTENT_TYPE, CONTENT_TYPE)],
            format!("# {error}\n"),
        ),
    }
}
