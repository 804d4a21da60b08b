//! The tables of the pages as files: whole, as CSV for spreadsheets and as JSON for programs.
//! Postgres writes the rows, and they pass through as they come; those of the front page and the
//! products are in memory.

mod memory;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use chrono::{DateTime, Utc};
use futures_util::stream;
use serde_json::{Map, Value};

use super::html;
use super::server::LongAnswer;
use super::site::Site;
use crate::ledger::CustomerId;
use crate::store::{
    CustomerTable, Download, FileFormat, FrontTable, ProductList, RunDetail, RunList, StoreError,
    TableQuery,
};

const CSV: &str = "text/csv; charset=utf-8";
const JSON: &str = "application/json";

const NO_RUN_TABLE: &str = "there is no such table of a run; there are failures and rejections";

/// A file for each table and form.
pub(super) fn routes() -> Router<Arc<Site>> {
    let mut router = Router::new()
        .route("/data/{file}", get(front))
        .route("/customers/{customer_id}/{file}", get(customer_file))
        .route("/runs/{run_id}/{file}", get(run_file));
    for (extension, format) in [("csv", FileFormat::Csv), ("json", FileFormat::Json)] {
        router = router
            .route(
                &format!("/customers.{extension}"),
                get(async move |State(site): State<Arc<Site>>, uri: Uri| {
                    customers(&site, &uri, format).await
                }),
            )
            .route(
                &format!("/products.{extension}"),
                get(async move |State(site): State<Arc<Site>>| products(&site, format)),
            )
            .route(
                &format!("/runs.{extension}"),
                get(async move |State(site): State<Arc<Site>>| runs(&site, format).await),
            );
    }
    router
}

/// The customers that the address asks for.
pub(super) async fn customers(site: &Site, uri: &Uri, format: FileFormat) -> Response {
    match html::customer_filter(uri) {
        Ok(filter) => send(site, filter.query(), format, "customers").await,
        Err(problem) => missing(&problem),
    }
}

/// The products, from memory.
pub(super) fn products(site: &Site, format: FileFormat) -> Response {
    let Some(list) = site.observer.products() else {
        return not_yet("products");
    };
    let rows = serde_json::to_value(&list.products).and_then(serde_json::from_value);
    kept(
        &ProductList::COLUMNS,
        rows,
        list.as_of,
        ("products", format),
    )
}

/// A table of the front page, from memory; or the query that gives its rows.
async fn front(State(site): State<Arc<Site>>, Path(file): Path<String>) -> Response {
    let (name, format) = match file.strip_suffix(".sql") {
        Some(name) => (name, None),
        None => table_and_form(&file).map_or(("", None), |(name, format)| (name, Some(format))),
    };
    let mut tables = FrontTable::ALL.into_iter();
    let Some(table) = tables.find(|table| table.name() == name) else {
        let names = FrontTable::ALL.map(FrontTable::name).join(", ");
        return missing(&format!(
            "there is no such file; there are figures.json and, each as .csv, .json and .sql, \
             {names}"
        ));
    };
    let Some(figures) = site.observer.figures() else {
        return not_yet("figures");
    };
    let Some(format) = format else {
        return table.query(&figures).sql().to_owned().into_response();
    };
    let rows = table.rows(&figures);
    kept(table.columns(), rows, figures.as_of, (table.name(), format))
}

fn not_yet(what: &str) -> Response {
    let problem = format!("the {what} have not been computed yet\n");
    (StatusCode::SERVICE_UNAVAILABLE, problem).into_response()
}

fn kept(
    columns: &[&str],
    rows: Result<Vec<Map<String, Value>>, serde_json::Error>,
    as_of: DateTime<Utc>,
    (name, format): (&str, FileFormat),
) -> Response {
    match rows {
        Ok(rows) => file(name, format, memory::write(columns, &rows, as_of, format)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// A table of a customer's page.
async fn customer_file(
    State(site): State<Arc<Site>>,
    Path((customer, file)): Path<(String, String)>,
) -> Response {
    let table = table_and_form(&file)
        .and_then(|(name, format)| Some((CustomerTable::parse(name)?, format)));
    match (customer.parse(), table) {
        (Ok(id), Some((table, format))) => self::customer(&site, id, table, format).await,
        _ => missing("there is no such table of a customer"),
    }
}

/// A table of a customer's page.
pub(super) async fn customer(
    site: &Site,
    customer: CustomerId,
    table: CustomerTable,
    format: FileFormat,
) -> Response {
    match html::customer_days(site, customer).await {
        Ok(Some(days)) => {
            let name = format!("{}-{customer}", table.name());
            send(site, table.query(customer, &days), format, &name).await
        }
        Ok(None) => missing("the ledger does not know this customer"),
        Err(error) => unread(error),
    }
}

/// A table of a run's page.
async fn run_file(
    State(site): State<Arc<Site>>,
    Path((run, file)): Path<(String, String)>,
) -> Response {
    match (run.parse(), table_and_form(&file)) {
        (Ok(run_id), Some((table, format))) => self::run(&site, run_id, table, format).await,
        _ => missing(NO_RUN_TABLE),
    }
}

/// A table of a run's page.
pub(super) async fn run(site: &Site, run_id: i64, table: &str, format: FileFormat) -> Response {
    let Some(query) = RunDetail::table(table, run_id) else {
        return missing(NO_RUN_TABLE);
    };
    let parts = site.observer.parts();
    let is_known = parts.reader.read("looking for a run", move |connection| {
        Box::pin(RunDetail::is_known(connection, run_id))
    });
    match is_known.await {
        Ok(true) => send(site, query, format, &format!("run-{run_id}-{table}")).await,
        Ok(false) => missing("the ledger has no such run"),
        Err(error) => unread(error),
    }
}

/// The table and the form that the name of a file asks for.
fn table_and_form(file: &str) -> Option<(&str, FileFormat)> {
    let (table, extension) = file.rsplit_once('.')?;
    match extension {
        "csv" => Some((table, FileFormat::Csv)),
        "json" => Some((table, FileFormat::Json)),
        _ => None,
    }
}

fn missing(problem: &str) -> Response {
    (StatusCode::NOT_FOUND, format!("{problem}\n")).into_response()
}

/// All runs.
pub(super) async fn runs(site: &Site, format: FileFormat) -> Response {
    send(site, RunList::query(), format, "runs").await
}

async fn send(site: &Site, query: TableQuery, format: FileFormat, name: &str) -> Response {
    let now = site.observer.inputs.clock.now();
    let parts = site.observer.parts();
    match parts.downloads.begin(query, format, now).await {
        Ok(download) => {
            let mut answer = file(name, format, body(download));
            answer.extensions_mut().insert(LongAnswer);
            answer
        }
        Err(error) => unread(error),
    }
}

fn unread(error: StoreError) -> Response {
    let reason = match error {
        StoreError::TimedOut { .. } => {
            "the database did not answer in time, or another download takes long".to_owned()
        }
        // Without causes, which may hold details of the database's host.
        error => error.to_string(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, reason + "\n").into_response()
}

/// A file that cannot be finished breaks the connection, so that the client does not take a part
/// for the whole.
fn body(download: Download) -> Body {
    let chunks = stream::unfold(download, async |mut download| {
        let chunk = download.next().await?;
        Some((chunk, download))
    });
    Body::from_stream(chunks)
}

/// An answer that a browser saves under `name` if it is CSV, and shows if it is JSON.
pub(super) fn file(name: &str, format: FileFormat, body: impl Into<Body>) -> Response {
    let body = body.into();
    match format {
        FileFormat::Csv => {
            let disposition = format!("attachment; filename=\"{name}.csv\"");
            let headers = [
                (header::CONTENT_TYPE, CSV.to_owned()),
                (header::CONTENT_DISPOSITION, disposition),
            ];
            (headers, body).into_response()
        }
        FileFormat::Json => ([(header::CONTENT_TYPE, JSON)], body).into_response(),
    }
}
