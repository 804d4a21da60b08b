//! Renders pages: structs in, HTML out. Knows neither HTTP nor SQL. Templates escape every text,
//! and none has a script, a `style` attribute or the address of another host.

mod badge;
mod charts;
mod customer;
mod customers;
mod data_links;
mod format;
mod front;
mod languages;
mod layout;
mod notice;
mod pager;
mod products;
mod runs;

use askama::Template;

use crate::printable::turns_direction;

pub(crate) use badge::{Badge, Tone};
pub(crate) use customer::{
    CustomerPage, IndexRow, Partner, ReportFrame, holding_status, kind_in_words, past_names,
    report, report_index,
};
pub(crate) use customers::CustomersPage;
pub(crate) use front::{Front, RunProgress};
pub(crate) use languages::Language;
pub(crate) use layout::{Layout, Section, style_hash};
pub(crate) use notice::Notice;
pub(crate) use products::Products;
pub(crate) use runs::{RunPage, RunRow, Runs};

/// The sign of the pages, for the tab of a browser.
pub(crate) const ICON: &str = include_str!("../../templates/icon.svg");

/// A page as text. What turns the direction of text is left out: in a name it would also turn what
/// stands beside the name, because `<bdi>` is ended by an isolate that the name leaves open.
pub(crate) fn render(page: &impl Template) -> String {
    let mut text = page
        .render()
        .expect("writing to a String does not fail, and no template has a value that does");
    text.retain(|c| !turns_direction(c));
    text
}
