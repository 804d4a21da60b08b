use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse as _;
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::gathered::Gathered;
use super::page::{Reading, read_page};
use super::*;
use crate::clock::SystemClock;
use crate::config;
use crate::ledger::{Dataset, FailureReason, Source};
use crate::partner_center::Client;
use crate::partner_center::decode::MAX_REJECTIONS;
use crate::partner_center::transport::aside::Aside;
use crate::retry::RetryPolicy;

const ROWS: usize = 3;

/// A server of so many customers with three rows each, and the calls that it received.
#[derive(Clone, Default)]
struct Server {
    customers: usize,
    page_size: usize,
    /// What the address of a page begins with.
    version: &'static str,
    links: bool,
    filters: Filters,
    /// Added to the total of the second page of the first walks.
    restless_walks: usize,
    /// Added to each total.
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

impl Server {
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
        let walks = calls.iter().filter(|call| !call.contains("skip")).count();
        let restless = usize::from(skip > 0 && walks <= self.restless_walks);
        let next = (self.links && end < rows.len())
            .then(|| format!("analytics/commercial/usage/license/?skip={end}"));
        let body = json!({
            "Value": rows[skip.min(end)..end], "@nextLink": next,
            "TotalCount": rows.len() + restless + self.missing,
        });
        (StatusCode::OK, body)
    }

    async fn fetch(&self, wanted: &Wanted) -> Result<Commercial<UsageRow>, RetryError<ApiError>> {
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
        let client = Client::new(&settings, &auth, policy, tasks, clock).unwrap();
        let date = Some("2026-09-28".parse().unwrap());
        let fetched = Arc::new(client)
            .begin_session()
            .fetch_commercial_usage(wanted, date, &Shutdown::default())
            .await;
        serving.abort();
        fetched
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

fn wanted(customers: std::ops::Range<usize>, everybody: bool) -> Wanted {
    Wanted::new(customers.map(id), everybody)
}

/// Customers and rows of all shares.
fn counts(commercial: &mut Commercial<UsageRow>, wanted: &Wanted) -> (usize, usize) {
    let (mut customers, mut rows, mut place) = (0, 0, 0);
    while let Some(share) = commercial.next_share().unwrap() {
        for (customer, collection) in &share {
            let collection = collection.as_ref().unwrap();
            assert_eq!(wanted.share_of(*customer), place);
            assert_eq!(collection.received, collection.rows.len() as u64);
            assert!(
                collection
                    .rows
                    .iter()
                    .all(|row| row.usage_percent.is_none())
            );
            rows += collection.rows.len();
        }
        customers += share.len();
        place += 1;
    }
    assert_eq!(place, wanted.shares());
    (customers, rows)
}

#[tokio::test]
async fn everything_is_fetched_page_by_page_and_given_out_customer_by_customer() {
    for links in [true, false] {
        let server = Server {
            links,
            ..Server::new(700, 500)
        };
        // Five of them are not wanted, and one that is has nothing.
        let wanted = wanted(5..701, true);
        let mut commercial = server.fetch(&wanted).await.unwrap();
        assert_eq!(counts(&mut commercial, &wanted), (695, 695 * ROWS));
        assert_eq!((commercial.received, commercial.unwanted), (2_100, 15));
        assert_eq!((commercial.attempts, commercial.pages), (5, 5));
        assert_eq!((commercial.http_status, commercial.note), (200, None));
        let calls = server.calls();
        let first =
            "/v1/analytics/commercial/usage/license/?top=10000&processedDateTime=2026-09-28";
        assert_eq!(calls[0], first);
        assert!(calls.iter().all(|call| !call.contains("filter")));
    }
}

#[tokio::test]
async fn few_customers_are_asked_for_by_name() {
    let server = Server::new(700, 500);
    let few = wanted(20..30, false);
    let mut commercial = server.fetch(&few).await.unwrap();
    assert_eq!(counts(&mut commercial, &few), (10, 30));
    assert_eq!(server.calls().len(), 1);

    // A page of everything, then three calls in place of four more pages.
    let some = wanted(20..50, false);
    let mut commercial = server.fetch(&some).await.unwrap();
    assert_eq!(counts(&mut commercial, &some), (30, 90));
    assert_eq!((commercial.received, commercial.pages), (90, 4));
    let calls = server.calls();
    assert!(!calls[0].contains("filter") && calls[1..].iter().all(|call| call.contains("filter")));

    let many = wanted(20..80, false);
    let mut commercial = server.fetch(&many).await.unwrap();
    assert_eq!(counts(&mut commercial, &many), (60, 180));
    assert_eq!(server.calls().len(), 5);
}

#[tokio::test]
async fn a_filter_that_does_not_work_is_left_out() {
    for filters in [Filters::Ignored, Filters::Refused] {
        let server = Server {
            filters,
            ..Server::new(40, 50)
        };
        let few = wanted(3..5, false);
        let mut commercial = server.fetch(&few).await.unwrap();
        assert_eq!(counts(&mut commercial, &few), (2, 6));
        assert_eq!((commercial.received, commercial.unwanted), (120, 114));
        assert_eq!(server.calls().len(), 4);
    }
}

#[tokio::test]
async fn the_path_is_tried_in_both_of_its_documented_forms() {
    let server = Server {
        version: "partner/v1",
        ..Server::new(10, 20)
    };
    let wanted_all = wanted(0..10, true);
    let mut commercial = server.fetch(&wanted_all).await.unwrap();
    assert_eq!(counts(&mut commercial, &wanted_all), (10, 30));
    let calls = server.calls();
    assert!(calls[0].starts_with("/v1/"));
    assert!(
        calls[1..]
            .iter()
            .all(|call| call.starts_with("/partner/v1/"))
    );
    assert_eq!(calls.len(), 3);

    let nowhere = Server {
        version: "v2",
        ..server
    };
    let gave_up = nowhere.fetch(&wanted_all).await.unwrap_err();
    let RetryError::Failed { error, attempts } = gave_up else {
        panic!("it was stopped");
    };
    assert_eq!((error.reason(), attempts), (FailureReason::NotFound, 2));
}

#[tokio::test]
async fn a_collection_that_changes_is_read_anew_and_leaves_nothing_of_the_first_time() {
    for (restless_walks, walks) in [(1, 2), (2, 3)] {
        let server = Server {
            restless_walks,
            ..Server::new(10, 20)
        };
        let wanted = wanted(0..10, true);
        let mut commercial = server.fetch(&wanted).await.unwrap();
        assert_eq!(counts(&mut commercial, &wanted), (10, 30));
        assert_eq!(commercial.received, 30);
        assert_eq!(commercial.pages, 2 * walks);
        assert_eq!(commercial.note, None);
    }
}

#[tokio::test]
async fn a_collection_that_falls_short_is_an_invalid_answer() {
    let server = Server {
        missing: 1,
        ..Server::new(10, 20)
    };
    let gave_up = server.fetch(&wanted(0..10, true)).await.unwrap_err();
    let RetryError::Failed { error, attempts } = gave_up else {
        panic!("it was stopped");
    };
    assert_eq!(
        (error.reason(), attempts),
        (FailureReason::InvalidResponse, 2)
    );
    assert_eq!(
        error.to_string(),
        "the collection announced 31 items and sent 30"
    );
}

fn gathered(pages: &[&str], wanted: &Wanted) -> Result<Commercial<UsageRow>, ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(gather(pages, wanted))
}

async fn gather(pages: &[&str], wanted: &Wanted) -> Result<Commercial<UsageRow>, ApiError> {
    let mut gathered = Gathered::new(wanted).unwrap();
    let aside = Aside::new(TaskTracker::new());
    for page in pages {
        let reading = Reading {
            wanted: Arc::clone(wanted.customers()),
            before: gathered.received,
        };
        let page = read_page(page.as_bytes(), &reading, None, "")?;
        gathered.take(page, wanted.clone(), &aside).await?;
    }
    let spool = gathered.finish()?;
    Ok(Commercial {
        attempts: 0,
        http_status: 200,
        pages: 0,
        received: gathered.received,
        unwanted: gathered.unwanted,
        note: None,
        strays: gathered.strays,
        spool,
        shares: 0..wanted.shares(),
        row: decode::usage_row,
        now: "2026-10-01T06:00:00Z".parse().unwrap(),
    })
}

fn item(changes: &Value) -> Value {
    let mut item = json!({
        "customerTenantId": id(0), "productName": "E3", "workloadName": "Exchange",
        "licensesActive": 3, "licensesQualified": 10, "processedDateTime": "2026-09-28T00:00:00",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}

#[test]
fn of_one_key_on_two_pages_the_later_page_wins() {
    let wanted = wanted(0..1, true);
    let earlier = item(&json!({}));
    let later = item(&json!({"licensesActive": null, "licenseActive": 4}));
    let bad = item(&json!({"licensesQualified": -1}));
    let pages = [
        json!({ "Value": [earlier] }).to_string(),
        json!({ "Value": [bad, later, {}] }).to_string(),
    ];
    let mut commercial = gathered(&[&pages[0], &pages[1]], &wanted).unwrap();
    assert_eq!(commercial.strays().len(), 1);
    let share = commercial.next_share().unwrap().unwrap();
    let (customer, collection) = &share[0];
    let collection = collection.as_ref().unwrap();
    assert_eq!((*customer, collection.received), (id(0), 3));
    assert_eq!(collection.rows[0].licenses_active, 4);
    let told = collection
        .rejections
        .iter()
        .fold(String::new(), |mut told, rejection| {
            let _ = writeln!(told, "{} {}", rejection.reason.as_str(), rejection.payload);
            told
        });
    assert_eq!(
        told,
        format!("invalid_value {bad}\nduplicate_key {earlier}\n")
    );
    assert_eq!(
        collection.rejections[0].detail,
        "item 2: licensesQualified is negative"
    );
    assert!(commercial.next_share().unwrap().is_none());
}

#[test]
fn a_percentage_is_not_even_looked_at() {
    let wanted = wanted(0..1, true);
    let page = json!({"Value": [item(&json!({"usagePercent": "a third"}))]}).to_string();
    let mut commercial = gathered(&[&page], &wanted).unwrap();
    assert_eq!(counts(&mut commercial, &wanted), (1, 1));
}

#[test]
fn pages_of_rubbish_fail_together_instead_of_filling_memory() {
    let page = json!({ "Value": vec![json!({}); MAX_REJECTIONS / 2 + 1] }).to_string();
    let wanted = wanted(0..1, true);
    assert!(gathered(&[&page], &wanted).is_ok());
    let error = gathered(&[&page, &page], &wanted).unwrap_err();
    assert_eq!(error.reason(), FailureReason::InvalidResponse);
}

proptest! {
    #[test]
    fn every_item_ends_somewhere(
        items in prop::collection::vec((0_usize..6, prop::option::weighted(0.8, -1_i64..5)), 0..60),
        page_size in 1_usize..20,
    ) {
        // Customers from the fourth on are not wanted; the last owner is nobody.
        let wanted = wanted(0..3, true);
        let items: Vec<Value> = items
            .iter()
            .enumerate()
            .map(|(number, (owner, active))| {
                let owner = if *owner == 5 { json!("nobody") } else { json!(id(*owner)) };
                let product = format!("product {number}");
                item(&json!({"customerTenantId": owner, "licensesActive": active, "productName": product}))
            })
            .collect();
        let pages: Vec<String> = items
            .chunks(page_size)
            .map(|page| json!({ "Value": page }).to_string())
            .collect();
        let pages: Vec<&str> = pages.iter().map(String::as_str).collect();
        let mut commercial = gathered(&pages, &wanted).unwrap();
        prop_assert_eq!(commercial.received, items.len() as u64);
        let mut ends = commercial.unwanted + commercial.strays().len() as u64;
        while let Some(share) = commercial.next_share().unwrap() {
            for (_, collection) in share {
                let collection = collection.unwrap();
                ends += (collection.rows.len() + collection.rejections.len()) as u64;
            }
        }
        prop_assert_eq!(ends, commercial.received);
    }
}
