//! The page of a customer.

use askama::Template;

use super::name_of;
use super::sections::{self, Figure, Sections};
use crate::pages::data_links::DataLinks;
use crate::pages::languages::Language;
use crate::pages::layout::Layout;
use crate::store::{CoverageDay, CustomerDetail, CustomerFacts, CustomerTable, DetailDays};

/// The page of a customer.
#[derive(Template)]
#[template(path = "customer/page.html")]
pub(crate) struct CustomerPage<'a> {
    layout: Layout,
    texts: &'a Language,
    customer: &'a CustomerFacts,
    name: String,
    state_class: &'static str,
    facts: Vec<Figure>,
    s: Sections,
    now: &'a str,
    gaps: Vec<Gap<'a>>,
    data: Data,
}

/// What stands below each table.
struct Data {
    seats: DataLinks,
    uses: DataLinks,
    lines: DataLinks,
    days: DataLinks,
    restatements: DataLinks,
    holdings: DataLinks,
}

/// Days in turn without figures, for one reason.
struct Gap<'a> {
    dates: String,
    days: usize,
    state: &'a str,
    reason: &'a str,
    detail: &'a str,
}

impl<'a> Gap<'a> {
    fn new(days: &'a [CoverageDay], texts: &'a Language) -> Option<Self> {
        let (first, last) = (days.first()?, days.last()?);
        let (from, to) = (texts.day_short(first.date), texts.day_short(last.date));
        (first.state != "stored").then(|| Self {
            dates: if days.len() == 1 {
                from
            } else {
                format!("{from} to {to}")
            },
            days: days.len(),
            state: sections::day_words(&first.state, texts),
            reason: first.reason.as_deref().unwrap_or_default(),
            detail: first.detail.as_deref().unwrap_or_default(),
        })
    }
}

impl<'a> CustomerPage<'a> {
    pub(crate) fn new(
        layout: Layout,
        detail: &'a CustomerDetail,
        days: &DetailDays,
        texts: &'a Language,
    ) -> Self {
        let customer = &detail.customer;
        let links = |table: CustomerTable| {
            let path = format!("/customers/{}/{}", customer.id, table.name());
            DataLinks::new(&layout, &path, "", table.query(customer.id, days).sql())
        };
        let data = Data {
            seats: links(CustomerTable::Seats),
            uses: links(CustomerTable::Uses),
            lines: links(CustomerTable::Lines),
            days: links(CustomerTable::Days),
            restatements: links(CustomerTable::Restatements),
            holdings: links(CustomerTable::Holdings),
        };
        let alike = |one: &CoverageDay, next: &CoverageDay| {
            (&one.state, &one.reason, &one.detail) == (&next.state, &next.reason, &next.detail)
        };
        let gaps = detail.days.chunk_by(alike).rev();
        Self {
            texts,
            customer,
            name: name_of(customer, texts),
            state_class: match customer.state.as_str() {
                "active" => "good",
                "failing" => "bad",
                "stale" => "warn",
                _ => "none",
            },
            facts: facts(customer, texts),
            s: sections::sections(detail, days, texts),
            now: &texts.now,
            data,
            gaps: gaps.filter_map(|days| Gap::new(days, texts)).collect(),
            layout,
        }
    }
}

/// When figures last came.
fn facts(customer: &CustomerFacts, texts: &Language) -> Vec<Figure> {
    let newest = customer.last_processed_date.map(|date| {
        let age = match customer.age_days.unwrap_or_default() {
            0 => "today".to_owned(),
            1 => "yesterday".to_owned(),
            age => format!("{age} days ago"),
        };
        format!("{} ({age})", texts.day(date))
    });
    let stored = customer.last_success_at;
    let stored = stored.map(|at| format!("{} UTC", at.format("%Y-%m-%d %H:%M")));
    let returned = customer.returned_at.map(|at| texts.moment(at));
    let facts = [
        (
            "Newest figures",
            newest.or_else(|| Some("none yet".to_owned())),
        ),
        ("Last fetched", stored.or_else(|| Some("never".to_owned()))),
        ("Back on the partner’s list", returned),
    ];
    let known = facts.into_iter().filter_map(|(name, value)| {
        Some(Figure {
            name: name.to_owned(),
            value: value?,
            note: String::new(),
        })
    });
    known.collect()
}
