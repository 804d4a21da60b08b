//! The list of products, from memory.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

use super::{BEYOND, Forms, missing, notice, page, page_number, prefers_html, unavailable};
use crate::pages::{self, Products, Section};
use crate::status::data;
use crate::status::site::Site;
use crate::store::FileFormat;

/// Programs get the list whole.
pub(in crate::status) async fn show(
    State(site): State<Arc<Site>>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if !prefers_html(&headers) {
        return data::products(&site, FileFormat::Json);
    }
    let observer = &site.observer;
    let Some(list) = observer.products() else {
        if site.away().is_some() {
            return unavailable(&site, Section::Products);
        }
        let reason = "They are computed at the start of the daemon and after each run. Load this \
                      page again in a moment.";
        let message = "The products are not known yet";
        let status = StatusCode::SERVICE_UNAVAILABLE;
        return notice(&site, Section::Products, (status, message), reason);
    };
    let as_of = observer.parts().schedule.minute(list.as_of);
    let layout = site.layout(Section::Products, "Products");
    let number = page_number(&uri);
    let products = Products::new(layout, &list, number, as_of);
    if products.is_empty() && number > 0 {
        return missing(&site, &headers, Section::Products, BEYOND);
    }
    page(StatusCode::OK, pages::render(&products), Forms::None)
}
