//! Stores what became of customers: rows, rejections and outcomes, several customers in one
//! transaction, each whole or not at all.

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

use std::future::ready;

use sqlx::{Connection as _, PgConnection};

use crate::ledger::{CustomerOutcome, Dataset, Rejection, RowCounts};
use names::Names;
use newest::SeriesSets;
use partitions::Partitions;
pub(super) use written::Stamp;
use written::Written;

/// What a run's connection knows of the ledger, so that each thing is looked up once a run.
#[derive(Debug, Default)]
pub(super) struct Cache {
    names: Names,
    partitions: Partitions,
    sets: SeriesSets,
}

/// Stores all of `outcomes` or none. No customer may be among them twice.
/// Returns what became of the rows, in the order of `outcomes`.
pub(super) async fn record(
    connection: &mut PgConnection,
    cache: &mut Cache,
    outcomes: &[CustomerOutcome],
    stamp: Stamp,
) -> Result<Vec<RowCounts>, sqlx::Error> {
    let Cache {
        names,
        partitions,
        sets,
    } = cache;
    let mut transaction = connection.begin().await?;
    let customers = customers::upsert(&mut transaction, outcomes, stamp);
    let mut customers = Box::pin(customers);
    // Sent first, so that Postgres is at work while the rows are put in order.
    let done = tokio::select! {
        biased;
        done = &mut customers => Some(done),
        () = ready(()) => None,
    };
    let (mut spelt, are_known) = usage::spell(names, outcomes);
    let mut dated = digest::dated(&spelt);
    match done {
        Some(done) => drop((customers, done?)),
        None => customers.await?,
    }
    if !are_known {
        usage::learn_names(&mut transaction, names, outcomes).await?;
        (spelt, _) = usage::spell(names, outcomes);
        dated = digest::dated(&spelt);
    }
    let stored = usage::upsert(&mut transaction, partitions, sets, &dated, stamp);
    let mut written = Box::pin(stored).await?;
    let rows = outcomes.iter().flat_map(|outcome| &outcome.usage.rows);
    names
        .record_ids(&mut transaction, stamp.run_id, rows)
        .await?;
    let deployed = deployment::upsert(&mut transaction, names, outcomes, stamp).await?;
    for (id, (inserted, updated)) in deployed {
        let sums = written.entry(id).or_default();
        sums.0 += inserted;
        sums.1 += updated;
    }
    let counts: Vec<RowCounts> = outcomes
        .iter()
        .map(|outcome| row_counts(outcome, &written))
        .collect();
    for (dataset, rejected) in rejections::of(outcomes) {
        rejections::insert(&mut transaction, dataset, &rejected, stamp).await?;
    }
    outcomes::insert(&mut transaction, stamp.run_id, outcomes, &counts).await?;
    transaction.commit().await?;
    Ok(counts)
}

/// Keeps the items of a partner-wide collection that name no customer.
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
    let id = outcome.customer.id.as_uuid();
    let (inserted, updated) = written.get(&id).copied().unwrap_or_default();
    let (received, rejected) = (outcome.received(), outcome.rejected());
    RowCounts {
        received,
        inserted,
        updated,
        unchanged: received - inserted - updated - rejected,
        rejected,
    }
}
