//! Stores a batch of customers within a transaction: usage and deployment rows, rejected items and
//! outcomes. A customer is stored whole or not at all.

mod cache;
mod copy;
mod customers;
mod deployment;
mod digest;
mod names;
mod newest;
mod outcomes;
mod partitions;
mod rejections;
mod usage;
mod written;

use sqlx::PgConnection;

use crate::ledger::{CustomerOutcome, Dataset, Rejection, RowCounts};
pub(super) use cache::Cache;
pub(super) use names::{NameCache, NewName};
pub(super) use written::Stamp;
use written::Written;

/// Stores `outcomes` within a transaction of the caller's. No customer may occur twice.
/// Returns what became of the rows, in the order of `outcomes`.
pub(super) async fn record(
    transaction: &mut PgConnection,
    cache: &mut Cache,
    outcomes: &[CustomerOutcome],
    stamp: Stamp,
) -> Result<Vec<RowCounts>, sqlx::Error> {
    // The statement about the customers is sent first, and the rows are put in order meanwhile.
    let (upserted, (mut rows, are_names_known)) = tokio::join!(
        Box::pin(customers::upsert(&mut *transaction, outcomes, stamp)),
        async { usage::spell(&cache.names, outcomes) }
    );
    upserted?;
    if !are_names_known {
        usage::learn_names(&mut *transaction, &mut cache.names, outcomes).await?;
        (rows, _) = usage::spell(&cache.names, outcomes);
    }
    // Boxed because large futures inside one another add up.
    let mut written = Box::pin(usage::upsert(
        &mut *transaction,
        &mut cache.usage,
        &rows,
        stamp,
    ))
    .await?;
    deployment::upsert(
        &mut *transaction,
        &mut cache.names,
        outcomes,
        stamp,
        &mut written,
    )
    .await?;
    cache
        .names
        .record_ids(&mut *transaction, stamp.run_id, outcomes)
        .await?;
    for (dataset, rejected) in rejections::by_dataset(outcomes) {
        rejections::insert(&mut *transaction, dataset, &rejected, stamp).await?;
    }
    let counts: Vec<RowCounts> = outcomes
        .iter()
        .map(|outcome| row_counts(outcome, &written))
        .collect();
    outcomes::insert(&mut *transaction, stamp.run_id, outcomes, &counts).await?;
    Ok(counts)
}

/// Stores the items of a partner-wide collection that name no customer, unless the run has stored
/// such items of the dataset before.
pub(super) async fn record_strays(
    connection: &mut PgConnection,
    dataset: Dataset,
    strays: &[Rejection],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let strays: Vec<_> = strays.iter().map(|stray| (None, stray)).collect();
    rejections::insert(connection, dataset, &strays, stamp).await
}

fn row_counts(outcome: &CustomerOutcome, written: &Written) -> RowCounts {
    let rows = written.of(outcome.customer.id.as_uuid());
    let (received, rejected) = (outcome.received(), outcome.rejected());
    RowCounts {
        received,
        inserted: rows.inserted,
        updated: rows.updated,
        unchanged: received - rows.inserted - rows.updated - rejected,
        rejected,
    }
}
