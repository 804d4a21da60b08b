//! What a run has looked up in the ledger, so that no later batch asks for it again.

use super::names::NameCache;
use super::newest::SeriesSets;
use super::partitions::Partitions;

/// Discard it when a transaction fails: it may hold what that transaction inserted.
#[derive(Debug, Default)]
pub(in crate::store) struct Cache {
    pub(super) names: NameCache,
    pub(super) partitions: Partitions,
    pub(super) series_sets: SeriesSets,
}
