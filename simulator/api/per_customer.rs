//! The collections of one customer: usage and deployment of its licences, always of each service's
//! newest processed date.

use serde::Serialize;
use uuid::Uuid;

use super::{envelope::fault, partner::Partner};
use crate::{
    traffic::RequestContext,
    wire::{HttpResponse, JSON},
    world::{Dataset, ProductNames, percent},
};

#[derive(Serialize)]
struct CollectionBody<T> {
    #[serde(rename = "totalCount")]
    total_count: usize,
    items: Vec<T>,
    attributes: ObjectType,
}

#[derive(Clone, Copy, Serialize)]
struct ObjectType {
    #[serde(rename = "objectType")]
    name: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UsageItem<'a> {
    customer_name: &'a str,
    product_name: &'a str,
    licenses_active: u32,
    licenses_qualified: u32,
    usage_percent: f64,
    workload_name: &'a str,
    processed_date_time: String,
    service_name: &'a str,
    channel: &'a str,
    attributes: ObjectType,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeploymentItem<'a> {
    customer_name: &'a str,
    product_name: &'a str,
    licenses_deployed: u32,
    deployment_percent: f64,
    licenses_sold: u32,
    processed_date_time: String,
    service_name: &'a str,
    channel: &'a str,
    attributes: ObjectType,
}

/// Answers a call for a customer's collection.
///
/// # Errors
/// When there is no such customer, or it is gone: the fault to send.
pub(super) fn collection(
    partner: &Partner,
    dataset: Dataset,
    context: &RequestContext<'_>,
) -> Result<HttpResponse, HttpResponse> {
    let (settings, world, today) = (context.settings, &partner.world, context.today);
    let number = find(partner, context)?;
    let name = world.customer(number).name;
    let names = ProductNames::new(settings, context.request.header("x-locale"), today);
    let restatement = settings.restate.as_ref();
    let snapshot = world.calendar.snapshot(dataset, None, today, restatement);
    let snapshot = snapshot.varied(settings.varied_from);
    Ok(match dataset {
        Dataset::Usage => {
            let rows = world.usage(number, &snapshot);
            let items = rows.iter().map(|row| UsageItem {
                customer_name: &name,
                product_name: names.of(row.product),
                licenses_active: row.active,
                licenses_qualified: row.qualified,
                usage_percent: percent(row.active, row.qualified),
                workload_name: row.workload.name,
                processed_date_time: format!("{}T00:00:00+00:00", row.processed),
                service_name: row.product.service.code(),
                channel: row.channel,
                attributes: ObjectType {
                    name: "CustomerLicensesUsageInsights",
                },
            });
            response(items.collect())
        }
        Dataset::Deployment => {
            let rows = world.deployment(number, &snapshot);
            let items = rows.iter().map(|row| DeploymentItem {
                customer_name: &name,
                product_name: names.of(row.product),
                licenses_deployed: row.deployed,
                deployment_percent: percent(row.deployed, row.sold),
                licenses_sold: row.sold,
                processed_date_time: world.calendar.deployment_processed_at(row.processed),
                service_name: row.product.service.code(),
                channel: row.channel,
                attributes: ObjectType {
                    name: "CustomerLicensesDeploymentInsights",
                },
            });
            response(items.collect())
        }
    })
}

/// The number of the customer in the path.
///
/// # Errors
/// When there is no such customer, or it is gone: the fault to send.
fn find(partner: &Partner, context: &RequestContext<'_>) -> Result<u32, HttpResponse> {
    let Ok(id) = Uuid::try_parse(context.path_id) else {
        return Err(fault(400, "3000", "The customer id is not a GUID."));
    };
    match partner.world.find(id) {
        Some(number) if !partner.is_gone(number) => Ok(number),
        Some(_) if context.settings.gone_answer == "20002" => {
            let text = "The partner has no commerce relationship with this customer.";
            Err(fault(403, "20002", text))
        }
        _ => {
            let text = "The customer tenant could not be found.";
            Err(fault(404, "60003", text))
        }
    }
}

fn response<T: Serialize>(items: Vec<T>) -> HttpResponse {
    let mut body = Vec::with_capacity(512 + items.len() * 400);
    let collection = CollectionBody {
        total_count: items.len(),
        items,
        attributes: ObjectType { name: "Collection" },
    };
    serde_json::to_writer(&mut body, &collection).expect("a collection is plain JSON");
    HttpResponse::new(200, JSON, body)
}
