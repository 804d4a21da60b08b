//! Turns the answers of the API into rows. Pure: no clock, network or SQL. Every item ends as a row
//! or as a [`Rejection`]; none is dropped silently.
//!
//! `body` and `cursor` read the JSON, `wire` declares its objects, `field` and `item` make rows of
//! items, `merge` puts the pages of a collection together, `next` finds the link to the next page,
//! `fault` reads error answers.

pub(super) mod body;
mod cursor;
mod date;
mod error;
pub(super) mod fault;
mod field;
mod item;
pub(super) mod json;
mod merge;
pub(super) mod next;
mod number;
#[cfg(test)]
mod tests;
pub(super) mod wire;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use crate::ledger::{Collection, CustomerId, DeploymentRow, Rejection, Row, UsageRow};
use body::{check_depth, parse_object};
use cursor::JsonCursor;
use fault::ApiFault;
use field::ItemError;
use item::{ExpectedOwner, not_an_object};
use json::{Json, for_each};
use next::{NextLink, find_next_link};
use number::parse_count;
use wire::{Envelope, Item, Members as _};

pub(super) use error::{DecodeError, MAX_REJECTED_BYTES, MAX_REJECTIONS};
pub(super) use item::{RowDecoder, deployment_row, owner_of, rejection, usage_row};
pub(super) use merge::{MergedPages, PageItems, PriorTotals};

/// Rows for which memory is reserved at once. Most customers have fewer.
const INITIAL_ROWS: usize = 64;

/// The context of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct PageContext {
    pub(super) customer: CustomerId,
    /// Dates too far ahead of it are rejected.
    pub(super) now: DateTime<Utc>,
    /// `None` for the first page.
    pub(super) prior: Option<PriorTotals>,
}

/// One page of a customer's collection.
#[derive(Debug, PartialEq)]
pub(super) struct CollectionPage<R> {
    pub(super) content: PageContent<R>,
    pub(super) next: Option<NextLink>,
    /// The number of items in all pages, according to the API.
    pub(super) announced: Option<u64>,
    /// The number of items on this page.
    pub(super) received: u64,
    /// A hash of the items, by which a repeated page is recognised.
    pub(super) fingerprint: u64,
}

#[derive(Debug, PartialEq)]
pub(super) enum PageContent<R> {
    /// The only page, as nearly always.
    Complete(Collection<R>),
    /// One page of several.
    Partial(PageItems<R>),
}

/// Decodes one page of a usage answer. `linked` is the next page according to the answer's headers.
/// `secret` is masked in the message of a fault.
pub(super) fn decode_usage(
    body: &[u8],
    context: &PageContext,
    linked: Option<&NextLink>,
    secret: &str,
) -> Result<CollectionPage<UsageRow>, DecodeError> {
    let owner = &ExpectedOwner::new(context.customer);
    decode_page(body, context, linked, secret, |item| {
        owner.check(item)?;
        usage_row(item, context.now)
    })
}

/// Decodes one page of a deployment answer, as [`decode_usage`] does.
pub(super) fn decode_deployment(
    body: &[u8],
    context: &PageContext,
    linked: Option<&NextLink>,
    secret: &str,
) -> Result<CollectionPage<DeploymentRow>, DecodeError> {
    let owner = &ExpectedOwner::new(context.customer);
    decode_page(body, context, linked, secret, |item| {
        owner.check(item)?;
        deployment_row(item, context.now)
    })
}

/// Decodes one customer's items of a partner-wide collection. Each has its number in the whole
/// collection, and they are in the order in which they were received. The percentages are ignored:
/// the documentation of this collection has none.
pub(super) fn decode_customer_items<'a, R: Row>(
    items: impl IntoIterator<Item = (u64, &'a str)>,
    customer: CustomerId,
    now: DateTime<Utc>,
    row: RowDecoder<R>,
) -> Result<Collection<R>, DecodeError> {
    let owner = &ExpectedOwner::new(customer);
    let own_row = |item: &Item<'_>| {
        owner.check(item)?;
        let item = Item {
            usage_percent: None,
            deployment_percent: None,
            ..*item
        };
        row(&item, now)
    };
    let mut decoder = ItemsDecoder::new(own_row, 0, PriorTotals::default());
    for (number, payload) in items {
        decoder.prior.items = number - decoder.count - 1;
        let flow = decoder.push(Item::read(payload).as_ref(), payload);
        if flow.is_break() {
            break;
        }
    }
    decoder.check_rejections()?;
    merge::finish(decoder.rows, &decoder.payloads, decoder.rejections, None)
}

/// The number of items in all pages of a list, according to the API.
pub(super) fn announced(envelope: &Envelope<'_>) -> Option<u64> {
    let total = parse_count(envelope.total_count?.get()).ok()?;
    u64::try_from(total).ok()
}

/// Decodes the items of a page one by one.
struct ItemsDecoder<'a, R, F> {
    row: F,
    rows: Vec<R>,
    /// The JSON text of each row.
    payloads: Vec<&'a str>,
    rejections: Vec<Rejection>,
    rejected_bytes: usize,
    /// The length of the page, by which the number of rows is estimated.
    page_bytes: usize,
    count: u64,
    prior: PriorTotals,
    has_too_many_rejections: bool,
}

impl<'a, R, F: Fn(&Item<'_>) -> Result<R, ItemError>> ItemsDecoder<'a, R, F> {
    fn new(row: F, page_bytes: usize, prior: PriorTotals) -> Self {
        Self {
            row,
            page_bytes,
            prior,
            rows: Vec::new(),
            payloads: Vec::new(),
            rejections: Vec::new(),
            rejected_bytes: 0,
            count: 0,
            has_too_many_rejections: false,
        }
    }

    /// Decodes the next item; breaks when there are too many rejections. `item` is `None` if the
    /// payload is not an object.
    fn push(&mut self, item: Option<&Item<'_>>, payload: &'a str) -> ControlFlow<()> {
        self.count += 1;
        let row = item.ok_or_else(not_an_object);
        match row.and_then(&self.row) {
            Ok(row) => {
                if self.rows.is_empty() {
                    // The items of a page have similar lengths.
                    let estimate = self.page_bytes / payload.len().max(1) + 1;
                    self.rows.reserve_exact(estimate.min(INITIAL_ROWS));
                    self.payloads.reserve_exact(estimate.min(INITIAL_ROWS));
                }
                self.rows.push(row);
                self.payloads.push(payload);
            }
            Err(error) => {
                let rejection = rejection(self.prior.items + self.count, payload, &error);
                self.rejected_bytes += rejection.payload.len();
                self.rejections.push(rejection);
                self.has_too_many_rejections = self.prior.rejections + self.rejections.len()
                    > MAX_REJECTIONS
                    || self.prior.rejected_bytes + self.rejected_bytes > MAX_REJECTED_BYTES;
            }
        }
        if self.has_too_many_rejections {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn check_rejections(&self) -> Result<(), DecodeError> {
        if self.has_too_many_rejections {
            return Err(DecodeError::too_many(&self.rejections));
        }
        Ok(())
    }
}

fn decode_page<R: Row>(
    body: &[u8],
    context: &PageContext,
    linked: Option<&NextLink>,
    secret: &str,
    row: impl Fn(&Item<'_>) -> Result<R, ItemError> + Copy,
) -> Result<CollectionPage<R>, DecodeError> {
    let text = body::text(body)?;
    let new_decoder = || ItemsDecoder::new(row, text.len(), context.prior.unwrap_or_default());
    let mut decoder = new_decoder();
    let envelope = if text.is_empty() {
        Envelope::default()
    } else if let Some(envelope) = read_in_one_pass(text, &mut decoder) {
        envelope
    } else {
        decoder.check_rejections()?;
        decoder = new_decoder();
        check_depth(text)?;
        read_any(text, &mut decoder)?
    };
    decoder.check_rejections()?;
    // A message beside an empty list is not a fault; without a list it is.
    if decoder.count == 0
        && let Some(fault) = ApiFault::in_envelope(&envelope, secret)
        && (envelope.items.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(DecodeError::Fault(fault));
    }
    let next = find_next_link(&envelope, linked)?;
    let announced = announced(&envelope);
    let received = decoder.count;
    let is_complete = next.is_none() && context.prior.is_none();
    // A page that is the only one cannot be repeated, and hashing takes time.
    let fingerprint = match envelope.items {
        Some(items) if !is_complete => fingerprint(items),
        _ => 0,
    };
    let ItemsDecoder {
        rows,
        payloads,
        rejections,
        ..
    } = decoder;
    let page_content = if is_complete {
        PageContent::Complete(merge::finish(rows, &payloads, rejections, announced)?)
    } else {
        PageContent::Partial(PageItems {
            rows,
            payloads: payloads.into_iter().map(Into::into).collect(),
            rejections,
        })
    };
    Ok(CollectionPage {
        content: page_content,
        next,
        announced,
        received,
        fingerprint,
    })
}

/// A hash of the items of a page, by which a repeated page is recognised.
pub(super) fn fingerprint(items: Json<'_>) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(items.get())
}

/// The fast path: reads the envelope and decodes the items in one pass. `None` if the cursor cannot
/// read the page, or if it has too many rejections; then items may have been decoded already.
fn read_in_one_pass<'a, R, F: Fn(&Item<'_>) -> Result<R, ItemError>>(
    text: &'a str,
    decoder: &mut ItemsDecoder<'a, R, F>,
) -> Option<Envelope<'a>> {
    let mut cursor = JsonCursor::new(text);
    let mut envelope = Envelope::default();
    cursor.object(|cursor, member| {
        let is_list = member.eq_ignore_ascii_case("items");
        // Of two lists only the last counts, and the items of the first are decoded already.
        if is_list && envelope.items.is_some() {
            return None;
        }
        let value = if is_list {
            let list = cursor.with_text(|cursor| {
                cursor.list(|cursor| {
                    let (item, payload) = cursor.with_text(Item::read_at)?;
                    decoder.push(Some(&item), payload.get()).continue_value()
                })
            });
            list?.1
        } else {
            cursor.value()?
        };
        envelope.set(member, value);
        Some(())
    })?;
    cursor.is_at_end().then_some(envelope)
}

/// As [`read_in_one_pass`], for all JSON. The caller checks for too many rejections.
fn read_any<'a, R, F: Fn(&Item<'_>) -> Result<R, ItemError>>(
    text: &'a str,
    decoder: &mut ItemsDecoder<'a, R, F>,
) -> Result<Envelope<'a>, DecodeError> {
    let envelope: Envelope<'_> = parse_object(text)?;
    if let Some(items) = envelope.items {
        let push = |item: Json<'a>| decoder.push(Item::read(item.get()).as_ref(), item.get());
        let _flow = for_each(items, push).map_err(|_| DecodeError::ItemsNotAList)?;
    }
    Ok(envelope)
}
