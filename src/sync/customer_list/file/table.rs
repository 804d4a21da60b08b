//! CSV with columns: finds the column with the customers, and reads it.

use super::list::{CustomerList, quoted};
use super::names::{is_vague, rank};
use super::records::{Record, is_rule, records};
use crate::ledger::{CustomerId, parse_guid_leniently};

/// Column names that a message lists. A table may have hundreds.
const LISTED_NAMES: usize = 12;

/// A table with the column that names the customers.
pub(super) struct Table {
    separator: char,
    first: usize,
    header: Vec<String>,
    width: usize,
    column: usize,
    /// Other columns that name the customer too.
    rivals: Vec<usize>,
}

/// The records of a table, and the number of GUIDs in each column.
struct GuidCounts {
    records: Vec<Record>,
    /// By column.
    guids: Vec<usize>,
}

impl GuidCounts {
    fn new(lines: &[&str], first: usize, separator: char) -> Self {
        let records: Vec<Record> = records(lines, first, separator).collect();
        let mut guids = Vec::new();
        for cells in records
            .iter()
            .filter_map(|record| record.cells.as_ref().ok())
        {
            guids.resize(guids.len().max(cells.len()), 0);
            for (count, cell) in guids.iter_mut().zip(cells) {
                *count += usize::from(parse_guid_leniently(cell).is_some());
            }
        }
        Self { records, guids }
    }

    fn holds_guids(&self, column: usize) -> bool {
        self.guids.get(column).is_some_and(|count| *count > 0)
    }

    /// The first line in which two columns name different customers, unless they agree in another.
    fn contradiction(&self, one: usize, other: usize) -> Option<usize> {
        let mut differs = None;
        for record in &self.records {
            let Ok(cells) = &record.cells else { continue };
            let guid = |column: usize| {
                cells
                    .get(column)
                    .and_then(|cell| parse_guid_leniently(cell))
            };
            match (guid(one), guid(other)) {
                (Some(one), Some(other)) if one == other => return None,
                (Some(_), Some(_)) if differs.is_none() => differs = Some(record.line + 1),
                _ => {}
            }
        }
        differs
    }
}

impl Table {
    /// Chooses the column with the customers. Other columns that may hold them, which without a
    /// header are all columns with GUIDs, must not contradict it. None if no column holds GUIDs.
    ///
    /// # Errors
    /// With the problem, if the columns contradict each other or no name in the header is known.
    pub(super) fn find(
        lines: &[&str],
        separator: char,
        first: usize,
        header: Vec<String>,
    ) -> Result<Option<Self>, String> {
        let counts = GuidCounts::new(lines, first, separator);
        let mut known: Vec<usize> = (0..header.len())
            .filter(|column| rank(&header[*column]).is_some())
            .collect();
        known.sort_by_key(|column| rank(&header[*column]));
        let with_guids = |columns: &[usize]| -> Vec<usize> {
            columns
                .iter()
                .copied()
                .filter(|column| counts.holds_guids(*column))
                .collect()
        };
        let all: Vec<usize> = (0..counts.guids.len()).collect();
        let all = with_guids(&all);
        let is_ours = |column: &usize| header[*column].eq_ignore_ascii_case("customer_id");
        let candidates = match with_guids(&known) {
            // The name that the documentation asks for is deliberate.
            held if held.iter().filter(|column| is_ours(column)).count() == 1 => {
                held.into_iter().filter(is_ours).collect()
            }
            held if !held.is_empty() => held,
            // The column holds no GUID: each line is a fault.
            _ if !known.is_empty() => vec![known[0]],
            _ if header.is_empty() => all,
            _ => {
                let is_vague =
                    |column: usize| header.get(column).is_some_and(|name| is_vague(name));
                if all.len() != 1 || !is_vague(all[0]) {
                    return Err(unknown_header(&header));
                }
                all
            }
        };
        let [column, rivals @ ..] = candidates.as_slice() else {
            return Ok(None);
        };
        for rival in rivals {
            if let Some(line) = counts.contradiction(*column, *rival) {
                let names = [*column, *rival].map(|column| {
                    let name = header.get(column).map(|name| quoted(name));
                    name.unwrap_or_else(|| (column + 1).to_string())
                });
                let names = names.join(" and ");
                return Err(if header.is_empty() {
                    format!(
                        "has several GUIDs in a line, in columns {names}, first in line {line}; \
                         write one customer a line, or a header that names one column customer_id"
                    )
                } else {
                    format!(
                        "has several columns with GUIDs, {names}, which differ, first in line \
                         {line}; head the one with the customers customer_id"
                    )
                });
            }
        }
        let width = match counts.records.first().map(|record| &record.cells) {
            Some(Ok(cells)) if header.is_empty() => cells.len(),
            _ => header.len(),
        };
        Ok(Some(Self {
            separator,
            first,
            width,
            column: *column,
            rivals: rivals.to_vec(),
            header,
        }))
    }

    /// Reads the rows.
    pub(super) fn read(&self, lines: &[&str]) -> CustomerList {
        let mut list = CustomerList::default();
        for record in records(lines, self.first, self.separator) {
            let line = record.line + 1;
            match record.cells {
                // Concatenated files repeat the header.
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
        let id = CustomerId::parse_leniently(cell).map_err(|error| {
            let problem = format!("{} is {error}", quoted(cell));
            if is_ragged {
                format!("{problem}; {ragged}")
            } else {
                problem
            }
        })?;
        let others = |columns: &mut dyn Iterator<Item = &usize>| {
            let guids = columns.filter_map(|column| parse_guid_leniently(cells.get(*column)?));
            guids.into_iter().any(|guid| guid != id.as_uuid())
        };
        if others(&mut self.rivals.iter()) {
            return Err("its columns name different customers".to_owned());
        }
        // A surplus or missing cell shifts the others, so that another GUID may be in the
        // customers' column.
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

/// The message about a header without a known name.
pub(super) fn unknown_header(header: &[String]) -> String {
    let named: Vec<&String> = header.iter().filter(|name| !name.is_empty()).collect();
    let mut listed: Vec<String> = named
        .iter()
        .take(LISTED_NAMES)
        .map(|name| quoted(name))
        .collect();
    if named.len() > LISTED_NAMES {
        listed.push(format!("and {} more", named.len() - LISTED_NAMES));
    }
    format!(
        "has no column customer_id, nor one of the names in use for it, such as CustomerId, \
         Customer tenant ID, Microsoft ID or TenantId; its columns are {}",
        listed.join(", ")
    )
}
