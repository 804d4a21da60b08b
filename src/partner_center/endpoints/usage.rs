//! Fetches one customer's collection: one call, and further ones where the answer says that there
//! is more.

use reqwest::header::HeaderMap;

use crate::ledger::{CustomerId, Row};
use crate::partner_center::decode::next::{NextLink, PageRequest};
use crate::partner_center::decode::{
    CollectionPage, DecodeError, MergedPages, PageContent, PageContext, PageItems,
};
use crate::partner_center::endpoints::pager::{Bounds, Pager, Seen, Turn};
use crate::partner_center::transport::call::{Answer, Call};
use crate::partner_center::{ApiError, Fetched, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// What the address begins with, after the configured base.
const VERSION: &str = "v1";

/// No customer has so many products. Each page is a call.
const MAX_PAGES: u32 = 1_000;

/// Reads a page of a customer's, which must not give the token away.
pub(in crate::partner_center) type Decode<R> =
    fn(&[u8], &PageContext, Option<&NextLink>, &str) -> Result<CollectionPage<R>, DecodeError>;

/// The pages of a collection that has several.
struct Pages<R> {
    pager: Pager,
    pieces: MergedPages<R>,
    /// Fingerprints of those that came.
    seen: Vec<u64>,
    bytes: usize,
}

impl<R: Row> Pages<R> {
    /// Takes the next page, and says where the one after it is.
    fn take(
        &mut self,
        piece: PageItems<R>,
        facts: &Facts,
    ) -> Result<Option<PageRequest>, ApiError> {
        let turn = self.pager.pass(Seen {
            items: facts.received,
            is_repeated: self.seen.contains(&facts.fingerprint),
            bytes: facts.bytes,
            next: facts.next.as_ref(),
            announced: facts.announced,
        });
        self.seen.push(facts.fingerprint);
        self.bytes += facts.bytes;
        match turn.map_err(|lost| lost.of("the collection"))? {
            Turn::Repeated => return Ok(None),
            Turn::End => self.pieces.push(piece, facts.announced),
            Turn::Next(address) => {
                self.pieces.push(piece, facts.announced);
                return Ok(Some(address));
            }
        }
        Ok(None)
    }
}

/// What the way through the pages depends on.
struct Facts {
    received: u64,
    fingerprint: u64,
    bytes: usize,
    next: Option<NextLink>,
    announced: Option<u64>,
}

impl Session {
    /// One customer's newest collection of a kind, all pages of it.
    pub(in crate::partner_center) async fn fetch<R: Row + Send + 'static>(
        &self,
        customer: CustomerId,
        kind: &str,
        shutdown: &Shutdown,
        decode: Decode<R>,
    ) -> Result<Fetched<R>, RetryError<ApiError>> {
        let base = &self.client.base;
        let url = format!("{base}/{VERSION}/customers/{customer}/analytics/licenses/{kind}");
        let mut call = Call::new(url.clone(), Some(customer), HeaderMap::new());
        let mut attempts = 0;
        let mut pages: Option<Pages<R>> = None;
        let now = self.client.clock.now();
        loop {
            let prior = pages.as_ref().map(|pages| pages.pieces.totals());
            let read = move |answer: &Answer| {
                let context = PageContext {
                    customer,
                    now,
                    prior,
                };
                let (linked, secret) = (answer.next.as_ref(), answer.token.secret());
                let page = decode(&answer.body, &context, linked, secret)?;
                Ok((page, answer.status, answer.body.len()))
            };
            let answered = self.call(&call, shutdown, read).await;
            attempts += call.sent();
            let ((page, http_status, bytes), permit) =
                answered.map_err(|gave_up| counted(gave_up, attempts))?;
            let fetched = |collection| Fetched {
                collection,
                attempts,
                http_status,
                permit,
            };
            let piece = match page.content {
                PageContent::Complete(collection) => return Ok(fetched(collection)),
                PageContent::Partial(piece) => piece,
            };
            let all = pages.get_or_insert_with(|| {
                let first = PageRequest {
                    url: url.clone(),
                    headers: HeaderMap::new(),
                };
                let bounds = Bounds {
                    pages: MAX_PAGES,
                    bytes: self.client.max_response_bytes,
                };
                Pages {
                    pager: Pager::new(base, VERSION, first, bounds),
                    pieces: MergedPages::default(),
                    seen: Vec::new(),
                    bytes: 0,
                }
            });
            let facts = Facts {
                received: page.received,
                fingerprint: page.fingerprint,
                bytes,
                next: page.next,
                announced: page.announced,
            };
            let failed = |error| RetryError::Failed { error, attempts };
            if let Some(next) = all.take(piece, &facts).map_err(failed)? {
                call = Call::new(next.url, Some(customer), next.headers);
                continue;
            }
            let (pieces, bytes) = (std::mem::take(&mut all.pieces), all.bytes);
            let collected = self.client.aside.work(bytes, || pieces.finish()).await;
            let stopped = RetryError::Stopped {
                attempts,
                last: None,
            };
            let collection = collected.ok_or(stopped)?;
            return Ok(fetched(collection.map_err(|error| failed(error.into()))?));
        }
    }
}

/// A call's end with the attempts of all calls.
fn counted(gave_up: RetryError<ApiError>, attempts: u32) -> RetryError<ApiError> {
    match gave_up {
        RetryError::Failed { error, .. } => RetryError::Failed { error, attempts },
        RetryError::Stopped { last, .. } => RetryError::Stopped { last, attempts },
    }
}
