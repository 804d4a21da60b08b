//! Fetches one partner-wide collection: chooses between everything and single customers, goes
//! through the pages, and begins anew where what came cannot be trusted.

use std::sync::Arc;

use chrono::NaiveDate;
use reqwest::header::HeaderMap;
use tracing::{debug, warn};

use super::Commercial;
use super::gathered::Gathered;
use super::page::{Page, Reading, read_page};
use super::walk::{Address, Lost, PAGE_SIZE, Turn, Walk};
use super::wanted::{CUSTOMERS_PER_CALL, Wanted, filter};
use crate::causes::with_causes;
use crate::ledger::CustomerId;
use crate::partner_center::decode::RowDecoder;
use crate::partner_center::decode::next;
use crate::partner_center::transport::call::{Answer, Call};
use crate::partner_center::{ApiError, Session};
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// What a path begins with. The documentation has both: the first in its table, the second in its
/// example.
const VERSIONS: [&str; 2] = ["v1", "partner/v1"];

/// How often a collection that changes while it is read is begun anew.
const MAX_BEGUN_ANEW: u32 = 2;

/// How the wanted customers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// All pages of everything.
    Everything,
    /// A page of everything, which tells what is cheaper.
    Compare,
    /// A few customers at a time.
    Parts,
}

/// How a walk ended that did not fail.
enum End {
    Whole,
    /// It is to be begun anew.
    Changed,
    /// Another way leads to the end.
    Better(Plan),
}

/// Fetches one collection.
pub(super) struct Reader<'a> {
    session: &'a Session,
    collection: &'static str,
    wanted: &'a Wanted,
    date: Option<NaiveDate>,
    shutdown: &'a Shutdown,
    plan: Plan,
    attempts: u32,
    pages: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        session: &'a Session,
        collection: &'static str,
        wanted: &'a Wanted,
        date: Option<NaiveDate>,
        shutdown: &'a Shutdown,
    ) -> Self {
        let plan = if wanted.is_everybody() {
            Plan::Everything
        } else if wanted.customers().len() <= CUSTOMERS_PER_CALL {
            Plan::Parts
        } else {
            Plan::Compare
        };
        Self {
            session,
            collection,
            wanted,
            date,
            shutdown,
            plan,
            attempts: 0,
            pages: 0,
        }
    }

    pub(super) async fn fetch<R>(
        mut self,
        row: RowDecoder<R>,
    ) -> Result<Commercial<R>, RetryError<ApiError>> {
        for left in (0..=MAX_BEGUN_ANEW).rev() {
            if let Some(gathered) = self.gather(left == 0).await? {
                return self.finish(gathered, row);
            }
            warn!(
                collection = self.collection,
                "The partner-wide collection changed while it was read, and is read anew"
            );
        }
        unreachable!("the last chance is not followed by another")
    }

    fn finish<R>(
        self,
        mut gathered: Gathered,
        row: RowDecoder<R>,
    ) -> Result<Commercial<R>, RetryError<ApiError>> {
        let finished = gathered.finish();
        let spool = finished.map_err(|error| self.failed(error))?;
        Ok(Commercial {
            attempts: self.attempts,
            http_status: gathered.status,
            pages: self.pages,
            received: gathered.received,
            unwanted: gathered.unwanted,
            note: gathered.note,
            strays: gathered.strays,
            spool,
            shares: 0..self.wanted.shares(),
            row,
            now: self.session.client.clock.now(),
        })
    }

    /// Everything that is wanted; none if it has to be begun anew.
    async fn gather(
        &mut self,
        is_last_chance: bool,
    ) -> Result<Option<Gathered>, RetryError<ApiError>> {
        loop {
            let gathered = Gathered::new(self.wanted);
            let mut gathered = gathered.map_err(|error| self.failed(ApiError::Spool(error)))?;
            let end = match self.plan {
                Plan::Everything | Plan::Compare => {
                    self.walk(None, is_last_chance, &mut gathered).await?
                }
                Plan::Parts => self.walk_parts(is_last_chance, &mut gathered).await?,
            };
            match end {
                End::Whole => return Ok(Some(gathered)),
                End::Changed => return Ok(None),
                End::Better(plan) => self.plan = plan,
            }
        }
    }

    async fn walk_parts(
        &mut self,
        is_last_chance: bool,
        gathered: &mut Gathered,
    ) -> Result<End, RetryError<ApiError>> {
        for part in self.wanted.parts() {
            let end = match self.walk(Some(part), is_last_chance, gathered).await {
                // The filter may be what the API does not understand. Without it there is nothing
                // of ours that could be wrong.
                Err(RetryError::Failed {
                    error:
                        error @ ApiError::Status {
                            status: 400 | 414, ..
                        },
                    ..
                }) => {
                    let error = with_causes(&error);
                    warn!(
                        collection = self.collection,
                        error, "The API refuses to filter: {error}"
                    );
                    End::Better(Plan::Everything)
                }
                end => end?,
            };
            if !matches!(end, End::Whole) {
                return Ok(end);
            }
        }
        Ok(End::Whole)
    }

    /// Goes through all pages: of everything, or of some customers.
    async fn walk(
        &mut self,
        part: Option<&[CustomerId]>,
        is_last_chance: bool,
        gathered: &mut Gathered,
    ) -> Result<End, RetryError<ApiError>> {
        let mut reading = Reading {
            wanted: part.map_or_else(|| Arc::clone(self.wanted.customers()), Into::into),
            before: gathered.received,
        };
        let mut address = self.address(part);
        let mut page = self.first_page(&mut address, &reading).await?;
        let mut walk = Walk::new(address, is_last_chance);
        let mut is_first = true;
        loop {
            if part.is_some() && page.unwanted > 0 {
                warn!(
                    collection = self.collection,
                    "The API sends customers whom the filter left out, and is asked for everything"
                );
                return Ok(End::Better(Plan::Everything));
            }
            if is_first && self.plan == Plan::Compare && self.parts_are_fewer(&page) {
                return Ok(End::Better(Plan::Parts));
            }
            is_first = false;
            let turn = walk.pass(&page).map_err(|lost| self.failed(lost.into()))?;
            match turn {
                Turn::Anew => return Ok(End::Changed),
                Turn::Repeated => break,
                Turn::Next(_) | Turn::End => {
                    let (wanted, aside) = (self.wanted.clone(), &self.session.client.aside);
                    let taken = gathered.take(page, wanted, aside).await;
                    taken.map_err(|error| self.failed(error))?;
                }
            }
            let Turn::Next(next) = turn else { break };
            reading.before = gathered.received;
            page = self.page(next, &reading).await?;
        }
        let note = walk.finish().map_err(|lost| self.failed(lost.into()))?;
        if let Some(note) = note {
            warn!(
                collection = self.collection,
                "Of the partner-wide collection: {note}"
            );
            gathered.note.get_or_insert(note);
        }
        Ok(End::Whole)
    }

    /// Whether the wanted customers take fewer calls than what remains of everything.
    fn parts_are_fewer(&self, first: &Page) -> bool {
        let pages = first.total.and_then(|total| {
            let pages = total.checked_add(first.received)?.checked_sub(1)? / first.received.max(1);
            pages.checked_sub(1)
        });
        pages.is_some_and(|remaining| (self.wanted.parts().len() as u64) < remaining)
    }

    fn address(&self, part: Option<&[CustomerId]>) -> Address {
        let mut query = vec![format!("top={PAGE_SIZE}")];
        query.extend(self.date.map(|date| format!("processedDateTime={date}")));
        query.extend(part.map(|part| format!("filter={}", filter(part))));
        let version = self.session.client.commercial_version.get();
        Address {
            base: self.session.client.base.clone(),
            version: version.copied().unwrap_or(VERSIONS[0]),
            path: format!("analytics/commercial/{}/license/", self.collection),
            query: query.join("&"),
        }
    }

    /// The first page, under whichever version of the path there is one. `address` is changed to
    /// it.
    async fn first_page(
        &mut self,
        address: &mut Address,
        reading: &Reading,
    ) -> Result<Page, RetryError<ApiError>> {
        let at = |address: &Address| next::PageRequest {
            url: address.page(0),
            headers: HeaderMap::new(),
        };
        let first = self.page(at(address), reading).await;
        let is_missing = |page: &Result<Page, RetryError<ApiError>>| {
            matches!(
                page,
                Err(RetryError::Failed {
                    error: ApiError::Status { status: 404, .. },
                    ..
                })
            )
        };
        let known = &self.session.client.commercial_version;
        if known.get().is_some() {
            return first;
        }
        if !is_missing(&first) {
            if first.is_ok() {
                known.get_or_init(|| address.version);
            }
            return first;
        }
        address.version = VERSIONS[1];
        let second = self.page(at(address), reading).await;
        if second.is_ok() {
            known.get_or_init(|| address.version);
        }
        if is_missing(&second) {
            // Nothing is there, so that the first answer is as good as the second.
            return first.map_err(|gave_up| self.counted(gave_up));
        }
        second
    }

    async fn page(
        &mut self,
        address: next::PageRequest,
        reading: &Reading,
    ) -> Result<Page, RetryError<ApiError>> {
        let call = Call::new(address.url, None, address.headers);
        let with = reading.clone();
        let read = move |answer: &Answer| {
            let (linked, secret) = (answer.next.as_ref(), answer.token.secret());
            let mut page = read_page(&answer.body, &with, linked, secret)?;
            page.status = answer.status;
            Ok(page)
        };
        let page = self.session.call(&call, self.shutdown, read).await;
        self.attempts += call.sent();
        let (page, _permit) = page.map_err(|gave_up| self.counted(gave_up))?;
        self.pages += 1;
        debug!(
            collection = self.collection,
            pages = self.pages,
            rows.received = reading.before + page.received,
            "A page of the partner-wide collection came"
        );
        Ok(page)
    }

    /// A call's end with the attempts of all calls.
    fn counted(&self, gave_up: RetryError<ApiError>) -> RetryError<ApiError> {
        match gave_up {
            RetryError::Failed { error, .. } => self.failed(error),
            RetryError::Stopped { last, .. } => RetryError::Stopped {
                last,
                attempts: self.attempts,
            },
        }
    }

    fn failed(&self, error: ApiError) -> RetryError<ApiError> {
        RetryError::Failed {
            error,
            attempts: self.attempts,
        }
    }
}

impl From<Lost> for ApiError {
    fn from(lost: Lost) -> Self {
        Self::Unexpected(lost.to_string())
    }
}
