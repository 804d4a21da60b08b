//! What the routes share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::observer::Observer;
use crate::store::Migrations;

/// What the routes share.
pub(super) struct Site {
    pub(super) observer: Arc<Observer>,
    /// Where the address is served.
    pub(super) listen: IpAddr,
    /// The newest migration of this program.
    pub(super) schema: Option<i64>,
    /// Whether a refused name of a host was warned of.
    pub(super) has_warned: AtomicBool,
}

impl Site {
    pub(super) fn new(observer: Arc<Observer>, listen: IpAddr) -> Self {
        Self {
            observer,
            listen,
            schema: Migrations::embedded().newest(),
            has_warned: AtomicBool::new(false),
        }
    }
}
