//! Turns one item into a row or a rejection.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::ledger::{
    Attributes, CustomerId, DeploymentKey, DeploymentRow, MAX_KEY_BYTES, MAX_PAYLOAD_BYTES,
    Rejection, RejectionReason, UsageKey, UsageRow,
};
use crate::partner_center::decode::field::{
    ItemError, count, date, name, owned_text, percent, require, text,
};
use crate::partner_center::decode::wire::{Item, ItemOwner, Members as _, Raw};
use crate::partner_center::redact;

/// Turns an item that is known to be the right customer's into a row.
pub(in crate::partner_center) type RowDecoder<R> =
    fn(&Item<'_>, DateTime<Utc>) -> Result<R, ItemError>;

/// The rejection of an item; `number` is its place in its collection, counted from one.
pub(in crate::partner_center) fn rejection(
    number: u64,
    item: &str,
    error: &ItemError,
) -> Rejection {
    Rejection {
        reason: error.reason,
        detail: format!("item {number}: {}", error.detail),
        payload: payload_of(item),
    }
}

/// The part of an item that a rejection keeps, with tokens masked. It is cut off a character beyond
/// the length that the ledger stores, so that the ledger can tell that it was cut.
pub(super) fn payload_of(item: &str) -> String {
    let end = item.floor_char_boundary(MAX_PAYLOAD_BYTES + 4);
    redact::redact_web_tokens(&item[..end]).into_owned()
}

pub(super) fn not_an_object() -> ItemError {
    ItemError::invalid("the item", "is not an object with readable members")
}

/// The customer that an item of a partner-wide collection belongs to.
pub(in crate::partner_center) fn owner_of(item: &str) -> Result<CustomerId, ItemError> {
    const FIELD: &str = "customerTenantId";
    let item = ItemOwner::read(item).ok_or_else(not_an_object)?;
    require(&[(FIELD, item.customer_tenant_id)])?;
    let id = item.customer_tenant_id.filter(|id| id.is_string());
    let id = id.ok_or_else(|| ItemError::invalid(FIELD, "is not a text"))?;
    // An unpaired surrogate, for which there is no text, cannot be part of a GUID either.
    let id = id
        .as_str()
        .ok_or_else(|| ItemError::invalid(FIELD, "is not a GUID"))?;
    if id.trim().is_empty() {
        return Err(ItemError::missing(FIELD, "is blank"));
    }
    id.parse()
        .map_err(|_| ItemError::invalid(FIELD, "is not a GUID"))
}

/// The customer that every item of a collection must belong to.
pub(super) struct ExpectedOwner {
    id: CustomerId,
    /// In the usual spelling, which is compared without parsing.
    text: String,
}

impl ExpectedOwner {
    pub(super) fn new(id: CustomerId) -> Self {
        let text = id.to_string();
        Self { id, text }
    }

    /// Fails if the item names another customer. An item need not name any.
    pub(super) fn check(&self, item: &Item<'_>) -> Result<(), ItemError> {
        self.check_field("customerId", item.customer_id)?;
        self.check_field("customerTenantId", item.customer_tenant_id)
    }

    fn check_field(&self, field: &str, id: Raw<'_>) -> Result<(), ItemError> {
        let Some(id) = text(field, id)?.filter(|id| !id.trim().is_empty()) else {
            return Ok(());
        };
        if id == self.text {
            return Ok(());
        }
        match id.parse::<CustomerId>() {
            Ok(id) if id == self.id => Ok(()),
            Ok(_) => Err(ItemError::new(
                RejectionReason::WrongCustomer,
                field,
                "is another customer's",
            )),
            Err(_) => Err(ItemError::invalid(field, "is not a GUID")),
        }
    }
}

pub(in crate::partner_center) fn usage_row(
    item: &Item<'_>,
    now: DateTime<Utc>,
) -> Result<UsageRow, ItemError> {
    let licenses_active = item.licenses_active.or(item.license_active);
    require(&[
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
        workload_code: owned_text("workloadCode", item.workload_code)?,
        attributes: attributes(item)?,
    };
    let names = [&row.key.product_name, &row.key.workload_name];
    if names.iter().map(|name| name.as_str().len()).sum::<usize>() > MAX_KEY_BYTES {
        let problem = format!("together take over {MAX_KEY_BYTES} bytes");
        return Err(ItemError::not_storable(
            "productName and workloadName",
            &problem,
        ));
    }
    Ok(row)
}

pub(in crate::partner_center) fn deployment_row(
    item: &Item<'_>,
    now: DateTime<Utc>,
) -> Result<DeploymentRow, ItemError> {
    require(&[
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

fn attributes(item: &Item<'_>) -> Result<Attributes, ItemError> {
    Ok(Attributes {
        customer_name: owned_text("customerName", item.customer_name)?,
        product_id: owned_text("productId", item.product_id)?.map(|mut id| {
            // A GUID in another letter case is the same product.
            if Uuid::try_parse(&id).is_ok() {
                id.make_ascii_lowercase();
            }
            id
        }),
        service_name: owned_text("serviceName", item.service_name)?,
        service_code: owned_text("serviceCode", item.service_code)?,
        channel: owned_text("channel", item.channel)?,
    })
}
