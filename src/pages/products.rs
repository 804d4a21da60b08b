//! The list of products.

use askama::Template;

use super::data_links::DataLinks;
use super::format;
use super::layout::Layout;
use super::pager::PageLinks;
use crate::store::{PAGE_ROWS, ProductLine, ProductList};

/// A page of the list.
#[derive(Template)]
#[template(path = "products.html")]
pub(crate) struct Products {
    layout: Layout,
    as_of: String,
    rows: Vec<ProductLine>,
    pager: PageLinks,
    data: DataLinks,
}

impl Products {
    /// `page` counts from 0.
    pub(crate) fn new(layout: Layout, list: &ProductList, page: u32, as_of: String) -> Self {
        let total = i64::try_from(list.products.len()).unwrap_or(i64::MAX);
        let mut pages = list.products.chunks(PAGE_ROWS as usize);
        let rows = pages.nth(page as usize);
        Self {
            rows: rows.unwrap_or_default().to_vec(),
            pager: PageLinks::new(&format!("{}/products?", layout.prefix), page, total),
            data: DataLinks::new(&layout, "/products", "", ProductList::SQL.trim_end()).of_a_list(),
            as_of,
            layout,
        }
    }

    /// Whether the page has no product.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
