//! Merges the pages of one collection: a key may occur on one page and again on another.

use crate::ledger::{Collection, Rejection, Row};
use crate::partner_center::decode::error::{DecodeError, MAX_REJECTIONS};
use crate::partner_center::decode::item::payload_of;

/// The content of one page of several.
#[derive(Debug, PartialEq)]
pub(in crate::partner_center) struct PageItems<R> {
    pub(super) rows: Vec<R>,
    /// The JSON text of each row: a later page may have its key again.
    pub(super) payloads: Vec<Box<str>>,
    pub(super) rejections: Vec<Rejection>,
}

/// The totals of the pages before the current one.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::partner_center) struct PriorTotals {
    pub(in crate::partner_center) items: u64,
    pub(in crate::partner_center) rejections: usize,
    pub(in crate::partner_center) rejected_bytes: usize,
}

/// The pages of a collection that were read so far.
pub(in crate::partner_center) struct MergedPages<R> {
    rows: Vec<R>,
    payloads: Vec<Box<str>>,
    rejections: Vec<Rejection>,
    rejected_bytes: usize,
    items: u64,
    announced: Option<u64>,
}

impl<R> Default for MergedPages<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            payloads: Vec::new(),
            rejections: Vec::new(),
            rejected_bytes: 0,
            items: 0,
            announced: None,
        }
    }
}

impl<R: Row> MergedPages<R> {
    pub(in crate::partner_center) fn totals(&self) -> PriorTotals {
        PriorTotals {
            items: self.items,
            rejections: self.rejections.len(),
            rejected_bytes: self.rejected_bytes,
        }
    }

    /// Appends a page. `announced` is the number of items in all pages according to this one.
    pub(in crate::partner_center) fn push(&mut self, page: PageItems<R>, announced: Option<u64>) {
        let PageItems {
            rows,
            payloads,
            rejections,
        } = page;
        self.items += (rows.len() + rejections.len()) as u64;
        self.rejected_bytes += rejections.iter().map(|r| r.payload.len()).sum::<usize>();
        self.rows.extend(rows);
        self.payloads.extend(payloads);
        self.rejections.extend(rejections);
        self.announced = self.announced.max(announced);
    }

    /// The whole collection.
    ///
    /// # Errors
    /// When too much of it is unusable.
    pub(in crate::partner_center) fn finish(self) -> Result<Collection<R>, DecodeError> {
        let payloads: Vec<&str> = self.payloads.iter().map(AsRef::as_ref).collect();
        // A smaller total may be the number of items on one page.
        let announced = self.announced.filter(|total| *total > self.items);
        finish(self.rows, &payloads, self.rejections, announced)
    }
}

/// Makes keys unique, and adds a note if the API announced a different number of items than it
/// sent.
pub(super) fn finish<R: Row>(
    rows: Vec<R>,
    payloads: &[&str],
    rejections: Vec<Rejection>,
    announced: Option<u64>,
) -> Result<Collection<R>, DecodeError> {
    let rejected_items = rejections.len();
    let mut collection = Collection::new(rows, payloads, rejections);
    if collection.rejections.len() > MAX_REJECTIONS {
        return Err(DecodeError::too_many(&collection.rejections));
    }
    for duplicate in &mut collection.rejections[rejected_items..] {
        duplicate.payload = payload_of(&duplicate.payload);
    }
    collection.is_short = announced.is_some_and(|total| total > collection.received);
    collection.note = announced
        .filter(|total| *total != collection.received)
        .map(|total| {
            let received = collection.received;
            format!("the API announced {total} items and sent {received}")
        });
    Ok(collection)
}
