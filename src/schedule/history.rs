//! The spans of wall-clock time whose ticks have come. When the clock is set back into a span, its
//! ticks do not come again.

use chrono::{DateTime, Utc};

/// Spans that are stored at most. Each jump of the clock over several ticks adds at most one;
/// without a bound, a clock that jumps again and again would use up the memory.
const MAX_SPANS: usize = 64;

/// Disjoint spans, the earliest first.
#[derive(Debug, Default)]
pub(super) struct TickHistory(Vec<Span>);

/// A span with both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

impl TickHistory {
    /// The span that contains `tick`.
    pub(super) fn span_of(&self, tick: DateTime<Utc>) -> Option<Span> {
        let mut spans = self.0.iter();
        let found = spans.find(|span| span.from <= tick && tick <= span.to);
        found.copied()
    }

    pub(super) fn add(&mut self, from: DateTime<Utc>, to: DateTime<Utc>) {
        let mut added = Span { from, to };
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
        if self.0.len() > MAX_SPANS {
            // The clock is least likely to be set back into the earliest span.
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
    fn spans_that_touch_become_one() {
        let mut history = TickHistory::default();
        history.add(at(10), at(20));
        history.add(at(40), at(50));
        assert_eq!(history.span_of(at(30)), None);
        history.add(at(20), at(40));
        let whole = Span {
            from: at(10),
            to: at(50),
        };
        assert_eq!(history.span_of(at(30)), Some(whole));
        assert_eq!(history.0.len(), 1);
        assert_eq!(history.span_of(at(51)), None);
    }

    #[test]
    fn the_number_of_spans_is_bounded() {
        let mut history = TickHistory::default();
        for second in 0..1_000 {
            history.add(at(second * 10), at(second * 10 + 1));
        }
        assert_eq!(history.0.len(), MAX_SPANS);
        assert!(history.span_of(at(9_990)).is_some());
    }
}
