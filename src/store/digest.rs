//! Digests of a customer's rows of a day, as they came: by them rows that come again are told from others without
//! comparing them one by one.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use chrono::{DateTime, NaiveDate, Utc};
use uuid::Uuid;

use crate::usage::UsageRow;

/// A row in the spelling of the ledger: its date, customer, product and workload, and the rest.
pub(super) type Spelt<'a> = (DateTime<Utc>, Uuid, &'a str, &'a str, &'a UsageRow);

/// A customer's rows of a day (UTC), by both.
pub(super) type Days = BTreeMap<(NaiveDate, Uuid), Day>;

/// A customer's rows of a day (UTC).
pub(super) struct Day {
    /// Of all that is stored of them.
    pub(super) digest: Digest,
    /// The day's processed dates. Rarely more than one.
    pub(super) times: Vec<DateTime<Utc>>,
}

/// Of rows in the order of the primary key.
pub(super) fn digests(rows: &[Spelt<'_>]) -> Days {
    let mut days = BTreeMap::<_, (Vec<u8>, Vec<DateTime<Utc>>)>::new();
    for rows in rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
        let Some((at, customer, ..)) = rows.first().copied() else {
            continue;
        };
        let (bytes, times) = days.entry((at.date_naive(), customer)).or_default();
        times.push(at);
        bytes.extend(at.timestamp_micros().to_le_bytes());
        for row in rows {
            put_series(bytes, row);
            put_text(bytes, row.4.attributes.customer_name.as_deref());
            let percent = row.4.usage_percent.map_or([0xff; 8], f64::to_le_bytes);
            bytes.extend(row.4.licenses_active.to_le_bytes());
            bytes.extend(row.4.licenses_qualified.to_le_bytes());
            bytes.extend(percent);
        }
    }
    days.into_iter()
        .map(|(key, (bytes, times))| {
            let digest = digest(&SHA256, &bytes);
            (key, Day { digest, times })
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
