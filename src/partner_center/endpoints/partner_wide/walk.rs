//! The way through a collection's pages: where the next one is, when the end is reached, and
//! whether all came. Pure.
//!
//! A hole in a partner-wide collection is a hole in many customers' history that nobody would look
//! for. What may be one is therefore an error here, and what is merely odd is noted.

use std::collections::HashSet;

use reqwest::header::HeaderMap;

use super::page::Page;
use crate::partner_center::decode::next::{self, NextLinkError};

/// Rows asked for with one call: the most that the API gives.
pub(super) const PAGE_SIZE: u64 = 10_000;

/// An empty page that names a next one is odd, but not yet a circle.
const MAX_EMPTY_PAGES: u32 = 10;

/// No partner has so many customers; a collection that has so many pages is made up as it is read.
const MAX_PAGES: u32 = 50_000;

/// At 500 bytes a row these would be 16 million rows: more than any partner's.
const MAX_BYTES: u64 = 8 << 30;

/// What a walk goes through.
#[derive(Debug, Clone)]
pub(super) struct Address {
    /// Scheme, host, and a path if the configuration has one.
    pub(super) base: String,
    /// What the path begins with after that, such as `v1`.
    pub(super) version: &'static str,
    /// The rest of the path.
    pub(super) path: String,
    /// All parameters but the one that leads through the pages.
    pub(super) query: String,
}

impl Address {
    /// The page that begins after so many items.
    pub(super) fn page(&self, skip: u64) -> String {
        let Self {
            base,
            version,
            path,
            query,
        } = self;
        let skip = match skip {
            0 => String::new(),
            skip => format!("&skip={skip}"),
        };
        format!("{base}/{version}/{path}?{query}{skip}")
    }
}

/// One way through all pages.
#[derive(Debug)]
pub(super) struct Walk {
    address: Address,
    /// A collection that changes under way is not begun anew any more.
    is_last_chance: bool,
    received: u64,
    pages: u32,
    empty_pages: u32,
    /// Fingerprints of the pages that were not empty.
    seen: HashSet<u64>,
    /// The first page's fingerprint and number of items.
    first: (u64, u64),
    /// The page under way.
    current: String,
    /// Addresses that a link has led to.
    visited: HashSet<u64>,
    /// Length of all bodies.
    bytes: u64,
    /// What the API last said of the number of items.
    announced: Option<u64>,
    /// Each page announced its own number of items, which then says nothing of the whole.
    announces_pages: bool,
    note: Option<String>,
}

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The page at this address.
    Next(next::PageRequest),
    /// Nothing.
    End,
    /// Nothing, and the page itself came before: it does not count.
    Repeated,
    /// The beginning: the collection is another one by now, and what was fetched may have holes.
    Anew,
}

/// Why the way leads nowhere, or led past something.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Lost {
    #[error("the collection repeats a page and would never end")]
    Circle,
    #[error("the collection {0}")]
    NextLinkError(#[from] NextLinkError),
    #[error("the collection is over {} GiB and would never end", MAX_BYTES >> 30)]
    TooLarge,
    #[error("the collection has over {MAX_PAGES} pages and would never end")]
    Endless,
    #[error("the collection announced {announced} items and sent {received}")]
    Short { announced: u64, received: u64 },
}

impl Walk {
    pub(super) fn new(address: Address, is_last_chance: bool) -> Self {
        Self {
            current: address.page(0),
            bytes: 0,
            address,
            is_last_chance,
            received: 0,
            pages: 0,
            empty_pages: 0,
            seen: HashSet::new(),
            first: (0, 0),
            visited: HashSet::new(),
            announced: None,
            announces_pages: true,
            note: None,
        }
    }

    /// Takes note of a page, and says what comes next.
    pub(super) fn pass(&mut self, page: &Page) -> Result<Turn, Lost> {
        self.pages += 1;
        if self.pages > MAX_PAGES {
            return Err(Lost::Endless);
        }
        self.bytes += page.bytes as u64;
        if self.bytes > MAX_BYTES {
            return Err(Lost::TooLarge);
        }
        if page.received == 0 {
            self.empty_pages += 1;
            if self.empty_pages > MAX_EMPTY_PAGES {
                return Err(Lost::Circle);
            }
        } else {
            self.empty_pages = 0;
            if self.pages == 1 {
                self.first = (page.fingerprint, page.received);
            }
            if !self.seen.insert(page.fingerprint) {
                return self.pass_repeated(page);
            }
        }
        self.received += page.received;
        if let Some(total) = page.total {
            self.announces_pages &= total == page.received;
            let before = self.announced.replace(total);
            if before.is_some_and(|before| before != total) && !self.announces_pages {
                if !self.is_last_chance {
                    return Ok(Turn::Anew);
                }
                self.note = Some("the collection changed while it was read".to_owned());
            }
        }
        self.turn(page)
    }

    fn turn(&mut self, page: &Page) -> Result<Turn, Lost> {
        let Address { base, version, .. } = &self.address;
        if let Some(link) = &page.next {
            let address = link.request(base, version, &self.current)?;
            if !self.visited.insert(address.fingerprint()) {
                return Err(Lost::Circle);
            }
            self.current.clone_from(&address.url);
            return Ok(Turn::Next(address));
        }
        // Where there were links, the last page is the one without.
        if !self.visited.is_empty() || page.received == 0 {
            return Ok(Turn::End);
        }
        let goes_on = match self.announced {
            // A full page that announces just itself may be one of many, and one that announces
            // less tells nothing.
            Some(total @ 1..) => {
                self.received < total
                    || (page.received >= PAGE_SIZE
                        && (self.announces_pages || self.received > total))
            }
            // Nought beside items was not counted. Servers give less than was asked for where they
            // have a limit of their own, so that only an empty page is the end.
            None | Some(0) => true,
        };
        Ok(if goes_on {
            let url = self.address.page(self.received);
            self.current.clone_from(&url);
            Turn::Next(next::PageRequest {
                url,
                headers: HeaderMap::new(),
            })
        } else {
            Turn::End
        })
    }

    /// A server that does not know the parameter sends the first page for ever. That page is the
    /// whole collection if it was not even full, or if nothing more was announced.
    fn pass_repeated(&mut self, page: &Page) -> Result<Turn, Lost> {
        let (fingerprint, items) = self.first;
        let is_skip_ignored = self.visited.is_empty() && page.fingerprint == fingerprint;
        let is_all = items < PAGE_SIZE || self.announced.is_some_and(|total| total <= items);
        if self.pages == 2 && is_skip_ignored && is_all {
            self.note = Some("the API sent the first page again in place of a second".to_owned());
            return Ok(Turn::Repeated);
        }
        Err(Lost::Circle)
    }

    /// Whether all came, with something worth knowing if it did. A collection that falls short is
    /// refused: it is not known whose rows are missing, and taking it would show all customers
    /// as fetched.
    pub(super) fn finish(self) -> Result<Option<String>, Lost> {
        let received = self.received;
        let Some(announced) = self.announced else {
            return Ok(self.note);
        };
        if announced > received {
            return Err(Lost::Short {
                announced,
                received,
            });
        }
        let more = announced < received && !self.announces_pages;
        Ok(self.note.or_else(|| {
            more.then(|| format!("the API announced {announced} items and sent {received}"))
        }))
    }
}

#[cfg(test)]
mod tests;
