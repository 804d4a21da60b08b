//! The way through the pages of a list, whichever it is: where the next page is, when the end is
//! reached, and what no list may cost. Pure.
//!
//! Half a list must not pass for a list: where the way leads nowhere, that is an error.

use std::collections::HashSet;

use crate::partner_center::ApiError;
use crate::partner_center::decode::next::{NextLink, NextLinkError, PageRequest};

/// An empty page that names a next one is odd, but not yet a circle.
const MAX_EMPTY_PAGES: u32 = 10;

/// What the pages of a list may come to. A list beyond them is made up as it is read, or hostile.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Bounds {
    /// Pages, each of which is a call.
    pub(in crate::partner_center) pages: u32,
    /// Bytes of all bodies, after decompression.
    pub(in crate::partner_center) bytes: u64,
}

/// What the way depends on of a page.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Seen<'a> {
    /// Its items.
    pub(in crate::partner_center) items: u64,
    /// Whether all of them came before.
    pub(in crate::partner_center) is_repeated: bool,
    /// Length of its body.
    pub(in crate::partner_center) bytes: usize,
    pub(in crate::partner_center) next: Option<&'a NextLink>,
    /// Items in all pages, as the API says.
    pub(in crate::partner_center) announced: Option<u64>,
}

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::partner_center) enum Turn {
    Next(PageRequest),
    End,
    /// The page came before, and so did everything: it does not count.
    Repeated,
}

/// Why the way leads nowhere.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum Lost {
    #[error("repeats a page and would never end")]
    Circle,
    #[error("has over {0} pages and would never end")]
    Endless(u32),
    #[error("has pages of over {0} bytes together")]
    TooLarge(u64),
    #[error(transparent)]
    NextLink(#[from] NextLinkError),
}

impl Lost {
    /// As the error of the call for `what`, such as "the customers' list".
    pub(in crate::partner_center) fn of(self, what: &str) -> ApiError {
        match self {
            Self::TooLarge(limit) => ApiError::TooLarge { limit },
            Self::Circle | Self::Endless(_) | Self::NextLink(_) => {
                ApiError::Unexpected(format!("{what} {self}"))
            }
        }
    }
}

/// One way through all pages.
#[derive(Debug)]
pub(in crate::partner_center) struct Pager {
    base: String,
    version: &'static str,
    bounds: Bounds,
    /// The page under way.
    current: PageRequest,
    /// It was asked for by a token alone.
    is_by_token: bool,
    visited: HashSet<u64>,
    pages: u32,
    empty_pages: u32,
    bytes: u64,
    items: u64,
    announced: u64,
}

impl Pager {
    /// `first` is the first page, and further ones are asked for at `base`, under `version`.
    pub(in crate::partner_center) fn new(
        base: &str,
        version: &'static str,
        first: PageRequest,
        bounds: Bounds,
    ) -> Self {
        Self {
            base: base.to_owned(),
            version,
            bounds,
            visited: HashSet::from([first.fingerprint()]),
            current: first,
            is_by_token: false,
            pages: 0,
            empty_pages: 0,
            bytes: 0,
            items: 0,
            announced: 0,
        }
    }

    /// Takes note of a page, and says what comes next.
    pub(in crate::partner_center) fn pass(&mut self, page: Seen<'_>) -> Result<Turn, Lost> {
        self.pages += 1;
        self.bytes += page.bytes as u64;
        if self.bytes > self.bounds.bytes {
            return Err(Lost::TooLarge(self.bounds.bytes));
        }
        self.announced = self.announced.max(page.announced.unwrap_or_default());
        if page.items > 0 && page.is_repeated {
            // Where there was no link but only a token, it may have been none for a further page:
            // what was announced tells.
            let is_all = (1..=self.items).contains(&self.announced);
            return if is_all && self.is_by_token {
                Ok(Turn::Repeated)
            } else {
                Err(Lost::Circle)
            };
        }
        self.items += page.items;
        self.empty_pages = if page.items == 0 {
            self.empty_pages + 1
        } else {
            0
        };
        let Some(next) = page.next else {
            return Ok(Turn::End);
        };
        if self.empty_pages > MAX_EMPTY_PAGES {
            return Err(Lost::Circle);
        }
        if self.pages >= self.bounds.pages {
            return Err(Lost::Endless(self.bounds.pages));
        }
        let address = next.request(&self.base, self.version, &self.current.url)?;
        if !self.visited.insert(address.fingerprint()) {
            return Err(Lost::Circle);
        }
        self.is_by_token = next.uri.is_none();
        self.current = address.clone();
        Ok(Turn::Next(address))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderMap;

    use super::*;

    const BASE: &str = "https://api.example";

    fn pager(pages: u32, bytes: u64) -> Pager {
        let first = PageRequest {
            url: format!("{BASE}/v1/x"),
            headers: HeaderMap::new(),
        };
        Pager::new(BASE, "v1", first, Bounds { pages, bytes })
    }

    fn link(uri: &str) -> NextLink {
        NextLink {
            uri: Some(uri.to_owned()),
            headers: Vec::new(),
        }
    }

    fn seen(items: u64, next: Option<&NextLink>) -> Seen<'_> {
        Seen {
            items,
            is_repeated: false,
            bytes: 10,
            next,
            announced: None,
        }
    }

    fn leads_to(turn: Result<Turn, Lost>) -> String {
        match turn {
            Ok(Turn::Next(address)) => address.url,
            turn => panic!("{turn:?}"),
        }
    }

    #[test]
    fn links_are_followed_until_there_is_none() {
        let mut pager = pager(10, 1_000);
        let second = leads_to(pager.pass(seen(2, Some(&link("/x?page=2")))));
        assert_eq!(second, "https://api.example/v1/x?page=2");
        // Relative to the page that names it.
        let third = leads_to(pager.pass(seen(2, Some(&link("?page=3")))));
        assert_eq!(third, "https://api.example/v1/x?page=3");
        assert_eq!(pager.pass(seen(1, None)), Ok(Turn::End));
    }

    #[test]
    fn what_would_never_end_is_an_error() {
        let mut same_link = pager(10, 1_000);
        leads_to(same_link.pass(seen(2, Some(&link("/x?page=2")))));
        let again = same_link.pass(seen(2, Some(&link("/v1/x?page=2"))));
        assert_eq!(again, Err(Lost::Circle));
        let to_itself = pager(10, 1_000).pass(seen(2, Some(&link("/x"))));
        assert_eq!(to_itself, Err(Lost::Circle));

        let mut empty = pager(100, 1_000);
        let ends = (0..).find_map(|n| empty.pass(seen(0, Some(&link(&format!("/x?{n}"))))).err());
        assert_eq!((ends, empty.pages), (Some(Lost::Circle), 11));

        let mut endless = pager(5, 1_000);
        let ends = (0..).find_map(|n| {
            let next = link(&format!("/x?{n}"));
            endless.pass(seen(1, Some(&next))).err()
        });
        assert_eq!((ends, endless.pages), (Some(Lost::Endless(5)), 5));

        let mut large = pager(100, 25);
        let ends = (0..).find_map(|n| {
            let next = link(&format!("/x?{n}"));
            large.pass(seen(1, Some(&next))).err()
        });
        assert_eq!((ends, large.pages), (Some(Lost::TooLarge(25)), 3));
    }

    #[test]
    fn a_page_that_comes_again_is_an_error_unless_a_token_led_there_and_all_that_was_announced_is_here()
     {
        let token = NextLink {
            uri: None,
            headers: vec![("ms-continuationtoken".to_owned(), "t".to_owned())],
        };
        let link = link("/x?page=2");
        for (next, announced, turn) in [
            (&token, Some(2), Ok(Turn::Repeated)),
            (&token, Some(1), Ok(Turn::Repeated)),
            (&token, Some(3), Err(Lost::Circle)),
            (&token, Some(0), Err(Lost::Circle)),
            (&token, None, Err(Lost::Circle)),
            (&link, Some(2), Err(Lost::Circle)),
        ] {
            let mut pager = pager(10, 1_000);
            let first = Seen {
                announced,
                ..seen(2, Some(next))
            };
            leads_to(pager.pass(first));
            let again = Seen {
                is_repeated: true,
                ..first
            };
            assert_eq!(pager.pass(again), turn, "{next:?} {announced:?}");
        }
    }
}
