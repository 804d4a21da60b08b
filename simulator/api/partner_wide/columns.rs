//! The columns of a row besides the figures: what a filter can compare.

use super::filter::{Filter, FilterField};
use crate::world::{Dataset, Product, ProductNames, Workload, World};

pub(super) const CHANNEL: &str = "reseller";

/// A customer as its rows show it.
pub(super) struct CustomerColumns {
    pub(super) tenant_id: String,
    pub(super) name: String,
}

impl CustomerColumns {
    pub(super) fn new(world: &World, number: u32) -> Self {
        let customer = world.customer(number);
        Self {
            tenant_id: format!("{:X}", customer.id),
            name: customer.name,
        }
    }
}

/// A row without its figures.
#[derive(Clone, Copy)]
pub(super) struct RowColumns<'a> {
    pub(super) customer: &'a CustomerColumns,
    pub(super) product: &'static Product,
    /// Deployment is counted per product.
    pub(super) workload: Option<&'static Workload>,
}

impl RowColumns<'_> {
    pub(super) fn matches(&self, filter: Option<&Filter>, names: &ProductNames<'_>) -> bool {
        filter.is_none_or(|filter| filter.matches(&|field| self.value(field, names)))
    }

    fn value<'a>(&'a self, field: FilterField, names: &ProductNames<'a>) -> &'a str {
        match field {
            FilterField::WorkloadCode => self.workload.map_or("", |workload| workload.code),
            FilterField::WorkloadName => self.workload.map_or("", |workload| workload.name),
            FilterField::ServiceCode => self.product.service.code(),
            FilterField::ServiceName => self.product.service.name(),
            FilterField::Channel => CHANNEL,
            FilterField::CustomerTenantId => &self.customer.tenant_id,
            FilterField::CustomerName => &self.customer.name,
            FilterField::ProductId => self.product.id,
            FilterField::ProductName => names.of(self.product),
        }
    }
}

/// The workloads of a product's rows: each of its own, or none for deployment.
pub(super) fn workloads(
    dataset: Dataset,
    product: &'static Product,
) -> impl ExactSizeIterator<Item = Option<&'static Workload>> {
    let count = match dataset {
        Dataset::Usage => product.workloads.len(),
        Dataset::Deployment => 1,
    };
    (0..count).map(move |index| match dataset {
        Dataset::Usage => Some(product.workloads[index]),
        Dataset::Deployment => None,
    })
}
