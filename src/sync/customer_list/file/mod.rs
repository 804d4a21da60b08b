//! Reads `customers.file` as people's tools write it: one GUID a line, CSV with any of the usual
//! separators, or a table with aligned columns. Every line that could name a customer becomes an id
//! or a fault with its number; a file that is not a list is one error. Only `load` does I/O.

mod columns;
mod list;
mod names;
mod records;
mod table;

use std::io;
use std::path::Path;

use crate::ledger::parse_guid_leniently;
use crate::text::{self, FileReadError, NotText};
use columns::ColumnLayout;
pub(super) use list::CustomerList;
use records::{is_rule, is_skipped, tokens};

/// Reads the list in the file at `path`.
pub(super) fn load(path: &Path) -> io::Result<CustomerList> {
    let list = text::read(path, text::MAX_LIST_BYTES).and_then(|bytes| parse(&bytes));
    list.map_err(io::Error::from)
}

fn parse(bytes: &[u8]) -> Result<CustomerList, FileReadError> {
    let text = text::decode(bytes).map_err(|what| match what {
        NotText::Archive | NotText::OldOffice | NotText::Parquet => FileReadError::Unsuitable(
            format!("{what}; save the list as \"CSV UTF-8\" and name that file"),
        ),
        other => other.into(),
    })?;
    let text = text.as_str();
    if let Some(problem) = markup(text) {
        return Err(FileReadError::Unsuitable(problem.to_owned()));
    }
    let lines: Vec<&str> = text.split(records::is_line_end).collect();
    let unwrapped = records::unwrapped(&lines);
    let lines = match &unwrapped {
        Some(unwrapped) => unwrapped.iter().map(String::as_str).collect(),
        None => lines,
    };
    let list = match columns::find(&lines).map_err(FileReadError::Unsuitable)? {
        ColumnLayout::Lines { first } => read_lines(&lines, first),
        ColumnLayout::Aligned { first, offset } => read_aligned(&lines, first, offset),
        ColumnLayout::Properties { name } => read_properties(&lines, &name),
        ColumnLayout::Table(table) => table.read(&lines),
    };
    if list.ids.is_empty() && list.faults.is_empty() {
        return Err(FileReadError::Unsuitable("names no customer".to_owned()));
    }
    Ok(list)
}

/// The problem with a text that is markup or JSON instead of a list.
fn markup(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    let bare: String = start
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(3)
        .collect();
    match () {
        () if start.starts_with('<') => Some(
            "is a web page or XML and no list, such as a sign-in page that was saved in its place; \
             save the list as CSV",
        ),
        () if bare.starts_with("{\"") || bare.starts_with("[{") || bare.starts_with("[\"") => {
            Some("is JSON and no list; save it as CSV, or write one GUID a line")
        }
        () => None,
    }
}

/// One customer a line. Text behind the GUID is a note.
fn read_lines(lines: &[&str], first: usize) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate().skip(first) {
        // Concatenated files repeat the header.
        if is_skipped(line) || is_rule(&[line]) || names::rank(line).is_some() {
            continue;
        }
        let number = index + 1;
        // A bullet of a list that was copied from a document.
        let bare = line
            .trim()
            .trim_start_matches(['-', '*', '\u{2022}'])
            .trim_start();
        let mut guids = tokens(bare).map(|(_, token)| parse_guid_leniently(token));
        let noted = match guids.next() {
            Some(Some(_)) if guids.all(|guid| guid.is_none()) => tokens(bare).next(),
            _ => None,
        };
        list.add(number, noted.map_or(line.trim(), |(_, token)| token));
    }
    list.drop_footer(lines);
    list
}

/// A table with columns aligned by blanks; that of the ids begins at character `offset`.
fn read_aligned(lines: &[&str], first: usize, offset: usize) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate().skip(first) {
        if is_skipped(line) || is_rule(&[line]) {
            continue;
        }
        let guids: Vec<_> = tokens(line)
            .filter(|(_, token)| parse_guid_leniently(token).is_some())
            .collect();
        let there = guids.iter().find(|(at, _)| *at == offset);
        match (guids.as_slice(), there) {
            ([(_, only)], _) | (_, Some((_, only))) => list.add(index + 1, only),
            _ => list.add(index + 1, line.trim()),
        }
    }
    list.drop_footer(lines);
    list
}

/// A line for each property. Properties with another name are skipped, with their continuation
/// lines.
fn read_properties(lines: &[&str], name: &str) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate() {
        let is_further = line.starts_with(char::is_whitespace) || line.contains(" :");
        match columns::property(line) {
            Some((of, value)) if of == name => list.add(index + 1, value),
            _ if is_further || is_skipped(line) => {}
            _ => list.add(index + 1, line.trim()),
        }
    }
    list.drop_footer(lines);
    list
}

#[cfg(test)]
mod tests;
