//! The tables of what changed, what is wasted and what happened to products.

use crate::pages::format;
use crate::store::{Mover, ProductEvent, ProductEventKind, WasteLine};

/// A customer whose use of a workload changed.
pub(super) struct MoverView {
    pub(super) customer_name: Option<String>,
    pub(super) customer_id: String,
    pub(super) product_name: String,
    pub(super) workload_name: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) change: String,
    /// `good` or `bad`.
    pub(super) class: &'static str,
}

pub(super) fn movers(movers: &[Mover]) -> Vec<MoverView> {
    let view = |mover: &Mover| MoverView {
        customer_name: mover.customer_name.clone(),
        customer_id: mover.customer_id.to_string(),
        product_name: mover.product_name.clone(),
        workload_name: mover.workload_name.clone(),
        from: format::count(mover.from),
        to: format::count(mover.to),
        change: format::signed(mover.to - mover.from),
        class: if mover.to < mover.from { "bad" } else { "good" },
    };
    movers.iter().map(view).collect()
}

/// A customer's paid product with unused seats.
pub(super) struct WasteView {
    pub(super) customer_name: Option<String>,
    pub(super) customer_id: String,
    pub(super) product_name: String,
    pub(super) seats: String,
    pub(super) active: String,
    pub(super) unused: String,
}

pub(super) fn waste(lines: &[WasteLine]) -> Vec<WasteView> {
    let view = |line: &WasteLine| WasteView {
        customer_name: line.customer_name.clone(),
        customer_id: line.customer_id.to_string(),
        product_name: line.product_name.clone(),
        seats: format::known(line.seats),
        active: format::known(line.active),
        unused: format::count(line.unused),
    };
    lines.iter().map(view).collect()
}

/// A product that was renamed, began or ended.
pub(super) struct EventView {
    pub(super) date: String,
    pub(super) kind: &'static str,
    pub(super) product_name: String,
    pub(super) old_product_name: Option<String>,
    pub(super) customers: String,
}

pub(super) fn events(events: &[ProductEvent]) -> Vec<EventView> {
    let view = |event: &ProductEvent| EventView {
        date: format::date(event.date),
        kind: match event.kind {
            ProductEventKind::Renamed => "renamed",
            ProductEventKind::Began => "new",
            ProductEventKind::Ended => "ended",
        },
        product_name: event.product_name.clone(),
        old_product_name: event.old_product_name.clone(),
        customers: format::count(event.customers),
    };
    events.iter().map(view).collect()
}
