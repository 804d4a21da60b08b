//! The links between the pages of a list.

use askama::Template;

use super::format;
use crate::store::PAGE_ROWS;

/// Which rows a page shows, and its neighbours. A template shows it with `|safe`: its own template
/// has escaped it.
#[derive(Template)]
#[template(path = "pager.html")]
pub(crate) struct PageLinks {
    first: i64,
    last: i64,
    total: i64,
    previous: Option<String>,
    next: Option<String>,
}

impl PageLinks {
    /// `address` has a query already, perhaps an empty one; `page` counts from 0.
    pub(super) fn new(address: &str, page: u32, total: i64) -> Self {
        let rows = i64::from(PAGE_ROWS);
        let before = i64::from(page) * rows;
        let link = |page: u32| {
            let and = if address.ends_with('?') { "" } else { "&" };
            format!("{address}{and}page={page}")
        };
        Self {
            first: before + 1,
            last: total.min(before + rows),
            total,
            // People count from 1.
            previous: (page > 0).then(|| link(page)),
            next: (before + rows < total).then(|| link(page.saturating_add(2))),
        }
    }

    /// Which rows of how many.
    pub(super) fn summary(&self) -> String {
        let total = format::count(self.total);
        if self.total == 0 || self.first > self.last {
            return format!("0 of {total}");
        }
        format!(
            "{} to {} of {total}",
            format::count(self.first),
            format::count(self.last)
        )
    }
}
