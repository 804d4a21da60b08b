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

/// A file for each table and form.
pub(super) fn routes() -> Router<Arc<Site>> {
    let mut router = Router::new()
        .route("/data/{file}", get(front))
        .route("/customers/{customer_id}/{file}", get(customer_file));
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
            )
            .route(
                &format!("/runs/{{run_id}}/failures.{extension}"),
                get(
                    async move |State(site): State<Arc<Site>>, Path(run_id): Path<i64>| {
                        failures(&site, run_id, format).await
                    },
                ),
            )
            .route(
                &format!("/runs/{{run_id}}/rejections.{extension}"),
                get(
                    async move |State(site): State<Arc<Site>>, Path(run_id): Path<i64>| {
                        let name = format!("run-{run_id}-rejections");
                        send(&site, RunDetail::rejections(run_id), format, &name).await
                    },
                ),
            );
    }
    router
}

/// The customers that the address asks for.
pub(super) async fn customers(site: &Site, uri: &Uri, format: FileFormat) -> Response {
    match html::customer_filter(uri) {
        Ok(filter) => send(site, filter.query(), format, "customers").await,
        Err(problem) => (StatusCode::NOT_FOUND, problem + "\n").into_response(),
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
    let found = file.rsplit_once('.').and_then(|(name, extension)| {
        let mut tables = FrontTable::ALL.into_iter();
        let table = tables.find(|table| table.name() == name)?;
        let format = match extension {
            "csv" => Some(FileFormat::Csv),
            "json" => Some(FileFormat::Json),
            "sql" => None,
            _ => return None,
        };
        Some((table, format))
    });
    let Some((table, format)) = found else {
        let names = FrontTable::ALL.map(FrontTable::name).join(", ");
        let problem = format!(
            "there is no such file; there are figures.json and, each as .csv, .json and .sql, \
             {names}\n"
        );
        return (StatusCode::NOT_FOUND, problem).into_response();
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
    let named = file.rsplit_once('.').and_then(|(table, extension)| {
        let format = match extension {
            "csv" => FileFormat::Csv,
            "json" => FileFormat::Json,
            _ => return None,
        };
        Some((CustomerTable::parse(table)?, format))
    });
    if let (Ok(id), Some((table, format))) = (customer.parse(), named) {
        return self::customer(&site, id, table, format).await;
    }
    let problem = "there is no such table of a customer\n";
    (StatusCode::NOT_FOUND, problem).into_response()
}

/// A table of a customer's page. Has no rows of a customer that the ledger does not know.
pub(super) async fn customer(
    site: &Site,
    customer: CustomerId,
    table: CustomerTable,
    format: FileFormat,
) -> Response {
    match html::customer_days(site).await {
        Ok(days) => {
            let name = format!("{}-{customer}", table.name());
            send(site, table.query(customer, &days), format, &name).await
        }
        Err(error) => unread(error),
    }
}

/// All runs.
pub(super) async fn runs(site: &Site, format: FileFormat) -> Response {
    send(site, RunList::query(), format, "runs").await
}

/// The customers that failed in a run.
pub(super) async fn failures(site: &Site, run_id: i64, format: FileFormat) -> Response {
    let name = format!("run-{run_id}-failures");
    send(site, RunDetail::failures(run_id), format, &name).await
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
