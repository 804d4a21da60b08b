//! Where each customer's rows are in a list. Counting them for all customers takes a
//! while, so what was counted for the latest lists is kept.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use super::{CHANNEL, Customer, Query};
use crate::{
    api::partner_wide::filter::{Field, Filter},
    simulator::{Simulator, lock},
    world::catalog::{Product, Workload},
    world::{Snapshot, Subject},
};

/// A client reads one list at a time, or a few.
const MAX_INDEXES: usize = 8;

/// Where each customer's rows are in the lists that were asked for lately.
#[derive(Debug, Default)]
pub(crate) struct Indexes(Mutex<VecDeque<(String, Index)>>);

/// The customers with rows in a list, each with the number of rows up to its last.
pub(super) type Index = Arc<Vec<(u32, usize)>>;

impl Indexes {
    // Others wait while one is made, for they are likely to want the same.
    fn get(&self, key: String, make: impl FnOnce() -> Vec<(u32, usize)>) -> Index {
        let mut kept = lock(&self.0);
        if let Some((_, index)) = kept.iter().find(|(own, _)| *own == key) {
            return Arc::clone(index);
        }
        let index = Arc::new(make());
        kept.push_back((key, Arc::clone(&index)));
        if kept.len() > MAX_INDEXES {
            kept.pop_front();
        }
        index
    }
}

impl Query<'_> {
    /// Where the rows of this list are.
    pub(super) fn index(&self) -> Index {
        let Some(snapshot) = &self.snapshot else {
            return Index::default();
        };
        let Simulator {
            world,
            presence,
            indexes,
            ..
        } = self.simulator;
        // Names count, since they can be filtered by.
        let key = format!(
            "{:?} {snapshot:?} {} {:?} {}",
            self.subject,
            presence.version(),
            self.names,
            self.filter_text
        );
        indexes.get(key, || {
            let named = self.filter.as_ref().and_then(Filter::customers);
            let numbers: Vec<u32> = match named {
                Some(ids) => {
                    let found = ids.into_iter().filter_map(|id| world.find(id));
                    let mut numbers: Vec<u32> = found.collect();
                    numbers.sort_unstable();
                    numbers.dedup();
                    numbers
                }
                None => (0..world.customers()).collect(),
            };
            let mut end = 0;
            let mut index = Vec::new();
            for number in numbers.into_iter().filter(|it| !presence.is_gone(*it)) {
                let rows = self.rows_of(number, snapshot);
                if rows > 0 {
                    end += rows;
                    index.push((number, end));
                }
            }
            index
        })
    }

    /// How many rows of a customer are in the list.
    fn rows_of(&self, number: u32, snapshot: &Snapshot) -> usize {
        let world = &self.simulator.world;
        let products = world.reported(number, snapshot);
        let Some(filter) = &self.filter else {
            return products.map(|it| workloads(self.subject, it).len()).sum();
        };
        let customer = Customer::new(self.simulator, number);
        products
            .flat_map(|product| workloads(self.subject, product).map(move |it| (product, it)))
            .filter(|(product, workload)| self.is_wanted(filter, &customer, product, *workload))
            .count()
    }

    pub(super) fn is_wanted(
        &self,
        filter: &Filter,
        customer: &Customer,
        product: &'static Product,
        workload: Option<&'static Workload>,
    ) -> bool {
        filter.matches(&|field| match field {
            Field::WorkloadCode => workload.map_or("", |workload| workload.code),
            Field::WorkloadName => workload.map_or("", |workload| workload.name),
            Field::ServiceCode => product.service.code(),
            Field::ServiceName => product.service.name(),
            Field::Channel => CHANNEL,
            Field::CustomerTenantId => &customer.tenant_id,
            Field::CustomerName => &customer.name,
            Field::ProductId => product.id,
            Field::ProductName => self.names.of(product),
        })
    }
}

/// A product's rows of one customer, each about a workload or about none.
fn workloads(
    subject: Subject,
    product: &'static Product,
) -> impl ExactSizeIterator<Item = Option<&'static Workload>> {
    let count = match subject {
        Subject::Usage => product.workloads.len(),
        Subject::Deployment => 1,
    };
    (0..count).map(move |place| match subject {
        Subject::Usage => Some(product.workloads[place]),
        Subject::Deployment => None,
    })
}
