//! The customers whose items are wanted of a partner-wide collection, the filters that name them,
//! and the buckets into which their items are sorted.

use std::sync::Arc;

use url::form_urlencoded;

use crate::ledger::CustomerId;

/// Customers in one filter. Each takes about 160 bytes of the URL, and gateways have been seen to
/// refuse URLs of over 2,048 bytes.
const CUSTOMERS_PER_FILTER: usize = 10;

/// Customers up to which filters are used. For more, fetching everything usually takes fewer calls:
/// a page holds the rows of about 500 customers.
const MAX_FILTERED_CUSTOMERS: usize = 100;

/// Customers per bucket, on average. With 20 rows each they take about 1 MB in memory.
const CUSTOMERS_PER_BUCKET: usize = 128;

/// Buckets of a collection. Each has a buffer in memory; without the bound, a large partner's
/// buffers would fill it.
const MAX_BUCKETS: usize = 1_024;

/// The customers whose items are wanted.
#[derive(Debug, Clone)]
pub struct WantedCustomers {
    /// Sorted, without duplicates.
    ids: Arc<[CustomerId]>,
    are_all: bool,
}

impl WantedCustomers {
    /// `are_all` says that these are all or nearly all of the partner's customers, so filters would
    /// only cost calls.
    #[must_use]
    pub fn new(ids: impl IntoIterator<Item = CustomerId>, are_all: bool) -> Self {
        let mut ids: Vec<CustomerId> = ids.into_iter().collect();
        ids.sort_unstable();
        ids.dedup();
        Self {
            ids: ids.into(),
            are_all,
        }
    }

    /// The number of buckets, for either dataset.
    #[must_use]
    pub fn bucket_count(&self) -> usize {
        let buckets = self.ids.len() / CUSTOMERS_PER_BUCKET;
        buckets.next_power_of_two().min(MAX_BUCKETS)
    }

    /// The bucket of a customer, below [`WantedCustomers::bucket_count`], for either dataset.
    #[must_use]
    pub fn bucket_of(&self, customer: CustomerId) -> usize {
        // FNV-1a over all bytes: ids need not be random, so no part of one is a good hash.
        let hash = customer
            .as_uuid()
            .as_bytes()
            .iter()
            .fold(0x811c_9dc5_usize, |hash, byte| {
                (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193)
            });
        // Multiplication carries upwards only: the low bits depend on the low bits of the input.
        (hash ^ (hash >> 15)) % self.bucket_count()
    }

    pub(super) fn ids(&self) -> &Arc<[CustomerId]> {
        &self.ids
    }

    /// Whether they are named in filters.
    pub(super) fn are_few(&self) -> bool {
        !self.are_all && self.ids.len() <= MAX_FILTERED_CUSTOMERS
    }

    /// The customers of each filter.
    pub(super) fn filter_batches(&self) -> impl ExactSizeIterator<Item = &[CustomerId]> {
        self.ids.chunks(CUSTOMERS_PER_FILTER)
    }
}

/// The percent-encoded value of the parameter `filter` that selects these customers.
///
/// Ids have been seen in upper case in items and in lower case in the list of customers, and the
/// comparison may be case-sensitive, so both spellings are listed.
pub(super) fn filter(customers: &[CustomerId]) -> String {
    let mut terms = Vec::with_capacity(2 * customers.len());
    for customer in customers {
        let lower = customer.to_string();
        let upper = lower.to_ascii_uppercase();
        if upper != lower {
            terms.push(format!("customerTenantId eq '{upper}'"));
        }
        terms.push(format!("customerTenantId eq '{lower}'"));
    }
    let filter: String = form_urlencoded::byte_serialize(terms.join(" or ").as_bytes()).collect();
    // `byte_serialize` encodes for forms, where a plus sign means a space.
    filter.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn ids(count: u128) -> Vec<CustomerId> {
        (0..count)
            .map(|n| Uuid::from_u128(n * 0x0001_0000_0001).into())
            .collect()
    }

    #[test]
    fn a_customer_is_named_in_both_letter_cases() {
        let id = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04".parse().unwrap();
        assert_eq!(
            filter(&[id]),
            "customerTenantId%20eq%20%274D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04%27%20or%20\
             customerTenantId%20eq%20%274d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04%27"
        );
        let digits = "00000000-0000-0000-0000-000000000001".parse().unwrap();
        assert_eq!(filter(&[digits]).matches("eq").count(), 1);
    }

    #[test]
    fn the_longest_filter_fits_into_a_url() {
        let ids: Vec<CustomerId> = (0..CUSTOMERS_PER_FILTER)
            .map(|_| Uuid::from_u128(u128::MAX).into())
            .collect();
        assert!(filter(&ids).len() < 1_850);
    }

    #[test]
    fn customers_are_distributed_evenly_over_the_buckets() {
        for (count, buckets) in [(0, 1), (5, 1), (2_000, 16), (50_000, 512)] {
            let wanted = WantedCustomers::new(ids(count), true);
            assert_eq!(wanted.bucket_count(), buckets);
            let mut sizes = vec![0_u32; buckets];
            for customer in wanted.ids().iter() {
                sizes[wanted.bucket_of(*customer)] += 1;
            }
            let largest = sizes.iter().max().copied().unwrap_or_default();
            assert!(largest < 200, "{count}: {largest}");
        }
    }

    #[test]
    fn one_customer_in_two_spellings_is_wanted_once() {
        let spellings = [
            "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04",
            "{4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04}",
        ];
        let wanted = WantedCustomers::new(spellings.map(|id| id.parse().unwrap()), false);
        assert_eq!(wanted.ids().len(), 1);
    }

    #[test]
    fn filters_are_used_for_few_customers_that_are_not_all() {
        assert!(WantedCustomers::new(ids(100), false).are_few());
        assert!(!WantedCustomers::new(ids(101), false).are_few());
        assert!(!WantedCustomers::new(ids(5), true).are_few());
        let batches = WantedCustomers::new(ids(25), false);
        let batches: Vec<_> = batches.filter_batches().map(<[_]>::len).collect();
        assert_eq!(batches, [10, 10, 5]);
    }
}
