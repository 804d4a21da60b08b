//! Which customers are there: those made to disappear and come back, and a list that
//! has suddenly become short. A customer that the short list leaves out is still
//! served under its id; one that is gone is not.

use std::{
    collections::HashSet,
    sync::{
        PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use crate::settings::Settings;

/// The customers that are gone.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    gone: RwLock<HashSet<u32>>,
    changes: AtomicU64,
}

impl Presence {
    pub(crate) fn set_gone(&self, number: u32, is_gone: bool) {
        let mut gone = self.gone.write().unwrap_or_else(PoisonError::into_inner);
        if is_gone {
            gone.insert(number);
        } else {
            gone.remove(&number);
        }
        self.changes.fetch_add(1, Relaxed);
    }

    pub(crate) fn is_gone(&self, number: u32) -> bool {
        let gone = self.gone.read().unwrap_or_else(PoisonError::into_inner);
        gone.contains(&number)
    }

    /// Whether the customer list has this customer.
    pub(crate) fn is_listed(&self, settings: &Settings, number: u32) -> bool {
        let in_share = settings.shrink_list.is_none_or(|share| {
            // Evenly spread over the list, and exactly so many.
            let upto = |count: u32| (f64::from(count) * share).floor();
            upto(number.saturating_add(1)) > upto(number)
        });
        in_share && !self.is_gone(number)
    }

    /// Differs whenever somebody has gone or come back in between.
    pub(crate) fn version(&self) -> u64 {
        self.changes.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_has_just_its_share_of_customers() {
        let presence = Presence::default();
        let listed = |share| {
            let settings = Settings {
                shrink_list: share,
                ..Settings::default()
            };
            (0..500)
                .filter(|number| presence.is_listed(&settings, *number))
                .count()
        };
        assert_eq!(listed(None), 500);
        assert_eq!(listed(Some(1.0)), 500);
        assert_eq!(listed(Some(0.25)), 125);
        assert_eq!(listed(Some(0.0)), 0);
        presence.set_gone(7, true);
        assert_eq!(listed(Some(1.0)), 499);
        presence.set_gone(7, false);
        assert_eq!(listed(None), 500);
    }
}
