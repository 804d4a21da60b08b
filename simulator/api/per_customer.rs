//! One customer's own collections: usage and deployment of its licences, always of the
//! newest processed date.

use serde::Serialize;
use uuid::Uuid;

use crate::{
    api::fault,
    settings::Settings,
    simulator::Simulator,
    wire::http::{JSON, Request, Response},
    world::product_names::Names,
    world::{Subject, percent},
};

#[derive(Serialize)]
struct Collection<T> {
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
/// When there is no such customer, or none any more: the fault as a response.
pub(crate) fn collection(
    simulator: &Simulator,
    settings: &Settings,
    subject: Subject,
    id: &str,
    request: &Request,
) -> Result<Response, Response> {
    let Ok(id) = Uuid::try_parse(id) else {
        return Err(fault(400, "3000", "The customer id is not a GUID."));
    };
    let world = &simulator.world;
    let unknown = || fault(404, "60003", "The customer tenant could not be found.");
    let Some(number) = world.find(id) else {
        return Err(unknown());
    };
    if simulator.presence.is_gone(number) {
        let text = "The partner has no commerce relationship with this customer.";
        return Err(match &*settings.gone_answer {
            "20002" => fault(403, "20002", text),
            _ => unknown(),
        });
    }
    let name = world.customer(number).name;
    let today = simulator.today();
    let names = Names::new(settings, request.header("x-locale"), today);
    let snapshot = world.snapshot(subject, None, today, settings.restate.as_ref());
    Ok(match subject {
        Subject::Usage => {
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
                channel: "reseller",
                attributes: ObjectType {
                    name: "CustomerLicensesUsageInsights",
                },
            });
            wrapped(items.collect())
        }
        Subject::Deployment => {
            let rows = world.deployment(number, &snapshot);
            let items = rows.iter().map(|row| DeploymentItem {
                customer_name: &name,
                product_name: names.of(row.product),
                licenses_deployed: row.deployed,
                deployment_percent: percent(row.deployed, row.sold),
                licenses_sold: row.sold,
                processed_date_time: world.deployment_processed_at(row.processed),
                service_name: row.product.service.code(),
                channel: "reseller",
                attributes: ObjectType {
                    name: "CustomerLicensesDeploymentInsights",
                },
            });
            wrapped(items.collect())
        }
    })
}

fn wrapped<T: Serialize>(items: Vec<T>) -> Response {
    let mut body = Vec::with_capacity(512 + items.len() * 400);
    let collection = Collection {
        total_count: items.len(),
        items,
        attributes: ObjectType { name: "Collection" },
    };
    serde_json::to_writer(&mut body, &collection).expect("a collection is plain JSON");
    Response::new(200, JSON, body)
}
