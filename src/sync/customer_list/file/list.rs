//! The customers that a file names, and the lines that name none.

use super::records::is_skipped;
use crate::ledger::CustomerId;

/// Characters of a bad line that a message quotes. A whole line could be megabytes.
const QUOTED_CHARS: usize = 60;

/// The customers that a file names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in super::super) struct CustomerList {
    /// In the file's order. One customer may be in it several times.
    pub(in super::super) ids: Vec<CustomerId>,
    /// Lines that name no customer, each with its number as an editor shows it and the problem.
    pub(in super::super) faults: Vec<String>,
}

impl CustomerList {
    /// Adds what stands in a line or cell: an id or a fault.
    pub(super) fn add(&mut self, line: usize, text: &str) {
        match CustomerId::parse_leniently(text) {
            Ok(id) => self.ids.push(id),
            Err(error) => self.refuse(line, &format!("{} is {error}", quoted(text))),
        }
    }

    pub(super) fn refuse(&mut self, line: usize, problem: &str) {
        self.faults.push(format!("line {line}: {problem}"));
    }

    /// Drops the fault of the last line if that is a footer with a total.
    pub(super) fn drop_footer(&mut self, lines: &[&str]) {
        let is_blank = |line: &str| {
            let mut chars = line.chars();
            chars.all(|c| c.is_whitespace() || matches!(c, ',' | ';' | '|' | '"'))
        };
        let last = lines
            .iter()
            .rposition(|line| !is_skipped(line) && !is_blank(line));
        let Some(last) = last.filter(|last| is_footer(lines[*last])) else {
            return;
        };
        let start = format!("line {}:", last + 1);
        self.faults.pop_if(|fault| fault.starts_with(&start));
    }
}

/// A quotation of bounded length for a message. Control characters are replaced, since the message
/// goes to a terminal and into a column.
pub(super) fn quoted(text: &str) -> String {
    let mut chars = text.chars();
    let head: String = chars
        .by_ref()
        .take(QUOTED_CHARS)
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

/// Whether a last line is a footer with a total.
fn is_footer(line: &str) -> bool {
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
