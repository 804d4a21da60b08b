//! One customer's collection, and the rule for a key that comes twice.

use super::{Rejection, RejectionReason, Row};

/// One customer's usage or deployment, ready to store: rows sorted by key, no key twice.
#[derive(Debug, Clone, PartialEq)]
pub struct Collection<R> {
    /// Sorted by key, each key once.
    pub rows: Vec<R>,
    /// The items that did not become rows.
    pub rejections: Vec<Rejection>,
    /// How many items the API sent.
    pub received: u64,
    /// Something worth knowing about a collection that is nevertheless fine.
    pub note: Option<String>,
}

impl<R> Default for Collection<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            rejections: Vec::new(),
            received: 0,
            note: None,
        }
    }
}

/// A row together with the JSON text it was read from.
#[derive(Debug)]
pub struct Item<'a, R> {
    /// The item, read.
    pub row: R,
    /// The item as it came.
    pub payload: &'a str,
}

impl<R: Row> Collection<R> {
    /// Applies the duplicate rule to the items in the order in which they came. Of equal rows one is kept;
    /// of rows with the same key that differ the last one is kept and the earlier ones are rejected.
    #[must_use]
    pub fn new(mut items: Vec<Item<'_, R>>, mut rejections: Vec<Rejection>) -> Self {
        let received = (items.len() + rejections.len()) as u64;
        // The sort is stable, so rows of one key stay in the order in which they came.
        items.sort_by(|a, b| a.row.key().cmp(b.row.key()));
        items.dedup_by(|item, earlier| {
            if item.row.key() != earlier.row.key() {
                return false;
            }
            if earlier.row != item.row {
                rejections.push(Rejection {
                    reason: RejectionReason::DuplicateKey,
                    detail: format!(
                        "a later item has the same key and processedDateTime {}, and other values",
                        item.row.processed_date_time().to_rfc3339()
                    ),
                    payload: earlier.payload.to_owned(),
                });
            }
            std::mem::swap(item, earlier);
            true
        });
        Self {
            rows: items.into_iter().map(|item| item.row).collect(),
            rejections,
            received,
            note: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Attributes, Name, UsageKey, UsageRow};
    use super::*;
    use chrono::DateTime;

    fn item(product: &str, active: i64, payload: &'static str) -> Item<'static, UsageRow> {
        Item {
            row: UsageRow {
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
            },
            payload,
        }
    }

    #[test]
    fn of_equal_rows_one_is_kept_and_none_rejected() {
        let collection = Collection::new(vec![item("E3", 1, "a"), item("E3", 1, "b")], vec![]);
        assert_eq!((collection.rows.len(), collection.rejections.len()), (1, 0));
        assert_eq!(collection.received, 2);
    }

    #[test]
    fn of_differing_rows_the_last_is_kept_and_the_earlier_ones_rejected() {
        let items = vec![
            item("E3", 1, "first"),
            item("E1", 7, "other"),
            item("e3 ", 2, "second"),
            item("E3", 3, "third"),
        ];
        let collection = Collection::new(items, vec![]);
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
