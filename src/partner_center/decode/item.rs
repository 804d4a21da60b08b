//! Makes a row of one item, or says why it can be none.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::field::{count, date, demand, invalid, name, owned, percent, text};
use crate::ledger::{
    Attributes, CustomerId, DeploymentKey, DeploymentRow, MAX_KEY_BYTES, MAX_PAYLOAD_BYTES,
    Rejection, RejectionReason, UsageKey, UsageRow,
};
use crate::partner_center::decode::wire::{Item, Members as _, Owner as Owned, Raw};
use crate::partner_center::transport::echo;

/// What is kept of the item that is number `number` of its collection.
pub(in super::super) fn rejection(number: u64, item: &str, (reason, what): Unusable) -> Rejection {
    Rejection {
        reason,
        detail: format!("item {number}: {what}"),
        payload: kept(item),
    }
}

/// As much of an item as is kept: no token, and no more than the ledger holds. One character more
/// tells it that something was cut off.
pub(super) fn kept(item: &str) -> String {
    let end = item.floor_char_boundary(MAX_PAYLOAD_BYTES + 4);
    echo::without_tokens(&item[..end]).into_owned()
}

/// Whose an item of a partner-wide collection is.
pub(in super::super) fn owner(item: &str) -> Result<CustomerId, Unusable> {
    const FIELD: &str = "customerTenantId";
    let item = Owned::read(item).ok_or_else(not_an_object)?;
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

pub(in super::super) type Unusable = (RejectionReason, String);

/// Makes a row of an item that is known to be the right customer's.
pub(in super::super) type RowOf<R> = fn(&Item<'_>, DateTime<Utc>) -> Result<R, Unusable>;

/// Whose items are wanted.
pub(super) struct Owner {
    id: CustomerId,
    /// As it is usually written.
    text: String,
}

impl Owner {
    pub(super) fn new(id: CustomerId) -> Self {
        let text = id.to_string();
        Self { id, text }
    }
}

/// Makes a row of an item, after making sure that it is `owner`'s.
pub(super) fn own_row<R>(
    item: &Item<'_>,
    owner: &Owner,
    row: impl Fn(&Item<'_>) -> Result<R, Unusable>,
) -> Result<R, Unusable> {
    for (field, id) in [
        ("customerId", item.customer_id),
        ("customerTenantId", item.customer_tenant_id),
    ] {
        check_customer(field, id, owner)?;
    }
    row(item)
}

pub(in super::super) fn usage_row(
    item: &Item<'_>,
    now: DateTime<Utc>,
) -> Result<UsageRow, Unusable> {
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

pub(in super::super) fn deployment_row(
    item: &Item<'_>,
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

fn attributes(item: &Item<'_>) -> Result<Attributes, Unusable> {
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

pub(super) fn not_an_object() -> Unusable {
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
