//! Reads `customers.file` as people's tools write it: one GUID a line, CSV with any of the usual
//! separators, or a table with aligned columns. Every line that could name a customer ends as an id
//! or as a fault with its number; what is no list at all is one fault of the whole. Pure but for
//! the reading.

mod columns;
mod names;
mod records;
mod table;

use std::io;
use std::path::Path;

use crate::ledger::{CustomerId, parse_guid_leniently};
use crate::text::{self, FileReadError, NotText};
use columns::Layout;

/// So much of a bad line is shown.
const SHOWN_CHARS: usize = 60;

/// What is in the file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct CustomerList {
    /// In the file's order, the same one perhaps more than once.
    pub(super) ids: Vec<CustomerId>,
    /// Lines that name no customer, each with its number as an editor shows it and what is wrong.
    pub(super) faults: Vec<String>,
}

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
        Layout::Lines { first } => read_lines(&lines, first),
        Layout::Aligned { first, offset } => read_aligned(&lines, first, offset),
        Layout::Properties { name } => read_properties(&lines, &name),
        Layout::Table(table) => table.read(&lines),
    };
    if list.ids.is_empty() && list.faults.is_empty() {
        return Err(FileReadError::Unsuitable("names no customer".to_owned()));
    }
    Ok(list)
}

/// What the text is, if it is no list but what some page or program gives in its stead.
fn markup(text: &str) -> Option<&'static str> {
    let start = text.trim_start();
    let bare: String = start
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(3)
        .collect();
    match () {
        () if start.starts_with('<') => Some(
            "is a web page or XML and no list, such as a sign-in page that was saved in its place; save the list as CSV",
        ),
        () if bare.starts_with("{\"") || bare.starts_with("[{") || bare.starts_with("[\"") => {
            Some("is JSON and no list; save it as CSV, or write one GUID a line")
        }
        () => None,
    }
}

/// One customer a line. What stands behind the GUID is somebody's note.
fn read_lines(lines: &[&str], first: usize) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate().skip(first) {
        // Files that were put together have the header again.
        if records::is_skipped(line) || columns::is_rule(&[line]) || names::rank(line).is_some() {
            continue;
        }
        let number = index + 1;
        // A bullet, as in a list that was copied from a document.
        let bare = line
            .trim()
            .trim_start_matches(['-', '*', '\u{2022}'])
            .trim_start();
        let mut guids = tokens(bare).map(|(_, token)| parse_guid_leniently(token));
        let noted = match guids.next() {
            Some(Some(_)) if guids.all(|guid| guid.is_none()) => tokens(bare).next(),
            _ => None,
        };
        list.sort_out(number, noted.map_or(line.trim(), |(_, token)| token));
    }
    list.drop_footer(lines);
    list
}

/// A table whose columns are kept apart by blanks, the one of the ids at `offset`.
fn read_aligned(lines: &[&str], first: usize, offset: usize) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate().skip(first) {
        if records::is_skipped(line) || columns::is_rule(&[line]) {
            continue;
        }
        let guids: Vec<_> = tokens(line)
            .filter(|(_, token)| parse_guid_leniently(token).is_some())
            .collect();
        let there = guids.iter().find(|(at, _)| *at == offset);
        match (guids.as_slice(), there) {
            ([(_, only)], _) | (_, Some((_, only))) => list.sort_out(index + 1, only),
            _ => list.sort_out(index + 1, line.trim()),
        }
    }
    list.drop_footer(lines);
    list
}

/// A line for each property; those of another name are of no account, and so are their further
/// lines.
fn read_properties(lines: &[&str], name: &str) -> CustomerList {
    let mut list = CustomerList::default();
    for (index, line) in lines.iter().enumerate() {
        let is_further = line.starts_with(char::is_whitespace) || line.contains(" :");
        match columns::property(line) {
            Some((of, value)) if of == name => list.sort_out(index + 1, value),
            _ if is_further || records::is_skipped(line) => {}
            _ => list.sort_out(index + 1, line.trim()),
        }
    }
    list.drop_footer(lines);
    list
}

/// What is kept apart by blanks and separators, and at which character it begins.
fn tokens(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|');
    line.split(is_between)
        .filter(|token| !token.is_empty())
        .map(move |token| {
            let before = token.as_ptr().addr() - line.as_ptr().addr();
            (line[..before].chars().count(), token)
        })
}

impl CustomerList {
    fn sort_out(&mut self, line: usize, text: &str) {
        match CustomerId::parse_leniently(text) {
            Ok(id) => self.ids.push(id),
            Err(error) => self.refuse(line, &format!("{} is {error}", shown(text))),
        }
    }

    fn refuse(&mut self, line: usize, problem: &str) {
        self.faults.push(format!("line {line}: {problem}"));
    }

    /// Forgets that the last line is no customer if it says how many there are.
    fn drop_footer(&mut self, lines: &[&str]) {
        let is_blank = |line: &str| {
            let mut chars = line.chars();
            chars.all(|c| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '"'))
        };
        let last = lines
            .iter()
            .rposition(|line| !records::is_skipped(line) && !is_blank(line));
        let Some(last) = last.filter(|last| columns::is_footer(lines[*last])) else {
            return;
        };
        let start = format!("line {}:", last + 1);
        self.faults.pop_if(|fault| fault.starts_with(&start));
    }
}

/// In quotes and not too long. The fault goes to a terminal and into a column, which take no
/// control characters.
fn shown(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars
        .by_ref()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    format!(
        "\"{head}\"{}",
        if chars.next().is_some() {
            "\u{2026}"
        } else {
            ""
        }
    )
}

#[cfg(test)]
mod tests;
