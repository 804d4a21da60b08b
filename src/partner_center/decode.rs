//! Turns one customer's collection, or its part of a partner-wide one, into rows. Pure: no clock, network or SQL.
//! Every item ends as a row or as a [`Rejection`]; none is dropped in silence.

mod field;
#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::body::{self, Unreadable, check_depth, parse_object};
use super::fault::Fault;
use super::number::parse_count;
use super::plain::Reader;
use super::wire::{self, Json, Members as _, Raw};
use crate::usage::{
    Attributes, Collection, CustomerId, DeploymentKey, DeploymentRow, MAX_KEY_BYTES, Rejection,
    RejectionReason, Row, UsageKey, UsageRow,
};
use field::{count, date, demand, invalid, name, owned, percent, text};

/// A collection of which more than this is unusable is not worth keeping item by item.
pub(super) const MAX_REJECTIONS: usize = 10_000;

/// Most customers have no more items than this: room for them is made at once.
const USUAL_ITEMS: usize = 64;

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
    let owner = &Owner::new(customer);
    decode(body, secret, |item| {
        own_row(item, owner, |item| usage_row(item, now))
    })
}

/// Reads the body of a deployment answer, as [`decode_usage`] does.
pub(super) fn decode_deployment(
    body: &[u8],
    customer: CustomerId,
    now: DateTime<Utc>,
    secret: &str,
) -> Result<Collection<DeploymentRow>, NotACollection> {
    let owner = &Owner::new(customer);
    decode(body, secret, |item| {
        own_row(item, owner, |item| deployment_row(item, now))
    })
}

/// What the items of a collection have become so far.
struct Gathered<'a, R, F> {
    row: F,
    rows: Vec<R>,
    /// What each row was read from.
    payloads: Vec<&'a str>,
    rejections: Vec<Rejection>,
    /// The length of all items together, in bytes, and not much more.
    length: usize,
    count: u64,
    too_many: bool,
}

impl<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>> Gathered<'a, R, F> {
    fn new(row: F, length: usize) -> Self {
        Self {
            row,
            length,
            rows: Vec::new(),
            payloads: Vec::new(),
            rejections: Vec::new(),
            count: 0,
            too_many: false,
        }
    }

    fn add(&mut self, item: Option<&wire::Item<'_>>, payload: &'a str) {
        self.count += 1;
        let row = item.ok_or_else(not_an_object);
        match row.and_then(&self.row) {
            Ok(row) => {
                if self.rows.is_empty() {
                    // Items are much of a length.
                    let expected = USUAL_ITEMS.min(self.length / payload.len().max(1) + 1);
                    self.rows.reserve_exact(expected);
                    self.payloads.reserve_exact(expected);
                }
                self.rows.push(row);
                self.payloads.push(payload);
            }
            Err(_) if self.rejections.len() == MAX_REJECTIONS => self.too_many = true,
            Err(unusable) => self
                .rejections
                .push(rejection(self.count, payload, unusable)),
        }
    }
}

/// Makes rows of a body's items, or says why not.
fn decode<R: Row>(
    body: &[u8],
    secret: &str,
    row: impl Fn(&wire::Item<'_>) -> Result<R, Unusable> + Copy,
) -> Result<Collection<R>, NotACollection> {
    let text = body::text(body)?;
    if text.is_empty() {
        return Ok(Collection::default());
    }
    let mut gathered = Gathered::new(row, text.len());
    let envelope = if let Some(envelope) = read_plain(text, &mut gathered) {
        envelope
    } else {
        gathered = Gathered::new(row, text.len());
        check_depth(text)?;
        read(text, &mut gathered)?
    };
    // Beside an empty list a mere remark is no fault; in the place of a list it is.
    if gathered.count == 0
        && let Some(fault) = Fault::in_envelope(&envelope, secret)
        && (envelope.items.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(NotACollection::Fault(fault));
    }
    if gathered.too_many {
        let first = gathered.rejections.swap_remove(0).detail;
        return Err(NotACollection::TooManyRejections { first });
    }
    let mut collection = Collection::new(gathered.rows, &gathered.payloads, gathered.rejections);
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

/// Goes over a collection once, items and all; none where it is not as plain as nearly all are.
fn read_plain<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>>(
    text: &'a str,
    gathered: &mut Gathered<'a, R, F>,
) -> Option<wire::Envelope<'a>> {
    let mut reader = Reader::new(text);
    let mut envelope = wire::Envelope::default();
    reader.object(|reader, member| {
        let is_list = member.eq_ignore_ascii_case("items");
        // The last of several lists would count.
        if is_list && envelope.items.is_some() {
            return None;
        }
        let value = if is_list {
            let list = reader.with_json(|reader| {
                reader.list(|reader| {
                    let (item, payload) = reader.with_json(wire::Item::read_plain)?;
                    gathered.add(Some(&item), payload.get());
                    Some(())
                })
            });
            list?.1
        } else {
            reader.value()?
        };
        envelope.set(member, value);
        Some(())
    })?;
    reader.is_at_end().then_some(envelope)
}

/// As [`read_plain`], whatever the collection is like.
fn read<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>>(
    text: &'a str,
    gathered: &mut Gathered<'a, R, F>,
) -> Result<wire::Envelope<'a>, NotACollection> {
    let envelope: wire::Envelope<'_> = parse_object(text)?;
    for item in items(envelope.items)? {
        gathered.add(wire::Item::read(item.get()).as_ref(), item.get());
    }
    Ok(envelope)
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
    let owner = &Owner::new(customer);
    let (mut rows, mut payloads) = (Vec::new(), Vec::new());
    let mut rejections = Vec::new();
    for (number, payload) in items {
        let item = wire::Item::read(payload).ok_or_else(not_an_object);
        match item.and_then(|item| own_row(&item, owner, without_percent)) {
            Ok(row) => {
                rows.push(row);
                payloads.push(payload);
            }
            Err(unusable) => rejections.push(rejection(number, payload, unusable)),
        }
    }
    Collection::new(rows, &payloads, rejections)
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
    let item = wire::Owner::read(item).ok_or_else(not_an_object)?;
    demand(&[(FIELD, item.customer_tenant_id)])?;
    let id = item.customer_tenant_id.filter(|id| id.is_text());
    let id = id.ok_or_else(|| invalid(FIELD, "is not a text"))?;
    // Half a surrogate pair is no part of a GUID either.
    let id = id
        .as_text()
        .ok_or_else(|| invalid(FIELD, "is not a GUID"))?;
    if id.trim().is_empty() {
        return Err((RejectionReason::MissingField, format!("{FIELD} is blank")));
    }
    id.parse().map_err(|_| invalid(FIELD, "is not a GUID"))
}

/// The list's members, raw; an absent list is an empty one.
pub(super) fn items(items: Raw<'_>) -> Result<Vec<Json<'_>>, NotACollection> {
    items.map_or_else(
        || Ok(Vec::new()),
        |items| serde_json::from_str(items.get()).map_err(|_| NotACollection::ItemsNotAList),
    )
}

pub(super) type Unusable = (RejectionReason, String);

/// Makes a row of an item that is known to be the right customer's.
pub(super) type RowOf<R> = fn(&wire::Item<'_>, DateTime<Utc>) -> Result<R, Unusable>;

/// Whose items are wanted.
struct Owner {
    id: CustomerId,
    /// As it is usually written.
    text: String,
}

impl Owner {
    fn new(id: CustomerId) -> Self {
        let text = id.to_string();
        Self { id, text }
    }
}

/// Makes a row of an item, after making sure that it is `owner`'s.
fn own_row<R>(
    item: &wire::Item<'_>,
    owner: &Owner,
    row: impl Fn(&wire::Item<'_>) -> Result<R, Unusable>,
) -> Result<R, Unusable> {
    for (field, id) in [
        ("customerId", item.customer_id),
        ("customerTenantId", item.customer_tenant_id),
    ] {
        check_customer(field, id, owner)?;
    }
    row(item)
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
        workload_code: owned("workloadCode", item.workload_code)?,
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
        customer_name: owned("customerName", item.customer_name)?,
        product_id: owned("productId", item.product_id)?.map(|mut id| {
            // One product, however its GUID is written.
            if Uuid::try_parse(&id).is_ok() {
                id.make_ascii_lowercase();
            }
            id
        }),
        service_name: owned("serviceName", item.service_name)?,
        service_code: owned("serviceCode", item.service_code)?,
        channel: owned("channel", item.channel)?,
    })
}

fn not_an_object() -> Unusable {
    invalid("the item", "is not an object with readable members")
}

fn check_customer(field: &str, id: Raw<'_>, owner: &Owner) -> Result<(), Unusable> {
    let Some(id) = text(field, id)?.filter(|id| !id.trim().is_empty()) else {
        return Ok(());
    };
    if id == owner.text {
        return Ok(());
    }
    match id.parse::<CustomerId>() {
        Ok(id) if id == owner.id => Ok(()),
        Ok(_) => Err((
            RejectionReason::WrongCustomer,
            format!("{field} is another customer's"),
        )),
        Err(_) => Err(invalid(field, "is not a GUID")),
    }
}
