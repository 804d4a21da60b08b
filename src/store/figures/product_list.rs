//! The list of products. Kept as the figures are, because the seats of all customers take longer to
//! add up than a page may wait.

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use sqlx::{Connection as _, FromRow};
use tokio::time::timeout;

use super::load::TIMEOUT;
use crate::store::error::StoreError;
use crate::store::pool::Store;
use crate::store::transaction::begin_figures;

const OPERATION: &str = "reading the products";

/// Every product that a customer has or had, those of most seats first; at most 1,000.
#[derive(Debug, Clone, Default)]
pub(crate) struct ProductList {
    /// When it was read.
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) products: Vec<ProductLine>,
}

/// A product over all customers.
#[derive(Debug, Clone, Serialize, FromRow)]
pub(crate) struct ProductLine {
    /// Its present name.
    pub(crate) product_name: String,
    /// `paid`, `free` or `trial`.
    pub(crate) product_kind: String,
    /// Customers that have it now.
    pub(crate) customers: i64,
    /// Seats sold, or qualified ones where none are known to be sold; none if no customer has it.
    pub(crate) seats: Option<i64>,
    /// Active seats of each customer's most used workload.
    pub(crate) active: Option<i64>,
    pub(crate) unused: Option<i64>,
    pub(crate) active_ratio: Option<f64>,
    pub(crate) first_date: Option<NaiveDate>,
    pub(crate) last_date: Option<NaiveDate>,
    /// Its names before, with commas between.
    pub(crate) renamed_from: Option<String>,
}

impl ProductList {
    /// The query behind it.
    pub(crate) const SQL: &str = include_str!("sql/products.sql");

    /// The columns of [`ProductLine`] in their order.
    pub(crate) const COLUMNS: [&str; 10] = [
        "product_name",
        "product_kind",
        "customers",
        "seats",
        "active",
        "unused",
        "active_ratio",
        "first_date",
        "last_date",
        "renamed_from",
    ];
}

impl Store {
    /// Reads the list of products.
    ///
    /// # Errors
    /// When Postgres is away or refuses, takes longer than 5 minutes, or has no tables yet.
    pub(crate) async fn load_products(
        &self,
        now: DateTime<Utc>,
    ) -> Result<ProductList, StoreError> {
        let loading = async {
            let mut connection = self.connect().await?;
            let read = async {
                let mut transaction = begin_figures(&mut connection).await?;
                let products = sqlx::query_as(ProductList::SQL);
                let products = products.fetch_all(&mut *transaction).await?;
                transaction.rollback().await?;
                Ok(products)
            };
            let products = read.await.map_err(StoreError::during(OPERATION))?;
            let _closed = connection.close().await;
            let as_of = now;
            Ok(ProductList { as_of, products })
        };
        let late = |_| StoreError::TimedOut {
            operation: OPERATION.into(),
        };
        timeout(TIMEOUT, Box::pin(loading)).await.map_err(late)?
    }
}
