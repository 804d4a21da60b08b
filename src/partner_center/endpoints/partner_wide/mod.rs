//! The partner-wide collections, from `GET /v1/analytics/commercial/usage/license/` and its sibling
//! for deployment: the rows of all customers in one list of many pages. Everything is asked for
//! where most customers are wanted, and single customers where they are few; either way what comes
//! waits in a spool until it is whole, and is given out customer by customer.

mod gathered;
mod page;
mod reader;
mod spool;
mod walk;
mod wanted;

use std::collections::BTreeMap;
use std::io;

use chrono::{DateTime, NaiveDate, Utc};

pub use wanted::Wanted;

use crate::ledger::{Collection, CustomerId, DeploymentRow, Rejection, Row, UsageRow};
use crate::partner_center::decode::{self, RowDecoder};
use crate::partner_center::{ApiError, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;
use reader::Reader;
use spool::{Spool, read_items};

/// Some customers, sorted, each with its whole collection, or why it has none that could be kept.
pub type Share<R> = Vec<(CustomerId, Result<Collection<R>, ApiError>)>;

/// One dataset of all wanted customers, to be taken share by share.
#[derive(Debug)]
pub struct Commercial<R> {
    /// HTTP tries over all calls.
    pub attempts: u32,
    /// 200, or 204 for nothing at all.
    pub http_status: u16,
    /// Answers with a page, those included that were fetched in vain.
    pub pages: u32,
    /// Items that the API sent: of wanted customers, of others, and of nobody.
    pub received: u64,
    /// Items of customers who are not wanted.
    pub unwanted: u64,
    /// Something worth knowing about a collection that is nevertheless fine.
    pub note: Option<String>,
    strays: Vec<Rejection>,
    spool: Spool,
    shares: std::ops::Range<usize>,
    row: RowDecoder<R>,
    now: DateTime<Utc>,
}

impl<R: Row> Commercial<R> {
    /// The items that name no customer whose they could be. They are given out once.
    pub fn strays(&mut self) -> Vec<Rejection> {
        std::mem::take(&mut self.strays)
    }

    /// The next share of the wanted customers that have items; none after the last.
    /// A share may be empty. Its customers are those that [`Wanted::share_of`] puts there, so that
    /// usage and deployment of the same wanted customers can be walked side by side.
    ///
    /// It reads a file and decodes up to some megabytes, in a fraction of a second.
    ///
    /// # Errors
    /// When the temporary file cannot be read.
    pub fn next_share(&mut self) -> io::Result<Option<Share<R>>> {
        let Some(share) = self.shares.next() else {
            return Ok(None);
        };
        let share = self.spool.load(share)?;
        let mut customers: BTreeMap<CustomerId, Vec<(u64, &str)>> = BTreeMap::new();
        for item in read_items(&share) {
            let item = item?;
            let items = customers.entry(item.customer).or_default();
            items.push((item.number, item.item));
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
    /// The first call's error that no retry mended, with the number of HTTP tries so far; or that
    /// the collection has a hole, runs in circles or is of nobody; or that the program is
    /// stopping. Half a collection is never given out.
    pub async fn fetch_commercial_usage(
        &self,
        wanted: &Wanted,
        date: Option<NaiveDate>,
        shutdown: &Shutdown,
    ) -> Result<Commercial<UsageRow>, RetryError<ApiError>> {
        let reader = Reader::new(self, "usage", wanted, date, shutdown);
        reader.fetch(decode::usage_row).await
    }

    /// The licence deployment of all wanted customers, as [`Session::fetch_commercial_usage`] has
    /// their usage.
    ///
    /// # Errors
    /// As there.
    pub async fn fetch_commercial_deployment(
        &self,
        wanted: &Wanted,
        date: Option<NaiveDate>,
        shutdown: &Shutdown,
    ) -> Result<Commercial<DeploymentRow>, RetryError<ApiError>> {
        let reader = Reader::new(self, "deployment", wanted, date, shutdown);
        reader.fetch(decode::deployment_row).await
    }
}

#[cfg(test)]
mod tests;
