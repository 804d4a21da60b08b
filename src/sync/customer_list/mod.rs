//! The customers of a run: the union of the configured ids, the file and the partner's own list,
//! less the excluded ones, in the order in which they are due.

mod file;

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use tracing::error;

use crate::config;
use crate::ledger::{Customer, CustomerHistory, CustomerId};
use crate::partner_center::{ApiError, Session};
use crate::retry::{Remedy, RetryError, remedy_of_io};
use crate::shutdown::Shutdown;
use crate::store::{DueCustomer, RunKind};

/// Bad lines of `customers.file` that a message names. All of them could fill the log.
const NAMED_FAULTS: usize = 10;

/// Why a run has no list of customers.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// `customers.file` cannot be read, or is not a list.
    #[error("customers.file {} cannot be used", path.display())]
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
    Discovery(#[source] RetryError<ApiError>),
    /// The list is empty.
    #[error(
        "there is no customer to fetch: customers.ids, customers.file and customers.discover \
         together, less customers.exclude, name none"
    )]
    Empty {
        /// Whether the partner's own list was fetched and is empty, too. The next time it may not
        /// be.
        discovered: bool,
    },
}

impl CustomersError {
    /// What mends it.
    #[must_use]
    pub fn remedy(&self) -> Remedy {
        match self {
            // The file existed when the configuration was read, so it is probably being replaced.
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Remedy::Time,
            Self::File { source, .. } => remedy_of_io(source, Remedy::Configuration),
            Self::Lines { .. } | Self::Empty { discovered: false } => Remedy::Configuration,
            Self::Discovery(error) => error.remedy(),
            Self::Empty { discovered: true } => Remedy::Time,
        }
    }
}

/// A customer on a run's list. Smaller than [`Customer`]: most are known by their id alone, and the
/// whole list is in memory for as long as the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RunCustomer {
    pub(super) id: CustomerId,
    history: CustomerHistory,
    names: Option<Box<Names>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Names {
    name: Option<String>,
    domain: Option<String>,
}

impl From<CustomerId> for RunCustomer {
    fn from(id: CustomerId) -> Self {
        Self {
            id,
            history: CustomerHistory::default(),
            names: None,
        }
    }
}

impl From<Customer> for RunCustomer {
    fn from(customer: Customer) -> Self {
        let Customer {
            id,
            name,
            domain,
            history,
        } = customer;
        let has_names = name.is_some() || domain.is_some();
        let names = has_names.then(|| Box::new(Names { name, domain }));
        Self { id, history, names }
    }
}

impl From<RunCustomer> for Customer {
    fn from(customer: RunCustomer) -> Self {
        let RunCustomer { id, history, names } = customer;
        let (name, domain) = names.map_or((None, None), |names| (names.name, names.domain));
        Self {
            id,
            name,
            domain,
            history,
        }
    }
}

/// Fetches the partner's own list.
pub(super) async fn discover(
    session: &Session,
    shutdown: &Shutdown,
) -> Result<Vec<Customer>, CustomersError> {
    session
        .fetch_customers(shutdown)
        .await
        .map_err(CustomersError::Discovery)
}

/// Puts a list into the order in which its customers are `due`, and adds each customer's history
/// from earlier runs. Customers that are not due are left out. Usage counts as expected only where
/// the run `expects_usage`.
pub(super) fn in_order(
    list: Vec<RunCustomer>,
    due: &[DueCustomer],
    expects_usage: bool,
) -> Vec<RunCustomer> {
    // If all customers were refused, the cause was not the customers.
    let all_refused = due.iter().all(|due| due.was_refused);
    let mut list: Vec<Option<RunCustomer>> = list.into_iter().map(Some).collect();
    due.iter()
        .filter_map(|due| {
            let index = usize::try_from(due.index).ok()?;
            let customer = list.get_mut(index)?.take()?;
            let history = CustomerHistory {
                had_usage: due.has_newest_date && expects_usage,
                was_refused: due.was_refused && !all_refused,
            };
            Some(RunCustomer {
                history,
                ..customer
            })
        })
        .collect()
}

/// The customers of a run, each once. `only` replaces the configured ones, unless it is empty;
/// `listed` is the partner's own list.
pub(super) fn resolve(
    settings: &config::Customers,
    only: &[CustomerId],
    kind: RunKind,
    listed: Option<Vec<Customer>>,
) -> Result<Vec<RunCustomer>, CustomersError> {
    let mut all: Vec<RunCustomer> = Vec::new();
    let discovered = listed.is_some();
    if only.is_empty() {
        // The partner's list comes first, because only it has the customers' names.
        all.extend(listed.into_iter().flatten().map(RunCustomer::from));
        all.extend(settings.ids.iter().copied().map(RunCustomer::from));
        if let Some(path) = &settings.file {
            all.extend(read_file(path, kind)?.into_iter().map(RunCustomer::from));
        }
        all.retain(|customer| !settings.exclude.contains(&customer.id));
    } else {
        all.extend(only.iter().copied().map(RunCustomer::from));
    }
    let mut seen = HashSet::with_capacity(all.len());
    all.retain(|customer| seen.insert(customer.id));
    if all.is_empty() {
        return Err(CustomersError::Empty { discovered });
    }
    Ok(all)
}

fn read_file(path: &Path, kind: RunKind) -> Result<Vec<CustomerId>, CustomersError> {
    let file::CustomerList { ids, mut faults } =
        file::load(path).map_err(|source| CustomersError::File {
            path: path.to_owned(),
            source,
        })?;
    if faults.len() > NAMED_FAULTS {
        let further = faults.len() - NAMED_FAULTS;
        faults.truncate(NAMED_FAULTS);
        faults.push(format!("and {further} more lines"));
    }
    // A person who started the run can mend the file before anything is fetched. In a scheduled
    // run, one bad line must not keep all other customers from being fetched; but a file without a
    // good line is not a list.
    let is_watched = match kind {
        RunKind::Backfill => true,
        RunKind::Schedule | RunKind::Startup => false,
    };
    if !faults.is_empty() && (is_watched || ids.is_empty()) {
        return Err(CustomersError::Lines {
            path: path.to_owned(),
            faults: faults.join("; "),
        });
    }
    for fault in faults {
        error!(
            file = %path.display(),
            fault,
            "A line of customers.file names no customer and is left out"
        );
    }
    Ok(ids)
}

#[cfg(test)]
mod tests;
