//! What `verify` reads: which customers there are to ask for, and the stored rows of the dates that
//! the API gives. Only reads.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::{NameCache, NewName};
use super::error::StoreError;
use super::pool::Store;
use crate::ledger::{
    Attributes, CustomerId, CustomerOutcome, Dataset, DeploymentRow, Name, Row, UsageRow,
};

/// A row of either dataset, with its names as the ledger spells them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ComparedRow {
    pub(crate) dataset: Dataset,
    pub(crate) processed_date_time: DateTime<Utc>,
    pub(crate) product_name: String,
    /// None for deployment.
    pub(crate) workload_name: Option<String>,
    pub(crate) workload_code: Option<String>,
    pub(crate) attributes: Attributes,
    /// Active seats of usage, deployed seats of deployment.
    pub(crate) used: i64,
    /// Qualified seats of usage, sold seats of deployment.
    pub(crate) total: i64,
    pub(crate) percent: Option<f64>,
}

/// A customer's rows as the API gives them, and those of the ledger of the same dates.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct BothSides {
    pub(crate) customer: CustomerId,
    pub(crate) api: Vec<ComparedRow>,
    pub(crate) ledger: Vec<ComparedRow>,
}

impl ComparedRow {
    /// What one collection of a customer has: rows of one dataset, date and service. The service is
    /// what `license_service()` makes of it.
    pub(crate) fn collection(&self) -> (Dataset, DateTime<Utc>, String) {
        let service = self.attributes.service_code.as_deref();
        let service = service.or(self.attributes.service_name.as_deref());
        let service = service.unwrap_or_default().to_lowercase();
        (self.dataset, self.processed_date_time, service)
    }

    /// The primary key within a customer and dataset.
    pub(crate) fn key(&self) -> (Dataset, DateTime<Utc>, &str, Option<&str>) {
        let product = self.product_name.as_str();
        let workload = self.workload_name.as_deref();
        (self.dataset, self.processed_date_time, product, workload)
    }

    fn of_usage(row: &UsageRow, names: &NameCache) -> Self {
        let product = names.spelling(&row.key.product_name, row.attributes.product());
        let workload = names.spelling(&row.key.workload_name, None);
        Self {
            dataset: Dataset::Usage,
            processed_date_time: row.processed_date_time(),
            product_name: product.to_owned(),
            workload_name: Some(workload.to_owned()),
            workload_code: row.workload_code.as_ref().map(ToString::to_string),
            attributes: row.attributes.clone(),
            used: row.licenses_active,
            total: row.licenses_qualified,
            percent: row.usage_percent,
        }
    }

    fn of_deployment(row: &DeploymentRow, names: &NameCache) -> Self {
        let product = names.spelling(&row.key.product_name, row.attributes.product());
        Self {
            dataset: Dataset::Deployment,
            processed_date_time: row.processed_date_time(),
            product_name: product.to_owned(),
            workload_name: None,
            workload_code: None,
            attributes: row.attributes.clone(),
            used: row.licenses_deployed,
            total: row.licenses_sold,
            percent: row.deployment_percent,
        }
    }
}

/// A stored row with its customer.
#[derive(Debug)]
struct StoredRow {
    customer_id: Uuid,
    dataset: String,
    processed_date_time: DateTime<Utc>,
    product_name: String,
    workload_name: Option<String>,
    workload_code: Option<String>,
    customer_name: Option<String>,
    product_id: Option<String>,
    service_name: Option<String>,
    service_code: Option<String>,
    channel: Option<String>,
    used: i64,
    total: i64,
    percent: Option<f64>,
    first_synced_at: DateTime<Utc>,
}

impl StoredRow {
    /// A product that was renamed between two runs that got one date has rows of both names; the
    /// earlier ones stay in the ledger and count nowhere.
    fn replaces(&self, earlier: &Self) -> bool {
        let workload = |row: &Self| row.workload_code.clone().or(row.workload_name.clone());
        self.first_synced_at > earlier.first_synced_at
            && self.product_id.is_some()
            && self.product_id == earlier.product_id
            && self.dataset == earlier.dataset
            && self.processed_date_time == earlier.processed_date_time
            && workload(self) == workload(earlier)
    }
}

impl From<&StoredRow> for ComparedRow {
    fn from(row: &StoredRow) -> Self {
        let compact = |text: &Option<String>| text.as_deref().map(Into::into);
        Self {
            dataset: if row.dataset == Dataset::Usage.as_str() {
                Dataset::Usage
            } else {
                Dataset::Deployment
            },
            processed_date_time: row.processed_date_time,
            product_name: row.product_name.clone(),
            workload_name: row.workload_name.clone(),
            workload_code: row.workload_code.clone(),
            attributes: Attributes {
                customer_name: compact(&row.customer_name),
                product_id: compact(&row.product_id),
                service_name: compact(&row.service_name),
                service_code: compact(&row.service_code),
                channel: compact(&row.channel),
            },
            used: row.used,
            total: row.total,
            percent: row.percent,
        }
    }
}

impl Store {
    /// Customers that the ledger has rows of and that are not gone, in random order; at most
    /// `limit`, if one is given.
    ///
    /// # Errors
    /// When Postgres is away or refuses, for example because there are no tables yet.
    pub(crate) async fn load_sample(
        &self,
        excluded: &HashSet<CustomerId>,
        limit: Option<i64>,
    ) -> Result<Vec<CustomerId>, StoreError> {
        let excluded: Vec<Uuid> = excluded.iter().map(|id| id.as_uuid()).collect();
        let query = sqlx::query_scalar!(
            "
            select customer_id
            from customer as c
            where gone_since is null
                and customer_id <> all($1)
                and (
                    last_processed_date_time is not null
                    or exists (
                        select
                        from license_deployment as d
                        where d.customer_id = c.customer_id
                    )
                )
            order by random()
            limit $2
            ",
            &excluded,
            limit
        );
        let ids = self
            .read("choosing customers", async |connection| {
                query.fetch_all(connection).await
            })
            .await?;
        Ok(ids.into_iter().map(CustomerId::from).collect())
    }

    /// What the API gave for each customer, and what the ledger has of the same dates, without rows
    /// that others have replaced.
    ///
    /// # Errors
    /// When Postgres is away or refuses.
    pub(crate) async fn load_both_sides(
        &self,
        outcomes: &[CustomerOutcome],
    ) -> Result<Vec<BothSides>, StoreError> {
        self.read("reading the rows to compare", async |connection| {
            let mut names = NameCache::default();
            // A name that is new to the ledger may not be stored by a transaction that only reads.
            names
                .learn(&mut *connection, names_of(outcomes), NewName::Foreseen)
                .await?;
            let stored = load_stored(connection, outcomes).await?;
            let sides = outcomes.iter().map(|outcome| {
                let usage = outcome.usage.rows.iter();
                let deployment = outcome.deployment.rows.iter();
                let own: Vec<&StoredRow> = stored
                    .iter()
                    .filter(|row| row.customer_id == outcome.id().as_uuid())
                    .collect();
                let counts = |row: &&&StoredRow| !own.iter().any(|other| other.replaces(row));
                BothSides {
                    customer: outcome.id(),
                    api: usage
                        .map(|row| ComparedRow::of_usage(row, &names))
                        .chain(deployment.map(|row| ComparedRow::of_deployment(row, &names)))
                        .collect(),
                    ledger: own
                        .iter()
                        .filter(counts)
                        .map(|row| ComparedRow::from(*row))
                        .collect(),
                }
            });
            Ok(sides.collect())
        })
        .await
    }
}

/// The names of products, each with its id if it has one, and of workloads.
fn names_of(outcomes: &[CustomerOutcome]) -> impl Iterator<Item = (&Name, Option<&str>)> {
    let usage = outcomes.iter().flat_map(|outcome| &outcome.usage.rows);
    let usage = usage.flat_map(|row| {
        let product = (&row.key.product_name, row.attributes.product());
        [product, (&row.key.workload_name, None)]
    });
    let deployment = outcomes.iter().flat_map(|outcome| &outcome.deployment.rows);
    usage.chain(deployment.map(|row| (&row.key.product_name, row.attributes.product())))
}

/// The stored rows of these customers, of the dates of any of them.
async fn load_stored(
    connection: &mut PgConnection,
    outcomes: &[CustomerOutcome],
) -> Result<Vec<StoredRow>, sqlx::Error> {
    fn times<'a, R: Row + 'a>(rows: impl Iterator<Item = &'a R>) -> Vec<DateTime<Utc>> {
        let times: HashSet<DateTime<Utc>> = rows.map(R::processed_date_time).collect();
        times.into_iter().collect()
    }
    let customers: Vec<Uuid> = outcomes.iter().map(|o| o.id().as_uuid()).collect();
    let usage_times = times(outcomes.iter().flat_map(|o| &o.usage.rows));
    let deployment_times = times(outcomes.iter().flat_map(|o| &o.deployment.rows));
    sqlx::query_as!(
        StoredRow,
        r#"
        select
            customer_id as "customer_id!",
            'usage' as "dataset!",
            processed_date_time as "processed_date_time!",
            product_name as "product_name!",
            workload_name,
            workload_code,
            customer_name,
            product_id,
            service_name,
            service_code,
            channel,
            licenses_active as "used!",
            licenses_qualified as "total!",
            usage_percent as percent,
            first_synced_at as "first_synced_at!"
        from license_usage
        where customer_id = any($1)
            and processed_date_time = any($2)
        union all
        select
            customer_id,
            'deployment',
            processed_date_time,
            product_name,
            null,
            null,
            customer_name,
            product_id,
            service_name,
            service_code,
            channel,
            licenses_deployed,
            licenses_sold,
            deployment_percent,
            first_synced_at
        from license_deployment
        where customer_id = any($1)
            and processed_date_time = any($3)
        "#,
        &customers,
        &usage_times,
        &deployment_times
    )
    .fetch_all(connection)
    .await
}
