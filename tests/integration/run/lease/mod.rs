//! The run lease: a second run takes over from one that is gone, frozen or cut off, and goes on
//! with it. The first one writes nothing more.

/// What others may do to the row of a lease, and what a run says of it.
mod by_hand;
/// Take, renew, resign: the rules, with short times.
mod rules;
/// Real processes that are killed and frozen, with the real times.
mod takeover;
/// A tick is done once, and goes on where it was interrupted.
mod ticks;
