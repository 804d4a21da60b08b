//! Keeps the items that could not become rows.

use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::written::Stamp;
use crate::ledger::{CustomerOutcome, Dataset, MAX_PAYLOAD_BYTES, Rejection};

/// After so much of refused items everybody else has a turn: they are read as JSON once more, and
/// may be many megabytes.
const BYTES_IN_A_ROW: usize = 256 * 1024;

/// Numbers with more digits, or a greater exponent, are no figures. Postgres' `numeric` ends far
/// beyond, at 16,383 digits behind the point.
const MAX_DIGITS: usize = 1_000;

pub(super) type Rejected<'a> = Vec<(Option<Uuid>, &'a Rejection)>;

pub(super) fn of(outcomes: &[CustomerOutcome]) -> [(Dataset, Rejected<'_>); 2] {
    let of = |rejections: fn(&CustomerOutcome) -> &[Rejection]| {
        let each = |outcome| {
            let id = Some(CustomerOutcome::id(outcome).as_uuid());
            rejections(outcome).iter().map(move |r| (id, r))
        };
        outcomes.iter().flat_map(each).collect()
    };
    [
        (Dataset::Usage, of(|o| &o.usage.rejections)),
        (Dataset::Deployment, of(|o| &o.deployment.rejections)),
    ]
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    dataset: Dataset,
    rejections: &[(Option<Uuid>, &Rejection)],
    stamp: Stamp,
) -> Result<(), sqlx::Error> {
    if rejections.is_empty() {
        return Ok(());
    }
    let mut payloads = Vec::with_capacity(rejections.len());
    let mut bytes = 0;
    for (_, rejection) in rejections {
        bytes += rejection.payload.len();
        if bytes > BYTES_IN_A_ROW {
            bytes = 0;
            tokio::task::yield_now().await;
        }
        payloads.push(storable(&rejection.payload).get().to_owned());
    }
    macro_rules! column {
        ($of:expr) => {
            rejections.iter().map($of).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "
        insert into rejected_row (run_id, dataset, customer_id, reason, detail, payload, rejected_at)
        select $1, $2::varchar, id, reason, detail, payload::jsonb, $7
        from unnest($3::uuid[], $4::varchar[], $5::text[], $6::text[]) as t (id, reason, detail, payload)
        where id is not null
            or not exists (
                select
                from rejected_row as r
                where r.run_id = $1
                    and r.customer_id is null
                    and r.dataset = $2
            )
        ",
        stamp.run_id,
        dataset.as_str(),
        &column!(|(id, _)| *id) as _,
        &column!(|(_, r)| r.reason.as_str()) as _,
        &column!(|(_, r)| r.detail.as_str()) as _,
        &payloads,
        stamp.now
    )
    .execute(connection)
    .await
    .map(drop)
}

/// JSON that Postgres can hold: the item as it came, or else a JSON string with its text.
/// `jsonb` refuses U+0000, halves of surrogate pairs and numbers beyond measure.
fn storable(item: &str) -> Box<RawValue> {
    let fits = item.len() <= MAX_PAYLOAD_BYTES
        && !item.contains(r"\u0000")
        && serde_json::from_str::<serde_json::Value>(item).is_ok()
        && numbers_fit(item);
    let json = if fits {
        item.to_owned()
    } else {
        let end = item.floor_char_boundary(MAX_PAYLOAD_BYTES);
        let text = item[..end].replace('\0', "\u{fffd}");
        serde_json::Value::String(text).to_string()
    };
    RawValue::from_string(json).expect("the text was read as JSON or was just written as JSON")
}

/// Whether every number in JSON text is of a size that `numeric` takes. A double can be too small
/// for that.
fn numbers_fit(json: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    // Without escaped quotes, every other piece between quotes is outside of strings.
    json.replace(r"\\", "")
        .replace(r#"\""#, "")
        .split('"')
        .step_by(2)
        .flat_map(|outside| outside.split(|c| !is_part(c)))
        .all(|number| {
            let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, ""));
            let exponent_fits = exponent.is_empty()
                || exponent
                    .parse::<i32>()
                    .is_ok_and(|exponent| exponent.unsigned_abs() as usize <= MAX_DIGITS);
            mantissa.len() <= MAX_DIGITS && exponent_fits
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_jsonb_can_hold_is_kept_as_it_came() {
        for item in [
            "{\"a\": 1.50}",
            "null",
            "[1,2]",
            "\"x\"",
            r#"{"a\\":[1e-300,true,false],"\"1e-20000":"\\","b":-2.5E+7}"#,
        ] {
            assert_eq!(storable(item).get(), item);
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_kept_as_text() {
        for item in [
            r#"{"a":"\u0000"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":1e400}"#,
            r#"{"\\":1e-20000}"#,
            r#"["\"",0E99999999999]"#,
        ] {
            let kept: String = serde_json::from_str(storable(item).get()).unwrap();
            assert_eq!(kept, item);
        }
        let long = format!("\"{}\"", "語".repeat(MAX_PAYLOAD_BYTES));
        assert!(storable(&long).get().len() <= MAX_PAYLOAD_BYTES + 8);
    }
}
