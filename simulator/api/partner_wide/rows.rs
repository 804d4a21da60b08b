//! The rows of a page as JSON.

use std::ops::Range;

use chrono::NaiveDate;
use serde::Serialize;

use super::{
    columns::{CustomerColumns, RowColumns},
    query::PageQuery,
};
use crate::world::{Dataset, Deployment, Snapshot, Usage, World};

/// A row as it is sent. Which of the optional columns it has depends on the dataset.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RowJson<'a> {
    processed_date_time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload_name: Option<&'a str>,
    service_code: &'a str,
    service_name: &'a str,
    channel: &'a str,
    customer_tenant_id: &'a str,
    customer_name: &'a str,
    product_id: &'a str,
    product_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_active: Option<u32>,
    /// `licenses_active` under the name that it has in the documented example.
    #[serde(skip_serializing_if = "Option::is_none")]
    license_active: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_qualified: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_deployed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_sold: Option<u32>,
}

struct PartnerWideRow<'a> {
    columns: RowColumns<'a>,
    processed: NaiveDate,
    figures: Figures,
}

/// The figures of one dataset; those of the other are absent.
#[derive(Default)]
struct Figures {
    active: Option<u32>,
    qualified: Option<u32>,
    deployed: Option<u32>,
    sold: Option<u32>,
}

/// Writes a range of one customer's rows in the list, a comma after each.
pub(super) fn write_rows(
    world: &World,
    query: &PageQuery<'_>,
    number: u32,
    range: Range<usize>,
    body: &mut Vec<u8>,
) {
    let Some(snapshot) = &query.snapshot else {
        return;
    };
    let customer = CustomerColumns::new(world, number);
    let rows = match query.dataset {
        Dataset::Usage => usage_rows(world, snapshot, number, &customer),
        Dataset::Deployment => deployment_rows(world, snapshot, number, &customer),
    };
    let rows = rows
        .into_iter()
        .filter(|row| row.columns.matches(query.filter.as_ref(), &query.names));
    for row in rows.skip(range.start).take(range.len()) {
        write_row(&row, query, body);
        body.push(b',');
    }
}

fn usage_rows<'a>(
    world: &World,
    snapshot: &Snapshot,
    number: u32,
    customer: &'a CustomerColumns,
) -> Vec<PartnerWideRow<'a>> {
    let row = |usage: Usage| PartnerWideRow {
        columns: RowColumns {
            customer,
            product: usage.product,
            workload: Some(usage.workload),
            channel: usage.channel,
        },
        processed: usage.processed,
        figures: Figures {
            active: Some(usage.active),
            qualified: Some(usage.qualified),
            ..Figures::default()
        },
    };
    world.usage(number, snapshot).into_iter().map(row).collect()
}

fn deployment_rows<'a>(
    world: &World,
    snapshot: &Snapshot,
    number: u32,
    customer: &'a CustomerColumns,
) -> Vec<PartnerWideRow<'a>> {
    let row = |deployment: Deployment| PartnerWideRow {
        columns: RowColumns {
            customer,
            product: deployment.product,
            workload: None,
            channel: deployment.channel,
        },
        processed: deployment.processed,
        figures: Figures {
            deployed: Some(deployment.deployed),
            sold: Some(deployment.sold),
            ..Figures::default()
        },
    };
    let rows = world.deployment(number, snapshot);
    rows.into_iter().map(row).collect()
}

fn write_row(row: &PartnerWideRow<'_>, query: &PageQuery<'_>, body: &mut Vec<u8>) {
    let PartnerWideRow {
        columns:
            RowColumns {
                customer,
                product,
                workload,
                channel,
            },
        processed,
        figures,
    } = row;
    let as_in_example = query.settings.active_member == "licenseActive";
    let json = RowJson {
        processed_date_time: &format!("{processed}T00:00:00"),
        workload_code: workload.map(|workload| workload.code),
        workload_name: workload.map(|workload| workload.name),
        service_code: product.service.code(),
        service_name: product.service.name(),
        channel,
        customer_tenant_id: &customer.tenant_id,
        customer_name: &customer.name,
        product_id: product.id,
        product_name: query.names.of(product),
        licenses_active: figures.active.filter(|_| !as_in_example),
        license_active: figures.active.filter(|_| as_in_example),
        licenses_qualified: figures.qualified,
        licenses_deployed: figures.deployed,
        licenses_sold: figures.sold,
    };
    serde_json::to_writer(body, &json).expect("a row is plain JSON");
}
