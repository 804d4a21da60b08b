//! Compares every view, and what is kept beside the ledger, with its definition in the model.

use std::fmt::Write as _;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use sqlx::{AssertSqlSafe, Connection as _};

use super::sql;

/// Rows of a difference that are shown.
const SHOWN: usize = 6;

/// The definitions, in an order in which each uses only those before it.
const MODELS: [&str; 42] = [
    "base/usage",
    "base/deployment",
    "base/reach",
    "base/calendar",
    "base/success",
    "base/latest",
    "base/latest_deployment",
    "base/in_force",
    "base/kind",
    "base/held",
    "base/rename",
    "usage/license_usage_latest",
    "usage/license_usage_monthly",
    "usage/license_usage_total",
    "usage/license_usage_change",
    "usage/license_usage_restatement",
    "usage/license_deployment_restatement",
    "usage/license_deployment_latest",
    "usage/license_usage_series",
    "usage/license_seats",
    "products/license_usage_current",
    "products/license_product",
    "products/license_waste",
    "products/license_product_monthly",
    "products/license_waste_monthly",
    "products/license_growth",
    "products/product_rename_suspect",
    "products/license_holding",
    "products/license_adoption",
    "days/license_usage_daily",
    "days/license_usage_daily_total",
    "days/data_completeness",
    "days/date_dimension",
    "customers/customer_freshness",
    "customers/customer_lifecycle",
    "customers/coverage",
    "customers/product_name_history",
    "customers/workload_name_history",
    "kept/license_usage_collection",
    "kept/service_date",
    "kept/license_usage_day_total",
    "kept/license_usage_month",
];

/// The comparisons, with the connection that has the definitions' tables.
pub(super) struct Checks {
    connection: PoolConnection<Postgres>,
    models: Vec<Model>,
}

struct Model {
    view: &'static str,
    /// Fills the definition's table. Those that follow read it.
    define: String,
    /// Gives the rows that differ. None for what only other definitions use.
    compare: Option<String>,
}

impl Checks {
    /// For a database that has the model's schema.
    pub(super) async fn new(pool: &PgPool) -> Self {
        let mut connection = pool.acquire().await.unwrap();
        let mut models = Vec::new();
        for path in MODELS {
            let (folder, view) = path.split_once('/').unwrap();
            let definition = sql(path);
            let create = format!(
                "create temporary table model_{view} on commit delete rows as {definition}
                 with no data"
            );
            sqlx::raw_sql(AssertSqlSafe(create))
                .execute(&mut *connection)
                .await
                .unwrap_or_else(|error| panic!("the model of {view}: {error}"));
            let columns = match folder {
                "base" => None,
                // Of a table that is kept, some columns follow from no definition, such as digests.
                "kept" => Some(columns(&mut connection, &format!("model_{view}")).await),
                _ => Some(columns(&mut connection, view).await),
            };
            models.push(Model {
                view,
                define: format!("insert into model_{view} {definition}"),
                compare: columns.map(|columns| comparison(view, &columns)),
            });
        }
        let undefined: Vec<String> = sqlx::query_scalar(
            "select relname::text from pg_class
             where relkind = 'v'
                 and relnamespace = current_schema()::regnamespace
                 and obj_description(oid, 'pg_class') not like 'Inner view: %'
                 and relname <> all($1)",
        )
        .bind(models.iter().map(|model| model.view).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        assert_eq!(
            undefined, [""; 0],
            "each view has a definition in the model"
        );
        Self { connection, models }
    }

    /// # Errors
    /// With the first view that differs, and the first rows that do.
    pub(super) async fn compare(&mut self) -> Result<(), String> {
        let mut transaction = self.connection.begin().await.unwrap();
        for model in &self.models {
            let view = model.view;
            sqlx::query(AssertSqlSafe(model.define.clone()))
                .execute(&mut *transaction)
                .await
                .unwrap_or_else(|error| panic!("the model of {view}: {error}"));
            let Some(compare) = &model.compare else {
                continue;
            };
            let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(compare.clone()))
                .fetch_all(&mut *transaction)
                .await
                .unwrap_or_else(|error| panic!("{view}: {error}"));
            if !rows.is_empty() {
                let mut text = format!("{view} differs from its definition:");
                for row in rows {
                    write!(text, "\n  {row}").unwrap();
                }
                return Err(text);
            }
        }
        transaction.commit().await.unwrap();
        Ok(())
    }
}

/// The names of the columns to compare, and the columns. Ratios are compared to nine digits: the
/// order of a sum's terms is not defined.
async fn columns(connection: &mut PoolConnection<Postgres>, relation: &str) -> (String, String) {
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select quote_ident(attname),
             case when atttypid in ('float8'::regtype, 'numeric'::regtype)
                 then format('round(%I::numeric, 9) as %1$I', attname)
                 else quote_ident(attname) end
         from pg_attribute where attrelid = $1::regclass and attnum > 0 order by attnum",
    )
    .bind(relation)
    .fetch_all(&mut **connection)
    .await
    .unwrap();
    let (names, values): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    (names.join(", "), values.join(", "))
}

/// A statement whose rows are in the view or in the model more often than in the other.
fn comparison(view: &str, (names, columns): &(String, String)) -> String {
    format!(
        "select case when surplus > 0 then 'only the view: ' else 'only the definition: ' end
             || to_json(d)::text
         from (
             select {names}, sum(surplus) as surplus
             from (
                 select {columns}, 1 as surplus from {view}
                 union all
                 select {columns}, -1 from model_{view}
             ) as both_sides
             group by {names}
             having sum(surplus) <> 0
         ) as d
         order by to_json(d)::text
         limit {SHOWN}"
    )
}
