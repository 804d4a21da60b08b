//! What a run has looked up in the ledger, so that no later batch asks for it again.

use super::names::NameCache;
use super::usage::UsageCache;

/// Discard it when a transaction fails: it may hold what that transaction inserted.
#[derive(Debug, Default)]
pub(in crate::store) struct Cache {
    pub(super) names: NameCache,
    pub(super) usage: UsageCache,
}

impl Cache {
    /// Further rows mark their days again: the end of a run takes the marks away.
    pub(in crate::store) fn forget_marked_days(&mut self) {
        self.usage.forget_marked_days();
    }

    /// Whether a partition of the ledger was created.
    pub(in crate::store) fn has_new_partition(&self) -> bool {
        self.usage.partitions.has_new
    }
}
