//! Finds out how a list is laid out, and which of its columns names the customers.

use super::records::{Record, is_skipped, records};
use super::{CustomerList, shown, tokens};
use crate::usage::{CustomerId, written};

/// What the column is called by us, and in the tools that people export their customers with: letters and digits only,
/// the most certain first.
const NAMES: [&str; 33] = [
    "customerid",
    "customertenantid",
    "customermicrosoftid",
    "customermicrosofttenantid",
    "customerentratenantid",
    "customerazuretenantid",
    "customertenantguid",
    "customerguid",
    "customercontextid",
    "kundenid",
    "kundenmandantenid",
    "microsoftid",
    "microsoftcustomerid",
    "microsofttenantid",
    "idmicrosoft",
    "iddemicrosoft",
    "iddamicrosoft",
    "tenantid",
    "tenantguid",
    "defaulttenantid",
    "entratenantid",
    "entraidtenantid",
    "azuretenantid",
    "azureadtenantid",
    "azureactivedirectorytenantid",
    "aadtenantid",
    "m365tenantid",
    "microsoft365tenantid",
    "office365tenantid",
    "o365tenantid",
    "mandantenid",
    "directoryid",
    "directorytenantid",
];

/// Names that mean the customer only where no other column holds GUIDs.
const VAGUE_NAMES: [&str; 7] = [
    "id",
    "guid",
    "uuid",
    "tenant",
    "customer",
    "customertenant",
    "customers",
];

const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];

/// A header is looked for so far: exports begin with a title, a date or blank lines.
const MAX_HEAD: usize = 20;

/// So many of the names that were found are told.
const NAMES_TOLD: usize = 12;

/// How the file is to be read.
pub(super) enum Layout {
    /// One customer a line.
    Lines { first: usize },
    /// Columns kept apart by blanks.
    Aligned { first: usize, offset: usize },
    /// Cells kept apart by a separator.
    Table(Table),
}

/// CSV of one kind or another.
pub(super) struct Table {
    separator: char,
    first: usize,
    header: Vec<String>,
    width: usize,
    column: usize,
    /// Other columns that name the customer as well.
    rivals: Vec<usize>,
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
            Some((separator, cells)) => return table(lines, separator, index + 1, cells),
            None => {}
        }
        if let Some(offset) = aligned(lines[index]) {
            let first = index + 1;
            return Ok(Layout::Aligned { first, offset });
        }
        if tokens(lines[index]).any(|(_, token)| written::guid(token).is_some()) {
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
        let is_header = |index: &usize| VAGUE_NAMES.contains(&plain(lines[*index]).as_str());
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
            return table(lines, separator, index + 1, header);
        }
    }
    // What stands behind a lone GUID at the beginning may be a note with commas in it.
    let guids = row
        .iter()
        .filter(|cell| written::guid(cell).is_some())
        .count();
    if guids == 1 && written::guid(&row[0]).is_some() {
        return Ok(Layout::Lines { first });
    }
    table(lines, separator, first, Vec::new())
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

/// The cells of the record that begins at a line, by the separator that makes the most of them among those that `fit`.
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
    cells.iter().any(|cell| written::guid(cell).is_some())
}

/// Letters and digits, without what stands in brackets behind them.
fn plain(name: &str) -> String {
    let (name, _) = name.split_once('(').unwrap_or((name, ""));
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    letters.flat_map(char::to_lowercase).collect()
}

fn rank(name: &str) -> Option<usize> {
    let name = plain(name);
    NAMES.iter().position(|known| *known == name)
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

fn unknown_header(header: &[String]) -> String {
    let named: Vec<&String> = header.iter().filter(|name| !name.is_empty()).collect();
    let mut told: Vec<String> = named
        .iter()
        .take(NAMES_TOLD)
        .map(|name| shown(name))
        .collect();
    if named.len() > NAMES_TOLD {
        told.push(format!("and {} more", named.len() - NAMES_TOLD));
    }
    format!(
        "has no column customer_id, nor one of the names in use for it, such as CustomerId, Customer tenant ID, Microsoft ID \
         or TenantId; its columns are {}",
        told.join(", ")
    )
}

/// How often the cells of a table are GUIDs.
struct Census {
    records: Vec<Record>,
    /// By column.
    guids: Vec<usize>,
}

impl Census {
    fn new(lines: &[&str], first: usize, separator: char) -> Self {
        let records: Vec<Record> = records(lines, first, separator).collect();
        let mut guids = Vec::new();
        for cells in records
            .iter()
            .filter_map(|record| record.cells.as_ref().ok())
        {
            guids.resize(guids.len().max(cells.len()), 0);
            for (count, cell) in guids.iter_mut().zip(cells) {
                *count += usize::from(written::guid(cell).is_some());
            }
        }
        Self { records, guids }
    }

    fn holds_guids(&self, column: usize) -> bool {
        self.guids.get(column).is_some_and(|count| *count > 0)
    }

    /// The first line of which two columns name different customers, unless they agree in another.
    fn contradiction(&self, one: usize, other: usize) -> Option<usize> {
        let mut differs = None;
        for record in &self.records {
            let Ok(cells) = &record.cells else { continue };
            let guid = |column: usize| cells.get(column).and_then(|cell| written::guid(cell));
            match (guid(one), guid(other)) {
                (Some(one), Some(other)) if one == other => return None,
                (Some(_), Some(_)) if differs.is_none() => differs = Some(record.line + 1),
                _ => {}
            }
        }
        differs
    }
}

/// Chooses the column of a table. Without a header the column must be the only one that holds GUIDs.
fn table(
    lines: &[&str],
    separator: char,
    first: usize,
    header: Vec<String>,
) -> Result<Layout, String> {
    let census = Census::new(lines, first, separator);
    let mut known: Vec<usize> = (0..header.len())
        .filter(|column| rank(&header[*column]).is_some())
        .collect();
    known.sort_by_key(|column| rank(&header[*column]));
    let with_guids = |columns: &[usize]| -> Vec<usize> {
        columns
            .iter()
            .copied()
            .filter(|column| census.holds_guids(*column))
            .collect()
    };
    let all: Vec<usize> = (0..census.guids.len()).collect();
    let all = with_guids(&all);
    let is_ours = |column: &usize| header[*column].eq_ignore_ascii_case("customer_id");
    let candidates = match with_guids(&known) {
        // The name that we ask for is deliberate.
        held if held.iter().filter(|column| is_ours(column)).count() == 1 => {
            held.into_iter().filter(is_ours).collect()
        }
        held if !held.is_empty() => held,
        // Nobody is named, line by line.
        _ if !known.is_empty() => vec![known[0]],
        _ if header.is_empty() => all,
        _ => {
            let is_vague = |column: &usize| {
                let name = header.get(*column).map(|name| plain(name));
                name.is_some_and(|name| VAGUE_NAMES.contains(&name.as_str()))
            };
            if all.len() != 1 || !is_vague(&all[0]) {
                return Err(unknown_header(&header));
            }
            all
        }
    };
    let [column, rivals @ ..] = candidates.as_slice() else {
        return Ok(Layout::Lines { first });
    };
    for rival in rivals {
        if let Some(line) = census.contradiction(*column, *rival) {
            let names = [*column, *rival].map(|column| {
                let name = header.get(column).map(|name| shown(name));
                name.unwrap_or_else(|| (column + 1).to_string())
            });
            return Err(format!(
                "has several columns with GUIDs, {}, which differ, first in line {line}; head the one with the customers customer_id",
                names.join(" and ")
            ));
        }
    }
    let width = match census.records.first().map(|record| &record.cells) {
        Some(Ok(cells)) if header.is_empty() => cells.len(),
        _ => header.len(),
    };
    Ok(Layout::Table(Table {
        separator,
        first,
        width,
        column: *column,
        rivals: rivals.to_vec(),
        header,
    }))
}

impl Table {
    /// Reads the rows.
    pub(super) fn read(&self, lines: &[&str]) -> CustomerList {
        let mut list = CustomerList::default();
        for record in records(lines, self.first, self.separator) {
            let line = record.line + 1;
            match record.cells {
                // Files that were put together have the header again.
                Ok(cells) if is_blank(&cells) || is_rule(&cells) || cells == self.header => {}
                Ok(cells) => match self.customer(&cells) {
                    Ok(id) => list.ids.push(id),
                    Err(problem) => list.refuse(line, &problem),
                },
                Err(problem) => list.refuse(line, problem),
            }
        }
        list.drop_footer(lines);
        list
    }

    fn customer(&self, cells: &[String]) -> Result<CustomerId, String> {
        let cell = cells.get(self.column).map_or("", String::as_str);
        let filled = cells
            .iter()
            .rposition(|cell| !cell.is_empty())
            .map_or(0, |last| last + 1);
        let is_ragged = filled > self.width || cells.len() < self.width;
        let count = cells.len().max(filled);
        let ragged = format!("the line has {count} cells, and {} are wanted", self.width);
        let id = CustomerId::from_written(cell).map_err(|error| {
            let problem = format!("{} is {error}", shown(cell));
            if is_ragged {
                format!("{problem}; {ragged}")
            } else {
                problem
            }
        })?;
        let others = |columns: &mut dyn Iterator<Item = &usize>| {
            let guids = columns.filter_map(|column| written::guid(cells.get(*column)?));
            guids.into_iter().any(|guid| guid != id.as_uuid())
        };
        if others(&mut self.rivals.iter()) {
            return Err("its columns name different customers".to_owned());
        }
        // A cell too many or too few moves the others, so that another GUID may stand where the customer's should.
        let all: Vec<usize> = (0..cells.len()).collect();
        if is_ragged && others(&mut all.iter()) {
            return Err(format!(
                "{ragged}, so that it is not certain which GUID is the customer's"
            ));
        }
        Ok(id)
    }
}

fn is_blank(cells: &[String]) -> bool {
    cells.iter().all(String::is_empty)
}
