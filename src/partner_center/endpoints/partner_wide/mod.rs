//! The partner-wide collections, from `GET /v1/analytics/commercial/usage/license/` and its sibling
//! for deployment: the items of all customers in one list of many pages. A few customers are named
//! in a filter; otherwise everything is fetched. The items wait in a spool until the collection is
//! complete, and are then decoded customer by customer.

mod collection;
mod fetch;
mod intake;
mod page;
mod pager;
mod spool;
mod wanted;

use chrono::NaiveDate;

pub use collection::{Bucket, PartnerWideCollection};
pub use wanted::WantedCustomers;

use crate::ledger::{Dataset, DeploymentRow, UsageRow};
use crate::partner_center::decode;
use crate::partner_center::{FailedFetch, Session};
use crate::shutdown::Shutdown;
use fetch::CollectionFetch;

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
    ) -> Result<PartnerWideCollection<UsageRow>, FailedFetch> {
        let fetch = CollectionFetch::new(self, Dataset::Usage, wanted, date, shutdown);
        fetch.run(decode::usage_row).await
    }

    /// The licence deployment of all wanted customers, as [`Session::fetch_partner_wide_usage`]
    /// fetches their usage.
    ///
    /// # Errors
    /// As those of [`Session::fetch_partner_wide_usage`].
    pub async fn fetch_partner_wide_deployment(
        &self,
        wanted: &WantedCustomers,
        date: Option<NaiveDate>,
        shutdown: &Shutdown,
    ) -> Result<PartnerWideCollection<DeploymentRow>, FailedFetch> {
        let fetch = CollectionFetch::new(self, Dataset::Deployment, wanted, date, shutdown);
        fetch.run(decode::deployment_row).await
    }
}

#[cfg(test)]
mod tests;
