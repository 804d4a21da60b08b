//! The partner: its invented customers, and which of them are gone. Under `shrink_list` a customer
//! can be missing from the list and still be served; one that is gone is neither listed nor served.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::{lock::lock, settings::SimulatorSettings, world::World};

/// The partner's customers.
#[derive(Debug)]
pub(crate) struct Partner {
    pub(crate) world: World,
    gone: Mutex<HashSet<u32>>,
    version: AtomicU64,
}

impl Partner {
    pub(super) fn new(world: World) -> Self {
        Self {
            world,
            gone: Mutex::default(),
            version: AtomicU64::new(0),
        }
    }

    pub(crate) fn set_gone(&self, number: u32, is_gone: bool) {
        let mut gone = lock(&self.gone);
        if is_gone {
            gone.insert(number);
        } else {
            gone.remove(&number);
        }
        self.version.fetch_add(1, Relaxed);
    }

    pub(super) fn is_gone(&self, number: u32) -> bool {
        lock(&self.gone).contains(&number)
    }

    /// Whether the customer is in the customer list.
    pub(super) fn is_listed(&self, settings: &SimulatorSettings, number: u32) -> bool {
        let in_share = settings.shrink_list.is_none_or(|share| {
            // Exactly this share, evenly spread over the list.
            let listed_of = |count: u32| (f64::from(count) * share).floor();
            listed_of(number.saturating_add(1)) > listed_of(number)
        });
        in_share && !self.is_gone(number)
    }

    /// Changes whenever a customer goes or comes back.
    pub(super) fn version(&self) -> u64 {
        self.version.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_contains_exactly_its_share_of_customers() {
        let partner = Partner::new(World::new(1, 500));
        let listed = |share| {
            let settings = SimulatorSettings {
                shrink_list: share,
                ..SimulatorSettings::default()
            };
            (0..500)
                .filter(|number| partner.is_listed(&settings, *number))
                .count()
        };
        assert_eq!(listed(None), 500);
        assert_eq!(listed(Some(1.0)), 500);
        assert_eq!(listed(Some(0.25)), 125);
        assert_eq!(listed(Some(0.0)), 0);
        partner.set_gone(7, true);
        assert_eq!(listed(Some(1.0)), 499);
        partner.set_gone(7, false);
        assert_eq!(listed(None), 500);
    }
}
