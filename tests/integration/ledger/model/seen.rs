//! What the test records beside the ledger of what runs have stored, because the rows do not keep
//! it.

use chrono::{DateTime, Utc};
use seatledger::ledger::{CustomerOutcome, Row as _};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::runs::Ledger;
use super::sql;

impl Ledger {
    /// Records what a stored batch brought.
    pub(super) async fn see_batch(&self, run_id: i64, batch: &[CustomerOutcome]) {
        self.see(batch).await;
        let usage = batch.iter().flat_map(|outcome| &outcome.usage.rows);
        let workloads = usage.clone().map(|row| {
            let code = row.workload_code.as_deref();
            (
                "workload",
                code,
                &row.key.workload_name,
                row.processed_date_time(),
            )
        });
        let products = usage.map(|row| {
            let id = row.attributes().product_id.as_deref();
            (
                "product",
                id,
                &row.key.product_name,
                row.processed_date_time(),
            )
        });
        let deployment = batch.iter().flat_map(|outcome| &outcome.deployment.rows);
        let deployed = deployment.map(|row| {
            let id = row.attributes().product_id.as_deref();
            (
                "product",
                id,
                &row.key.product_name,
                row.processed_date_time(),
            )
        });
        let chained = products.chain(workloads).chain(deployed);
        let brought: Vec<_> = chained.filter(|(_, id, ..)| id.is_some()).collect();
        let kinds: Vec<&str> = brought.iter().map(|name| name.0).collect();
        let ids: Vec<Option<&str>> = brought.iter().map(|name| name.1).collect();
        let names: Vec<&str> = brought.iter().map(|name| name.2.as_str()).collect();
        let dates: Vec<DateTime<Utc>> = brought.iter().map(|name| name.3).collect();
        sqlx::query(AssertSqlSafe(sql("see_names")))
            .bind(&kinds)
            .bind(&ids)
            .bind(&names)
            .bind(&dates)
            .bind(run_id)
            .execute(&self.pool)
            .await
            .unwrap();
    }

    /// Records which collections and dates are in the ledger since the last call: from the outcomes
    /// of this batch on or, for rows of another writer, since they say that they were stored.
    pub(super) async fn see(&self, batch: &[CustomerOutcome]) {
        let customers: Vec<Uuid> = batch.iter().map(|o| o.id().as_uuid()).collect();
        let moments: Vec<DateTime<Utc>> = batch.iter().map(|o| o.finished_at).collect();
        for statement in ["see_usage", "see_deployment"] {
            sqlx::query(AssertSqlSafe(sql(statement)))
                .bind(&customers)
                .bind(&moments)
                .execute(&self.pool)
                .await
                .unwrap();
        }
    }
}
