//! The position of each customer's rows in a list. Counting the rows of many customers takes a
//! while, so the positions in the most recent lists are kept.

use std::{
    collections::VecDeque,
    ops::Range,
    sync::{Arc, Mutex},
};

use super::{
    columns::{CustomerColumns, RowColumns, workloads},
    filter::Filter,
    query::PageQuery,
};
use crate::{api::partner::Partner, lock::lock, world::Snapshot};

/// Maximum number of indexes kept. If more lists were read at the same time, every page would count
/// all rows again.
const MAX_INDEXES: usize = 8;

/// The customers that have rows in a list, each with the position after its last row.
#[derive(Debug, Default)]
pub(super) struct RowIndex(Vec<(u32, usize)>);

impl RowIndex {
    /// The number of rows in the list.
    pub(super) fn total(&self) -> usize {
        self.0.last().map_or(0, |(_, end)| *end)
    }

    /// The customers whose rows are in a range of the list, each with the range among its own rows.
    pub(super) fn customers_in(
        &self,
        range: Range<usize>,
    ) -> impl Iterator<Item = (u32, Range<usize>)> {
        let first = self.0.partition_point(|(_, end)| *end <= range.start);
        let mut start = match first.checked_sub(1) {
            Some(before) => self.0[before].1,
            None => 0,
        };
        self.0[first..].iter().map_while(move |(number, end)| {
            if start >= range.end {
                return None;
            }
            let own = range.start.saturating_sub(start)..range.end.min(*end) - start;
            start = *end;
            Some((*number, own))
        })
    }
}

/// The indexes of the most recent lists, by what the list depends on.
#[derive(Debug, Default)]
pub(crate) struct RowIndexCache(Mutex<VecDeque<(String, Arc<RowIndex>)>>);

impl RowIndexCache {
    // Keeps the lock while an index is made, because the others most likely wait for the same one.
    fn get(&self, key: String, make: impl FnOnce() -> RowIndex) -> Arc<RowIndex> {
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

/// The index of the list that a query asks for a page of.
pub(super) fn row_index(
    partner: &Partner,
    cache: &RowIndexCache,
    query: &PageQuery<'_>,
) -> Arc<RowIndex> {
    let Some(snapshot) = &query.snapshot else {
        return Arc::default();
    };
    // Product names are part of the key because a filter can compare them.
    let key = format!(
        "{:?} {snapshot:?} {} {:?} {}",
        query.dataset,
        partner.version(),
        query.names,
        query.filter_text
    );
    cache.get(key, || {
        let mut end = 0;
        let mut index = Vec::new();
        for number in candidates(partner, query.filter.as_ref()) {
            let rows = count_rows(partner, query, number, snapshot);
            if rows > 0 {
                end += rows;
                index.push((number, end));
            }
        }
        RowIndex(index)
    })
}

/// The customers that can have rows in the list, in ascending order.
fn candidates(partner: &Partner, filter: Option<&Filter>) -> Vec<u32> {
    let world = &partner.world;
    let mut numbers: Vec<u32> = match filter.and_then(Filter::customers) {
        Some(ids) => ids.into_iter().filter_map(|id| world.find(id)).collect(),
        None => (0..world.customers()).collect(),
    };
    numbers.sort_unstable();
    numbers.dedup();
    numbers.retain(|number| !partner.is_gone(*number));
    numbers
}

fn count_rows(partner: &Partner, query: &PageQuery<'_>, number: u32, snapshot: &Snapshot) -> usize {
    let world = &partner.world;
    let products = world.reported(number, snapshot);
    if query.filter.is_none() {
        return products
            .map(|(it, _)| workloads(query.dataset, it).len())
            .sum();
    }
    let customer = &CustomerColumns::new(world, number);
    products
        .flat_map(|(product, channel)| {
            workloads(query.dataset, product).map(move |workload| RowColumns {
                customer,
                product,
                workload,
                channel,
            })
        })
        .filter(|row| row.matches(query.filter.as_ref(), &query.names))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_the_list_is_split_into_ranges_of_each_customers_rows() {
        let index = RowIndex(vec![(3, 2), (5, 3), (9, 7)]);
        let split = |range| index.customers_in(range).collect::<Vec<_>>();
        assert_eq!(index.total(), 7);
        assert_eq!(split(0..7), [(3, 0..2), (5, 0..1), (9, 0..4)]);
        assert_eq!(split(1..3), [(3, 1..2), (5, 0..1)]);
        assert_eq!(split(4..6), [(9, 1..3)]);
        assert_eq!(split(3..3), []);
        assert_eq!(split(7..7), []);
    }
}
