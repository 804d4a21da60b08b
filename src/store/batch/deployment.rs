//! Stores deployment rows.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::pool::from_db;
use super::digest::ByCustomer;
use super::names::{NameCache, NewName};
use super::written::{Stamp, Written, WrittenRows};
use crate::ledger::{CustomerOutcome, DeploymentRow};

/// A deployment row with its customer, and with the product's name as the ledger spells it.
struct DeploymentLedgerRow<'a> {
    at: DateTime<Utc>,
    customer: Uuid,
    product: &'a str,
    deployment: &'a DeploymentRow,
    /// When it was fetched.
    seen_at: DateTime<Utc>,
}

/// Stores the deployment rows of a batch and adds to `written` what it has written.
pub(super) async fn upsert(
    connection: &mut PgConnection,
    names: &mut NameCache,
    outcomes: &[CustomerOutcome],
    stamp: Stamp,
    written: &mut Written,
) -> Result<(), sqlx::Error> {
    let deployment = outcomes.iter().flat_map(|outcome| &outcome.deployment.rows);
    let products = deployment.map(|row| (&row.key.product_name, row.attributes.product()));
    names.learn(connection, products, NewName::Stored).await?;
    let rows = spell(names, outcomes);
    if rows.is_empty() {
        return Ok(());
    }
    macro_rules! column {
        ($value:expr) => {
            rows.iter().map($value).collect::<Vec<_>>()
        };
    }
    let wanted = ByCustomer::new(rows.iter().map(|row| (row.customer, row.at)));
    let changed = sqlx::query_file!(
        "src/store/batch/sql/upsert_deployment.sql",
        &column!(|row| row.customer),
        &column!(|row| row.product) as _,
        &column!(|row| row.at),
        &column!(|row| row.deployment.attributes.customer_name.as_deref()) as _,
        &column!(|row| row.deployment.attributes.product_id.as_deref()) as _,
        &column!(|row| row.deployment.attributes.service_name.as_deref()) as _,
        &column!(|row| row.deployment.attributes.service_code.as_deref()) as _,
        &column!(|row| row.deployment.attributes.channel.as_deref()) as _,
        &column!(|row| row.deployment.licenses_deployed),
        &column!(|row| row.deployment.licenses_sold),
        &column!(|row| row.deployment.deployment_percent) as _,
        stamp.now,
        stamp.run_id,
        &column!(|row| row.seen_at),
        &wanted.customers,
        &wanted.values
    )
    .fetch_all(&mut *connection)
    .await?;
    if changed.iter().any(|row| row.has_left_a_service) {
        sqlx::query!(
            r#"select collect_license_deployment_dates($1) as "done: ()""#,
            &column!(|row| row.at.date_naive())
        )
        .execute(connection)
        .await?;
    }
    for row in changed {
        let inserted = from_db(row.inserted);
        let updated = from_db(row.updated);
        written.add(row.customer_id, WrittenRows { inserted, updated });
    }
    Ok(())
}

/// The deployment rows of a batch with the ledger's spelling of their names, by primary key.
fn spell<'a>(
    names: &'a NameCache,
    outcomes: &'a [CustomerOutcome],
) -> Vec<DeploymentLedgerRow<'a>> {
    let of_customer = |outcome: &'a CustomerOutcome| {
        let customer = outcome.id().as_uuid();
        let rows = outcome.deployment.rows.iter();
        rows.map(move |deployment| DeploymentLedgerRow {
            at: deployment.key.processed_date_time,
            customer,
            product: names.spelling(
                &deployment.key.product_name,
                deployment.attributes.product(),
            ),
            deployment,
            seen_at: outcome.finished_at,
        })
    };
    let mut rows: Vec<_> = outcomes.iter().flat_map(of_customer).collect();
    rows.sort_by_key(|row| (row.at, row.customer, row.product));
    rows
}
