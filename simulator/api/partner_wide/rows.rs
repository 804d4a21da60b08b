//! The rows of a page as JSON.

use chrono::NaiveDate;
use serde::Serialize;

use super::{CHANNEL, Customer, Query};
use crate::{
    world::catalog::Product,
    world::{Snapshot, Subject},
};

/// Columns with figures are there or not, by the subject.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
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
    // As the documented example has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    license_active: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_qualified: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_deployed: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    licenses_sold: Option<u32>,
}

impl Query<'_> {
    /// Writes the page's rows, up to the one before `upto` in the whole list.
    pub(super) fn write_rows(&self, index: &[(u32, usize)], upto: usize, body: &mut Vec<u8>) {
        let Some(snapshot) = &self.snapshot else {
            return;
        };
        let first = index.partition_point(|(_, end)| *end <= self.skip);
        let mut place = match first.checked_sub(1) {
            Some(before) => index[before].1,
            None => 0,
        };
        for (number, end) in &index[first..] {
            if place >= upto {
                break;
            }
            let from = self.skip.saturating_sub(place);
            let customer = Customer::new(self.simulator, *number);
            let wanted = (end.min(&upto)) - place;
            self.write_customer(&customer, snapshot, from..wanted, body);
            place = *end;
        }
        if body.last() == Some(&b',') {
            body.pop();
        }
    }

    /// Writes those of a customer's rows that are in the range, a comma after each.
    fn write_customer(
        &self,
        customer: &Customer,
        snapshot: &Snapshot,
        range: std::ops::Range<usize>,
        body: &mut Vec<u8>,
    ) {
        let wanted = |product: &'static Product, workload| {
            let filter = self.filter.as_ref();
            filter.is_none_or(|filter| self.is_wanted(filter, customer, product, workload))
        };
        let row = |product: &'static Product| Row {
            processed_date_time: "",
            workload_code: None,
            workload_name: None,
            service_code: product.service.code(),
            service_name: product.service.name(),
            channel: CHANNEL,
            customer_tenant_id: &customer.tenant_id,
            customer_name: &customer.name,
            product_id: product.id,
            product_name: self.names.of(product),
            licenses_active: None,
            license_active: None,
            licenses_qualified: None,
            licenses_deployed: None,
            licenses_sold: None,
        };
        let mut write = |row: Row<'_>, processed: NaiveDate| {
            let row = Row {
                processed_date_time: &format!("{processed}T00:00:00"),
                ..row
            };
            serde_json::to_writer(&mut *body, &row).expect("a row is plain JSON");
            body.push(b',');
        };
        let world = &self.simulator.world;
        let (skip, count) = (range.start, range.len());
        match self.subject {
            Subject::Usage => {
                let rows = world.usage(customer.number, snapshot);
                let rows = rows
                    .iter()
                    .filter(|it| wanted(it.product, Some(it.workload)));
                let documented = self.settings.active_member == "licensesActive";
                for usage in rows.skip(skip).take(count) {
                    let row = Row {
                        workload_code: Some(usage.workload.code),
                        workload_name: Some(usage.workload.name),
                        licenses_active: documented.then_some(usage.active),
                        license_active: (!documented).then_some(usage.active),
                        licenses_qualified: Some(usage.qualified),
                        ..row(usage.product)
                    };
                    write(row, usage.processed);
                }
            }
            Subject::Deployment => {
                let rows = world.deployment(customer.number, snapshot);
                let rows = rows.iter().filter(|it| wanted(it.product, None));
                for deployment in rows.skip(skip).take(count) {
                    let row = Row {
                        licenses_deployed: Some(deployment.deployed),
                        licenses_sold: Some(deployment.sold),
                        ..row(deployment.product)
                    };
                    write(row, deployment.processed);
                }
            }
        }
    }
}
