//! The answers to browsers: whether a request is one, the headers that bound what a page may do,
//! and a handler for each page. [`crate::pages`] renders them.

mod accept;
mod customer;
mod customers;
mod front;
mod products;
mod runs;

use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::site::Site;
use crate::pages::{self, ICON, Layout, Notice, Section};
use crate::store::StoreError;

pub(super) use accept::prefers_html;
pub(super) use customer::{days as customer_days, show as show_customer};
pub(super) use customers::{filter as customer_filter, show as show_customers};
pub(super) use front::show as show_front;
pub(super) use products::show as show_products;
pub(super) use runs::{show_all as show_runs, show_one as show_run};

/// What is said of a page of a list after its last one.
const BEYOND: &str = "The list ends before this page.";

/// What a page has that its content security policy must permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    /// Only links.
    None,
    /// A search in the page itself.
    Search,
}

impl Site {
    /// The frame of a page.
    pub(super) fn layout(&self, section: Section, title: &str) -> Layout {
        Layout {
            title: title.to_owned(),
            prefix: self.observer.parts().path_prefix.clone(),
            section,
            is_live: false,
        }
    }

    /// Since when the database does not answer, in the schedule's zone; none if it does.
    fn away(&self) -> Option<String> {
        let away = self.observer.known().away?;
        let since = self.observer.parts().schedule.in_zone(away.since);
        Some(format!(
            "It has not answered since {since}: {}.",
            away.error
        ))
    }
}

/// Sends a page.
pub(super) fn page(status: StatusCode, html: String, forms: Forms) -> Response {
    let action = match forms {
        Forms::None => "'none'",
        Forms::Search => "'self'",
    };
    let policy = format!(
        "default-src 'none'; style-src '{}'; img-src 'self'; base-uri 'none'; \
         form-action {action}; frame-ancestors 'none'",
        pages::style_hash()
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::VARY, "accept".to_owned()),
    ];
    (status, headers, html).into_response()
}

/// Sends the page that stands in for one that needs the database.
pub(super) fn unavailable(site: &Site, section: Section) -> Response {
    let message = "The ledger's database does not answer";
    let notice = Notice {
        layout: site.layout(section, message),
        message: format!("{message}."),
        paragraphs: site
            .away()
            .into_iter()
            .chain([
                "The daemon asks it again every few seconds. Load this page again to see \
                     whether it is back."
                    .to_owned(),
            ])
            .collect(),
    };
    page(
        StatusCode::SERVICE_UNAVAILABLE,
        pages::render(&notice),
        Forms::None,
    )
}

/// Sends the page that stands in for one that the database did not give.
fn unread(site: &Site, section: Section, error: &StoreError) -> Response {
    if site.away().is_some() {
        return unavailable(site, section);
    }
    let reason = match error {
        StoreError::TimedOut { .. } => {
            "The ledger's database did not answer in time. Load the page again when it has less \
             to do."
                .to_owned()
        }
        // Without causes, which may hold details of the database's host.
        error => format!("The ledger's database answered with an error: {error}."),
    };
    let status = StatusCode::SERVICE_UNAVAILABLE;
    notice(
        site,
        section,
        (status, "This page cannot be read now"),
        &reason,
    )
}

/// Says that there is no such page: a browser gets that as a page, a program as a line.
pub(super) fn missing(
    site: &Site,
    headers: &HeaderMap,
    section: Section,
    problem: &str,
) -> Response {
    let status = StatusCode::NOT_FOUND;
    if prefers_html(headers) {
        notice(site, section, (status, "There is no such page"), problem)
    } else {
        (status, format!("{problem}\n")).into_response()
    }
}

fn notice(
    site: &Site,
    section: Section,
    (status, message): (StatusCode, &str),
    reason: &str,
) -> Response {
    let notice = Notice {
        layout: site.layout(section, message),
        message: format!("{message}."),
        paragraphs: vec![reason.to_owned()],
    };
    page(status, pages::render(&notice), Forms::None)
}

/// The page of a list that the address asks for, from 0; the first if it names none. Bounded, so
/// that the place of its first row is a number that Postgres takes.
fn page_number(uri: &Uri) -> u32 {
    let query = uri.query().unwrap_or_default().as_bytes();
    let mut pairs = url::form_urlencoded::parse(query);
    let page = pairs.find(|(name, _)| name == "page");
    let page = page.and_then(|(_, page)| page.parse::<u32>().ok());
    page.unwrap_or(1).clamp(1, 1_000_000) - 1
}

/// The sign of the pages.
pub(super) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}
