//! Turns the pages of one customer's collection, or its part of a partner-wide one, into rows.
//! Pure: no clock, network or SQL. Every item ends as a row or as a [`Rejection`]; none is dropped
//! in silence.

pub(super) mod body;
mod cursor;
pub(super) mod date;
pub(super) mod fault;
mod field;
mod item;
mod link;
pub(super) mod next;
pub(super) mod number;
mod pieces;
#[cfg(test)]
mod tests;
pub(super) mod wire;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::ops::ControlFlow;

use chrono::{DateTime, Utc};

use crate::ledger::{Collection, CustomerId, DeploymentRow, Rejection, Row, UsageRow};
use body::{Unreadable, check_depth, parse_object};
use cursor::Reader;
use fault::Fault;
use item::{Owner, not_an_object, own_row};
use next::{Next, Unfollowable, next_page};
use number::parse_count;
use wire::{Members as _, for_each};

pub(in crate::partner_center) use item::{
    RowOf, Unusable, deployment_row, owner, rejection, usage_row,
};
pub(in crate::partner_center) use pieces::{Piece, Pieces};

/// A collection of which more than this is unusable is not worth keeping item by item.
pub(in crate::partner_center) const MAX_REJECTIONS: usize = 10_000;

/// The same for what its unusable items take.
pub(in crate::partner_center) const MAX_REJECTED_BYTES: usize = 16 * 1024 * 1024;

/// Most customers have no more items than this: room for them is made at once.
const USUAL_ITEMS: usize = 64;

/// Why a body is no usage collection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum NotACollection {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("the member items is not a list")]
    ItemsNotAList,
    #[error("the body is a fault although the status is 200: {0}")]
    Fault(Fault),
    #[error("over {limit} are unusable; the first: {first}")]
    TooManyRejections { limit: String, first: String },
    #[error(transparent)]
    Unfollowable(#[from] Unfollowable),
}

impl NotACollection {
    /// That too many of its items are unusable: over [`MAX_REJECTIONS`], or else
    /// [`MAX_REJECTED_BYTES`] of them.
    pub(in crate::partner_center) fn too_many(rejections: &[Rejection]) -> Self {
        let limit = if rejections.len() > MAX_REJECTIONS {
            format!("{MAX_REJECTIONS} items")
        } else {
            format!("{} MiB of items", MAX_REJECTED_BYTES >> 20)
        };
        let first = rejections.first().map(|rejection| rejection.detail.clone());
        Self::TooManyRejections {
            limit,
            first: first.unwrap_or_default(),
        }
    }
}

/// What a page is read with.
#[derive(Debug, Clone, Copy)]
pub(in crate::partner_center) struct Reading {
    pub(in crate::partner_center) customer: CustomerId,
    /// Bounds the dates that are believed.
    pub(in crate::partner_center) now: DateTime<Utc>,
    /// None for the first page.
    pub(in crate::partner_center) before: Option<Before>,
}

/// What the pages before came to.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::partner_center) struct Before {
    pub(in crate::partner_center) items: u64,
    pub(in crate::partner_center) rejections: usize,
    pub(in crate::partner_center) rejected_bytes: usize,
}

/// One page of a collection.
#[derive(Debug, PartialEq)]
pub(in crate::partner_center) struct Page<R> {
    pub(in crate::partner_center) part: Part<R>,
    pub(in crate::partner_center) next: Option<Next>,
    /// Items in all pages, as the API says.
    pub(in crate::partner_center) announced: Option<u64>,
    pub(in crate::partner_center) received: u64,
    /// Tells its items from those of another page.
    pub(in crate::partner_center) fingerprint: u64,
}

/// How much of the collection a page is.
#[derive(Debug, PartialEq)]
pub(in crate::partner_center) enum Part<R> {
    /// All of it, as nearly always.
    Whole(Collection<R>),
    /// One page of several.
    Piece(Piece<R>),
}

/// Reads one page of a usage answer. `linked` is what its headers say of a next one, and `secret`
/// must not come back out of a fault.
pub(in crate::partner_center) fn decode_usage(
    body: &[u8],
    reading: &Reading,
    linked: Option<&Next>,
    secret: &str,
) -> Result<Page<UsageRow>, NotACollection> {
    let owner = &Owner::new(reading.customer);
    decode(body, reading, linked, secret, |item| {
        own_row(item, owner, |item| usage_row(item, reading.now))
    })
}

/// Reads one page of a deployment answer, as [`decode_usage`] does.
pub(in crate::partner_center) fn decode_deployment(
    body: &[u8],
    reading: &Reading,
    linked: Option<&Next>,
    secret: &str,
) -> Result<Page<DeploymentRow>, NotACollection> {
    let owner = &Owner::new(reading.customer);
    decode(body, reading, linked, secret, |item| {
        own_row(item, owner, |item| deployment_row(item, reading.now))
    })
}

/// What the items of a page have become so far.
struct Gathered<'a, R, F> {
    row: F,
    rows: Vec<R>,
    /// What each row was read from.
    payloads: Vec<&'a str>,
    rejections: Vec<Rejection>,
    rejected_bytes: usize,
    /// The length of all items together, in bytes, and not much more.
    length: usize,
    count: u64,
    before: Before,
    too_many: bool,
}

impl<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>> Gathered<'a, R, F> {
    fn new(row: F, length: usize, before: Before) -> Self {
        Self {
            row,
            length,
            before,
            rows: Vec::new(),
            payloads: Vec::new(),
            rejections: Vec::new(),
            rejected_bytes: 0,
            count: 0,
            too_many: false,
        }
    }

    /// Takes the next item; breaks off where there is no use in going on.
    fn add(&mut self, item: Option<&wire::Item<'_>>, payload: &'a str) -> ControlFlow<()> {
        self.count += 1;
        let row = item.ok_or_else(not_an_object);
        match row.and_then(&self.row) {
            Ok(row) => {
                if self.rows.is_empty() {
                    // Items are much of a length.
                    let expected = USUAL_ITEMS.min(self.length / payload.len().max(1) + 1);
                    self.rows.reserve_exact(expected);
                    self.payloads.reserve_exact(expected);
                }
                self.rows.push(row);
                self.payloads.push(payload);
            }
            Err(unusable) => {
                let rejection = rejection(self.before.items + self.count, payload, unusable);
                self.rejected_bytes += rejection.payload.len();
                self.rejections.push(rejection);
                self.too_many = self.before.rejections + self.rejections.len() > MAX_REJECTIONS
                    || self.before.rejected_bytes + self.rejected_bytes > MAX_REJECTED_BYTES;
            }
        }
        if self.too_many {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn check(&self) -> Result<(), NotACollection> {
        if self.too_many {
            return Err(NotACollection::too_many(&self.rejections));
        }
        Ok(())
    }
}

/// Makes rows of a page's items, or says why not.
fn decode<R: Row>(
    body: &[u8],
    reading: &Reading,
    linked: Option<&Next>,
    secret: &str,
    row: impl Fn(&wire::Item<'_>) -> Result<R, Unusable> + Copy,
) -> Result<Page<R>, NotACollection> {
    let text = body::text(body)?;
    let new = || Gathered::new(row, text.len(), reading.before.unwrap_or_default());
    let mut gathered = new();
    let envelope = if text.is_empty() {
        wire::Envelope::default()
    } else if let Some(envelope) = read_plain(text, &mut gathered) {
        envelope
    } else {
        gathered.check()?;
        gathered = new();
        check_depth(text)?;
        read(text, &mut gathered)?
    };
    gathered.check()?;
    // Beside an empty list a mere remark is no fault; in the place of a list it is.
    if gathered.count == 0
        && let Some(fault) = Fault::in_envelope(&envelope, secret)
        && (envelope.items.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(NotACollection::Fault(fault));
    }
    let next = next_page(&envelope, linked)?;
    let announced = announced(&envelope);
    let received = gathered.count;
    let is_whole = next.is_none() && reading.before.is_none();
    let fingerprint = match envelope.items {
        Some(items) if !is_whole => {
            BuildHasherDefault::<DefaultHasher>::default().hash_one(items.get())
        }
        _ => 0,
    };
    let Gathered {
        rows,
        payloads,
        rejections,
        ..
    } = gathered;
    let part = if is_whole {
        Part::Whole(pieces::collect(rows, &payloads, rejections, announced)?)
    } else {
        Part::Piece(Piece {
            rows,
            payloads: payloads.into_iter().map(Into::into).collect(),
            rejections,
        })
    };
    Ok(Page {
        part,
        next,
        announced,
        received,
        fingerprint,
    })
}

/// Items in all pages of a list, as the API says, where it says so.
pub(in crate::partner_center) fn announced(envelope: &wire::Envelope<'_>) -> Option<u64> {
    let total = parse_count(envelope.total_count?.get()).ok()?;
    u64::try_from(total).ok()
}

/// Goes over a collection once, items and all; none where it is not as plain as nearly all are, or
/// has too many unusable items.
fn read_plain<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>>(
    text: &'a str,
    gathered: &mut Gathered<'a, R, F>,
) -> Option<wire::Envelope<'a>> {
    let mut reader = Reader::new(text);
    let mut envelope = wire::Envelope::default();
    reader.object(|reader, member| {
        let is_list = member.eq_ignore_ascii_case("items");
        // The last of several lists would count.
        if is_list && envelope.items.is_some() {
            return None;
        }
        let value = if is_list {
            let list = reader.with_json(|reader| {
                reader.list(|reader| {
                    let (item, payload) = reader.with_json(wire::Item::read_plain)?;
                    gathered.add(Some(&item), payload.get()).continue_value()
                })
            });
            list?.1
        } else {
            reader.value()?
        };
        envelope.set(member, value);
        Some(())
    })?;
    reader.is_at_end().then_some(envelope)
}

/// As [`read_plain`], whatever the collection is like.
fn read<'a, R, F: Fn(&wire::Item<'_>) -> Result<R, Unusable>>(
    text: &'a str,
    gathered: &mut Gathered<'a, R, F>,
) -> Result<wire::Envelope<'a>, NotACollection> {
    let envelope: wire::Envelope<'_> = parse_object(text)?;
    if let Some(items) = envelope.items {
        let add =
            |item: wire::Json<'a>| gathered.add(wire::Item::read(item.get()).as_ref(), item.get());
        // Where it breaks off the caller sees why.
        let _flow = for_each(items, add).map_err(|_| NotACollection::ItemsNotAList)?;
    }
    Ok(envelope)
}

/// One customer's part of a partner-wide collection, made of its items in the order in which they
/// came, each with its number in the whole. Such a collection has no column of percentages, so that
/// nothing is read as one.
pub(in crate::partner_center) fn decode_part<'a, R: Row>(
    items: impl IntoIterator<Item = (u64, &'a str)>,
    customer: CustomerId,
    now: DateTime<Utc>,
    row: RowOf<R>,
) -> Result<Collection<R>, NotACollection> {
    let without_percent = |item: &wire::Item<'_>| {
        let item = wire::Item {
            usage_percent: None,
            deployment_percent: None,
            ..*item
        };
        row(&item, now)
    };
    let owner = &Owner::new(customer);
    let own = |item: &wire::Item<'_>| own_row(item, owner, without_percent);
    let mut gathered = Gathered::new(own, 0, Before::default());
    for (number, payload) in items {
        // Its number is that in the whole.
        gathered.before.items = number - gathered.count - 1;
        if gathered
            .add(wire::Item::read(payload).as_ref(), payload)
            .is_break()
        {
            break;
        }
    }
    gathered.check()?;
    pieces::collect(gathered.rows, &gathered.payloads, gathered.rejections, None)
}
