//! The list of customers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use url::form_urlencoded;

use super::{BEYOND, Forms, missing, page, page_number, prefers_html, unread};
use crate::pages::{self, CustomersPage, Section};
use crate::status::data;
use crate::status::site::Site;
use crate::store::{CustomerFilter, CustomerState, FileFormat};

/// Longer texts are in no name, domain or GUID.
const MAX_SEARCH: usize = 512;

/// Programs get the list whole.
pub(in crate::status) async fn show(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !prefers_html(&headers) {
        return data::customers(&site, &uri, FileFormat::Json).await;
    }
    let filter = match filter(&uri) {
        Ok(filter) => filter,
        Err(problem) => return missing(&site, &headers, Section::Customers, &problem),
    };
    let number = page_number(&uri);
    let parts = site.observer.parts();
    let wanted = filter.clone();
    let list = parts
        .reader
        .read("reading the list of customers", move |connection| {
            Box::pin(async move { wanted.load(connection, number).await })
        });
    match list.await {
        Ok(list) if list.rows.is_empty() && number > 0 => {
            missing(&site, &headers, Section::Customers, BEYOND)
        }
        Ok(list) => {
            let layout = site.layout(Section::Customers, "Customers");
            let customers = CustomersPage::new(layout, filter, list, number, |line| {
                Some(parts.schedule.minute(line.last_success_at?))
            });
            page(StatusCode::OK, pages::render(&customers), Forms::Search)
        }
        Err(error) => unread(&site, Section::Customers, &error),
    }
}

/// What the address asks for.
///
/// # Errors
/// When there is no such state, in a sentence.
pub(in crate::status) fn filter(uri: &Uri) -> Result<CustomerFilter, String> {
    let mut filter = CustomerFilter::default();
    for (name, value) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        match &*name {
            "q" => filter.search = value.trim().chars().take(MAX_SEARCH).collect(),
            "state" if value.is_empty() => {}
            "state" => {
                filter.state = Some(CustomerState::parse(&value).ok_or_else(|| {
                    let states = CustomerState::ALL.map(CustomerState::as_str).join(", ");
                    format!("Customers have no such state. The states are {states}.")
                })?);
            }
            _ => {}
        }
    }
    Ok(filter)
}
