//! Stores the items that could not become rows, as far as `jsonb` can hold them.

use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::written::Stamp;
use crate::ledger::{CustomerOutcome, Dataset, MAX_PAYLOAD_BYTES, Rejection};

/// Bytes of items parsed before other tasks get a turn. Rejected items are parsed a second time and
/// may add up to many megabytes, during which no other task of this thread would run.
const MAX_BYTES_UNTIL_YIELD: usize = 256 * 1024;

/// Digits of a number, and size of its exponent, at most. `jsonb` stores numbers as `numeric`,
/// which refuses more than 16,383 digits after the point; no figure of the API comes near this
/// bound.
const MAX_DIGITS: usize = 1_000;

/// Items, each with the customer whose collection held it; none if no customer's did.
pub(super) type Rejected<'a> = Vec<(Option<Uuid>, &'a Rejection)>;

pub(super) fn by_dataset(outcomes: &[CustomerOutcome]) -> [(Dataset, Rejected<'_>); 2] {
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

/// Items without a customer are left out if the run has stored such items of the dataset before:
/// the caller passes all of them at once, and again if it cannot know whether a commit succeeded.
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
        if bytes > MAX_BYTES_UNTIL_YIELD {
            bytes = 0;
            tokio::task::yield_now().await;
        }
        payloads.push(storable(&rejection.payload).get().to_owned());
    }
    macro_rules! column {
        ($value:expr) => {
            rejections.iter().map($value).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "
        insert into rejected_row (
            run_id, dataset, customer_id, reason, detail, payload, rejected_at
        )
        select
            $1,
            $2::varchar,
            customer_id,
            reason,
            detail,
            payload::jsonb,
            $7
        from
            unnest($3::uuid[], $4::varchar[], $5::text[], $6::text[])
                as t (customer_id, reason, detail, payload)
        where customer_id is not null
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

/// JSON that `jsonb` accepts: the item as it came, or else a JSON string with the item's text.
/// `jsonb` refuses U+0000, unpaired surrogates and numbers out of range of `numeric`.
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

/// Whether `numeric` can hold every number in a JSON text. It refuses some small doubles, too.
fn numbers_fit(json: &str) -> bool {
    let is_part = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    // Once escaped quotes are removed, every other piece between quotes is outside of a string.
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
