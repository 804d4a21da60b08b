//! Splits CSV into records, such that a misplaced quote costs its own line and not all that follow.

use crate::ledger::parse_guid_leniently;

/// Lines that one record may span, by line breaks in quoted cells. A quote that is still open after
/// that is taken as misplaced; otherwise it would swallow the rest of the file.
const MAX_LINES: usize = 20;

/// One record, and the index of the line on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    /// The cells, or the problem with the line.
    pub(super) cells: Result<Vec<String>, &'static str>,
}

/// The state of a record after a line.
enum LineEnd {
    Whole,
    /// A quoted cell goes on in the next line.
    Open,
    /// Text stands between a closing quote and the separator.
    Broken,
}

/// Whether a character ends a line: `\n`, or one that text copied from documents has instead.
pub(super) fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\u{b}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether a line holds nothing: it is blank, or begins with `#`, as PowerShell's `#TYPE` does. A
/// header may begin with a column named `#`, though.
pub(super) fn is_skipped(line: &str) -> bool {
    let line = crate::text::trimmed(line);
    let is_comment = line
        .strip_prefix('#')
        .is_some_and(|rest| !rest.starts_with([',', ';', '\t', '|']));
    line.is_empty() || is_comment
}

/// Whether a line is a rule of dashes or the like, as between a header and its rows.
pub(super) fn is_rule(cells: &[impl AsRef<str>]) -> bool {
    let chars = || cells.iter().flat_map(|cell| cell.as_ref().chars());
    let is_dash = |c: char| matches!(c, '-' | '=' | '_');
    chars().any(is_dash) && chars().all(|c| is_dash(c) || matches!(c, ':' | '+' | '|' | ' ' | '\t'))
}

/// The parts of a line between blanks and separators, and the character at which each begins.
pub(super) fn tokens(line: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_between = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '|');
    line.split(is_between)
        .filter(|token| !token.is_empty())
        .map(move |token| {
            let before = token.as_ptr().addr() - line.as_ptr().addr();
            (line[..before].chars().count(), token)
        })
}

/// The lines without the quotes around each whole line, if they have them. Excel writes such quotes
/// where it does not recognise the separator.
pub(super) fn unwrapped(lines: &[&str]) -> Option<Vec<String>> {
    // No line contains this separator, so that a line quoted from end to end is one cell.
    let inner = |line: &str| {
        let mut splitter = Splitter::new('\0');
        let is_whole =
            line.trim_start().starts_with('"') && matches!(splitter.feed(line), LineEnd::Whole);
        is_whole.then(|| splitter.cells.concat())
    };
    let first = lines.iter().find(|line| !is_skipped(line))?;
    inner(first).filter(|inner| inner.contains([',', ';', '\t', '|']))?;
    let unwrapped = lines
        .iter()
        .map(|line| inner(line).unwrap_or_else(|| (*line).to_owned()));
    Some(unwrapped.collect())
}

/// The records from the line `first` on.
pub(super) fn records<'a>(
    lines: &'a [&'a str],
    first: usize,
    separator: char,
) -> impl Iterator<Item = Record> + 'a {
    let mut next = first;
    std::iter::from_fn(move || {
        while is_skipped(lines.get(next)?) {
            next += 1;
        }
        let (record, after) = record(lines, next, separator);
        next = after;
        Some(record)
    })
}

/// The record that begins at `line`, and the line after it.
fn record(lines: &[&str], line: usize, separator: char) -> (Record, usize) {
    let refused = |problem| {
        let record = Record {
            line,
            cells: Err(problem),
        };
        (record, line + 1)
    };
    let mut splitter = Splitter::new(separator);
    for (index, text) in lines.iter().enumerate().skip(line).take(MAX_LINES) {
        match splitter.feed(text) {
            LineEnd::Whole => {
                // A cell that spans lines and holds an id has probably swallowed other customers.
                let is_over_lines = |cell: &String| cell.contains('\n');
                let has_id = |cell: &String| {
                    let mut words = cell.split(|c: char| !c.is_ascii_hexdigit() && c != '-');
                    words.any(|word| word.len() == 36 && parse_guid_leniently(word).is_some())
                };
                if splitter
                    .cells
                    .iter()
                    .any(|cell| is_over_lines(cell) && has_id(cell))
                {
                    break;
                }
                let record = Record {
                    line,
                    cells: Ok(splitter.cells),
                };
                return (record, index + 1);
            }
            LineEnd::Open => {}
            LineEnd::Broken if index == line => {
                return refused("there is text between a closing quote and the separator");
            }
            LineEnd::Broken => break,
        }
    }
    refused("a quote in it is not closed")
}

/// Splits the lines of one record into cells.
struct Splitter {
    separator: char,
    cells: Vec<String>,
    cell: String,
    in_quotes: bool,
}

impl Splitter {
    fn new(separator: char) -> Self {
        Self {
            separator,
            cells: Vec::new(),
            cell: String::new(),
            in_quotes: false,
        }
    }

    /// Adds a line.
    fn feed(&mut self, line: &str) -> LineEnd {
        let mut chars = line.chars().peekable();
        let mut was_quoted = false;
        if self.in_quotes {
            self.cell.push('\n');
        }
        loop {
            match chars.next() {
                None if self.in_quotes => return LineEnd::Open,
                None => {
                    self.end_cell();
                    return LineEnd::Whole;
                }
                Some('"') if self.in_quotes => {
                    if chars.next_if_eq(&'"').is_some() {
                        self.cell.push('"');
                    } else {
                        self.in_quotes = false;
                        was_quoted = true;
                    }
                }
                Some(c) if self.in_quotes => self.cell.push(c),
                Some(c) if c == self.separator => {
                    self.end_cell();
                    was_quoted = false;
                }
                Some(c) if was_quoted && !c.is_whitespace() => return LineEnd::Broken,
                Some(_) if was_quoted => {}
                // Blanks before an opening quote are dropped. Within a cell that does not begin
                // with a quote, a quote is a letter.
                Some('"') if self.cell.trim().is_empty() => {
                    self.cell.clear();
                    self.in_quotes = true;
                }
                Some(c) => self.cell.push(c),
            }
        }
    }

    fn end_cell(&mut self) {
        let cell = crate::text::trimmed(&self.cell).to_owned();
        self.cell.clear();
        self.cells.push(cell);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<(usize, Result<Vec<String>, &'static str>)> {
        let lines: Vec<&str> = text.split('\n').collect();
        let records = records(&lines, 0, ',');
        records
            .map(|record| (record.line + 1, record.cells))
            .collect()
    }

    fn cells(text: &str) -> Vec<String> {
        let [(_, Ok(cells))] = &read(text)[..] else {
            panic!("{text} is not one record");
        };
        cells.clone()
    }

    #[test]
    fn quotes_separators_and_line_breaks_within_a_cell_belong_to_it() {
        assert_eq!(
            cells("a, b ,\"c, \"\"d\"\"\" ,"),
            ["a", "b", "c, \"d\"", ""]
        );
        assert_eq!(cells("a, \"b\nc\" ,d"), ["a", "b\nc", "d"]);
        assert_eq!(cells("5\" disk,b"), ["5\" disk", "b"]);
        assert_eq!(cells("\"\",b"), ["", "b"]);
    }

    #[test]
    fn a_quote_in_the_wrong_place_costs_its_own_line() {
        for bad in ["\"a,1", "\"a\"b,1", "\"a,\"1\"", "a,\"1"] {
            for good in ["\"b\",2", "b,2", "\"b, c\",2"] {
                let read = read(&format!("{bad}\n{good}\n{good}"));
                assert_eq!(read.len(), 3, "{bad} {good}: {read:?}");
                assert!(read[0].1.is_err() && read[1].1.is_ok() && read[2].1.is_ok());
                assert_eq!((read[0].0, read[1].0, read[2].0), (1, 2, 3));
            }
        }
    }

    #[test]
    fn a_cell_that_would_swallow_other_customers_is_refused() {
        let id = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
        let read = read(&format!("\"a,{id}\nb\",{id}"));
        assert!(read[0].1.is_err());
        assert_eq!(read[1].1.as_ref().unwrap(), &["b\"", id]);
    }

    proptest! {
        #[test]
        fn whatever_stands_in_the_cells_comes_back(
            cells in prop::collection::vec("[ -~&&[^#]]{0,8}", 1..5),
        ) {
            let cells: Vec<String> = cells.iter().map(|cell| cell.trim().to_owned()).collect();
            prop_assume!(cells.iter().any(|cell| !cell.is_empty()));
            let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let quoted: Vec<_> = cells.iter().map(quote).collect();
            prop_assert_eq!(super::tests::cells(&quoted.join(",")), cells);
        }

        #[test]
        fn every_line_is_in_some_record(text in "[ab\",\n]{0,60}") {
            let lines: Vec<&str> = text.split('\n').collect();
            let mut next = 0;
            for record in records(&lines, 0, ',') {
                let between = &lines[next..record.line];
                let all_skipped = between.iter().all(|line| is_skipped(line));
                prop_assert!(all_skipped || record.line >= next);
                next = record.line + 1;
            }
        }
    }
}
