//! Reproducible random numbers. A [`Draw`] is a point in a tree of topics, so every question about
//! the world has its own number, and the order of the questions changes no answer. A random
//! generator with state could not do that, and its sequence could change with a new version of its
//! crate.

/// A random number: the same seed and path of topics always give the same one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(scramble(seed ^ 0x5EA7_1ED6_E200_0001))
    }

    /// The draw of a topic below this one.
    pub(crate) const fn on(self, topic: u64) -> Self {
        Self(scramble(
            self.0 ^ topic.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        ))
    }

    pub(crate) const fn bits(self) -> u64 {
        self.0
    }

    /// Uniform from 0 up to, not including, 1.
    pub(crate) fn unit(self) -> f64 {
        let [a, b, c, d, ..] = self.0.to_be_bytes();
        f64::from(u32::from_be_bytes([a, b, c, d])) / 4_294_967_296.0
    }

    pub(crate) fn between(self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number of days from `low` up to, not including, `high`.
    pub(crate) fn days(self, low: i64, high: i64) -> i64 {
        let span = high.abs_diff(low).max(1);
        low.saturating_add_unsigned(self.0 % span)
    }

    pub(crate) fn chance(self, probability: f64) -> bool {
        self.unit() < probability
    }

    pub(crate) fn pick<T: Copy>(self, from: &[T]) -> T {
        let length = u64::try_from(from.len()).expect("the length of a slice fits into 64 bits");
        let index = usize::try_from(self.0 % length).expect("the remainder is below the length");
        from[index]
    }

    /// Approximately normal with mean 0 and standard deviation 1, within ±6.
    pub(crate) fn bell(self) -> f64 {
        (0..12).map(|part| self.on(part).unit()).sum::<f64>() - 6.0
    }

    /// A smooth curve between -1 and 1 with a random value every `period` days.
    pub(crate) fn wave(self, day: i64, period: i64) -> f64 {
        let knot = day.div_euclid(period);
        let along = i32::try_from(day.rem_euclid(period)).map_or(0.0, f64::from)
            / i32::try_from(period).map_or(1.0, f64::from);
        let height = |knot: i64| self.on(knot.cast_unsigned()).between(-1.0, 1.0);
        let eased = along * along * (3.0 - 2.0 * along);
        height(knot) + (height(knot + 1) - height(knot)) * eased
    }
}

// The finalizer of SplitMix64: each bit of the input flips each bit of the output with probability
// one half.
const fn scramble(input: u64) -> u64 {
    let mixed = input.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
