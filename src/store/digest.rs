//! Digests of a customer's rows of a day, as they came: by them rows that come again are told from others without
//! comparing them one by one.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::usage::UsageRow;

/// A row in the spelling of the ledger: its date, customer, product and workload, and the rest.
pub(super) type Spelt<'a> = (DateTime<Utc>, Uuid, &'a str, &'a str, &'a UsageRow);

/// A customer's rows of a day (UTC).
pub(super) struct Day<'a> {
    pub(super) date: NaiveDate,
    pub(super) customer: Uuid,
    /// In the order of the primary key.
    pub(super) rows: &'a [Spelt<'a>],
    /// Of all that is stored of them.
    pub(super) digest: Digest,
}

impl<'a> Day<'a> {
    /// The day's rows by their processed date. Rarely more than one.
    pub(super) fn dates(&self) -> impl Iterator<Item = (DateTime<Utc>, &'a [Spelt<'a>])> {
        let dates = self.rows.chunk_by(|a, b| a.0 == b.0);
        dates.filter_map(|rows| Some((rows.first()?.0, rows)))
    }
}

/// Of rows in the order of customers, and of each customer's in that of the primary key.
pub(super) fn days<'a>(rows: &'a [Spelt<'a>]) -> Vec<Day<'a>> {
    let mut bytes = Vec::new();
    let is_same_day =
        |a: DateTime<Utc>, b: DateTime<Utc>| a == b || a.date_naive() == b.date_naive();
    rows.chunk_by(|a, b| a.1 == b.1 && is_same_day(a.0, b.0))
        .filter_map(|rows| {
            let (at, customer, ..) = rows.first().copied()?;
            let mut day = Day {
                date: at.date_naive(),
                customer,
                rows,
                digest: digest(&SHA256, &[]),
            };
            bytes.clear();
            for (at, rows) in day.dates() {
                bytes.extend(at.timestamp_micros().to_le_bytes());
                for row in rows {
                    put_series(&mut bytes, row);
                    put_text(&mut bytes, row.4.attributes.customer_name.as_deref());
                    let percent = row.4.usage_percent.map_or([0xff; 8], f64::to_le_bytes);
                    bytes.extend(row.4.licenses_active.to_le_bytes());
                    bytes.extend(row.4.licenses_qualified.to_le_bytes());
                    bytes.extend(percent);
                }
            }
            day.digest = digest(&SHA256, &bytes);
            Some(day)
        })
        .collect()
}

/// Two numbers that stand for texts of rows in the order of the primary key: all of them, and all but the customer's name.
pub(super) fn texts(rows: &[Spelt<'_>]) -> (i64, i64) {
    let mut bytes = Vec::new();
    for row in rows {
        put_series(&mut bytes, row);
    }
    let series = number(&bytes);
    for (.., row) in rows {
        put_text(&mut bytes, row.attributes.customer_name.as_deref());
    }
    (number(&bytes), series)
}

fn number(bytes: &[u8]) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&digest(&SHA256, bytes).as_ref()[..8]);
    i64::from_le_bytes(number)
}

fn put_series(bytes: &mut Vec<u8>, (_, _, product, workload, row): &Spelt<'_>) {
    put_text(bytes, Some(product));
    put_text(bytes, Some(workload));
    let attributes = &row.attributes;
    for text in [
        &attributes.product_id,
        &row.workload_code,
        &attributes.service_name,
        &attributes.service_code,
        &attributes.channel,
    ] {
        put_text(bytes, text.as_deref());
    }
}

/// With its length, so that no text passes for two, nor a missing one for an empty one.
fn put_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    let length = text.map_or(u32::MAX, |text| {
        u32::try_from(text.len()).unwrap_or(u32::MAX - 1)
    });
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.unwrap_or_default().as_bytes());
}
