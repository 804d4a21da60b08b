//! Follows the pages of a partner-wide collection: by links, or by the parameter `skip` if the
//! server sends none. Pure.
//!
//! A gap in such a collection would be an unnoticed gap in the history of many customers. What may
//! be a gap is therefore an error, and what is merely odd becomes a note.

use super::page::PartnerWidePage;
use crate::partner_center::ApiError;
use crate::partner_center::decode::next::{NextLink, PageRequest};
use crate::partner_center::endpoints::pager::{Limits, NextStep, PageSummary, Pager, PagerError};

/// Rows requested per page: the most that the API sends.
pub(super) const PAGE_SIZE: u64 = 10_000;

/// The limits of a collection. At 500 bytes a row, 8 GiB are 16 million rows, more than any partner
/// has; a list beyond that is endless and would fill the disk.
const LIMITS: Limits = Limits {
    pages: 50_000,
    bytes: 8 << 30,
};

/// Why the pages are not a complete collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Incomplete {
    /// The total changed between two pages, so items may have been skipped. Reading the collection
    /// again from its first page helps.
    #[error("the collection changed while it was read")]
    Changed,
    #[error("the collection announced {announced} items and sent {received}")]
    Short { announced: u64, received: u64 },
    #[error("the collection {0}")]
    Paging(#[from] PagerError),
}

impl From<Incomplete> for ApiError {
    fn from(error: Incomplete) -> Self {
        Self::Unexpected(error.to_string())
    }
}

/// The progress through the pages of one list.
#[derive(Debug)]
pub(super) struct PartnerWidePager {
    pager: Pager,
    /// Path and query of the first page, after the version.
    list: String,
    /// Whether a change of the collection becomes a note, because it was read again often enough.
    tolerates_changes: bool,
    has_links: bool,
    received: u64,
    /// Pages with items, repeated ones left out.
    pages_with_items: u32,
    /// The total that the last page announced.
    announced: Option<u64>,
    /// Whether each page so far announced its own length, so totals are not those of the list.
    announces_pages: bool,
    note: Option<String>,
}

impl PartnerWidePager {
    /// A pager for the list at `{base}/{version}/{list}`.
    pub(super) fn new(
        base: &str,
        version: &'static str,
        list: String,
        tolerates_changes: bool,
    ) -> Self {
        let first = PageRequest::new(format!("{base}/{version}/{list}"));
        Self {
            pager: Pager::new(base, version, &first, LIMITS),
            list,
            tolerates_changes,
            has_links: false,
            received: 0,
            pages_with_items: 0,
            announced: None,
            announces_pages: true,
            note: None,
        }
    }

    /// Records a page, and decides what follows it.
    pub(super) fn pass(&mut self, page: &PartnerWidePage) -> Result<NextStep, Incomplete> {
        let is_repeated = page.received > 0 && !self.pager.is_new(page.fingerprint);
        if is_repeated && self.is_skip_ignored() {
            self.note = Some("the API sent the first page again in place of a second".to_owned());
            return Ok(NextStep::Discard);
        }
        if !is_repeated {
            self.count(page)?;
        }
        self.has_links |= page.next.is_some();
        let next = page.next.clone().or_else(|| self.skip_link(page));
        let step = self.pager.next(PageSummary {
            items: page.received,
            is_repeated,
            bytes: page.bytes,
            next: next.as_ref(),
            announced: page.announced,
        });
        Ok(step?)
    }

    /// Counts the items of a page, and compares the total that it announces with earlier ones.
    fn count(&mut self, page: &PartnerWidePage) -> Result<(), Incomplete> {
        self.received += page.received;
        self.pages_with_items += u32::from(page.received > 0);
        let Some(total) = page.announced else {
            return Ok(());
        };
        self.announces_pages &= total == page.received;
        let previous = self.announced.replace(total);
        if previous.is_some_and(|previous| previous != total) && !self.announces_pages {
            if !self.tolerates_changes {
                return Err(Incomplete::Changed);
            }
            self.note = Some(Incomplete::Changed.to_string());
        }
        Ok(())
    }

    /// A server that ignores `skip` sends the first page forever. It is the whole collection if it
    /// was not full, or if no more was announced.
    fn is_skip_ignored(&self) -> bool {
        let is_whole =
            self.received < PAGE_SIZE || self.announced.is_some_and(|total| total <= self.received);
        self.pages_with_items == 1 && !self.has_links && is_whole
    }

    /// The next page of a server that sends no links.
    fn skip_link(&self, page: &PartnerWidePage) -> Option<NextLink> {
        // If earlier pages had links, the page without one is the last.
        if self.has_links || page.received == 0 {
            return None;
        }
        let has_more = match self.announced {
            // A full page that announces its own length may be one of many, and a total below the
            // number of items received is wrong.
            Some(total @ 1..) => {
                self.received < total
                    || (page.received >= PAGE_SIZE
                        && (self.announces_pages || self.received > total))
            }
            // A total of 0 beside items was not counted. Pages may be shorter than requested,
            // because servers have limits of their own: only an empty page is the end.
            None | Some(0) => true,
        };
        has_more.then(|| NextLink {
            uri: Some(format!("{}&skip={}", self.list, self.received)),
            headers: Vec::new(),
        })
    }

    /// Checks that the collection is complete. Returns a note if it is nevertheless odd.
    ///
    /// # Errors
    /// When the collection is shorter than announced. It is unknown which customers' items are
    /// missing, and storing the rest would record all customers as fetched.
    pub(super) fn finish(self) -> Result<Option<String>, Incomplete> {
        let received = self.received;
        let Some(announced) = self.announced else {
            return Ok(self.note);
        };
        if announced > received {
            return Err(Incomplete::Short {
                announced,
                received,
            });
        }
        let is_longer = announced < received && !self.announces_pages;
        Ok(self.note.or_else(|| {
            is_longer.then(|| format!("the API announced {announced} items and sent {received}"))
        }))
    }
}

#[cfg(test)]
mod tests;
