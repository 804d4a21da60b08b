//! Finds the layout of a list: where its header is, if it has one, and what separates its cells.

use super::names::{is_vague, rank};
use super::records::{is_rule, is_skipped, records, tokens};
use super::table::{Table, unknown_header};
use crate::ledger::parse_guid_leniently;

const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// Lines in which a header is looked for, not counting blank lines and comments. Exports may begin
/// with a title or a date; much further down, a line that looks like a header is a row.
const MAX_HEAD: usize = 20;

/// How to read the file.
pub(super) enum ColumnLayout {
    /// One customer a line.
    Lines { first: usize },
    /// Columns aligned by blanks.
    Aligned { first: usize, offset: usize },
    /// A line for each property of a customer, `CustomerId : …`; `name` is the property to read.
    Properties { name: String },
    /// Cells between separators.
    Table(Table),
}

/// Finds the layout, or the problem with the list.
pub(super) fn find(lines: &[&str]) -> Result<ColumnLayout, String> {
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
            Some((_, cells)) if cells.len() == 1 => {
                return Ok(ColumnLayout::Lines { first: index + 1 });
            }
            Some((separator, cells)) => return table(lines, separator, index + 1, cells),
            None => {}
        }
        if let Some(offset) = aligned(lines[index]) {
            let first = index + 1;
            return Ok(ColumnLayout::Aligned { first, offset });
        }
        if let Some((name, _)) =
            property(lines[index]).filter(|(_, value)| parse_guid_leniently(value).is_some())
        {
            let name = name.to_owned();
            return Ok(ColumnLayout::Properties { name });
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
            _ => Ok(ColumnLayout::Lines { first }),
        };
    };
    let row = cells_at(lines, with_guid, declared, has_guid);
    let Some((separator, row)) = row.filter(|(_, row)| row.len() > 1) else {
        let before = head().take_while(|index| *index < with_guid).last();
        let is_header = |index: &usize| is_vague(lines[*index]);
        let first = before.filter(is_header).map_or(first, |index| index + 1);
        return Ok(ColumnLayout::Lines { first });
    };
    let before = head()
        .filter(|index| *index < with_guid && !is_rule(&[lines[*index]]))
        .last();
    if let Some(index) = before {
        let header = records(lines, index, separator)
            .next()
            .and_then(|record| record.cells.ok());
        if let Some(header) = header.filter(|header| header.len() > 1) {
            return table(lines, separator, index + 1, header);
        }
    }
    // Text behind a lone GUID at the beginning may be a note with commas in it.
    let guids = row
        .iter()
        .filter(|cell| parse_guid_leniently(cell).is_some())
        .count();
    if guids == 1 && parse_guid_leniently(&row[0]).is_some() {
        return Ok(ColumnLayout::Lines { first });
    }
    table(lines, separator, first, Vec::new())
}

/// A table, or single lines if no column holds GUIDs.
fn table(
    lines: &[&str],
    separator: char,
    first: usize,
    header: Vec<String>,
) -> Result<ColumnLayout, String> {
    let table = Table::find(lines, separator, first, header)?;
    Ok(table.map_or(ColumnLayout::Lines { first }, ColumnLayout::Table))
}

/// A line of PowerShell's list format, which it uses for objects with many properties, if the name
/// may mean the customer: the name and its value.
pub(super) fn property(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(" :")?;
    let name = name.trim();
    rank(name)?;
    Some((name, value.trim()))
}

/// The separator that a first line such as `sep=;` declares to Excel, and the line after it.
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

/// The cells of the record that begins at a line. Of the separators whose cells `fit`, the one that
/// gives the most cells is chosen.
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
    // A declared separator that this record does not contain is a mistake and is ignored.
    let declared = declared.and_then(by).filter(|(_, cells)| cells.len() > 1);
    declared.or_else(|| {
        let all = SEPARATORS.into_iter().rev().filter_map(by);
        all.max_by_key(|(_, cells)| cells.len())
    })
}

/// Where the ids begin, if the line is a header of columns with two or more blanks between them.
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
