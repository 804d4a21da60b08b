//! One customer's own collection of a dataset: one call, and further ones if the answer says that
//! there is more.

use tokio::sync::OwnedSemaphorePermit;

use crate::ledger::{CallIds, Collection, CustomerId, Dataset, DeploymentRow, Row, UsageRow};
use crate::partner_center::call::{Answer, Call};
use crate::partner_center::decode::next::{NextLink, PageRequest};
use crate::partner_center::decode::{
    self, CollectionPage, DecodeError, MergedPages, PageContent, PageContext, PageItems,
};
use crate::partner_center::endpoints::FailedFetch;
use crate::partner_center::endpoints::pager::{Limits, NextStep, PageSummary, Pager};
use crate::partner_center::error::ApiError;
use crate::partner_center::session::Session;
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// The first segment of the path, after the configured base.
const VERSION: &str = "v1";

/// Pages of one collection. No customer has so many products, and each page is a call.
const MAX_PAGES: u32 = 1_000;

/// One customer's collection, and its place among the requests in flight.
#[derive(Debug)]
pub struct CustomerCollection<R> {
    /// The rows and rejections.
    pub collection: Collection<R>,
    /// HTTP requests that it took.
    pub attempts: u32,
    /// 200, or 204 for nothing at all.
    pub http_status: u16,
    /// The last call.
    pub call: Option<CallIds>,
    /// Must be held until the collection has been handed on, so that fetching cannot run ahead of
    /// storing.
    pub permit: OwnedSemaphorePermit,
}

/// Decodes one page. The last argument is the secret that must not be in an error.
type Decode<R> =
    fn(&[u8], &PageContext, Option<&NextLink>, &str) -> Result<CollectionPage<R>, DecodeError>;

/// The pages so far of a collection that has several.
struct Pages<R> {
    pager: Pager,
    merged: MergedPages<R>,
    bytes: usize,
}

impl<R: Row> Pages<R> {
    /// Adds a page. Returns the request for the next page, if there is one.
    fn add(
        &mut self,
        items: PageItems<R>,
        page: PageSummary<'_>,
    ) -> Result<Option<PageRequest>, ApiError> {
        self.bytes += page.bytes;
        let step = self.pager.next(page);
        let next = match step.map_err(|error| error.of("the collection"))? {
            NextStep::Discard => return Ok(None),
            NextStep::End => None,
            NextStep::Fetch(next) => Some(next),
        };
        self.merged.push(items, page.announced);
        Ok(next)
    }
}

impl Session {
    /// One customer's newest licence usage, from
    /// `GET /v1/customers/{id}/analytics/licenses/usage`.
    ///
    /// # Errors
    /// The last attempt's error with the number of HTTP requests, or that the program is stopping.
    pub async fn fetch_usage(
        &self,
        customer: CustomerId,
        shutdown: &Shutdown,
    ) -> Result<CustomerCollection<UsageRow>, FailedFetch> {
        self.fetch(customer, Dataset::Usage, shutdown, decode::decode_usage)
            .await
    }

    /// One customer's newest licence deployment, from
    /// `GET /v1/customers/{id}/analytics/licenses/deployment`.
    ///
    /// # Errors
    /// The last attempt's error with the number of HTTP requests, or that the program is stopping.
    pub async fn fetch_deployment(
        &self,
        customer: CustomerId,
        shutdown: &Shutdown,
    ) -> Result<CustomerCollection<DeploymentRow>, FailedFetch> {
        self.fetch(
            customer,
            Dataset::Deployment,
            shutdown,
            decode::decode_deployment,
        )
        .await
    }

    async fn fetch<R: Row + Send + 'static>(
        &self,
        customer: CustomerId,
        dataset: Dataset,
        shutdown: &Shutdown,
        decode: Decode<R>,
    ) -> Result<CustomerCollection<R>, FailedFetch> {
        let base = &self.client.base;
        let mut request = PageRequest::new(format!(
            "{base}/{VERSION}/customers/{customer}/analytics/licenses/{}",
            dataset.as_str()
        ));
        let mut attempts = 0;
        let mut last = None;
        let mut pages: Option<Pages<R>> = None;
        let now = self.client.clock.now();
        loop {
            let context = PageContext {
                customer,
                now,
                prior: pages.as_ref().map(|pages| pages.merged.totals()),
            };
            let read = move |answer: &Answer| {
                let (linked, secret) = (answer.next.as_ref(), answer.token.secret());
                let page = decode(&answer.body, &context, linked, secret)?;
                Ok((page, answer.status, answer.body.len()))
            };
            let call = Call::new(request.clone(), Some(customer), dataset.into());
            let answered = self.call(&call, shutdown, read).await;
            attempts += call.sent();
            last = call.ids().or(last);
            let ((page, http_status, bytes), permit) = answered.map_err(|end| FailedFetch {
                end: end.with_attempts(attempts),
                call: last,
            })?;
            let fetched = |collection| CustomerCollection {
                collection,
                attempts,
                http_status,
                call: last,
                permit,
            };
            let items = match page.content {
                PageContent::Complete(collection) => return Ok(fetched(collection)),
                PageContent::Partial(items) => items,
            };
            let pages = pages.get_or_insert_with(|| {
                let limits = Limits {
                    pages: MAX_PAGES,
                    bytes: self.client.max_response_bytes,
                };
                Pages {
                    pager: Pager::new(base, VERSION, &request, limits),
                    merged: MergedPages::default(),
                    bytes: 0,
                }
            });
            let summary = PageSummary {
                items: page.received,
                is_repeated: !pages.pager.is_new(page.fingerprint),
                bytes,
                next: page.next.as_ref(),
                announced: page.announced,
            };
            let failed = |error| FailedFetch {
                end: RetryError::Failed { error, attempts },
                call: last,
            };
            if let Some(next) = pages.add(items, summary).map_err(failed)? {
                request = next;
                continue;
            }
            let (merged, bytes) = (std::mem::take(&mut pages.merged), pages.bytes);
            let merged = self.client.aside.work(bytes, || merged.finish()).await;
            return Ok(fetched(merged.map_err(|error| failed(error.into()))?));
        }
    }
}
