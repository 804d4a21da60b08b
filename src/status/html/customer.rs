//! One customer.

use std::sync::{Arc, LazyLock};

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::{Forms, missing, page, prefers_html, unread};
use crate::ledger::CustomerId;
use crate::pages::{self, CustomerPage, Language, Section};
use crate::status::data;
use crate::status::site::Site;
use crate::store::{
    CustomerDetail, CustomerTable, DetailDays, FileFormat, StoreError, knows_customer,
    load_customer_detail, load_ledger_dates,
};

/// Pages are in English.
static ENGLISH: LazyLock<Language> = LazyLock::new(Language::english);

/// Programs get the seats.
pub(in crate::status) async fn show(
    State(site): State<Arc<Site>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Ok(customer) = id.parse() else {
        let problem = "Customers have GUIDs, and this is none. The list of customers has a search.";
        return missing(&site, &headers, Section::Customers, problem);
    };
    if !prefers_html(&headers) {
        return data::customer(&site, customer, CustomerTable::Seats, FileFormat::Json).await;
    }
    match load(&site, customer).await {
        Ok(Some((detail, days))) => {
            let name = detail
                .customer
                .name
                .as_deref()
                .unwrap_or(&ENGLISH.without_name);
            let layout = site.layout(Section::Customers, name);
            let shown = CustomerPage::new(layout, &detail, &days, &ENGLISH);
            page(StatusCode::OK, pages::render(&shown), Forms::None)
        }
        Ok(None) => {
            let problem = "The ledger does not know this customer. The list of customers has a \
                           search.";
            missing(&site, &headers, Section::Customers, problem)
        }
        Err(error) => unread(&site, Section::Customers, &error),
    }
}

async fn load(
    site: &Site,
    customer: CustomerId,
) -> Result<Option<(CustomerDetail, DetailDays)>, StoreError> {
    let today = site.observer.inputs.clock.now().date_naive();
    let parts = site.observer.parts();
    // To look for renamings takes longer than a page may, if there are many customers.
    let figures = site.observer.figures();
    let reading = parts.reader.read("reading a customer", move |connection| {
        Box::pin(async move {
            let ledger = load_ledger_dates(connection).await?;
            let days = DetailDays::now(ledger, today);
            let renamed = figures.as_ref().map_or(&[][..], |it| &it.renamed);
            let detail = load_customer_detail(connection, customer, &days, renamed).await?;
            Ok(detail.map(|detail| (detail, days)))
        })
    });
    reading.await
}

/// The days of a customer's page; none if the ledger does not know the customer.
pub(in crate::status) async fn days(
    site: &Site,
    customer: CustomerId,
) -> Result<Option<DetailDays>, StoreError> {
    let today = site.observer.inputs.clock.now().date_naive();
    let parts = site.observer.parts();
    let reading = parts
        .reader
        .read("reading the ledger's dates", move |connection| {
            Box::pin(async move {
                let is_known = knows_customer(connection, customer).await?;
                let ledger = load_ledger_dates(connection).await?;
                Ok(is_known.then(|| DetailDays::now(ledger, today)))
            })
        });
    reading.await
}
