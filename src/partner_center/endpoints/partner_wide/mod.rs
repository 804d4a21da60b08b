//! The partner-wide collections, from `GET /v1/analytics/commercial/usage/license/` and its sibling
//! for deployment: the items of all customers in one list of many pages. A few customers are named
//! in a filter; otherwise everything is fetched. The items wait in a spool until the collection is
//! complete, and are then decoded customer by customer.

mod fetch;
mod intake;
mod page;
mod pager;
mod spool;
mod wanted;

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, NaiveDate, Utc};

pub use wanted::WantedCustomers;

use crate::ledger::{Collection, CustomerId, DeploymentRow, Rejection, Row, UsageRow};
use crate::partner_center::decode::{self, RowDecoder};
use crate::partner_center::{ApiError, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;
use fetch::CollectionFetch;
use spool::{Spool, read_items};

/// Some customers in the order of their ids, each with its collection or the reason why it is
/// unusable.
pub type Bucket<R> = Vec<(CustomerId, Result<Collection<R>, ApiError>)>;

/// One dataset of all wanted customers, to be read bucket by bucket.
#[derive(Debug)]
pub struct PartnerWideCollection<R> {
    /// HTTP requests sent, retries included.
    pub attempts: u32,
    /// 200, or 204 if all pages were empty answers.
    pub http_status: u16,
    /// Items that the API sent: of wanted customers, of others, and without a customer.
    pub received: u64,
    /// Items of customers that are not wanted.
    pub unwanted: u64,
    /// An oddity of a collection that is nevertheless usable.
    pub note: Option<String>,
    unattributed: Vec<Rejection>,
    spool: Spool,
    buckets: std::ops::Range<usize>,
    row: RowDecoder<R>,
    now: DateTime<Utc>,
}

impl<R: Row> PartnerWideCollection<R> {
    /// Takes the items that name no customer.
    pub fn take_unattributed(&mut self) -> Vec<Rejection> {
        std::mem::take(&mut self.unattributed)
    }

    /// The next bucket: those of its customers that have items. `None` after the last bucket.
    /// [`WantedCustomers::bucket_of`] tells which customers a bucket is for, so that usage and
    /// deployment can be read in parallel.
    ///
    /// Blocks for a fraction of a second: it reads a file, and decodes up to some megabytes.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn next_bucket(&mut self) -> io::Result<Option<Bucket<R>>> {
        let Some(bucket) = self.buckets.next() else {
            return Ok(None);
        };
        let bucket = self.spool.load(bucket)?;
        let mut customers: BTreeMap<CustomerId, Vec<(u64, &str)>> = BTreeMap::new();
        for item in read_items(&bucket) {
            let item = item?;
            let items = customers.entry(item.customer).or_default();
            items.push((item.number, item.json));
        }
        let decode = |(customer, items)| {
            let collection = decode::decode_customer_items(items, customer, self.now, self.row);
            (customer, collection.map_err(ApiError::from))
        };
        Ok(Some(customers.into_iter().map(decode).collect()))
    }
}

impl Session {
    /// The licence usage of all wanted customers: that of `date`, or the newest of each service.
    ///
    /// # Errors
    /// The error of the first call that failed for good, with the number of HTTP requests sent; or
    /// that the collection is incomplete; or that the program is stopping.
    pub async fn fetch_partner_wide_usage(
        &self,
        wanted: &WantedCustomers,
        date: Option<NaiveDate>,
        shutdown: &Shutdown,
    ) -> Result<PartnerWideCollection<UsageRow>, RetryError<ApiError>> {
        let fetch = CollectionFetch::new(self, "usage", wanted, date, shutdown);
        fetch.run(decode::usage_row).await
    }

    /// The licence deployment of all wanted customers, as [`Session::fetch_partner_wide_usage`]
    /// fetches their usage.
    ///
    /// # Errors
    /// As there.
    pub async fn fetch_partner_wide_deployment(
        &self,
        wanted: &WantedCustomers,
        date: Option<NaiveDate>,
        shutdown: &Shutdown,
    ) -> Result<PartnerWideCollection<DeploymentRow>, RetryError<ApiError>> {
        let fetch = CollectionFetch::new(self, "deployment", wanted, date, shutdown);
        fetch.run(decode::deployment_row).await
    }
}

#[cfg(test)]
mod tests;
