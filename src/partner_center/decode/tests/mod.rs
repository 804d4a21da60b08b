//! Items, bodies and pages, read through the functions that the endpoints call.

mod bodies;
mod items;
mod pages;

use serde_json::json;

use super::*;

const CUSTOMER: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

fn now() -> DateTime<Utc> {
    "2026-10-01T06:00:00Z".parse().unwrap()
}

fn decode(body: &[u8]) -> Result<Collection<UsageRow>, DecodeError> {
    match page(body, None)?.content {
        PageContent::Complete(collection) => Ok(collection),
        PageContent::Partial(items) => panic!("{items:?}"),
    }
}

fn page(body: &[u8], prior: Option<PriorTotals>) -> Result<CollectionPage<UsageRow>, DecodeError> {
    let context = PageContext {
        customer: CUSTOMER.parse().unwrap(),
        now: now(),
        prior,
    };
    decode_usage(body, &context, None, "s3cret")
}

/// A valid item with some members replaced.
fn item(changes: &serde_json::Value) -> serde_json::Value {
    let mut item = json!({
        "customerName": "Contoso", "productName": "OFFICE 365 E3", "workloadName": "Exchange",
        "licensesActive": 3, "licensesQualified": 10, "usagePercent": 30.0,
        "processedDateTime": "2026-09-28T00:00:00Z", "serviceName": "o365", "channel": "reseller",
    });
    for (member, value) in changes.as_object().unwrap() {
        item[member] = value.clone();
    }
    item
}
