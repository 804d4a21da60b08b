//! What tests of two hosts share.

use std::time::Duration;

use crate::support::World;

pub(super) const CUSTOMERS: usize = 25;

/// The longest that a ledger may stand still before another host goes on.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What a run with nothing in its way stores.
pub(super) async fn undisturbed() -> Vec<String> {
    let world = World::with_customers(CUSTOMERS).await;
    world.backfill().await.assert_code(0);
    world.ledger().await
}
