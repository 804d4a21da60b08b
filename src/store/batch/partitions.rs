//! The partitions of the ledger that a run's rows go to. A run stores new rows in the partition
//! itself, where the ledger's triggers for other writers do not slow COPY down.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::postgres::types::Oid;

/// The partitions as they were last looked up, and so once a run and not once a batch.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    /// A default partition is the last one.
    known: Vec<Partition>,
    /// Whether one was created.
    pub(super) has_new: bool,
}

#[derive(Debug)]
struct Partition {
    id: Oid,
    /// As SQL writes it.
    name: String,
    /// The first moment, if there is a bound.
    first_date: Option<DateTime<Utc>>,
    /// The moment after the last one, if there is a bound.
    date_after: Option<DateTime<Utc>>,
}

impl Partitions {
    /// Makes sure that rows of these dates have a partition. Call it in the transaction that stores
    /// the rows, after a statement that reads the ledger: the lock of that statement keeps the
    /// partitions from being detached before the rows are committed.
    pub(super) async fn cover(
        &mut self,
        connection: &mut PgConnection,
        dates: &BTreeSet<DateTime<Utc>>,
    ) -> Result<(), sqlx::Error> {
        let known: Option<BTreeSet<u32>> = dates
            .iter()
            .map(|date| self.find(*date).map(|partition| partition.id.0))
            .collect();
        if let Some(known) = known
            && are_attached(connection, known).await?
        {
            return Ok(());
        }
        let dates: Vec<DateTime<Utc>> = dates.iter().copied().collect();
        let added = sqlx::query_scalar!(
            r#"select add_license_usage_partitions($1) as "added!""#,
            &dates
        )
        .fetch_one(&mut *connection)
        .await?;
        self.has_new |= added > 0;
        self.known = sqlx::query_as!(
            Partition,
            r#"
            select
                id as "id!",
                name as "name!",
                first_date,
                date_after
            from license_usage_partitions()
            order by first_date is null and date_after is null
            "#
        )
        .fetch_all(connection)
        .await?;
        Ok(())
    }

    /// The partition of a date that [`Partitions::cover`] was given, as SQL writes its name.
    pub(super) fn name(&self, date: DateTime<Utc>) -> &str {
        // The ledger itself refuses a row that has no partition, and says so.
        self.find(date)
            .map_or("license_usage", |partition| &partition.name)
    }

    fn find(&self, date: DateTime<Utc>) -> Option<&Partition> {
        self.known.iter().find(|partition| {
            partition.first_date.is_none_or(|first| first <= date)
                && partition.date_after.is_none_or(|after| date < after)
        })
    }
}

/// Whether all of these are still partitions: an operator may have detached some since.
async fn are_attached(
    connection: &mut PgConnection,
    partitions: BTreeSet<u32>,
) -> Result<bool, sqlx::Error> {
    let ids: Vec<Oid> = partitions.into_iter().map(Oid).collect();
    sqlx::query_scalar!(
        r#"
        select count(*) = cardinality($1::oid[]) as "attached!"
        from pg_inherits
        where inhrelid = any($1)
            and inhparent = 'license_usage'::regclass
            and not inhdetachpending
        "#,
        &ids
    )
    .fetch_one(connection)
    .await
}
