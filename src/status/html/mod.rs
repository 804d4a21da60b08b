//! The answers to browsers: whether a request is one, the headers that bound what a page may do,
//! and a handler for each page. [`crate::pages`] renders them.

mod accept;
mod front;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::routes::Site;
use crate::pages::{self, ICON, Layout, Notice, Section};

pub(super) use accept::prefers_html;
pub(super) use front::show as show_front;

/// What a page has that its content security policy must permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Forms {
    /// Only links.
    None,
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

/// The sign of the pages.
pub(super) async fn icon() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "image/svg+xml")], ICON)
}
