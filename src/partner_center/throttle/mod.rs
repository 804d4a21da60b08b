//! How many calls are sent, how fast, and which of them are tried again.
//!
//! A call goes through [`admission`]: the retry budget of its session, a place in flight, and the
//! [`limiter`]. The limiter paces requests at the learned `rate`, pauses them while `attribution`
//! says that the partner's own limit is used up, and both are put together in `gate`, pure in time.

pub(super) mod admission;
pub(super) mod attribution;
mod events;
pub(super) mod gate;
pub(super) mod limiter;
mod rate;
pub(super) mod retry_budget;
#[cfg(test)]
mod simulation;

use std::time::Duration;

/// The burst that a server's token bucket is taken to hold, in time at its rate. After a longer
/// idle time the bucket is full, so that what it serves then is no measure of the rate.
const BURST: Duration = Duration::from_secs(1);

/// A pause up to this length is taken at the word of one quorum, no call is given up because of it,
/// and idle time of this length ends an incident. Without it, one customer's short wait would fail
/// others.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// Where no wait is named, the next probe comes after one part in so many of the time for which
/// nobody has been served. The end of a throttle is noticed late by no more than that.
const PROBE_SHARE: u32 = 3;

/// How often a waiting call looks again, and the shortest pause.
const POLL: Duration = Duration::from_millis(100);
