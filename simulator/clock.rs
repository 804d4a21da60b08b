//! The wall clock, for dates and time stamps. Waits and limits go by `std::time::Instant`.

use chrono::{DateTime, Utc};

#[expect(
    clippy::disallowed_methods,
    reason = "the simulator has a calendar of its own; this is its only reader of the real date"
)]
pub(crate) fn now() -> DateTime<Utc> {
    Utc::now()
}
