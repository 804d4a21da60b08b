//! A customer's report as a workbook: the figures as numbers, the dates as dates. Names are texts,
//! so that none is taken for a formula.

use chrono::{Datelike as _, NaiveDate};
use rust_xlsxwriter::{
    DocProperties, ExcelDateTime, Format, FormatAlign, Workbook, Worksheet, XlsxError,
};

use crate::pages::{Language, ReportFrame, holding_status, kind_in_words, past_names};
use crate::store::CustomerDetail;

/// The longest name of a sheet, and what Excel refuses in one.
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
    book.save_to_buffer()
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
    table(
        sheet,
        &texts.report_title,
        &[&texts.report_title],
        formats,
        rows,
    )
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
    table(sheet, &texts.seats_title, &headings, formats, rows)
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
    table(sheet, &texts.uses_title, &headings, formats, rows)
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
    table(sheet, &texts.lines_title, &headings, formats, rows)
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
    table(sheet, &texts.holdings_title, &headings, formats, rows)
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
    table(sheet, &texts.restatements_title, &headings, formats, rows)
}

/// Fills a sheet: the headings stay in view.
fn table<'a>(
    sheet: &mut Worksheet,
    name: &str,
    headings: &[&String],
    formats: &Formats,
    rows: impl IntoIterator<Item = Vec<Cell<'a>>>,
) -> Result<(), XlsxError> {
    let name = name.replace(REFUSED, " ");
    let name: String = name.chars().take(SHEET_NAME).collect();
    sheet.set_name(name.trim_matches('\''))?;
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
