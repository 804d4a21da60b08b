//! One customer: its page, its report, and the list of a folder of reports. Page and report share
//! the templates of their parts.

mod page;
mod sections;

use std::fmt::Write as _;

use askama::Template;
use chrono::NaiveDate;

use super::format;
use super::languages::{Language, fill};
use super::layout::STYLE;
use crate::printable::turns_direction;
use crate::store::{CustomerDetail, CustomerFacts, DetailDays};
use sections::Sections;

pub(crate) use page::CustomerPage;
pub(crate) use sections::{holding_status, kind_in_words, past_names};

/// Characters of a name that fit on a line of the printed head, and on the lines of a cover's large
/// letters.
const LINE_LENGTH: usize = 70;

const REPORT_STYLE: &str = include_str!("../../../templates/report.css");

/// Who sends a report.
#[derive(Debug, Clone, Default)]
pub(crate) struct Partner {
    pub(crate) name: Option<String>,
    /// An image as a data URI.
    pub(crate) logo: Option<String>,
}

impl Partner {
    fn name_or_empty(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }
}

/// What all reports of one call have in common.
#[derive(Debug, Clone)]
pub(crate) struct ReportFrame {
    pub(crate) texts: Language,
    pub(crate) partner: Partner,
    pub(crate) days: DetailDays,
    pub(crate) made_on: NaiveDate,
}

impl ReportFrame {
    /// The months in words.
    pub(crate) fn period(&self) -> String {
        let texts = &self.texts;
        let [first, last] = [self.days.since, self.days.until].map(|day| texts.month_of(day));
        if first == last {
            return fill(&texts.period_of_one_month, &[("month", &first)]);
        }
        let values = [("first", first.as_str()), ("last", &last)];
        fill(&texts.period_of_months, &values)
    }

    /// The customer's name, or what stands for it.
    pub(crate) fn name_of(&self, customer: &CustomerFacts) -> String {
        name_of(customer, &self.texts)
    }
}

fn name_of(customer: &CustomerFacts, texts: &Language) -> String {
    let name = format::name(customer.name.as_deref());
    name.map_or(texts.without_name.as_str(), str::trim)
        .to_owned()
}

/// The report of a customer, which needs no other file.
#[derive(Template)]
#[template(path = "customer/report.html")]
struct ReportPage<'a> {
    texts: &'a Language,
    partner: &'a Partner,
    customer: &'a CustomerFacts,
    name: String,
    is_name_long: bool,
    period: String,
    style: String,
    figures_of: String,
    made_on: String,
    prepared_by: Option<String>,
    s: Sections,
    now: String,
}

/// Renders a report.
pub(crate) fn report(detail: &CustomerDetail, frame: &ReportFrame) -> String {
    let texts = &frame.texts;
    let name = frame.name_of(&detail.customer);
    let period = frame.period();
    let dated = |text: &str, date| fill(text, &[("date", &texts.day(date))]);
    let partner = frame.partner.name.as_ref();
    super::render(&ReportPage {
        texts,
        partner: &frame.partner,
        customer: &detail.customer,
        style: style(&name, &period),
        figures_of: dated(&texts.figures_of, frame.days.until),
        made_on: dated(&texts.made_on, frame.made_on),
        prepared_by: partner.map(|name| fill(&texts.prepared_by, &[("partner", name)])),
        s: sections::sections(detail, &frame.days, texts),
        now: texts.day_short(frame.days.until),
        is_name_long: name.chars().count() > LINE_LENGTH,
        name,
        period,
    })
}

/// A line of the list of reports.
pub(crate) struct IndexRow {
    name: String,
    file: String,
    cells: Vec<String>,
}

impl IndexRow {
    /// `file` is a path that needs no escaping in a URL.
    pub(crate) fn new(detail: &CustomerDetail, frame: &ReportFrame, file: String) -> Self {
        Self {
            name: frame.name_of(&detail.customer),
            file,
            cells: sections::totals(&detail.seats, &frame.texts),
        }
    }
}

/// The list of the reports in a folder.
#[derive(Template)]
#[template(path = "customer/index.html")]
struct IndexPage<'a> {
    texts: &'a Language,
    period: String,
    style: String,
    caption: String,
    rows: &'a [IndexRow],
}

/// Renders the list of the reports in a folder.
pub(crate) fn report_index(rows: &[IndexRow], frame: &ReportFrame) -> String {
    let texts = &frame.texts;
    let period = frame.period();
    let number = texts.count(i64::try_from(rows.len()).unwrap_or(i64::MAX));
    super::render(&IndexPage {
        texts,
        style: style(&texts.index_title, &period),
        caption: fill(&texts.index_caption, &[("number", &number)]),
        period,
        rows,
    })
}

/// The style sheet, with the text that stands at the head of each printed page but the first.
fn style(name: &str, period: &str) -> String {
    let heading = format!("{} · {period}", shortened(name, LINE_LENGTH));
    let mut quoted = String::from("\"");
    // Whatever a name has in it, it ends neither the text nor the style sheet.
    for c in heading.chars().filter(|c| !turns_direction(*c)) {
        if c.is_ascii_alphanumeric() || c == ' ' {
            quoted.push(c);
        } else {
            let _infallible = write!(quoted, "\\{:x} ", u32::from(c));
        }
    }
    quoted.push('"');
    format!("{STYLE}{}", REPORT_STYLE.replace("HEADING", &quoted))
}

/// At most so many characters.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
