//! Computes the figures over a connection of its own, so that nothing else waits for it.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use super::{Figures, FrontTable, completeness, seats, workloads};
use crate::store::attention::select_attention;
use crate::store::detail::load_renamed;
use crate::store::error::StoreError;
use crate::store::pool::Store;
use crate::store::transaction::begin_figures;

/// How long it may take: for 5,000 customers 20 times as long as needed. Without a bound, a slow
/// server would compute all the time.
pub(super) const TIMEOUT: Duration = Duration::from_mins(5);

const OPERATION: &str = "computing the figures of the front page";

/// How many customers that need a person are shown.
const ATTENTION: i64 = 20;

impl Store {
    /// Computes the figures, all of them from one snapshot of the ledger.
    ///
    /// # Errors
    /// When Postgres is away or refuses, takes longer than 5 minutes, or has no tables yet.
    pub async fn load_figures(&self, now: DateTime<Utc>) -> Result<Figures, StoreError> {
        let loading = async {
            let mut connection = self.connect().await?;
            let figures = select(&mut connection, now).await;
            let figures = figures.map_err(StoreError::during(OPERATION))?;
            let _closed = connection.close().await;
            Ok(figures)
        };
        // Boxed, because every future that contains this large one would become as large.
        let late = |_| StoreError::TimedOut {
            operation: OPERATION.into(),
        };
        timeout(TIMEOUT, Box::pin(loading)).await.map_err(late)?
    }
}

async fn select(connection: &mut PgConnection, now: DateTime<Utc>) -> Result<Figures, sqlx::Error> {
    let mut transaction = begin_figures(connection).await?;
    let connection = &mut *transaction;
    let mut figures = Figures {
        as_of: now,
        newest_date: select_newest_date(connection).await?,
        attention: select_attention(connection, ATTENTION).await?,
        ..Figures::default()
    };
    // Without usage there is nothing more to ask for.
    if let Some(newest) = figures.newest_date {
        let suspects = FrontTable::RenameSuspects.query(&figures);
        figures.rename_suspects = suspects.all(connection).await?;
        if !figures.rename_suspects.is_empty() {
            figures.renamed = load_renamed(connection).await?;
        }
        (figures.tiles, figures.waste_total) = seats::select(connection, newest).await?;
        figures.workloads = workloads::select(connection, &figures).await?;
        figures.completeness = completeness::select(connection, &figures).await?;
        figures.movers = FrontTable::Movers.query(&figures).all(connection).await?;
        figures.waste = FrontTable::Waste.query(&figures).all(connection).await?;
        let events = FrontTable::ProductEvents.query(&figures);
        figures.product_events = events.all(connection).await?;
    }
    transaction.rollback().await?;
    Ok(figures)
}

async fn select_newest_date(
    connection: &mut PgConnection,
) -> Result<Option<NaiveDate>, sqlx::Error> {
    sqlx::query_scalar!("select max(last_processed_date) from customer_freshness")
        .fetch_one(connection)
        .await
}
