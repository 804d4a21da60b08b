//! Compares a customer's rows as the API gives them with those of the ledger. Pure.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use crate::ledger::{CustomerId, Dataset};
use crate::store::{BothSides, ComparedRow};

/// How rows compare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ComparedRows {
    /// Rows of the API that are stored with the same values.
    pub equal: u64,
    /// Rows of the API that are stored with other values.
    pub different: u64,
    /// Rows of the API that the ledger lacks, of a date and service of which it has others.
    pub missing: u64,
    /// Stored rows that the API does not give, of a date and service of which it gives others.
    pub not_given: u64,
    /// Rows of the API of a date and service of which the ledger has none yet.
    pub newer: u64,
    /// Items of the API that could not become rows, and are not compared.
    pub rejected: u64,
}

impl ComparedRows {
    /// Rows that could be compared.
    #[must_use]
    pub fn compared(&self) -> u64 {
        self.equal + self.differing()
    }

    /// Rows with a difference.
    #[must_use]
    pub fn differing(&self) -> u64 {
        self.different + self.missing + self.not_given
    }
}

impl std::ops::AddAssign for ComparedRows {
    fn add_assign(&mut self, other: Self) {
        self.equal += other.equal;
        self.different += other.different;
        self.missing += other.missing;
        self.not_given += other.not_given;
        self.newer += other.newer;
        self.rejected += other.rejected;
    }
}

/// The kinds of differences. The names are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Both have the row, with other values.
    Different,
    /// The ledger lacks it.
    Missing,
    /// The API does not give it.
    NotGiven,
}

/// One row that is not equal on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// The customer.
    pub customer_id: CustomerId,
    /// For a person at a terminal; not part of the JSON form.
    #[serde(skip)]
    pub customer_name: Option<String>,
    /// Of which dataset the row is.
    pub dataset: &'static str,
    /// The row's processed date.
    pub processed_date_time: DateTime<Utc>,
    /// The product, as the ledger spells it.
    pub product_name: String,
    /// The workload, as the ledger spells it; none for deployment.
    pub workload_name: Option<String>,
    /// What is not equal.
    pub kind: DifferenceKind,
    /// The fields that differ, if both have the row.
    pub fields: Vec<DifferingField>,
}

/// A field of a row that both sides have with other values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DifferingField {
    /// The column of the ledger.
    pub field: &'static str,
    /// The stored value.
    pub ledger: Value,
    /// The API's value.
    pub api: Value,
}

/// Which fields are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fields {
    /// Those that the API gives: a run would write them. What only another source knows is kept by
    /// a run, and is no difference.
    Given,
    /// Those that both sides have: the API's other source has other fields than the ledger's.
    Common,
}

/// Compares both sides.
pub(super) fn compare(sides: &BothSides, fields: Fields) -> (ComparedRows, Vec<Difference>) {
    let of =
        |rows: &[ComparedRow]| -> HashSet<_> { rows.iter().map(ComparedRow::collection).collect() };
    let (given, stored) = (of(&sides.api), of(&sides.ledger));
    let mut left: HashMap<_, &ComparedRow> =
        sides.ledger.iter().map(|row| (row.key(), row)).collect();
    let mut rows = ComparedRows::default();
    let mut differences = Vec::new();
    let mut note = |row: &ComparedRow, kind, fields| {
        differences.push(Difference {
            customer_id: sides.customer,
            customer_name: None,
            dataset: row.dataset.as_str(),
            processed_date_time: row.processed_date_time,
            product_name: row.product_name.clone(),
            workload_name: row.workload_name.clone(),
            kind,
            fields,
        });
    };
    for api in &sides.api {
        if let Some(ledger) = left.remove(&api.key()) {
            let differing = differing_fields(ledger, api, fields);
            if differing.is_empty() {
                rows.equal += 1;
            } else {
                rows.different += 1;
                note(api, DifferenceKind::Different, differing);
            }
        } else if stored.contains(&api.collection()) {
            rows.missing += 1;
            note(api, DifferenceKind::Missing, Vec::new());
        } else {
            rows.newer += 1;
        }
    }
    for ledger in left.into_values() {
        // Other services may have been processed on a date on which this one was, too, and have a
        // newer date by now.
        if given.contains(&ledger.collection()) {
            rows.not_given += 1;
            note(ledger, DifferenceKind::NotGiven, Vec::new());
        }
    }
    differences.sort_by_key(|it| {
        let names = (it.product_name.clone(), it.workload_name.clone());
        (it.dataset, it.processed_date_time, names)
    });
    (rows, differences)
}

fn differing_fields(
    ledger: &ComparedRow,
    api: &ComparedRow,
    compared: Fields,
) -> Vec<DifferingField> {
    let (used, total, percent) = match api.dataset {
        Dataset::Usage => ("licenses_active", "licenses_qualified", "usage_percent"),
        Dataset::Deployment => ("licenses_deployed", "licenses_sold", "deployment_percent"),
    };
    let (stored, given) = (&ledger.attributes, &api.attributes);
    // The name of a service stands for its code in one source, and beside it in the other.
    let same_vocabulary = match compared {
        Fields::Given => given.service_code.is_some() || stored.service_code.is_none(),
        Fields::Common => given.service_code.is_some() == stored.service_code.is_some(),
    };
    let service_name = given.service_name.as_deref().filter(|_| same_vocabulary);
    let texts = [
        (
            "customer_name",
            stored.customer_name.as_deref(),
            given.customer_name.as_deref(),
        ),
        (
            "product_id",
            stored.product_id.as_deref(),
            given.product_id.as_deref(),
        ),
        (
            "workload_code",
            ledger.workload_code.as_deref(),
            api.workload_code.as_deref(),
        ),
        ("service_name", stored.service_name.as_deref(), service_name),
        (
            "service_code",
            stored.service_code.as_deref(),
            given.service_code.as_deref(),
        ),
        (
            "channel",
            stored.channel.as_deref(),
            given.channel.as_deref(),
        ),
    ];
    let numbers = [
        (used, Value::from(ledger.used), Value::from(api.used)),
        (total, Value::from(ledger.total), Value::from(api.total)),
        (percent, ledger.percent.into(), api.percent.into()),
    ];
    texts
        .into_iter()
        .map(|(field, stored, given)| (field, Value::from(stored), Value::from(given)))
        .chain(numbers)
        .filter(|(_, ledger, api)| {
            let is_compared = match compared {
                Fields::Given => !api.is_null(),
                Fields::Common => !api.is_null() && !ledger.is_null(),
            };
            is_compared && ledger != api
        })
        .map(|(field, ledger, api)| DifferingField { field, ledger, api })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Attributes;

    fn row(product: &str, day: u32) -> ComparedRow {
        ComparedRow {
            dataset: Dataset::Usage,
            processed_date_time: format!("2026-03-{day:02}T00:00:00Z").parse().unwrap(),
            product_name: product.to_owned(),
            workload_name: Some("Teams".to_owned()),
            workload_code: None,
            attributes: Attributes {
                service_name: Some("o365".into()),
                ..Attributes::default()
            },
            used: 3,
            total: 10,
            percent: Some(30.0),
        }
    }

    fn compared(
        api: Vec<ComparedRow>,
        ledger: Vec<ComparedRow>,
        fields: Fields,
    ) -> (ComparedRows, Vec<Difference>) {
        let sides = BothSides {
            customer: uuid::Uuid::nil().into(),
            api,
            ledger,
        };
        compare(&sides, fields)
    }

    /// The differing fields of two rows.
    fn differing(ledger: &ComparedRow, api: &ComparedRow, fields: Fields) -> Vec<&'static str> {
        let fields = differing_fields(ledger, api, fields);
        fields.into_iter().map(|field| field.field).collect()
    }

    #[test]
    fn rows_are_equal_different_missing_not_given_or_newer() {
        let mut other = row("E1", 2);
        other.used = 4;
        let mut crm = row("Sales", 2);
        crm.attributes.service_name = Some("crm".into());
        let api = vec![row("E3", 2), row("E1", 2), row("E5", 2), row("E3", 3)];
        let ledger = vec![row("E3", 2), other, row("F1", 2), crm, row("E3", 1)];
        let (rows, differences) = compared(api, ledger, Fields::Given);
        let expected = ComparedRows {
            equal: 1,
            different: 1,
            missing: 1,
            not_given: 1,
            newer: 1,
            rejected: 0,
        };
        assert_eq!(rows, expected);
        assert_eq!((rows.compared(), rows.differing()), (4, 3));
        let kinds: Vec<_> = differences
            .iter()
            .map(|difference| (difference.product_name.as_str(), difference.kind))
            .collect();
        assert_eq!(
            kinds,
            [
                ("E1", DifferenceKind::Different),
                ("E5", DifferenceKind::Missing),
                ("F1", DifferenceKind::NotGiven)
            ]
        );
        let field = &differences[0].fields[0];
        let values = (field.field, &field.ledger, &field.api);
        assert_eq!(values, ("licenses_active", &4.into(), &3.into()));
    }

    #[test]
    fn what_the_api_does_not_give_is_no_difference_and_what_the_ledger_lacks_is() {
        let plain = row("E3", 2);
        let mut commercial = row("E3", 2);
        commercial.workload_code = Some("TEAMS".to_owned());
        commercial.percent = None;
        commercial.attributes.service_code = Some("o365".into());
        commercial.attributes.service_name = Some("Microsoft 365".into());
        assert!(differing(&commercial, &plain, Fields::Common).is_empty());
        assert!(differing(&plain, &commercial, Fields::Common).is_empty());
        assert_eq!(
            differing(&commercial, &plain, Fields::Given),
            ["usage_percent"]
        );
        assert_eq!(
            differing(&plain, &commercial, Fields::Given),
            ["workload_code", "service_name", "service_code"]
        );
    }
}
