//! Digests of a customer's rows of a day, as they came: by them rows that come again are told from
//! others without comparing them one by one.

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::UsageRow;

/// A row in the spelling of the ledger: its date, customer, product and workload, and the rest.
pub(super) type Spelt<'a> = (DateTime<Utc>, Uuid, &'a str, &'a str, &'a UsageRow);

/// A customer's rows of one processed date, in the order of the primary key.
pub(super) struct Dated<'a> {
    pub(super) at: DateTime<Utc>,
    pub(super) customer: Uuid,
    pub(super) rows: &'a [Spelt<'a>],
    /// Stands for all that is stored of them.
    digest: Digest,
    /// Stands for their texts.
    pub(super) texts: i64,
    /// Stands for their texts but for the customer's name.
    pub(super) series: i64,
}

/// A customer's rows of a day (UTC), by processed date. Rarely more than one.
pub(super) struct Day<'a> {
    pub(super) dates: &'a [Dated<'a>],
    pub(super) digest: Digest,
}

/// Of rows in the order of customers, and of each customer's in that of the primary key.
pub(super) fn dated<'a>(rows: &'a [Spelt<'a>]) -> Vec<Dated<'a>> {
    let mut bytes = Vec::new();
    rows.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .filter_map(|rows| {
            let (at, customer, ..) = *rows.first()?;
            bytes.clear();
            for row in rows {
                put_series(&mut bytes, row);
            }
            let mut context = Context::new(&SHA256);
            context.update(&bytes);
            let series = number(&context.clone().finish());
            bytes.clear();
            for (.., row) in rows {
                put_text(&mut bytes, row.attributes.customer_name.as_deref());
            }
            context.update(&bytes);
            let texts = number(&context.clone().finish());
            bytes.clear();
            bytes.extend(at.timestamp_micros().to_le_bytes());
            for (.., row) in rows {
                let percent = row.usage_percent.map_or([0xff; 8], f64::to_le_bytes);
                bytes.extend(row.licenses_active.to_le_bytes());
                bytes.extend(row.licenses_qualified.to_le_bytes());
                bytes.extend(percent);
            }
            context.update(&bytes);
            Some(Dated {
                at,
                customer,
                rows,
                digest: context.finish(),
                texts,
                series,
            })
        })
        .collect()
}

/// Of what [`dated`] gives.
pub(super) fn days<'a>(dated: &'a [Dated<'a>]) -> impl Iterator<Item = Day<'a>> {
    let day = |one: &Dated<'_>| (one.customer, one.at.date_naive());
    dated
        .chunk_by(move |a, b| day(a) == day(b))
        .map(|dates| Day {
            dates,
            digest: match dates {
                [one] => one.digest,
                several => {
                    let all: Vec<u8> = several
                        .iter()
                        .flat_map(|one| one.digest.as_ref())
                        .copied()
                        .collect();
                    digest(&SHA256, &all)
                }
            },
        })
}

fn number(digest: &Digest) -> i64 {
    let mut number = [0; 8];
    number.copy_from_slice(&digest.as_ref()[..8]);
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
