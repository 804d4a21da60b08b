//! The stretches of wall-clock time whose ticks have come. A clock that is set back into one brings
//! none again.

use chrono::{DateTime, Utc};

/// Stretches that are kept. Each leap of the clock over several ticks adds one at most.
const KEPT: usize = 64;

/// Stretches with both ends in them: apart from each other, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Had(Vec<Stretch>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl Had {
    /// The stretch that holds `tick`.
    pub(super) fn holding(&self, tick: DateTime<Utc>) -> Option<Stretch> {
        let mut stretches = self.0.iter();
        let found = stretches.find(|stretch| stretch.from <= tick && tick <= stretch.to);
        found.copied()
    }

    pub(super) fn add(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        let mut added = Stretch { from, to };
        self.0.retain(|known| {
            let apart = known.to < added.from || added.to < known.from;
            if !apart {
                added.from = added.from.min(known.from);
                added.to = added.to.max(known.to);
            }
            apart
        });
        let place = self.0.partition_point(|known| known.from < added.from);
        self.0.insert(place, added);
        if self.0.len() > KEPT {
            // The earliest is the least likely to come again.
            self.0.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn stretches_that_touch_become_one() {
        let mut had = Had::default();
        had.add(at(10), at(20));
        had.add(at(40), at(50));
        assert_eq!(had.holding(at(30)), None);
        had.add(at(20), at(40));
        let whole = Stretch {
            from: at(10),
            to: at(50),
        };
        assert_eq!(had.holding(at(30)), Some(whole));
        assert_eq!(had.0.len(), 1);
        assert_eq!(had.holding(at(51)), None);
    }

    #[test]
    fn the_number_of_stretches_is_bounded() {
        let mut had = Had::default();
        for second in 0..1_000 {
            had.add(at(second * 10), at(second * 10 + 1));
        }
        assert_eq!(had.0.len(), KEPT);
        assert!(had.holding(at(9_990)).is_some());
    }
}
