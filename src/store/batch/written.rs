//! What every statement of a batch needs to know, and what the batch has written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The run that writes a batch, and the time at which it does: both are stored with each row.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Stamp {
    pub(in crate::store) run_id: i64,
    pub(in crate::store) now: DateTime<Utc>,
}

/// How many of a customer's rows were new, and how many had changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct WrittenRows {
    pub(super) inserted: u64,
    pub(super) updated: u64,
}

/// The rows written for each customer; a customer without any may be missing.
#[derive(Debug, Default)]
pub(super) struct Written(HashMap<Uuid, WrittenRows>);

impl Written {
    pub(super) fn add(&mut self, customer: Uuid, rows: WrittenRows) {
        let sum = self.0.entry(customer).or_default();
        sum.inserted += rows.inserted;
        sum.updated += rows.updated;
    }

    pub(super) fn of(&self, customer: Uuid) -> WrittenRows {
        self.0.get(&customer).copied().unwrap_or_default()
    }
}
