//! Stores what a run has learned about each customer itself: name, domain, last success and last
//! failure.

use sqlx::PgConnection;

use super::outcomes::without_nul;
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
        ($value:expr) => {
            sorted.iter().map($value).collect::<Vec<_>>()
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
        &column!(|o| is_refusal(o)) as _,
        &column!(|o| o.failure.as_ref().map(|f| without_nul(&f.detail))) as _,
        stamp.now,
        stamp.run_id
    )
    .execute(connection)
    .await
    .map(drop)
}

fn is_refusal(outcome: &CustomerOutcome) -> Option<bool> {
    let failure = outcome.failure.as_ref();
    failure.map(|failure| failure.reason.is_refusal(outcome.http_status))
}

/// The name in the partner's list of customers; else that of the newest row with a customer name.
fn newest_name(outcome: &CustomerOutcome) -> Option<&str> {
    fn newest<R: Row>(rows: &[R]) -> Option<&str> {
        rows.iter()
            .filter_map(|row| {
                let name = row.attributes().customer_name.as_deref()?;
                Some((row.processed_date_time(), name))
            })
            .max_by_key(|(date, _)| *date)
            .map(|(_, name)| name)
    }
    let name = outcome.customer.name.as_deref();
    name.or_else(|| newest(&outcome.usage.rows))
        .or_else(|| newest(&outcome.deployment.rows))
}
