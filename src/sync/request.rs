//! What a run is asked to do.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};

use super::ledger::DatabaseRetry;
use crate::ledger::{Customer, CustomerId};
use crate::store::{DatedPass, RunKind};

/// What a run is asked to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// What asked for it.
    pub kind: RunKind,
    /// Only these customers, instead of the configured ones; empty: all.
    pub only: Vec<CustomerId>,
    /// The partner's own list, once it has been fetched: the passes of a dated backfill share it.
    pub partner_list: Arc<OnceLock<Vec<Customer>>>,
    /// The pass of a dated backfill that it is; none: a run for the newest figures.
    pub dated: Option<DatedPass>,
    /// The unfinished run whose stored customers are left out.
    pub resumes: Option<i64>,
    /// The moment of the schedule that it is for; none: it is not for a tick.
    pub tick: Option<DateTime<Utc>>,
    /// Whether anything is written.
    pub mode: Mode,
    /// How long a database that is away is waited for.
    pub database_retry: DatabaseRetry,
}

impl Request {
    /// A run of this kind over the whole list, for the newest figures.
    #[must_use]
    pub fn new(kind: RunKind, database_retry: DatabaseRetry) -> Self {
        Self {
            kind,
            only: Vec::new(),
            partner_list: Arc::default(),
            dated: None,
            resumes: None,
            tick: None,
            mode: Mode::Store,
            database_retry,
        }
    }
}

/// Whether a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Into the ledger.
    Store,
    /// Not at all: it fetches and validates, and does not need the database.
    DryRun,
}
