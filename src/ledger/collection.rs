//! One customer's collection of a dataset, and the rule for duplicate keys.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{RejectionReason, Row};

/// Bytes of a rejected item's JSON that are stored. The rest would fill the ledger and explain
/// nothing more.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// Which of the API's two families of collections is fetched. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// One collection per customer, with the newest processed date only.
    Customer,
    /// The partner-wide collection that supersedes it, by processed date.
    Commercial,
}

impl Source {
    /// The name in the table and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Commercial => "commercial",
        }
    }
}

/// What is fetched of a customer. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dataset {
    /// Active and qualified seats per product and workload.
    Usage,
    /// Deployed and sold seats per product.
    Deployment,
}

impl Dataset {
    /// The name in the table and in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Deployment => "deployment",
        }
    }
}

/// An item that could not become a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The class of fault.
    pub reason: RejectionReason,
    /// The field, and what is wrong with it.
    pub detail: String,
    /// The item's JSON text. Tokens are masked, and it is cut off slightly beyond
    /// [`MAX_PAYLOAD_BYTES`], so that the ledger can tell that it was cut.
    pub payload: String,
}

/// One customer's usage or deployment, ready to store: every key is unique.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection<R> {
    /// In the order in which they were received.
    pub rows: Vec<R>,
    /// The items that did not become rows.
    pub rejections: Vec<Rejection>,
    /// How many items the API sent.
    pub received: u64,
    /// An oddity of a collection that is nevertheless usable.
    pub note: Option<String>,
    /// Whether the API announced more items than it sent.
    pub is_short: bool,
}

impl<R> Collection<R> {
    /// The failure in words if there are items and every one was rejected.
    #[must_use]
    pub fn all_rejected(&self) -> Option<String> {
        let first = self.rejections.first()?;
        self.rows
            .is_empty()
            .then(|| none_usable(self.received, first))
    }
}

/// The failure of a collection of which no item became a row.
pub(crate) fn none_usable(received: u64, first: &Rejection) -> String {
    let detail = &first.detail;
    match received {
        1 => format!("its only item could not become a row: {detail}"),
        _ => format!("none of its {received} items could become a row: {detail}"),
    }
}

impl<R> Default for Collection<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            rejections: Vec::new(),
            received: 0,
            note: None,
            is_short: false,
        }
    }
}

impl<R: Row> Collection<R> {
    /// Makes keys unique. Of equal rows one is kept; of rows with the same key and different values
    /// the last one is kept and the earlier ones are rejected.
    ///
    /// Products of one name are told apart by their ids, if every row of the key has one.
    /// `payloads` are the JSON texts that the rows were read from.
    #[must_use]
    pub fn new(mut rows: Vec<R>, payloads: &[&str], mut rejections: Vec<Rejection>) -> Self {
        let received = (rows.len() + rejections.len()) as u64;
        let mut superseded = HashSet::new();
        let without_id = keys_without_id(&rows);
        let mut last = HashMap::with_capacity_and_hasher(rows.len(), RandomState::default());
        for (index, row) in rows.iter().enumerate() {
            let id = row.attributes().product();
            let id = id.filter(|_| !without_id.contains(row.key()));
            let Some(earlier) = last.insert((row.key(), id), index) else {
                continue;
            };
            superseded.insert(earlier);
            if rows[earlier] != *row {
                rejections.push(Rejection {
                    reason: RejectionReason::DuplicateKey,
                    detail: format!(
                        "a later item has the same key and processedDateTime {}, and other values",
                        row.processed_date_time().to_rfc3339()
                    ),
                    payload: payloads[earlier].to_owned(),
                });
            }
        }
        if !superseded.is_empty() {
            let mut indexes = 0..;
            rows.retain(|_| {
                indexes
                    .next()
                    .is_some_and(|index| !superseded.contains(&index))
            });
        }
        rows.shrink_to_fit();
        Self {
            rows,
            rejections,
            received,
            ..Self::default()
        }
    }
}

/// The keys of rows that have no product id, if other rows have one.
fn keys_without_id<R: Row>(rows: &[R]) -> HashSet<&R::Key> {
    let has_id = |row: &&R| row.attributes().product().is_some();
    if !rows.iter().any(|row| has_id(&row)) {
        return HashSet::new();
    }
    let without = rows.iter().filter(|row| !has_id(row));
    without.map(Row::key).collect()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::ledger::{Attributes, Name, UsageKey, UsageRow};

    fn row(product: &str, active: i64) -> UsageRow {
        UsageRow {
            key: UsageKey {
                processed_date_time: DateTime::UNIX_EPOCH,
                product_name: Name::new(product).unwrap(),
                workload_name: Name::new("Exchange").unwrap(),
            },
            licenses_active: active,
            licenses_qualified: 10,
            usage_percent: None,
            workload_code: None,
            attributes: Attributes::default(),
        }
    }

    #[test]
    fn a_collection_with_items_and_no_row_is_entirely_rejected() {
        let refused = |detail: &str| Rejection {
            reason: RejectionReason::MissingField,
            detail: detail.to_owned(),
            payload: "{}".to_owned(),
        };
        let rejections = vec![refused("item 1: a is missing"), refused("item 2: b")];
        let no_rows = Collection::<UsageRow>::new(vec![], &[], rejections.clone());
        assert_eq!(
            no_rows.all_rejected().as_deref(),
            Some("none of its 2 items could become a row: item 1: a is missing")
        );
        assert_eq!(Collection::<UsageRow>::default().all_rejected(), None);
        let partial = Collection::new(vec![row("E3", 1)], &["a"], rejections);
        assert_eq!(partial.all_rejected(), None);
    }

    #[test]
    fn of_equal_rows_one_is_kept_and_none_rejected() {
        let collection = Collection::new(vec![row("E3", 1), row("E3", 1)], &["a", "b"], vec![]);
        assert_eq!((collection.rows.len(), collection.rejections.len()), (1, 0));
        assert_eq!(collection.received, 2);
    }

    #[test]
    fn of_differing_rows_the_last_is_kept_and_the_earlier_ones_rejected() {
        let rows = vec![row("E3", 1), row("E1", 7), row("e3 ", 2), row("E3", 3)];
        let payloads = ["first", "other", "second", "third"];
        let collection = Collection::new(rows, &payloads, vec![]);
        let kept: Vec<_> = collection
            .rows
            .iter()
            .map(|row| (row.key.product_name.as_str(), row.licenses_active))
            .collect();
        assert_eq!(kept, [("E1", 7), ("E3", 3)]);
        let rejected: Vec<_> = collection
            .rejections
            .iter()
            .map(|rejection| (rejection.reason, rejection.payload.as_str()))
            .collect();
        assert_eq!(
            rejected,
            [
                (RejectionReason::DuplicateKey, "first"),
                (RejectionReason::DuplicateKey, "second")
            ]
        );
    }

    #[test]
    fn products_of_one_name_are_told_apart_by_their_ids_where_all_have_one() {
        let kept = |rows: &[(&str, Option<&str>, i64)]| {
            let rows: Vec<UsageRow> = rows
                .iter()
                .map(|(product, id, active)| {
                    let mut row = row(product, *active);
                    row.attributes.product_id = id.map(Into::into);
                    row
                })
                .collect();
            let payloads = vec!["{}"; rows.len()];
            let collection = Collection::new(rows, &payloads, vec![]);
            let active = collection.rows.iter().map(|row| row.licenses_active);
            (active.collect::<Vec<_>>(), collection.rejections.len())
        };
        let (a, b) = (Some("A"), Some("B"));
        assert_eq!(kept(&[("E3", a, 1), ("e3", b, 2)]), (vec![1, 2], 0));
        assert_eq!(
            kept(&[("E3", a, 1), ("E3", b, 2), ("E3", a, 3), ("E3", b, 2)]),
            (vec![3, 2], 1)
        );
        assert_eq!(kept(&[("E3", a, 1), ("E1", a, 2)]), (vec![1, 2], 0));
        assert_eq!(
            kept(&[("E3", a, 1), ("E3", None, 2), ("E1", a, 3), ("E1", b, 4)]),
            (vec![2, 3, 4], 1)
        );
        // A blank id is none.
        assert_eq!(kept(&[("E3", a, 1), ("E3", Some(" "), 2)]), (vec![2], 1));
    }
}
