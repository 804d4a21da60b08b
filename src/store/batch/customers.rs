//! Stores what is known of each customer.

use sqlx::PgConnection;

use super::outcomes::printable;
use super::written::Stamp;
use crate::ledger::{CustomerOutcome, Row};

pub(super) async fn upsert(
    connection: &mut PgConnection,
    outcomes: &[CustomerOutcome],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    let mut sorted: Vec<&CustomerOutcome> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| outcome.customer.id);
    macro_rules! column {
        ($of:expr) => {
            sorted.iter().map($of).collect::<Vec<_>>()
        };
    }
    let failed = |outcome: &CustomerOutcome| outcome.failure.is_some();
    sqlx::query_file!(
        "src/store/batch/sql/upsert_customers.sql",
        &column!(|o| o.customer.id.as_uuid()),
        &column!(|o| newest_name(o)) as _,
        &column!(|o| o.customer.domain.as_deref()) as _,
        &column!(|o| (!failed(o)).then_some(o.finished_at)) as _,
        &column!(|o| o
            .usage
            .rows
            .iter()
            .map(|row| row.key.processed_date_time)
            .max()) as _,
        &column!(|o| failed(o).then_some(o.finished_at)) as _,
        &column!(|o| o.failure.as_ref().map(|f| f.reason.as_str())) as _,
        &column!(|o| o.failure.as_ref().map(|f| printable(&f.detail))) as _,
        stamp.now,
        stamp.run_id
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The list of customers knows the name best; else the newest row that has one.
fn newest_name(outcome: &CustomerOutcome) -> Option<&str> {
    fn newest<R: Row>(rows: &[R]) -> Option<&str> {
        rows.iter()
            .filter_map(|row| {
                Some((
                    row.processed_date_time(),
                    row.attributes().customer_name.as_deref()?,
                ))
            })
            .max_by_key(|(date, _)| *date)
            .map(|(_, name)| name)
    }
    let name = outcome.customer.name.as_deref();
    name.or_else(|| newest(&outcome.usage.rows))
        .or_else(|| newest(&outcome.deployment.rows))
}
