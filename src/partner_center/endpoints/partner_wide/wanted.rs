//! Whose rows are wanted of a partner-wide collection, how few of them are asked for, and in which
//! share each one's are.

use std::sync::Arc;

use url::form_urlencoded;

use crate::ledger::CustomerId;

/// Customers whom one call asks for. Each takes about 160 bytes of the address, and gateways have
/// been seen to refuse addresses of over 2,048.
pub(super) const CUSTOMERS_PER_CALL: usize = 10;

/// Customers of a share, about. At 20 rows each they take some 1 MB while they are read.
const CUSTOMERS_PER_SHARE: usize = 128;

/// Each share has a buffer of its own while pages come in, so that their number is bounded.
const MAX_SHARES: usize = 1_024;

/// The customers whose rows are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Sorted, each once.
    customers: Arc<[CustomerId]>,
    everybody: bool,
}

impl Wanted {
    /// `everybody` says that these are all of the partner's customers, or nearly so: then it is not
    /// worth while to ask for single ones.
    #[must_use]
    pub fn new(customers: impl IntoIterator<Item = CustomerId>, everybody: bool) -> Self {
        let mut customers: Vec<CustomerId> = customers.into_iter().collect();
        customers.sort_unstable();
        customers.dedup();
        Self {
            customers: customers.into(),
            everybody,
        }
    }

    /// Into how many shares their collections are divided, for either dataset.
    #[must_use]
    pub fn shares(&self) -> usize {
        let shares = self.customers.len() / CUSTOMERS_PER_SHARE;
        shares.next_power_of_two().min(MAX_SHARES)
    }

    /// The place of the share that holds a customer's collection, for either dataset: below
    /// [`Wanted::shares`].
    #[must_use]
    pub fn share_of(&self, customer: CustomerId) -> usize {
        // FNV-1a. Not all ids are drawn by chance, so that no part of one will do as it is.
        let hash = customer
            .as_uuid()
            .as_bytes()
            .iter()
            .fold(0x811c_9dc5_usize, |hash, byte| {
                (hash ^ usize::from(*byte)).wrapping_mul(0x0100_0193)
            });
        // The lowest bits have seen the lowest bits only.
        (hash ^ (hash >> 15)) % self.shares()
    }

    pub(super) fn customers(&self) -> &Arc<[CustomerId]> {
        &self.customers
    }

    pub(super) fn is_everybody(&self) -> bool {
        self.everybody
    }

    /// Those whom one call asks for, and the next, and so on.
    pub(super) fn parts(&self) -> impl ExactSizeIterator<Item = &[CustomerId]> {
        self.customers.chunks(CUSTOMERS_PER_CALL)
    }
}

/// The value of the parameter `filter` that asks for these customers, fit for an address.
///
/// The rows have been seen with their ids in upper case, the list of customers in lower case, and
/// nothing says that a server compares them without regard to it: so both are named.
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
    // A plus sign means a blank in forms only; a real one is written otherwise here.
    filter.replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn customers(count: u128) -> Vec<CustomerId> {
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
    fn the_address_of_a_full_call_stays_below_what_gateways_refuse() {
        let ids: Vec<CustomerId> = (0..CUSTOMERS_PER_CALL)
            .map(|_| Uuid::from_u128(u128::MAX).into())
            .collect();
        assert!(filter(&ids).len() < 1_850);
    }

    #[test]
    fn customers_are_spread_over_all_shares() {
        for (count, shares) in [(0, 1), (5, 1), (2_000, 16), (50_000, 512)] {
            let wanted = Wanted::new(customers(count), true);
            assert_eq!(wanted.shares(), shares);
            let mut sizes = vec![0_u32; shares];
            for customer in wanted.customers().iter() {
                sizes[wanted.share_of(*customer)] += 1;
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
        let wanted = Wanted::new(spellings.map(|id| id.parse().unwrap()), false);
        assert_eq!(wanted.parts().len(), 1);
        assert_eq!(wanted.customers().len(), 1);
    }
}
