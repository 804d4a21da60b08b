//! What befalls a host in the middle of a run.

use crate::support::{Draw, Lost};

/// A host is struck, and the other one goes on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Strike {
    pub(super) moment: Moment,
    pub(super) blow: Blow,
    /// Whether the struck host comes back as soon as the other has taken over, and not only when
    /// the run has ended.
    pub(super) returns_early: bool,
}

/// When it happens. Batches are counted among those that the host has left to store.
#[derive(Debug, Clone, Copy)]
pub(super) enum Moment {
    /// While a batch is being stored: its transaction waits for this table, and ends without it.
    InBatch(usize, &'static str),
    /// After the commit of a batch was sent, and before its answer arrives.
    Commit(usize),
    /// Between two batches.
    After(usize),
    /// While the end of the run is being recorded.
    InEnd,
    /// After the commit of the end was sent, and before its answer arrives.
    CommitOfEnd,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Blow {
    /// The process ends, and its connections with it.
    Kill,
    /// The machine is gone: its connections stay open, because nobody is told.
    Vanish,
    /// It stands still, and goes on later.
    Freeze,
    /// Its packets are lost, and arrive later.
    Cut(Lost),
    /// Its connections break. It opens others and goes on itself.
    Disconnect,
}

impl Strike {
    /// The strikes of a run, mostly none.
    pub(super) fn draw(draw: &mut Draw) -> Vec<Self> {
        let number = draw.pick(&[0, 0, 1, 1, 2]);
        (0..number).map(|_| Self::one(draw)).collect()
    }

    fn one(draw: &mut Draw) -> Self {
        let batch = draw.below(4);
        let moment = match draw.below(10) {
            0..=2 => Moment::InBatch(batch, draw.pick(&["sync_customer", "license_usage"])),
            3..=5 => Moment::Commit(batch),
            6 | 7 => Moment::After(batch),
            8 => Moment::InEnd,
            _ => Moment::CommitOfEnd,
        };
        let blow = match draw.below(9) {
            0 | 1 => Blow::Kill,
            2 => Blow::Vanish,
            3 | 4 => Blow::Freeze,
            5 | 6 => Blow::Cut(draw.pick(&[Lost::REQUESTS, Lost::ANSWERS, Lost::BOTH])),
            _ => Blow::Disconnect,
        };
        Self {
            moment,
            blow,
            returns_early: draw.one_in(2),
        }
    }
}
