//! Who is on a run's list: the union of the configured ids, the file and the partner's own list, less the excluded.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use crate::config;
use crate::partner_center::{ApiError, Client};
use crate::retry::{Fails as _, GaveUp, Remedy, Stop, remedy_of_io};
use crate::store::RunKind;
use crate::usage::{Customer, CustomerId};

/// So many bad lines of `customers.file` are named.
const NAMED_FAULTS: usize = 10;

/// The list cannot be made up.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// `customers.file` cannot be read.
    #[error("customers.file {} cannot be read", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// `customers.file` has lines that name no customer.
    #[error("customers.file {}: {faults}", path.display())]
    Lines {
        /// The file.
        path: PathBuf,
        /// Each line with what is wrong.
        faults: String,
    },
    /// `GET /v1/customers` failed.
    #[error("the partner's list of customers cannot be had (customers.discover)")]
    Discovery(#[source] Arc<ApiError>),
    /// Nobody is left.
    #[error(
        "there is no customer to fetch: customers.ids, customers.file and customers.discover together, less customers.exclude, name none"
    )]
    Empty {
        /// Whether the partner's own list was asked and named nobody; another time it may.
        discovered: bool,
    },
    /// The program was asked to stop meanwhile.
    #[error("stopped while making up the list of customers")]
    Stopped,
}

impl CustomersError {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::File { source, .. } => remedy_of_io(source, Remedy::Configuration),
            Self::Lines { .. } | Self::Empty { discovered: false } => Remedy::Configuration,
            Self::Discovery(error) => error.remedy(),
            Self::Empty { discovered: true } | Self::Stopped => Remedy::Time,
        }
    }
}

/// A customer on a run's list. Most are known by their id alone, and there may be very many.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) id: CustomerId,
    names: Option<Box<Names>>,
}

#[derive(Debug, Clone)]
struct Names {
    name: Option<String>,
    domain: Option<String>,
}

impl From<CustomerId> for Listed {
    fn from(id: CustomerId) -> Self {
        Self { id, names: None }
    }
}

impl From<Customer> for Listed {
    fn from(Customer { id, name, domain }: Customer) -> Self {
        let has_names = name.is_some() || domain.is_some();
        let names = has_names.then(|| Box::new(Names { name, domain }));
        Self { id, names }
    }
}

impl From<Listed> for Customer {
    fn from(Listed { id, names }: Listed) -> Self {
        let (name, domain) = names.map_or((None, None), |names| (names.name, names.domain));
        Self { id, name, domain }
    }
}

/// The partner's own list.
pub(super) async fn discover(
    client: &Client,
    stop: &Stop,
) -> Result<Vec<Customer>, CustomersError> {
    client
        .fetch_customers(stop)
        .await
        .map_err(|error| match error {
            GaveUp::Failed { error, .. } => CustomersError::Discovery(Arc::new(error)),
            GaveUp::Stopped { .. } => CustomersError::Stopped,
        })
}

/// The customers of a run, each once. `only` replaces what is configured; `listed` is the partner's own list.
pub(super) fn resolve(
    settings: &config::Customers,
    only: &[CustomerId],
    kind: RunKind,
    listed: Option<Vec<Customer>>,
) -> Result<Vec<Listed>, CustomersError> {
    let mut all: Vec<Listed> = Vec::new();
    let discovered = listed.is_some();
    if only.is_empty() {
        // First, because it knows the names.
        all.extend(listed.into_iter().flatten().map(Listed::from));
        all.extend(settings.ids.iter().copied().map(Listed::from));
        if let Some(path) = &settings.file {
            all.extend(read_file(path, kind)?.into_iter().map(Listed::from));
        }
        all.retain(|customer| !settings.exclude.contains(&customer.id));
    } else {
        all.extend(only.iter().copied().map(Listed::from));
    }
    let mut seen = HashSet::with_capacity(all.len());
    all.retain(|customer| seen.insert(customer.id));
    if all.is_empty() {
        return Err(CustomersError::Empty { discovered });
    }
    Ok(all)
}

fn read_file(path: &Path, kind: RunKind) -> Result<Vec<CustomerId>, CustomersError> {
    let text = std::fs::read_to_string(path).map_err(|source| CustomersError::File {
        path: path.to_owned(),
        source,
    })?;
    let (ids, mut faults) = parse_list(&text);
    if faults.len() > NAMED_FAULTS {
        let further = faults.len() - NAMED_FAULTS;
        faults.truncate(NAMED_FAULTS);
        faults.push(format!("and {further} more lines"));
    }
    match kind {
        // A person is watching, and can mend the file before anything is fetched.
        RunKind::Backfill if !faults.is_empty() => Err(CustomersError::Lines {
            path: path.to_owned(),
            faults: faults.join("; "),
        }),
        // Nobody is watching: one bad line must not cost all other customers their day.
        RunKind::Backfill | RunKind::Schedule | RunKind::Startup => {
            for fault in faults {
                error!(file = %path.display(), fault, "A line of customers.file names no customer and is left out");
            }
            Ok(ids)
        }
    }
}

/// Reads one GUID a line, or CSV with a column `customer_id`. Blank lines and those that begin with `#` are skipped.
fn parse_list(text: &str) -> (Vec<CustomerId>, Vec<String>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = || {
        text.lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line.trim()))
            .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
    };
    let header = lines().next().map_or("", |(_, line)| line);
    if header.to_ascii_lowercase().contains("customer_id") {
        return parse_csv(text, header);
    }
    let (mut ids, mut faults) = (Vec::new(), Vec::new());
    for (number, line) in lines() {
        sort_out(line, number, &mut ids, &mut faults);
    }
    (ids, faults)
}

fn parse_csv(text: &str, header: &str) -> (Vec<CustomerId>, Vec<String>) {
    // Spreadsheets write the separator of their country.
    let delimiter = [b',', b';', b'\t']
        .into_iter()
        .max_by_key(|delimiter| header.bytes().filter(|byte| byte == delimiter).count())
        .unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let (mut ids, mut faults) = (Vec::new(), Vec::new());
    let column = reader.headers().ok().and_then(|headers| {
        headers
            .iter()
            .position(|name| name.eq_ignore_ascii_case("customer_id"))
    });
    let Some(column) = column else {
        return (ids, vec!["the header has no column customer_id".to_owned()]);
    };
    for record in reader.records() {
        match record {
            Ok(record) if record.iter().all(str::is_empty) => {}
            Ok(record) => {
                let value = record.get(column).unwrap_or_default();
                sort_out(value, line_of(&record, text), &mut ids, &mut faults);
            }
            Err(error) => faults.push(error.to_string()),
        }
    }
    (ids, faults)
}

/// The line on which a record begins. Its own position is that of the blank lines and comments before it.
fn line_of(record: &csv::StringRecord, text: &str) -> usize {
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let (line, byte) = record
        .position()
        .map_or((0, 0), |position| (position.line(), position.byte()));
    let skipped = text
        .get(number(byte)..)
        .unwrap_or_default()
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with('#'))
        .count();
    number(line) + skipped
}

fn sort_out(text: &str, line: usize, ids: &mut Vec<CustomerId>, faults: &mut Vec<String>) {
    match text.parse() {
        Ok(id) => ids.push(id),
        Err(error) => {
            // The fault goes to a terminal and into a column, which take no control characters.
            let shown: String = text
                .chars()
                .take(60)
                .map(|c| if c.is_control() { '\u{fffd}' } else { c })
                .collect();
            faults.push(format!("line {line}: \"{shown}\" is {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";
    const B: &str = "11111111-70f4-4e1e-9ff1-b2bfce8d9f04";

    fn read(text: &str) -> (Vec<String>, Vec<String>) {
        let (ids, faults) = parse_list(text);
        (ids.iter().map(ToString::to_string).collect(), faults)
    }

    #[test]
    fn a_plain_list_and_a_csv_give_the_same_customers() {
        for text in [
            format!("{A}\n{B}\n"),
            format!("\u{feff}# ours\r\n\r\n{}\r\n{B}", A.to_uppercase()),
            format!("name,customer_id\nContoso,{A}\n\"Fabrikam, Inc.\",{B}\n"),
            format!("Customer_ID;Name\r\n{A};x\r\n{B};y\r\n"),
            format!("customer_id\n{A}\n{B}\n"),
        ] {
            let (ids, faults) = read(&text);
            assert_eq!(ids, [A, B], "{text}");
            assert!(faults.is_empty(), "{faults:?}");
        }
    }

    #[test]
    fn a_line_that_names_no_customer_is_told_with_its_number() {
        let (ids, faults) = read(&format!("{A}\nContoso\n"));
        assert_eq!(ids, [A]);
        assert_eq!(
            faults,
            ["line 2: \"Contoso\" is not a GUID such as 4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04"]
        );
        let (_, faults) = read(&format!("customer_id,name\n{A},x\n,y\n"));
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("line 3:"), "{faults:?}");
        let (_, faults) = read(&format!(
            "\r\n# ours\r\ncustomer_id\r\n{A}\r\n\r\n# and\r\nx\r\ny"
        ));
        assert_eq!(faults.len(), 2);
        assert!(faults[0].starts_with("line 7:"), "{faults:?}");
        assert!(faults[1].starts_with("line 8:"), "{faults:?}");
    }
}
