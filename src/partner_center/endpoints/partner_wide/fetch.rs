//! Fetches one partner-wide collection: of all customers or of those named in a filter, page by
//! page, and again from the first page if the collection changed meanwhile.

use std::sync::Arc;

use chrono::NaiveDate;
use tracing::{debug, warn};

use super::collection::PartnerWideCollection;
use super::intake::Intake;
use super::page::{PageScope, PartnerWidePage, read_page};
use super::pager::{Incomplete, PAGE_SIZE, PartnerWidePager};
use super::wanted::{WantedCustomers, filter};
use crate::causes::with_causes;
use crate::ledger::{CallIds, CustomerId, Dataset};
use crate::partner_center::call::{Answer, Call};
use crate::partner_center::decode::RowDecoder;
use crate::partner_center::decode::next::PageRequest;
use crate::partner_center::endpoints::pager::NextStep;
use crate::partner_center::{ApiError, FailedFetch, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// The versions with which the path may begin: the documentation has the first in its table and the
/// second in its example.
const VERSIONS: [&str; 2] = ["v1", "partner/v1"];

/// How often a collection that changes while it is read is read again. After that a change becomes
/// a note, so that a collection that changes all the time is stored nevertheless.
const MAX_RESTARTS: u32 = 2;

/// The result of reading all pages of a list, if no call failed.
enum ListOutcome {
    Complete,
    Changed,
    /// The server refuses the filter or ignores it.
    FilterUnusable,
}

/// The fetch of one collection.
pub(super) struct CollectionFetch<'a> {
    session: &'a Session,
    dataset: Dataset,
    wanted: &'a WantedCustomers,
    date: Option<NaiveDate>,
    shutdown: &'a Shutdown,
    uses_filter: bool,
    attempts: u32,
    /// The last call for which a request was sent.
    last: Option<CallIds>,
}

impl<'a> CollectionFetch<'a> {
    pub(super) fn new(
        session: &'a Session,
        dataset: Dataset,
        wanted: &'a WantedCustomers,
        date: Option<NaiveDate>,
        shutdown: &'a Shutdown,
    ) -> Self {
        Self {
            session,
            dataset,
            wanted,
            date,
            shutdown,
            uses_filter: wanted.are_few(),
            attempts: 0,
            last: None,
        }
    }

    pub(super) async fn run<R>(
        mut self,
        row: RowDecoder<R>,
    ) -> Result<PartnerWideCollection<R>, FailedFetch> {
        let fetched = self.fetch_all(row).await;
        fetched.map_err(|end| FailedFetch {
            end,
            call: self.last,
        })
    }

    async fn fetch_all<R>(
        &mut self,
        row: RowDecoder<R>,
    ) -> Result<PartnerWideCollection<R>, RetryError<ApiError>> {
        let mut restarts_left = MAX_RESTARTS;
        loop {
            let intake = Intake::new(self.wanted);
            let mut intake = intake.map_err(|error| self.failed(ApiError::Spool(error)))?;
            match self.fetch_lists(&mut intake, restarts_left == 0).await? {
                ListOutcome::Complete => return self.finish(intake, row),
                ListOutcome::Changed => {
                    restarts_left -= 1;
                    warn!(
                        collection = self.dataset.as_str(),
                        "The partner-wide collection changed while it was read, and is read again"
                    );
                }
                ListOutcome::FilterUnusable => self.uses_filter = false,
            }
        }
    }

    fn finish<R>(
        &self,
        mut intake: Intake,
        row: RowDecoder<R>,
    ) -> Result<PartnerWideCollection<R>, RetryError<ApiError>> {
        let spool = intake.finish().map_err(|error| self.failed(error))?;
        Ok(PartnerWideCollection {
            attempts: self.attempts,
            http_status: intake.http_status,
            call: self.last,
            received: intake.received,
            unwanted: intake.unwanted,
            note: intake.note,
            unattributed: intake.unattributed,
            spool,
            buckets: 0..self.wanted.bucket_count(),
            row,
            now: self.session.client.clock.now(),
        })
    }

    /// Fetches the list of everything, or one list for each filter.
    async fn fetch_lists(
        &mut self,
        intake: &mut Intake,
        tolerates_changes: bool,
    ) -> Result<ListOutcome, RetryError<ApiError>> {
        if !self.uses_filter {
            return self.fetch_list(None, intake, tolerates_changes).await;
        }
        for customers in self.wanted.filter_batches() {
            let fetched = self.fetch_list(Some(customers), intake, tolerates_changes);
            match fetched.await {
                Ok(ListOutcome::Complete) => {}
                // Without the filter nothing in the request is specific to these customers.
                Err(RetryError::Failed {
                    error:
                        error @ ApiError::Status {
                            status: 400 | 414, ..
                        },
                    ..
                }) => {
                    let error = with_causes(&error);
                    warn!(
                        collection = self.dataset.as_str(),
                        error, "The API refuses the filter, and everything is fetched: {error}"
                    );
                    return Ok(ListOutcome::FilterUnusable);
                }
                other => return other,
            }
        }
        Ok(ListOutcome::Complete)
    }

    /// Fetches all pages of one list: of everything, or of the customers in a filter.
    async fn fetch_list(
        &mut self,
        filtered: Option<&[CustomerId]>,
        intake: &mut Intake,
        tolerates_changes: bool,
    ) -> Result<ListOutcome, RetryError<ApiError>> {
        let mut scope = PageScope {
            wanted: filtered.map_or_else(|| Arc::clone(self.wanted.ids()), Into::into),
            prior_items: intake.received,
        };
        let list = self.list(filtered);
        let (version, mut page) = self.fetch_first_page(&list, &scope).await?;
        let base = &self.session.client.base;
        let mut pager = PartnerWidePager::new(base, version, list, tolerates_changes);
        loop {
            if filtered.is_some() && page.unwanted > 0 {
                warn!(
                    collection = self.dataset.as_str(),
                    "The API ignores the filter, and everything is fetched"
                );
                return Ok(ListOutcome::FilterUnusable);
            }
            let step = match pager.pass(&page) {
                Err(Incomplete::Changed) => return Ok(ListOutcome::Changed),
                step => step.map_err(|error| self.failed(error.into()))?,
            };
            if step != NextStep::Discard {
                let aside = &self.session.client.aside;
                let pushed = intake.push(page, self.wanted.clone(), aside).await;
                pushed.map_err(|error| self.failed(error))?;
            }
            let NextStep::Fetch(request) = step else {
                break;
            };
            scope.prior_items = intake.received;
            page = self.fetch_page(request, &scope).await?;
        }
        let note = pager.finish().map_err(|error| self.failed(error.into()))?;
        if let Some(note) = note {
            warn!(
                collection = self.dataset.as_str(),
                "Of the partner-wide collection: {note}"
            );
            intake.note.get_or_insert(note);
        }
        Ok(ListOutcome::Complete)
    }

    /// Path and query of a list's first page, after the version.
    fn list(&self, filtered: Option<&[CustomerId]>) -> String {
        let mut query = vec![format!("top={PAGE_SIZE}")];
        query.extend(self.date.map(|date| format!("processedDateTime={date}")));
        query.extend(filtered.map(|customers| format!("filter={}", filter(customers))));
        format!(
            "analytics/commercial/{}/license/?{}",
            self.dataset.as_str(),
            query.join("&")
        )
    }

    /// The first page, and the version of the path under which it was found.
    async fn fetch_first_page(
        &mut self,
        list: &str,
        scope: &PageScope,
    ) -> Result<(&'static str, PartnerWidePage), RetryError<ApiError>> {
        let client = &self.session.client;
        let request = |version| PageRequest::new(format!("{}/{version}/{list}", client.base));
        let known = client.partner_wide_version.get().copied();
        let mut version = known.unwrap_or(VERSIONS[0]);
        let mut page = self.fetch_page(request(version), scope).await;
        if known.is_none() && page.as_ref().is_err_and(is_not_found) {
            version = VERSIONS[1];
            page = self.fetch_page(request(version), scope).await;
        }
        let page = page?;
        client.partner_wide_version.get_or_init(|| version);
        Ok((version, page))
    }

    async fn fetch_page(
        &mut self,
        request: PageRequest,
        scope: &PageScope,
    ) -> Result<PartnerWidePage, RetryError<ApiError>> {
        let call = Call::new(request, None, self.dataset.into());
        let scope = scope.clone();
        let prior_items = scope.prior_items;
        let read = move |answer: &Answer| {
            let (linked, secret) = (answer.next.as_ref(), answer.token.secret());
            let mut page = read_page(&answer.body, &scope, linked, secret)?;
            page.http_status = answer.status;
            Ok(page)
        };
        let page = self.session.call(&call, self.shutdown, read).await;
        self.attempts += call.sent();
        self.last = call.ids().or(self.last);
        let (page, _permit) = page.map_err(|error| error.with_attempts(self.attempts))?;
        debug!(
            collection = self.dataset.as_str(),
            rows.received = prior_items + page.received,
            "A page of the partner-wide collection was read"
        );
        Ok(page)
    }

    fn failed(&self, error: ApiError) -> RetryError<ApiError> {
        RetryError::Failed {
            error,
            attempts: self.attempts,
        }
    }
}

fn is_not_found(error: &RetryError<ApiError>) -> bool {
    matches!(
        error,
        RetryError::Failed {
            error: ApiError::Status { status: 404, .. },
            ..
        }
    )
}
