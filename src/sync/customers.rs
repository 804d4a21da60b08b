//! Who is on a run's list: the union of the configured ids, the file and the partner's own list,
//! less the excluded.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::error;

use super::customer_list::{self, CustomerList};
use crate::config;
use crate::ledger::{Customer, CustomerId};
use crate::partner_center::{ApiError, Session};
use crate::retry::{Classify as _, Remedy, RetryError, remedy_of_io};
use crate::shutdown::Shutdown;
use crate::store::RunKind;

/// So many bad lines of `customers.file` are named.
const NAMED_FAULTS: usize = 10;

/// The list cannot be made up.
#[derive(Debug, thiserror::Error)]
pub enum CustomersError {
    /// `customers.file` cannot be read, or is no list.
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
    Discovery(#[source] ApiError),
    /// No call can be made: there is no token, or no way to the API before a person has acted.
    #[error("the partner's list of customers cannot be had (customers.discover)")]
    Fatal(#[source] Arc<ApiError>),
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
            // It was there when the configuration was read, so that somebody may be putting a newer
            // one in its place.
            Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound => Remedy::Time,
            Self::File { source, .. } => remedy_of_io(source, Remedy::Configuration),
            Self::Lines { .. } | Self::Empty { discovered: false } => Remedy::Configuration,
            Self::Discovery(error) => error.remedy(),
            Self::Fatal(error) => error.remedy(),
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
    session: &Session,
    shutdown: &Shutdown,
) -> Result<Vec<Customer>, CustomersError> {
    session
        .fetch_customers(shutdown)
        .await
        .map_err(|error| match error {
            RetryError::Failed { error, .. } => CustomersError::Discovery(error),
            RetryError::Fatal(error) => CustomersError::Fatal(Arc::new(error)),
            RetryError::Stopped { .. } => CustomersError::Stopped,
        })
}

/// The customers of a run, each once. `only` replaces what is configured; `listed` is the partner's
/// own list.
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
    let CustomerList { ids, mut faults } =
        customer_list::load(path).map_err(|source| CustomersError::File {
            path: path.to_owned(),
            source,
        })?;
    if faults.len() > NAMED_FAULTS {
        let further = faults.len() - NAMED_FAULTS;
        faults.truncate(NAMED_FAULTS);
        faults.push(format!("and {further} more lines"));
    }
    // Nobody is watching a scheduled run: one bad line must not cost all other customers their day.
    // A person who watches can mend the file before anything is fetched, and a file without a
    // good line is no list.
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
        error!(file = %path.display(), fault, "A line of customers.file names no customer and is left out");
    }
    Ok(ids)
}
