//! Digests of the rows that arrive for a customer and a processed date. Rows whose digest is the
//! stored one arrived before, and need not be compared one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::UsageRow;

/// A usage row with its customer, and with its names as the ledger spells them.
#[derive(Debug, Clone, Copy)]
pub(super) struct LedgerRow<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) customer: Uuid,
    pub(super) product: &'a str,
    pub(super) workload: &'a str,
    pub(super) usage: &'a UsageRow,
    /// When it was fetched.
    pub(super) seen_at: DateTime<Utc>,
}

/// A customer's rows of one processed date, in the order of the primary key.
pub(super) struct CustomerDateRows<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) customer: Uuid,
    pub(super) rows: &'a [LedgerRow<'a>],
    /// Over everything that is stored of the rows.
    pub(super) digest: Digest,
    /// Over their texts.
    pub(super) texts_hash: i64,
    /// Over their texts except the customer's name.
    pub(super) series_hash: i64,
}

/// Groups rows that are sorted by customer and then by primary key.
pub(super) fn by_date<'a>(rows: &'a [LedgerRow<'a>]) -> Vec<CustomerDateRows<'a>> {
    let mut buffer = Vec::new();
    rows.chunk_by(|a, b| (a.at, a.customer) == (b.at, b.customer))
        .filter_map(|rows| {
            let LedgerRow { at, customer, .. } = *rows.first()?;
            buffer.clear();
            for row in rows {
                put_series(&mut buffer, row);
            }
            let mut context = Context::new(&SHA256);
            context.update(&buffer);
            let series_hash = first_8_bytes(&context.clone().finish());
            buffer.clear();
            for row in rows {
                put_text(&mut buffer, row.usage.attributes.customer_name.as_deref());
            }
            context.update(&buffer);
            let texts_hash = first_8_bytes(&context.clone().finish());
            buffer.clear();
            buffer.extend(at.timestamp_micros().to_le_bytes());
            for LedgerRow { usage, .. } in rows {
                let percent = usage.usage_percent.map_or([0xff; 8], f64::to_le_bytes);
                buffer.extend(usage.licenses_active.to_le_bytes());
                buffer.extend(usage.licenses_qualified.to_le_bytes());
                buffer.extend(percent);
            }
            context.update(&buffer);
            Some(CustomerDateRows {
                at,
                customer,
                rows,
                digest: context.finish(),
                texts_hash,
                series_hash,
            })
        })
        .collect()
}

impl<'a> CustomerDateRows<'a> {
    /// When the rows were fetched.
    pub(super) fn seen_at(&self) -> Option<DateTime<Utc>> {
        self.rows.first().map(|row| row.seen_at)
    }

    /// The services of the rows, as they arrived.
    pub(super) fn services(&self) -> Vec<&'a str> {
        let mut services = Vec::with_capacity(1);
        for row in self.rows {
            let attributes = &row.usage.attributes;
            let service = attributes.service_code.as_deref();
            let service = service.or(attributes.service_name.as_deref());
            let service = service.unwrap_or_default();
            if !services.contains(&service) {
                services.push(service);
            }
        }
        services
    }
}

/// What a statement looks up for each customer, as two of its parameters: the customers in order,
/// and the values of each as the text of an array. The statement takes the customers from the table
/// `customer`, and the values of each by `unnest($2[width_bucket(customer_id, $1)]::type[])`. Two
/// plain arrays of pairs would do on one server, but a cluster that distributes the ledger by
/// customer only takes look-ups that start from a distributed table.
pub(super) struct ByCustomer {
    pub(super) customers: Vec<Uuid>,
    pub(super) values: Vec<String>,
}

impl ByCustomer {
    /// Each pair once. The values must be of a type whose text needs no quotes in an array.
    pub(super) fn new<T: Ord + Display>(pairs: impl Iterator<Item = (Uuid, T)>) -> Self {
        let pairs: BTreeSet<(Uuid, T)> = pairs.collect();
        let mut lists = BTreeMap::<Uuid, Vec<String>>::new();
        for (customer, value) in pairs {
            lists.entry(customer).or_default().push(value.to_string());
        }
        let lists = lists.into_iter();
        let (customers, values) = lists
            .map(|(customer, list)| (customer, format!("{{{}}}", list.join(","))))
            .unzip();
        Self { customers, values }
    }
}

/// A value of each row, date by date.
pub(super) fn column<'a, T>(
    dates: &[&'a CustomerDateRows<'a>],
    value: impl Fn(&LedgerRow<'a>) -> T,
) -> Vec<T> {
    let rows = dates.iter().flat_map(|date| date.rows);
    rows.map(value).collect()
}

pub(super) fn first_8_bytes(digest: &Digest) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_ref()[..8]);
    i64::from_le_bytes(bytes)
}

fn put_series(buffer: &mut Vec<u8>, row: &LedgerRow<'_>) {
    put_text(buffer, Some(row.product));
    put_text(buffer, Some(row.workload));
    let attributes = &row.usage.attributes;
    for text in [
        &attributes.product_id,
        &row.usage.workload_code,
        &attributes.service_name,
        &attributes.service_code,
        &attributes.channel,
    ] {
        put_text(buffer, text.as_deref());
    }
}

/// Prefixed by its length, so that neither `"a", "b"` and `"ab", ""` nor a missing text and an
/// empty one have the same digest.
fn put_text(buffer: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(u32::MAX, |text| {
        u32::try_from(text.len()).unwrap_or(u32::MAX - 1)
    });
    buffer.extend(length.to_le_bytes());
    buffer.extend(text.unwrap_or_default().as_bytes());
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ledger::{Attributes, Name, UsageKey};

    pub(in super::super) fn row(at: &str) -> UsageRow {
        UsageRow {
            key: UsageKey {
                processed_date_time: at.parse().unwrap(),
                product_name: Name::new("Office").unwrap(),
                workload_name: Name::new("Teams").unwrap(),
            },
            licenses_active: 1,
            licenses_qualified: 2,
            usage_percent: None,
            workload_code: None,
            attributes: Attributes::default(),
        }
    }

    pub(in super::super) fn spelled(usage: &UsageRow) -> LedgerRow<'_> {
        LedgerRow {
            at: usage.key.processed_date_time,
            customer: Uuid::nil(),
            product: "Office",
            workload: "Teams",
            usage,
            seen_at: DateTime::UNIX_EPOCH,
        }
    }

    /// The digest of a date with one row.
    fn of(usage: &UsageRow) -> Vec<u8> {
        let rows = [spelled(usage)];
        let dates = by_date(&rows);
        assert_eq!(dates.len(), 1);
        dates[0].digest.as_ref().to_vec()
    }

    #[test]
    fn a_statement_is_given_each_customer_and_each_of_its_dates_once_and_in_order() {
        let [a, b] = [Uuid::nil(), Uuid::max()];
        let [first, second] = ["2026-03-01T00:00:00.000001Z", "2026-03-02T00:00:00Z"]
            .map(|at| at.parse::<DateTime<Utc>>().unwrap());
        let pairs = [(b, second), (a, second), (b, first), (b, second)];
        let wanted = ByCustomer::new(pairs.into_iter());
        assert_eq!(wanted.customers, [a, b]);
        assert_eq!(
            wanted.values,
            [
                "{2026-03-02 00:00:00 UTC}",
                "{2026-03-01 00:00:00.000001 UTC,2026-03-02 00:00:00 UTC}"
            ]
        );
    }

    #[test]
    fn every_stored_value_changes_the_digest() {
        let plain = row("2026-03-01T00:00:00Z");
        assert_eq!(of(&plain), of(&plain.clone()));
        let edits: [fn(&mut UsageRow); 11] = [
            |row| row.key.processed_date_time += chrono::TimeDelta::microseconds(1),
            |row| row.licenses_active += 1,
            |row| row.licenses_qualified += 1,
            |row| row.usage_percent = Some(0.0),
            |row| row.workload_code = Some("".into()),
            |row| row.attributes.customer_name = Some("x".into()),
            |row| row.attributes.product_id = Some("x".into()),
            |row| row.attributes.service_name = Some("x".into()),
            |row| row.attributes.service_code = Some("x".into()),
            |row| row.attributes.channel = Some("x".into()),
            |row| std::mem::swap(&mut row.licenses_active, &mut row.licenses_qualified),
        ];
        let mut digests = vec![of(&plain)];
        for edit in edits {
            let mut changed = plain.clone();
            edit(&mut changed);
            let digest = of(&changed);
            assert!(!digests.contains(&digest), "{changed:?}");
            digests.push(digest);
        }
    }

    #[test]
    fn the_texts_hash_ignores_figures_and_the_series_hash_the_customers_name() {
        let plain = row("2026-03-01T00:00:00Z");
        let mut figures = row("2026-03-02T00:00:00Z");
        figures.licenses_active = 7;
        let mut renamed = plain.clone();
        renamed.attributes.customer_name = Some("Contoso".into());
        let rows = [spelled(&plain), spelled(&figures)];
        let dates = by_date(&rows);
        assert_eq!(dates[0].texts_hash, dates[1].texts_hash);
        let rows = [spelled(&renamed)];
        let renamed = &by_date(&rows)[0];
        assert_ne!(dates[0].texts_hash, renamed.texts_hash);
        assert_eq!(dates[0].series_hash, renamed.series_hash);
    }

    #[test]
    fn a_service_is_named_once_by_its_code_else_by_its_name() {
        let usage: Vec<UsageRow> = [
            (None, None),
            (None, Some("crm")),
            (Some("o365"), Some("Office 365")),
            (Some("o365"), None),
        ]
        .map(|(code, name): (Option<&str>, Option<&str>)| {
            let mut row = row("2026-03-01T00:00:00Z");
            row.attributes.service_code = code.map(Into::into);
            row.attributes.service_name = name.map(Into::into);
            row
        })
        .into();
        let rows: Vec<LedgerRow<'_>> = usage.iter().map(spelled).collect();
        assert_eq!(by_date(&rows)[0].services(), ["", "crm", "o365"]);
    }
}
