//! What the routes share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::Semaphore;

use super::observer::Observer;
use crate::store::Migrations;

/// Pages that are answered at a time. Some wait for the database, so that they must not take every
/// connection: probes and metrics have the others.
const MAX_PAGES: usize = 32;

/// What the routes share.
pub(super) struct Site {
    pub(super) observer: Arc<Observer>,
    /// Where the address is served.
    pub(super) listen: IpAddr,
    /// The newest migration of this program.
    pub(super) schema: Option<i64>,
    /// Whether a refused name of a host was warned of.
    pub(super) has_warned: AtomicBool,
    /// Turns of pages.
    pub(super) turns: Arc<Semaphore>,
}

impl Site {
    pub(super) fn new(observer: Arc<Observer>, listen: IpAddr) -> Self {
        Self {
            observer,
            listen,
            schema: Migrations::embedded().newest(),
            has_warned: AtomicBool::new(false),
            turns: Arc::new(Semaphore::new(MAX_PAGES)),
        }
    }
}
