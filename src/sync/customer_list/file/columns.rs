//! Finds out how a list is laid out: where its header is, if it has one, and what keeps its cells
//! apart.

use super::names::{is_vague, rank};
use super::records::{is_skipped, records};
use super::table::{Table, unknown_header};
use super::tokens;
use crate::ledger::parse_guid_leniently;

const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// A header is looked for so far: exports begin with a title, a date or blank lines.
const MAX_HEAD: usize = 20;

/// How the file is to be read.
pub(super) enum Layout {
    /// One customer a line.
    Lines { first: usize },
    /// Columns kept apart by blanks.
    Aligned { first: usize, offset: usize },
    /// A line for each property of a customer, `CustomerId : …`; the one of this name counts.
    Properties { name: String },
    /// Cells kept apart by a separator.
    Table(Table),
}

/// Finds the header, or the lack of one.
pub(super) fn find(lines: &[&str]) -> Result<Layout, String> {
    let (declared, first) = declared_separator(lines);
    let head = || {
        (first..lines.len())
            .filter(|index| !is_skipped(lines[*index]))
            .take(MAX_HEAD)
    };
    let mut with_guid = None;
    for index in head() {
        let header = cells_at(lines, index, declared, |cells| {
            cells.iter().any(|cell| rank(cell).is_some()) && !has_guid(cells)
        });
        match header {
            Some((_, cells)) if cells.len() == 1 => return Ok(Layout::Lines { first: index + 1 }),
            Some((separator, cells)) => return Table::layout(lines, separator, index + 1, cells),
            None => {}
        }
        if let Some(offset) = aligned(lines[index]) {
            let first = index + 1;
            return Ok(Layout::Aligned { first, offset });
        }
        if let Some((name, _)) =
            property(lines[index]).filter(|(_, value)| parse_guid_leniently(value).is_some())
        {
            let name = name.to_owned();
            return Ok(Layout::Properties { name });
        }
        if tokens(lines[index]).any(|(_, token)| parse_guid_leniently(token).is_some()) {
            with_guid = Some(index);
            break;
        }
    }
    let Some(with_guid) = with_guid else {
        let unknown = head()
            .next()
            .and_then(|index| cells_at(lines, index, declared, |_| true));
        return match unknown {
            Some((_, cells)) if cells.len() > 1 => Err(unknown_header(&cells)),
            _ => Ok(Layout::Lines { first }),
        };
    };
    let row = cells_at(lines, with_guid, declared, has_guid);
    let Some((separator, row)) = row.filter(|(_, row)| row.len() > 1) else {
        let before = head().take_while(|index| *index < with_guid).last();
        let is_header = |index: &usize| is_vague(lines[*index]);
        let first = before.filter(is_header).map_or(first, |index| index + 1);
        return Ok(Layout::Lines { first });
    };
    let before = head()
        .filter(|index| *index < with_guid && !is_rule(&[lines[*index]]))
        .last();
    if let Some(index) = before {
        let header = records(lines, index, separator)
            .next()
            .and_then(|record| record.cells.ok());
        if let Some(header) = header.filter(|header| header.len() > 1) {
            return Table::layout(lines, separator, index + 1, header);
        }
    }
    // What stands behind a lone GUID at the beginning may be a note with commas in it.
    let guids = row
        .iter()
        .filter(|cell| parse_guid_leniently(cell).is_some())
        .count();
    if guids == 1 && parse_guid_leniently(&row[0]).is_some() {
        return Ok(Layout::Lines { first });
    }
    Table::layout(lines, separator, first, Vec::new())
}

/// What PowerShell writes where an object has many properties: a name that may mean the customer,
/// and its value.
pub(super) fn property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" :")?;
    let name = name.trim();
    rank(name)?;
    Some((name, value.trim()))
}

/// The separator that Excel is told in the first line, `sep=;`, and the line after it.
fn declared_separator(lines: &[&str]) -> (Option<char>, usize) {
    let Some(index) = lines.iter().position(|line| !line.trim().is_empty()) else {
        return (None, 0);
    };
    let line = lines[index].trim_start().trim_start_matches('"');
    match line.get(..4) {
        Some(start) if start.eq_ignore_ascii_case("sep=") => (line[4..].chars().next(), index + 1),
        _ => (None, 0),
    }
}

/// The cells of the record that begins at a line, by the separator that makes the most of them
/// among those that `fit`.
fn cells_at(
    lines: &[&str],
    index: usize,
    declared: Option<char>,
    fit: impl Fn(&[String]) -> bool,
) -> Option<(char, Vec<String>)> {
    let by = |separator: char| {
        let cells = records(lines, index, separator).next()?.cells.ok()?;
        fit(&cells).then_some((separator, cells))
    };
    // A separator that was declared and is in no use is a slip.
    let declared = declared.and_then(by).filter(|(_, cells)| cells.len() > 1);
    declared.or_else(|| {
        let all = SEPARATORS.into_iter().rev().filter_map(by);
        all.max_by_key(|(_, cells)| cells.len())
    })
}

/// Where the ids begin, if the line heads columns that are kept apart by two blanks and more.
fn aligned(line: &str) -> Option<usize> {
    let heads: Vec<&str> = line
        .split("  ")
        .map(str::trim)
        .filter(|head| !head.is_empty())
        .collect();
    let named = heads.iter().find(|head| rank(head).is_some())?;
    let before = named.as_ptr().addr() - line.as_ptr().addr();
    (heads.len() > 1).then(|| line[..before].chars().count())
}

fn has_guid(cells: &[String]) -> bool {
    cells
        .iter()
        .any(|cell| parse_guid_leniently(cell).is_some())
}

/// Whether it is a line between the header and the rows, of dashes or the like.
pub(super) fn is_rule(cells: &[impl AsRef<str>]) -> bool {
    let chars = || cells.iter().flat_map(|cell| cell.as_ref().chars());
    let is_dash = |c: char| matches!(c, '-' | '=' | '_');
    chars().any(is_dash) && chars().all(|c| is_dash(c) || matches!(c, ':' | '+' | '|' | ' ' | '\t'))
}

/// Whether a last line says how much there is.
pub(super) fn is_footer(line: &str) -> bool {
    let words: Vec<String> = line
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let is_number = |word: &String| word.chars().all(|c| c.is_ascii_digit());
    match words.first() {
        Some(first) if is_number(first) => {
            words
                .iter()
                .find(|word| !is_number(word))
                .is_some_and(|unit| {
                    matches!(
                        unit.as_str(),
                        "row"
                            | "rows"
                            | "record"
                            | "records"
                            | "customer"
                            | "customers"
                            | "entries"
                            | "items"
                            | "zeilen"
                            | "kunden"
                    )
                })
        }
        Some(first) => {
            matches!(
                first.as_str(),
                "total" | "totals" | "sum" | "summe" | "gesamt" | "count" | "anzahl" | "rows"
            ) || words
                .get(1)
                .is_some_and(|second| first == "grand" && second == "total")
        }
        None => false,
    }
}
