//! Puts the pages of one collection together: a key may come on one page and again on another.

use super::item::kept;
use super::{Before, MAX_REJECTIONS, NotACollection};
use crate::ledger::{Collection, Rejection, Row};

/// What one page of several holds.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Piece<R> {
    pub(super) rows: Vec<R>,
    /// What each row was read from: a later page may have its key again.
    pub(super) payloads: Vec<Box<str>>,
    pub(super) rejections: Vec<Rejection>,
}

/// The pages so far.
pub(in super::super) struct Pieces<R> {
    rows: Vec<R>,
    payloads: Vec<Box<str>>,
    rejections: Vec<Rejection>,
    rejected_bytes: usize,
    items: u64,
    announced: Option<u64>,
}

impl<R> Default for Pieces<R> {
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

impl<R: Row> Pieces<R> {
    /// What the next page has to know.
    pub(in super::super) fn before(&self) -> Before {
        Before {
            items: self.items,
            rejections: self.rejections.len(),
            rejected_bytes: self.rejected_bytes,
        }
    }

    /// Takes the next page, of which so many items were announced for all pages.
    pub(in super::super) fn push(&mut self, piece: Piece<R>, announced: Option<u64>) {
        let Piece {
            rows,
            payloads,
            rejections,
        } = piece;
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
    pub(in super::super) fn finish(self) -> Result<Collection<R>, NotACollection> {
        let payloads: Vec<&str> = self.payloads.iter().map(AsRef::as_ref).collect();
        // Each page may have announced itself alone.
        let announced = self.announced.filter(|total| *total > self.items);
        collect(self.rows, &payloads, self.rejections, announced)
    }
}

/// Applies the duplicate rule, and notes where the API announced another number of items than it
/// sent.
pub(super) fn collect<R: Row>(
    rows: Vec<R>,
    payloads: &[&str],
    rejections: Vec<Rejection>,
    announced: Option<u64>,
) -> Result<Collection<R>, NotACollection> {
    let judged = rejections.len();
    let mut collection = Collection::new(rows, payloads, rejections);
    if collection.rejections.len() > MAX_REJECTIONS {
        return Err(NotACollection::too_many(&collection.rejections));
    }
    for duplicate in &mut collection.rejections[judged..] {
        duplicate.payload = kept(&duplicate.payload);
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
