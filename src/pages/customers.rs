//! The list of customers.

use askama::Template;
use url::form_urlencoded::Serializer;

use super::data_links::DataLinks;
use super::format;
use super::layout::Layout;
use super::pager::PageLinks;
use crate::store::{CustomerFilter, CustomerLine, CustomerState, CustomersShown};

/// A page of the list.
#[derive(Template)]
#[template(path = "customers.html")]
pub(crate) struct CustomersPage {
    layout: Layout,
    filter: CustomerFilter,
    choices: Vec<Choice>,
    rows: Vec<CustomerRow>,
    pager: PageLinks,
    data: DataLinks,
}

/// A customer.
struct CustomerRow {
    line: CustomerLine,
    /// When it was last fetched and stored; none if it never was.
    fetched: Option<String>,
}

/// A link that filters by state.
struct Choice {
    href: String,
    name: String,
    count: i64,
    is_current: bool,
}

impl CustomersPage {
    /// `page` counts from 0.
    pub(crate) fn new(
        layout: Layout,
        filter: CustomerFilter,
        list: CustomersShown,
        page: u32,
        fetched: impl Fn(&CustomerLine) -> Option<String>,
    ) -> Self {
        let found = list.found.each();
        let count = |state: CustomerState| {
            let mut found = found.iter();
            let found = found.find(|(name, _)| *name == state.as_str());
            found.map_or(0, |(_, count)| i64::try_from(*count).unwrap_or(i64::MAX))
        };
        let all = CustomerState::ALL.map(count).iter().sum();
        let choice = |state: Option<CustomerState>| {
            let state_filter = CustomerFilter {
                state,
                search: filter.search.clone(),
            };
            Choice {
                href: address(&layout, &query(&state_filter)),
                name: state.map_or_else(|| "all".to_owned(), |state| words(state.as_str())),
                count: state.map_or(all, count),
                is_current: filter.state == state,
            }
        };
        let choices = std::iter::once(None).chain(CustomerState::ALL.map(Some));
        let choices: Vec<Choice> = choices
            .map(choice)
            .filter(|choice| choice.count > 0 || choice.is_current)
            .collect();
        let query = query(&filter);
        let total = filter.state.map_or(all, count);
        let sql = filter.query();
        let rows = list.rows.into_iter();
        Self {
            pager: PageLinks::new(&address(&layout, &query), page, total),
            data: DataLinks::new(&layout, "/customers", &query, sql.sql()).of_a_list(),
            rows: rows
                .map(|line| CustomerRow {
                    fetched: fetched(&line),
                    line,
                })
                .collect(),
            choices,
            filter,
            layout,
        }
    }
}

impl CustomerRow {
    fn state(&self) -> String {
        words(&self.line.state)
    }

    fn tone(&self) -> &'static str {
        match self.line.state.as_str() {
            "active" => "good",
            "stale" => "warn",
            "failing" => "bad",
            _ => "",
        }
    }
}

/// A name of the views as words.
fn words(name: &str) -> String {
    name.replace('_', " ")
}

fn query(filter: &CustomerFilter) -> String {
    let mut query = Serializer::new(String::new());
    if !filter.search.is_empty() {
        query.append_pair("q", &filter.search);
    }
    if let Some(state) = filter.state {
        query.append_pair("state", state.as_str());
    }
    query.finish()
}

fn address(layout: &Layout, query: &str) -> String {
    format!("{}/customers?{query}", layout.prefix)
}
