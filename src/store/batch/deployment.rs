//! Stores deployment rows.

use sqlx::PgConnection;

use super::super::from_db;
use super::names::Names;
use super::written::{Stamp, Written};
use crate::ledger::{CustomerOutcome, Row as _};

/// Stores the deployment rows of a batch in the spelling of the ledger.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    names: &mut Names,
    outcomes: &[CustomerOutcome],
    stamp: Stamp,
) -> Result<Written, sqlx::Error> {
    let rows = || {
        outcomes.iter().flat_map(|outcome| {
            outcome
                .deployment
                .rows
                .iter()
                .map(|row| (outcome.id(), row))
        })
    };
    if rows().next().is_none() {
        return Ok(Written::new());
    }
    names
        .learn(connection, rows().map(|(_, row)| &row.key.product_name))
        .await?;
    let mut rows: Vec<_> = rows()
        .map(|(id, row)| {
            let product = names.spelling(&row.key.product_name);
            (row.key.processed_date_time, id.as_uuid(), product, row)
        })
        .collect();
    rows.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    macro_rules! column {
        ($of:expr) => {
            rows.iter().map($of).collect::<Vec<_>>()
        };
    }
    macro_rules! attribute {
        ($field:ident) => {
            column!(|row| row.3.attributes().$field.as_deref())
        };
    }
    let written = sqlx::query_file!(
        "src/store/batch/sql/upsert_deployment.sql",
        &column!(|row| row.1),
        &column!(|row| row.2) as _,
        &column!(|row| row.0),
        &attribute!(customer_name) as _,
        &attribute!(product_id) as _,
        &attribute!(service_name) as _,
        &attribute!(service_code) as _,
        &attribute!(channel) as _,
        &column!(|row| row.3.licenses_deployed),
        &column!(|row| row.3.licenses_sold),
        &column!(|row| row.3.deployment_percent) as _,
        stamp.now,
        stamp.run_id
    )
    .fetch_all(connection)
    .await?;
    let written = written.into_iter().map(|row| {
        (
            row.customer_id,
            (from_db(row.inserted), from_db(row.updated)),
        )
    });
    Ok(written.collect())
}
