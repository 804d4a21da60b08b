//! Which run writes, and how much of each customer it has written.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// The run that writes, and when: both are stored with each row.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Stamp {
    pub(in crate::store) run_id: i64,
    pub(in crate::store) now: DateTime<Utc>,
}

/// How many rows of each customer were inserted and updated.
pub(super) type Written = HashMap<Uuid, (u64, u64)>;
