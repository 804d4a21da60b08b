//! How many calls are sent, how fast, and which of them are tried again.

pub(super) mod admission;
pub(super) mod limiter;
pub(super) mod retry_budget;
