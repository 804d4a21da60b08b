//! Turns one customer's collection, or its part of a partner-wide one, into rows. Pure: no clock, network or SQL.
//! Every item ends as a row or as a [`Rejection`]; none is dropped in silence.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::body::{Unreadable, json_text, parse_object};
use super::date::parse_date;
use super::fault::Fault;
use super::number::parse_count;
use super::wire::{self, Raw};
use crate::usage::{
    Attributes, Collection, CustomerId, DeploymentKey, DeploymentRow, EARLIEST, Item, LATEST_AHEAD,
    MAX_KEY_BYTES, MAX_TEXT_CHARS, Name, Rejection, RejectionReason, Row, UsageKey, UsageRow,
};

/// A collection of which more than this is unusable is not worth keeping item by item.
pub(super) const MAX_REJECTIONS: usize = 10_000;

/// Why a body is no usage collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotACollection {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the member items is not a list")]
    ItemsNotAList,
    #[error("the body is a fault although the status is 200: {0}")]
    Fault(Fault),
    #[error("over {MAX_REJECTIONS} items are unusable; the first: {first}")]
    TooManyRejections { first: String },
}

/// Reads the body of a usage answer. `now` bounds the dates that are believed, and `secret` must not come back out of
/// a fault.
pub(super) fn decode_usage(
    body: &[u8],
    customer: CustomerId,
    now: DateTime<Utc>,
    secret: &str,
) -> Result<Collection<UsageRow>, NotACollection> {
    decode(body, secret, |item| {
        own_row(item, customer, |item| usage_row(item, now))
    })
}

/// Reads the body of a deployment answer, as [`decode_usage`] does.
pub(super) fn decode_deployment(
    body: &[u8],
    customer: CustomerId,
    now: DateTime<Utc>,
    secret: &str,
) -> Result<Collection<DeploymentRow>, NotACollection> {
    decode(body, secret, |item| {
        own_row(item, customer, |item| deployment_row(item, now))
    })
}

/// Makes a row of an item, or says why not.
fn decode<R: Row>(
    body: &[u8],
    secret: &str,
    row: impl Fn(&str) -> Result<R, Unusable>,
) -> Result<Collection<R>, NotACollection> {
    let text = json_text(body)?;
    if text.is_empty() {
        return Ok(Collection::default());
    }
    let envelope: wire::Envelope<'_> = parse_object(text)?;
    let items = items(envelope.items)?;
    // Beside an empty list a mere remark is no fault; in the place of a list it is.
    if items.is_empty()
        && let Some(fault) = Fault::in_envelope(&envelope, secret)
        && (envelope.items.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(NotACollection::Fault(fault));
    }
    let mut rows = Vec::with_capacity(items.len());
    let mut rejections: Vec<Rejection> = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        match judge(index as u64 + 1, item.get(), &row) {
            Ok(item) => rows.push(item),
            Err(rejection) => {
                if rejections.len() == MAX_REJECTIONS {
                    let first = rejections.swap_remove(0).detail;
                    return Err(NotACollection::TooManyRejections { first });
                }
                rejections.push(rejection);
            }
        }
    }
    let mut collection = Collection::new(rows, rejections);
    collection.note = envelope
        .total_count
        .and_then(|total| parse_count(total.get()).ok())
        .filter(|total| u64::try_from(*total) != Ok(collection.received))
        .map(|total| {
            format!(
                "the API announced {total} items and sent {}",
                collection.received
            )
        });
    Ok(collection)
}

/// One customer's part of a partner-wide collection, made of its items in the order in which they came, each with its
/// number in the whole. Such a collection has no column of percentages, so that nothing is read as one.
pub(super) fn decode_part<'a, R: Row>(
    items: impl IntoIterator<Item = (u64, &'a str)>,
    customer: CustomerId,
    now: DateTime<Utc>,
    row: RowOf<R>,
) -> Collection<R> {
    let without_percent = |item: &wire::Item<'_>| {
        let item = wire::Item {
            usage_percent: None,
            deployment_percent: None,
            ..*item
        };
        row(&item, now)
    };
    let mut rows = Vec::new();
    let mut rejections = Vec::new();
    for (number, item) in items {
        match judge(number, item, |item| {
            own_row(item, customer, without_percent)
        }) {
            Ok(item) => rows.push(item),
            Err(rejection) => rejections.push(rejection),
        }
    }
    Collection::new(rows, rejections)
}

/// Makes a row of the item that is number `number` of its collection, or a rejection.
fn judge<R>(
    number: u64,
    item: &str,
    row: impl Fn(&str) -> Result<R, Unusable>,
) -> Result<Item<'_, R>, Rejection> {
    match row(item) {
        Ok(row) => Ok(Item { row, payload: item }),
        Err(unusable) => Err(rejection(number, item, unusable)),
    }
}

/// What is kept of the item that is number `number` of its collection.
pub(super) fn rejection(number: u64, item: &str, (reason, what): Unusable) -> Rejection {
    Rejection {
        reason,
        detail: format!("item {number}: {what}"),
        payload: item.to_owned(),
    }
}

/// Whose an item of a partner-wide collection is.
pub(super) fn owner(item: &str) -> Result<CustomerId, Unusable> {
    const FIELD: &str = "customerTenantId";
    let item: wire::Owner<'_> = serde_json::from_str(item).map_err(|_| not_an_object())?;
    demand(&[(FIELD, item.customer_tenant_id)])?;
    let id = item.customer_tenant_id.map_or("", RawValue::get);
    if !id.starts_with('"') {
        return Err(invalid(FIELD, "is not a text"));
    }
    // Half a surrogate pair is no part of a GUID either.
    let id: String = serde_json::from_str(id).map_err(|_| invalid(FIELD, "is not a GUID"))?;
    if id.trim().is_empty() {
        return Err((RejectionReason::MissingField, format!("{FIELD} is blank")));
    }
    id.parse().map_err(|_| invalid(FIELD, "is not a GUID"))
}

/// The list's members, raw; an absent list is an empty one.
pub(super) fn items(items: Raw<'_>) -> Result<Vec<&RawValue>, NotACollection> {
    items.map_or_else(
        || Ok(Vec::new()),
        |items| serde_json::from_str(items.get()).map_err(|_| NotACollection::ItemsNotAList),
    )
}

pub(super) type Unusable = (RejectionReason, String);

/// Makes a row of an item that is known to be the right customer's.
pub(super) type RowOf<R> = fn(&wire::Item<'_>, DateTime<Utc>) -> Result<R, Unusable>;

/// Reads an item and makes sure that it is `customer`'s.
fn own_row<R>(
    item: &str,
    customer: CustomerId,
    row: impl Fn(&wire::Item<'_>) -> Result<R, Unusable>,
) -> Result<R, Unusable> {
    let item: wire::Item<'_> = serde_json::from_str(item).map_err(|_| not_an_object())?;
    for (field, id) in [
        ("customerId", item.customer_id),
        ("customerTenantId", item.customer_tenant_id),
    ] {
        check_customer(field, id, customer)?;
    }
    row(&item)
}

/// What is missing is told before what is wrong, so that the reason does not depend on the order of members.
fn demand(fields: &[(&str, Raw<'_>)]) -> Result<(), Unusable> {
    match fields.iter().find(|(_, value)| value.is_none()) {
        Some((field, _)) => Err((RejectionReason::MissingField, format!("{field} is missing"))),
        None => Ok(()),
    }
}

pub(super) fn usage_row(item: &wire::Item<'_>, now: DateTime<Utc>) -> Result<UsageRow, Unusable> {
    let licenses_active = item.licenses_active.or(item.license_active);
    demand(&[
        ("productName", item.product_name),
        ("workloadName", item.workload_name),
        ("processedDateTime", item.processed_date_time),
        ("licensesActive", licenses_active),
        ("licensesQualified", item.licenses_qualified),
    ])?;
    let row = UsageRow {
        key: UsageKey {
            product_name: name("productName", item.product_name)?,
            workload_name: name("workloadName", item.workload_name)?,
            processed_date_time: date("processedDateTime", item.processed_date_time, now)?,
        },
        licenses_active: count("licensesActive", licenses_active)?,
        licenses_qualified: count("licensesQualified", item.licenses_qualified)?,
        usage_percent: percent("usagePercent", item.usage_percent)?,
        workload_code: text("workloadCode", item.workload_code)?,
        attributes: attributes(item)?,
    };
    let names = [&row.key.product_name, &row.key.workload_name];
    if names.iter().map(|name| name.as_str().len()).sum::<usize>() > MAX_KEY_BYTES {
        return Err((
            RejectionReason::NotStorable,
            format!("productName and workloadName together take over {MAX_KEY_BYTES} bytes"),
        ));
    }
    Ok(row)
}

pub(super) fn deployment_row(
    item: &wire::Item<'_>,
    now: DateTime<Utc>,
) -> Result<DeploymentRow, Unusable> {
    demand(&[
        ("productName", item.product_name),
        ("processedDateTime", item.processed_date_time),
        ("licensesDeployed", item.licenses_deployed),
        ("licensesSold", item.licenses_sold),
    ])?;
    Ok(DeploymentRow {
        key: DeploymentKey {
            product_name: name("productName", item.product_name)?,
            processed_date_time: date("processedDateTime", item.processed_date_time, now)?,
        },
        licenses_deployed: count("licensesDeployed", item.licenses_deployed)?,
        licenses_sold: count("licensesSold", item.licenses_sold)?,
        deployment_percent: percent("deploymentPercent", item.deployment_percent)?,
        attributes: attributes(item)?,
    })
}

fn attributes(item: &wire::Item<'_>) -> Result<Attributes, Unusable> {
    Ok(Attributes {
        customer_name: text("customerName", item.customer_name)?,
        product_id: text("productId", item.product_id)?.map(|id| {
            // One product, however its GUID is written.
            if Uuid::try_parse(&id).is_ok() {
                id.to_ascii_lowercase()
            } else {
                id
            }
        }),
        service_name: text("serviceName", item.service_name)?,
        service_code: text("serviceCode", item.service_code)?,
        channel: text("channel", item.channel)?,
    })
}

fn not_an_object() -> Unusable {
    invalid("the item", "is not an object with readable members")
}

fn invalid(field: &str, what: &str) -> Unusable {
    (RejectionReason::InvalidValue, format!("{field} {what}"))
}

fn check_customer(field: &str, id: Raw<'_>, customer: CustomerId) -> Result<(), Unusable> {
    let Some(id) = text(field, id)?.filter(|id| !id.trim().is_empty()) else {
        return Ok(());
    };
    match id.parse::<CustomerId>() {
        Ok(id) if id == customer => Ok(()),
        Ok(_) => Err((
            RejectionReason::WrongCustomer,
            format!("{field} is another customer's"),
        )),
        Err(_) => Err(invalid(field, "is not a GUID")),
    }
}

fn text(field: &str, value: Raw<'_>) -> Result<Option<String>, Unusable> {
    let Some(value) = value else { return Ok(None) };
    if !value.get().starts_with('"') {
        return Err(invalid(field, "is not a text"));
    }
    let not_storable = |what: &str| (RejectionReason::NotStorable, format!("{field} {what}"));
    // The text was scanned before, so that all that can be wrong now is half a surrogate pair.
    let text: String = serde_json::from_str(value.get())
        .map_err(|_| not_storable("holds half of a character that takes two"))?;
    if text.contains('\0') {
        return Err(not_storable("holds the character U+0000"));
    }
    check_length(field, &text)?;
    Ok(Some(text))
}

fn check_length(field: &str, text: &str) -> Result<(), Unusable> {
    if text.len() > MAX_TEXT_CHARS && text.chars().count() > MAX_TEXT_CHARS {
        return Err((
            RejectionReason::NotStorable,
            format!("{field} is over {MAX_TEXT_CHARS} characters long"),
        ));
    }
    Ok(())
}

fn name(field: &str, value: Raw<'_>) -> Result<Name, Unusable> {
    let name = text(field, value)?.and_then(|text| Name::new(&text));
    let name = name.ok_or_else(|| (RejectionReason::MissingField, format!("{field} is blank")))?;
    // Form NFC may be the longer one.
    check_length(field, name.as_str())?;
    Ok(name)
}

fn date(field: &str, value: Raw<'_>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Unusable> {
    let text: String = value
        .and_then(|value| serde_json::from_str::<String>(value.get()).ok())
        .ok_or_else(|| invalid(field, "is not a text"))?;
    if text.trim().is_empty() {
        return Err((RejectionReason::MissingField, format!("{field} is blank")));
    }
    let date = parse_date(&text).ok_or_else(|| invalid(field, "cannot be read as a date"))?;
    let out_of_range = |what: &str| (RejectionReason::OutOfRange, format!("{field} is {what}"));
    if date < EARLIEST {
        return Err(out_of_range("before the year 2000"));
    }
    if date > now + LATEST_AHEAD {
        return Err(out_of_range("over two days ahead"));
    }
    Ok(date)
}

fn is_number(value: &RawValue) -> bool {
    value
        .get()
        .starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn count(field: &str, value: Raw<'_>) -> Result<i64, Unusable> {
    let value = value
        .filter(|value| is_number(value))
        .ok_or_else(|| invalid(field, "is not a number"))?;
    parse_count(value.get()).map_err(|error| invalid(field, &error.to_string()))
}

fn percent(field: &str, value: Raw<'_>) -> Result<Option<f64>, Unusable> {
    let Some(value) = value else { return Ok(None) };
    // A number beyond what a double holds is an error here, never an infinity.
    serde_json::from_str::<f64>(value.get())
        .ok()
        .filter(|_| is_number(value))
        .map(Some)
        .ok_or_else(|| invalid(field, "is not a number"))
}

#[cfg(test)]
mod tests;
