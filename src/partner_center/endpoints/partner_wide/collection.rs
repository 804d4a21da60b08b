//! A fetched collection, which is decoded bucket by bucket.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::spool::{Spool, read_items};
use crate::ledger::{CallIds, Collection, CustomerId, Rejection, Row};
use crate::partner_center::ApiError;
use crate::partner_center::decode::{self, RowDecoder};

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
    /// The last call.
    pub call: Option<CallIds>,
    /// Items that the API sent: of wanted customers, of others, and without a customer.
    pub received: u64,
    /// Items of customers that are not wanted.
    pub unwanted: u64,
    /// An oddity of a collection that is nevertheless usable.
    pub note: Option<String>,
    pub(super) unattributed: Vec<Rejection>,
    pub(super) spool: Spool,
    pub(super) buckets: Range<usize>,
    pub(super) row: RowDecoder<R>,
    pub(super) now: DateTime<Utc>,
}

impl<R: Row> PartnerWideCollection<R> {
    /// Takes the items that name no customer.
    pub fn take_unattributed(&mut self) -> Vec<Rejection> {
        std::mem::take(&mut self.unattributed)
    }

    /// The next bucket: those of its customers that have items. `None` after the last bucket.
    /// [`super::WantedCustomers::bucket_of`] tells which customers a bucket is for, so that usage
    /// and deployment can be read in parallel.
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
