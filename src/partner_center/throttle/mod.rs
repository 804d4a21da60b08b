//! How many calls are sent, how fast, and which of them are tried again.
//!
//! A call goes through [`admission`]: the retry budget of its session, a place in flight, and the
//! [`limiter`]. The limiter paces requests at the learned `rate`, pauses them while `attribution`
//! says that the partner's own limit is used up, and both are put together in `gate`, which reads
//! no clock.

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

/// The assumed burst of a server's token bucket, as the time in which it refills. After a longer
/// idle time the bucket is full, and what it serves then does not measure the rate.
const BURST: Duration = Duration::from_secs(1);

/// The longest pause for which one quorum is enough and because of which no call is given up; idle
/// time of this length also ends an incident. Without it, one customer's short wait would fail
/// others.
const SHORT_PAUSE: Duration = Duration::from_secs(5);

/// If no wait was requested, the next probe comes after the time without a served call, divided by
/// this. The end of a throttle is noticed late by no more than that.
const PROBE_SHARE: u32 = 3;

/// The interval at which a waiting call checks again, and the shortest pause.
const POLL: Duration = Duration::from_millis(100);
