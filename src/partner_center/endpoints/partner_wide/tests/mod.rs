//! Fetches from a server in this process, and items taken in without one.

mod fetch;
mod items;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::*;
use crate::clock::SystemClock;
use crate::config;
use crate::ledger::{CustomerId, Dataset, Source};
use crate::metrics::Metrics;
use crate::partner_center::{ApiError, Client, Surroundings};
use crate::retry::{RetryError, RetryPolicy};

/// Rows of each customer.
const ROWS: usize = 3;

/// A server of a partner-wide collection, and the requests that it received.
#[derive(Clone, Default)]
struct PageServer {
    customers: usize,
    page_size: usize,
    /// The version in the path.
    version: &'static str,
    links: bool,
    filters: Filters,
    /// How many of the first passes announce another total on the second page.
    changing_passes: usize,
    /// Rows that are announced and not sent.
    missing: usize,
    calls: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Filters {
    #[default]
    Work,
    Ignored,
    Refused,
}

fn id(customer: usize) -> CustomerId {
    Uuid::from_u128(0xabcd_0000_0000 + customer as u128).into()
}

impl PageServer {
    fn new(customers: usize, page_size: usize) -> Self {
        Self {
            customers,
            page_size,
            version: "v1",
            links: true,
            ..Self::default()
        }
    }

    fn answer(&self, uri: &Uri) -> (StatusCode, Value) {
        let query = uri.query().unwrap_or_default();
        let mut calls = self.calls.lock().unwrap();
        calls.push(uri.to_string());
        let path = format!("/{}/analytics/commercial/usage/license/", self.version);
        if uri.path() != path {
            return (StatusCode::NOT_FOUND, json!({"code": "1000"}));
        }
        let value = |name: &str| {
            let mut pairs = url::form_urlencoded::parse(query.as_bytes());
            pairs
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned())
        };
        let filter = value("filter").filter(|_| self.filters != Filters::Ignored);
        if filter.is_some() && self.filters == Filters::Refused {
            return (StatusCode::BAD_REQUEST, json!({"code": "3000"}));
        }
        let rows: Vec<Value> = (0..self.customers * ROWS)
            .filter(|row| {
                let customer = id(row / ROWS).to_string();
                filter
                    .as_ref()
                    .is_none_or(|filter| filter.contains(&customer))
            })
            .map(|row| {
                json!({
                    "customerTenantId": id(row / ROWS).to_string().to_uppercase(),
                    "productName": "E3", "workloadName": format!("w{}", row % ROWS),
                    "licenseActive": row, "licensesQualified": 10, "usagePercent": 7,
                    "processedDateTime": "2026-09-28T00:00:00",
                })
            })
            .collect();
        let skip: usize = value("skip").map_or(0, |skip| skip.parse().unwrap());
        let end = (skip + self.page_size).min(rows.len());
        let passes = calls.iter().filter(|call| !call.contains("skip")).count();
        let changed = usize::from(skip > 0 && passes <= self.changing_passes);
        let next = (self.links && end < rows.len())
            .then(|| format!("analytics/commercial/usage/license/?skip={end}"));
        let body = json!({
            "Value": rows[skip.min(end)..end], "@nextLink": next,
            "TotalCount": rows.len() + changed + self.missing,
        });
        (StatusCode::OK, body)
    }

    async fn fetch(
        &self,
        wanted: &WantedCustomers,
    ) -> Result<PartnerWideCollection<UsageRow>, RetryError<ApiError>> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let server = self.clone();
        let answer = move |request: Request| {
            let (status, body) = server.answer(request.uri());
            std::future::ready((status, body.to_string()).into_response())
        };
        let tasks = TaskTracker::new();
        let router = axum::Router::new().fallback(answer);
        let serving = tasks.spawn(axum::serve(listener, router).into_future());
        let settings = config::PartnerCenter {
            cloud: config::Cloud::Worldwide,
            source: Source::Commercial,
            datasets: vec![Dataset::Usage],
            allow_locale_change: false,
            base_url: base.parse().unwrap(),
            locale: "en-US".to_owned(),
            max_concurrency: 1,
            max_requests_per_second: None,
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(30),
            max_response_bytes: 1 << 20,
        };
        let auth = config::Auth {
            authority: base.parse().unwrap(),
            method: config::Method::AccessToken("s3cret".into()),
        };
        let second = Duration::from_secs(1);
        let policy = RetryPolicy::try_new(second, second, second).unwrap();
        let clock = Arc::new(SystemClock);
        let surroundings = Surroundings {
            tasks,
            clock,
            metrics: Metrics::default(),
        };
        let client = Client::new(&settings, &auth, policy, surroundings).unwrap();
        let date = Some("2026-09-28".parse().unwrap());
        let fetched = Arc::new(client)
            .begin_session()
            .fetch_partner_wide_usage(wanted, date, &Shutdown::default())
            .await;
        serving.abort();
        fetched.map_err(RetryError::from)
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

fn wanted(customers: std::ops::Range<usize>, are_all: bool) -> WantedCustomers {
    WantedCustomers::new(customers.map(id), are_all)
}

/// The numbers of customers and rows in all buckets.
fn counts(
    collection: &mut PartnerWideCollection<UsageRow>,
    wanted: &WantedCustomers,
) -> (usize, usize) {
    let (mut customers, mut rows, mut index) = (0, 0, 0);
    while let Some(bucket) = collection.next_bucket().unwrap() {
        for (customer, collection) in &bucket {
            let collection = collection.as_ref().unwrap();
            assert_eq!(wanted.bucket_of(*customer), index);
            assert_eq!(collection.received, collection.rows.len() as u64);
            assert!(
                collection
                    .rows
                    .iter()
                    .all(|row| row.usage_percent.is_none())
            );
            rows += collection.rows.len();
        }
        customers += bucket.len();
        index += 1;
    }
    assert_eq!(index, wanted.bucket_count());
    (customers, rows)
}
