//! How many calls are sent, how fast, and which of them are tried again.

pub(super) mod admission;
mod attribution;
mod gate;
pub(super) mod limiter;
mod rate;
pub(super) mod retry_budget;
