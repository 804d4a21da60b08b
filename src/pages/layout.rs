//! What all pages share: the head, the links to each other, the style sheet.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// In the page itself, so that a page is one answer, and a saved page looks the same.
pub(super) const STYLE: &str = include_str!("../../templates/style.css");

/// The version of the program, for the foot of each page.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

static STYLE_HASH: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!("sha256-{hash}")
});

/// The hash of the style sheet, as a content security policy names it.
pub(crate) fn style_hash() -> &'static str {
    &STYLE_HASH
}

/// What `base.html` needs. Each page has one in its field `layout`.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// What the page shows, for the tab of a browser.
    pub(crate) title: String,
    /// Stands before the path of every link: empty, or such as "/seatledger".
    pub(crate) prefix: String,
    /// Of which part of the navigation the page is.
    pub(crate) section: Section,
    /// Whether the browser asks again every few seconds.
    pub(crate) is_live: bool,
}

/// A link of the navigation.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) name: &'static str,
    pub(super) is_current: bool,
}

impl Layout {
    pub(super) fn links(&self) -> impl Iterator<Item = Link> {
        Section::ALL.into_iter().map(|section| Link {
            href: format!("{}{}", self.prefix, section.path()),
            name: section.name(),
            is_current: section == self.section,
        })
    }
}

/// A part of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Overview,
    Customers,
    Products,
    Runs,
}

impl Section {
    const ALL: [Self; 4] = [Self::Overview, Self::Customers, Self::Products, Self::Runs];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Customers => "Customers",
            Self::Products => "Products",
            Self::Runs => "Runs",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/",
            Self::Customers => "/customers",
            Self::Products => "/products",
            Self::Runs => "/runs",
        }
    }
}
