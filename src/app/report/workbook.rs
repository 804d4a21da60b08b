//! A customer's report as a workbook: the figures as numbers, the dates as dates. Names are texts,
//! so that none is taken for a formula.

use chrono::{Datelike as _, NaiveDate};
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use crate::pages::{Language, ReportFrame, holding_status, kind_in_words, past_names};
use crate::store::CustomerDetail;

/// The longest name of a sheet in UTF-16, and what Excel refuses in one.
const SHEET_NAME: usize = 31;
const REFUSED: [char; 7] = ['[', ']', ':', '*', '?', '/', '\\'];

/// The widths of a column, in characters.
const NAME_WIDTH: f64 = 44.0;
const FIGURE_WIDTH: f64 = 14.0;

/// A cell.
enum Cell<'a> {
    Text(&'a str),
    Count(Option<i64>),
    Date(NaiveDate),
    Ratio(Option<f64>),
}

/// The formats of cells.
struct Formats {
    heading: Format,
    count: Format,
    date: Format,
    ratio: Format,
}

impl Formats {
    fn new() -> Self {
        Self {
            heading: Format::new()
                .set_bold()
                .set_text_wrap()
                .set_align(FormatAlign::Top),
            count: Format::new().set_num_format("#,##0"),
            date: Format::new().set_num_format("yyyy-mm-dd"),
            ratio: Format::new().set_num_format("0.0%"),
        }
    }
}

/// Makes the file.
pub(super) fn make(detail: &CustomerDetail, frame: &ReportFrame) -> Result<Vec<u8>, XlsxError> {
    let texts = &frame.texts;
    let formats = Formats::new();
    let mut book = Workbook::new();
    let title = format!("{} {}", texts.report_title, frame.period());
    let author = frame.partner.name.clone().unwrap_or_default();
    book.set_properties(&DocProperties::new().set_title(title).set_author(author));
    about(book.add_worksheet(), detail, frame, &formats)?;
    seats(book.add_worksheet(), detail, texts, &formats)?;
    uses(book.add_worksheet(), detail, frame, &formats)?;
    lines(book.add_worksheet(), detail, texts, &formats)?;
    holdings(book.add_worksheet(), detail, frame, &formats)?;
    restatements(book.add_worksheet(), detail, texts, &formats)?;
    let titles = [
        &texts.report_title,
        &texts.seats_title,
        &texts.uses_title,
        &texts.lines_title,
        &texts.holdings_title,
        &texts.restatements_title,
    ];
    for (sheet, name) in book.worksheets_mut().iter_mut().zip(sheet_names(titles)) {
        sheet
            .set_name(name)?
            .set_right_to_left(texts.is_right_to_left());
    }
    book.save_to_buffer()
}

/// Names of sheets that Excel takes, whatever a language has as titles. Those that are as good as
/// equal to another one, or nothing, get their number.
fn sheet_names(titles: [&String; 6]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (number, title) in (1..).zip(titles) {
        let name = sheet_name(title, SHEET_NAME);
        let is_taken = |taken: &String| taken.to_lowercase() == name.to_lowercase();
        names.push(if name.is_empty() || names.iter().any(is_taken) {
            format!("{} {number}", sheet_name(title, SHEET_NAME - 2))
        } else {
            name
        });
    }
    names
}

fn sheet_name(title: &str, most: usize) -> String {
    let mut name = String::new();
    let mut length = 0;
    for c in title.replace(REFUSED, " ").chars() {
        length += c.len_utf16();
        if length > most {
            break;
        }
        name.push(c);
    }
    let at_end = |c: char| c == '\'' || c.is_whitespace();
    name.trim_matches(at_end).to_owned()
}

fn about(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    frame: &ReportFrame,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let texts = &frame.texts;
    let customer = &detail.customer;
    let (name, id) = (frame.name_of(customer), customer.id.to_string());
    let period = frame.period();
    let rows = [
        vec![Cell::Text(&name)],
        vec![Cell::Text(customer.domain.as_deref().unwrap_or_default())],
        vec![Cell::Text(&id)],
        vec![Cell::Text(&period)],
        vec![Cell::Date(frame.days.until)],
        vec![Cell::Text(&texts.note_active)],
        vec![Cell::Text(&texts.note_workloads)],
        vec![Cell::Text(&texts.note_unused)],
        vec![Cell::Text(&texts.note_other_sellers)],
    ];
    table(sheet, &[&texts.report_title], formats, rows)
}

fn seats(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    texts: &Language,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let kinds = detail
        .seats
        .iter()
        .map(|it| kind_in_words(&it.product_kind, texts));
    let kinds: Vec<String> = kinds.map(Option::unwrap_or_default).collect();
    let rows = detail.seats.iter().zip(&kinds).map(|(it, kind)| {
        vec![
            Cell::Text(&it.product_name),
            Cell::Text(kind),
            Cell::Count(it.sold),
            Cell::Count(it.assigned),
            Cell::Count(it.qualified),
            Cell::Count(it.active),
            Cell::Count(it.unused()),
            Cell::Ratio(ratio(it.active.unwrap_or(0), it.paid().unwrap_or(0))),
        ]
    });
    let headings = [
        &texts.product,
        &texts.kind,
        &texts.sold,
        &texts.assigned,
        &texts.qualified,
        &texts.active,
        &texts.unused,
        &texts.used,
    ];
    table(sheet, &headings, formats, rows)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the last digit of a ratio does not matter"
)]
fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn uses(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    frame: &ReportFrame,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let texts = &frame.texts;
    let now = texts.day_short(frame.days.until);
    let past = past_names(&frame.days, texts);
    let mut headings = vec![&texts.product, &texts.workload, &texts.qualified, &now];
    headings.extend(&past);
    let rows = detail.uses.iter().map(|it| {
        let mut cells = vec![
            Cell::Text(&it.product_name),
            Cell::Text(&it.workload_name),
            Cell::Count(Some(it.qualified)),
            Cell::Count(Some(it.active)),
        ];
        cells.extend(it.past.iter().map(|past| Cell::Count(*past)));
        cells
    });
    table(sheet, &headings, formats, rows)
}

fn lines(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    texts: &Language,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let headings = [&texts.workload, &texts.date_of_figures, &texts.active];
    let rows = detail.lines.iter().flat_map(|line| {
        line.points.iter().map(|(day, active)| {
            vec![
                Cell::Text(&line.workload_name),
                Cell::Date(*day),
                Cell::Count(*active),
            ]
        })
    });
    table(sheet, &headings, formats, rows)
}

fn holdings(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    frame: &ReportFrame,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let texts = &frame.texts;
    let headings = [
        &texts.product,
        &texts.status,
        &texts.first_seen,
        &texts.last_seen,
    ];
    let rows = detail.holdings.iter().map(|it| {
        vec![
            Cell::Text(&it.product_name),
            Cell::Text(holding_status(it, &frame.days, texts).1),
            Cell::Date(it.first_date),
            Cell::Date(it.last_date),
        ]
    });
    table(sheet, &headings, formats, rows)
}

fn restatements(
    sheet: &mut Worksheet,
    detail: &CustomerDetail,
    texts: &Language,
    formats: &Formats,
) -> Result<(), XlsxError> {
    let headings = [
        &texts.product,
        &texts.workload,
        &texts.date_of_figures,
        &texts.corrected_on,
        &texts.active_before,
        &texts.active,
        &texts.qualified_before,
        &texts.qualified,
    ];
    let rows = detail.restatements.iter().map(|it| {
        vec![
            Cell::Text(&it.product_name),
            Cell::Text(&it.workload_name),
            Cell::Date(it.date),
            Cell::Date(it.restated_at.date_naive()),
            Cell::Count(Some(it.old_active)),
            Cell::Count(Some(it.new_active)),
            Cell::Count(Some(it.old_qualified)),
            Cell::Count(Some(it.new_qualified)),
        ]
    });
    table(sheet, &headings, formats, rows)
}

/// Fills a sheet: the headings stay in view.
fn table<'a>(
    sheet: &mut Worksheet,
    headings: &[&String],
    formats: &Formats,
    rows: impl IntoIterator<Item = Vec<Cell<'a>>>,
) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 1)?;
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string_with_format(0, column, heading.as_str(), &formats.heading)?;
        let width = if column == 0 {
            NAME_WIDTH
        } else {
            FIGURE_WIDTH
        };
        sheet.set_column_width(column, width)?;
    }
    for (row, cells) in (1..).zip(rows) {
        for (column, cell) in (0..).zip(cells) {
            match cell {
                Cell::Text(text) => sheet.write_string(row, column, text)?,
                Cell::Count(Some(count)) => {
                    sheet.write_number_with_format(row, column, number(count), &formats.count)?
                }
                Cell::Ratio(Some(ratio)) => {
                    sheet.write_number_with_format(row, column, ratio, &formats.ratio)?
                }
                Cell::Date(date) => {
                    let date = excel_date(date)?;
                    sheet.write_datetime_with_format(row, column, &date, &formats.date)?
                }
                Cell::Count(None) | Cell::Ratio(None) => sheet,
            };
        }
    }
    Ok(())
}

fn excel_date(date: NaiveDate) -> Result<ExcelDateTime, XlsxError> {
    let year = u16::try_from(date.year()).unwrap_or_default();
    let [month, day] = [date.month(), date.day()].map(|it| u8::try_from(it).unwrap_or_default());
    ExcelDateTime::from_ymd(year, month, day)
}

/// Excel has floating-point numbers only.
#[expect(
    clippy::cast_precision_loss,
    reason = "numbers of seats are far below the 53 bits that are exact"
)]
fn number(count: i64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_names_of_sheets_that_excel_takes() {
        let titles = [
            "",
            "Use",
            "USE",
            "'Products: held / sold?'",
            "🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢",
            "",
        ];
        let titles = titles.map(str::to_owned);
        let names = sheet_names(titles.each_ref());
        assert_eq!(
            names,
            [
                " 1",
                "Use",
                "USE 3",
                "Products  held   sold",
                "🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢🏢",
                " 6"
            ]
        );
        for name in &names {
            Worksheet::new().set_name(name).unwrap();
        }
    }
}
