//! One customer's collection, and the rule for a key that comes twice.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{Rejection, RejectionReason, Row};

/// One customer's usage or deployment, ready to store: no key twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection<R> {
    /// In the order in which they came, each key once.
    pub rows: Vec<R>,
    /// The items that did not become rows.
    pub rejections: Vec<Rejection>,
    /// How many items the API sent.
    pub received: u64,
    /// Something worth knowing about a collection that is nevertheless fine.
    pub note: Option<String>,
    /// Whether the API announced more items than it sent.
    pub is_short: bool,
}

impl<R> Collection<R> {
    /// Why the collection is worth nothing, where it holds items and none of them could become a
    /// row.
    #[must_use]
    pub fn uselessness(&self) -> Option<String> {
        let first = self.rejections.first()?;
        self.rows.is_empty().then(|| {
            format!(
                "none of its {} items could become a row: {}",
                self.received, first.detail
            )
        })
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
    /// Applies the duplicate rule to the rows in the order in which they came. Of equal rows one is
    /// kept; of rows with the same key that differ the last one is kept and the earlier ones
    /// are rejected.
    ///
    /// `payloads` are the JSON texts that the rows were read from.
    #[must_use]
    pub fn new(mut rows: Vec<R>, payloads: &[&str], mut rejections: Vec<Rejection>) -> Self {
        let received = (rows.len() + rejections.len()) as u64;
        let mut superseded = HashSet::new();
        let mut last = HashMap::with_capacity_and_hasher(rows.len(), RandomState::default());
        for (number, row) in rows.iter().enumerate() {
            let Some(earlier) = last.insert(row.key(), number) else {
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
            let mut numbers = 0..;
            rows.retain(|_| {
                numbers
                    .next()
                    .is_some_and(|number| !superseded.contains(&number))
            });
        }
        rows.shrink_to_fit();
        Self {
            rows,
            rejections,
            received,
            note: None,
            is_short: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attributes, Name, UsageKey, UsageRow};
    use super::*;
    use chrono::DateTime;

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
    fn a_collection_is_useless_where_it_has_items_and_no_row() {
        let refused = |detail: &str| Rejection {
            reason: RejectionReason::MissingField,
            detail: detail.to_owned(),
            payload: "{}".to_owned(),
        };
        let rejections = vec![refused("item 1: a is missing"), refused("item 2: b")];
        let useless = Collection::<UsageRow>::new(vec![], &[], rejections.clone());
        assert_eq!(
            useless.uselessness().as_deref(),
            Some("none of its 2 items could become a row: item 1: a is missing")
        );
        assert_eq!(Collection::<UsageRow>::default().uselessness(), None);
        let partial = Collection::new(vec![row("E3", 1)], &["a"], rejections);
        assert_eq!(partial.uselessness(), None);
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
}
