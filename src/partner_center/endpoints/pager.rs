//! Follows the pages of a list, whichever list it is: requests the next page, recognises pages that
//! repeat, and bounds what a list may cost. Pure.
//!
//! Half a list must not pass for a whole one: a next page that cannot be requested is an error.

use std::collections::HashSet;

use crate::partner_center::decode::next::{NextLink, NextLinkError, PageRequest};
use crate::partner_center::error::ApiError;
use crate::partner_center::transport::error::TransportError;

/// Empty pages in a row that may each have a link to a next page; after more the list is a loop.
const MAX_EMPTY_PAGES: u32 = 10;

/// The most that all pages of a list may have together. A list beyond that is endless or hostile.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Limits {
    /// Pages, each of which is a call.
    pub(in crate::partner_center) pages: u32,
    /// Bytes of all bodies, after decompression.
    pub(in crate::partner_center) bytes: u64,
}

/// The properties of a page that decide what comes next.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct PageSummary<'a> {
    /// Number of items.
    pub(in crate::partner_center) items: u64,
    /// Whether all of its items came before.
    pub(in crate::partner_center) is_repeated: bool,
    /// Length of the body in bytes.
    pub(in crate::partner_center) bytes: usize,
    pub(in crate::partner_center) next: Option<&'a NextLink>,
    /// Number of items in all pages, according to the API.
    pub(in crate::partner_center) announced: Option<u64>,
}

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::partner_center) enum NextStep {
    /// Request this page.
    Fetch(PageRequest),
    /// It was the last page.
    End,
    /// The page repeats items of a list that was complete before it: discard it and end.
    Discard,
}

/// Why the pages cannot be followed to the end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum PagerError {
    #[error("repeats a page and would never end")]
    Loop,
    #[error("has over {0} pages and would never end")]
    TooManyPages(u32),
    #[error("has pages of over {0} bytes together")]
    TooLarge(u64),
    #[error(transparent)]
    NextLink(#[from] NextLinkError),
}

impl PagerError {
    /// As the error of the call for `list`, such as "the customers' list".
    pub(in crate::partner_center) fn of(self, list: &str) -> ApiError {
        match self {
            Self::TooLarge(limit) => TransportError::TooLarge(limit).into(),
            Self::Loop | Self::TooManyPages(_) | Self::NextLink(_) => {
                ApiError::Unexpected(format!("{list} {self}"))
            }
        }
    }
}

/// Where a list is read and how far it has been read.
#[derive(Debug)]
pub(in crate::partner_center) struct Pager {
    base: String,
    version: &'static str,
    limits: Limits,
    /// URL of the page under way.
    current: String,
    /// The page under way was requested by a continuation token without a link.
    is_by_token: bool,
    /// Fingerprints of all requests.
    requested: HashSet<u64>,
    /// Fingerprints of all pages.
    received: HashSet<u64>,
    pages: u32,
    /// Empty pages since the last page with items.
    empty_pages: u32,
    bytes: u64,
    /// Items of all pages, repeated ones left out.
    items: u64,
    announced: u64,
}

impl Pager {
    /// A list that begins with `first`. Links lead to paths under `version` at `base`.
    pub(in crate::partner_center) fn new(
        base: &str,
        version: &'static str,
        first: &PageRequest,
        limits: Limits,
    ) -> Self {
        Self {
            base: base.to_owned(),
            version,
            limits,
            current: first.url.clone(),
            is_by_token: false,
            requested: HashSet::from([first.fingerprint()]),
            received: HashSet::new(),
            pages: 0,
            empty_pages: 0,
            bytes: 0,
            items: 0,
            announced: 0,
        }
    }

    /// Whether a page is new, by a hash of its content.
    pub(in crate::partner_center) fn is_new(&mut self, fingerprint: u64) -> bool {
        self.received.insert(fingerprint)
    }

    /// Takes a page into account, and decides what comes next.
    pub(in crate::partner_center) fn next(
        &mut self,
        page: PageSummary<'_>,
    ) -> Result<NextStep, PagerError> {
        self.pages += 1;
        self.bytes += page.bytes as u64;
        if self.bytes > self.limits.bytes {
            return Err(PagerError::TooLarge(self.limits.bytes));
        }
        self.announced = self.announced.max(page.announced.unwrap_or_default());
        if page.items > 0 && page.is_repeated {
            // A token without a link need not lead to a further page. If everything that was
            // announced is here, it did not.
            let is_complete = (1..=self.items).contains(&self.announced);
            return if is_complete && self.is_by_token {
                Ok(NextStep::Discard)
            } else {
                Err(PagerError::Loop)
            };
        }
        self.items += page.items;
        self.empty_pages = match page.items {
            0 => self.empty_pages + 1,
            _ => 0,
        };
        let Some(link) = page.next else {
            return Ok(NextStep::End);
        };
        if self.empty_pages > MAX_EMPTY_PAGES {
            return Err(PagerError::Loop);
        }
        if self.pages >= self.limits.pages {
            return Err(PagerError::TooManyPages(self.limits.pages));
        }
        let request = link.request(&self.base, self.version, &self.current)?;
        if !self.requested.insert(request.fingerprint()) {
            return Err(PagerError::Loop);
        }
        self.is_by_token = link.uri.is_none();
        self.current.clone_from(&request.url);
        Ok(NextStep::Fetch(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.example";

    fn pager(pages: u32, bytes: u64) -> Pager {
        let first = PageRequest::new(format!("{BASE}/v1/x"));
        Pager::new(BASE, "v1", &first, Limits { pages, bytes })
    }

    fn link(uri: &str) -> NextLink {
        NextLink {
            uri: Some(uri.to_owned()),
            headers: Vec::new(),
        }
    }

    fn page(items: u64, next: Option<&NextLink>) -> PageSummary<'_> {
        PageSummary {
            items,
            is_repeated: false,
            bytes: 10,
            next,
            announced: None,
        }
    }

    fn leads_to(step: Result<NextStep, PagerError>) -> String {
        match step {
            Ok(NextStep::Fetch(request)) => request.url,
            step => panic!("{step:?}"),
        }
    }

    #[test]
    fn links_are_followed_until_there_is_none() {
        let mut pager = pager(10, 1_000);
        let second = leads_to(pager.next(page(2, Some(&link("/x?page=2")))));
        assert_eq!(second, "https://api.example/v1/x?page=2");
        // Relative to the page that names it.
        let third = leads_to(pager.next(page(2, Some(&link("?page=3")))));
        assert_eq!(third, "https://api.example/v1/x?page=3");
        assert_eq!(pager.next(page(1, None)), Ok(NextStep::End));
    }

    #[test]
    fn a_list_that_would_never_end_is_an_error() {
        let mut same_link = pager(10, 1_000);
        leads_to(same_link.next(page(2, Some(&link("/x?page=2")))));
        let again = same_link.next(page(2, Some(&link("/v1/x?page=2"))));
        assert_eq!(again, Err(PagerError::Loop));
        let to_itself = pager(10, 1_000).next(page(2, Some(&link("/x"))));
        assert_eq!(to_itself, Err(PagerError::Loop));

        let mut empty = pager(100, 1_000);
        let ends = (0..).find_map(|n| empty.next(page(0, Some(&link(&format!("/x?{n}"))))).err());
        assert_eq!((ends, empty.pages), (Some(PagerError::Loop), 11));

        let mut endless = pager(5, 1_000);
        let ends = (0..).find_map(|n| {
            let next = link(&format!("/x?{n}"));
            endless.next(page(1, Some(&next))).err()
        });
        assert_eq!(
            (ends, endless.pages),
            (Some(PagerError::TooManyPages(5)), 5)
        );

        let mut large = pager(100, 25);
        let ends = (0..).find_map(|n| {
            let next = link(&format!("/x?{n}"));
            large.next(page(1, Some(&next))).err()
        });
        assert_eq!((ends, large.pages), (Some(PagerError::TooLarge(25)), 3));
    }

    #[test]
    fn a_repeated_page_is_an_error_unless_a_token_led_to_it_and_the_list_was_complete() {
        let token = NextLink {
            uri: None,
            headers: vec![("ms-continuationtoken".to_owned(), "t".to_owned())],
        };
        let link = link("/x?page=2");
        for (next, announced, step) in [
            (&token, Some(2), Ok(NextStep::Discard)),
            (&token, Some(1), Ok(NextStep::Discard)),
            (&token, Some(3), Err(PagerError::Loop)),
            (&token, Some(0), Err(PagerError::Loop)),
            (&token, None, Err(PagerError::Loop)),
            (&link, Some(2), Err(PagerError::Loop)),
        ] {
            let mut pager = pager(10, 1_000);
            let first = PageSummary {
                announced,
                ..page(2, Some(next))
            };
            leads_to(pager.next(first));
            let again = PageSummary {
                is_repeated: true,
                ..first
            };
            assert_eq!(pager.next(again), step, "{next:?} {announced:?}");
        }
    }
}
