//! The columns of a row that are not figures. A filter can compare them.

use super::filter::{Filter, FilterField};
use crate::world::{Dataset, Product, ProductNames, Workload, World};

/// The columns about a customer, which all of its rows share.
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
    /// `None` for deployment, which is counted per product.
    pub(super) workload: Option<&'static Workload>,
    pub(super) channel: &'static str,
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
            FilterField::Channel => self.channel,
            FilterField::CustomerTenantId => &self.customer.tenant_id,
            FilterField::CustomerName => &self.customer.name,
            FilterField::ProductId => self.product.id,
            FilterField::ProductName => names.of(self.product),
        }
    }
}

/// The workload of each row about a product. Deployment has one row, without a workload.
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
