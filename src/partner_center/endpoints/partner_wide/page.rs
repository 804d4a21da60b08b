//! One page of a partner-wide collection, read into the items of wanted customers. Pure.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::spool::SpooledItem;
use crate::ledger::{CustomerId, Rejection};
use crate::partner_center::ApiError;
use crate::partner_center::decode::body::{json_text, parse_object};
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::decode::json::{Json, for_each};
use crate::partner_center::decode::next::{NextLink, find_next_link};
use crate::partner_center::decode::wire::{Envelope, Raw};
use crate::partner_center::decode::{DecodeError, MAX_REJECTIONS, announced, owner_of, rejection};

/// One page, and where the next one is.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Page {
    /// The items of wanted customers.
    pub(super) items: Vec<SpooledItem<Box<str>>>,
    /// Items that say of no customer that they are its.
    pub(super) strays: Vec<Rejection>,
    /// Items on the page.
    pub(super) received: u64,
    /// Those of them that are of customers who are not wanted.
    pub(super) unwanted: u64,
    pub(super) next: Option<NextLink>,
    /// Items in all pages, as the API says.
    pub(super) total: Option<u64>,
    /// Tells one page's items from another's.
    pub(super) fingerprint: u64,
    /// Length of the body.
    pub(super) bytes: usize,
    /// 200, or 204 for nothing at all.
    pub(super) status: u16,
}

/// What a page is read with.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    /// Whose items are wanted, sorted.
    pub(super) wanted: Arc<[CustomerId]>,
    /// Items on the pages before.
    pub(super) before: u64,
}

/// Reads a page. `linked` is what the answer's headers say of a next one, and `secret` must not
/// come back out of a fault.
pub(super) fn read_page(
    body: &[u8],
    reading: &Reading,
    linked: Option<&NextLink>,
    secret: &str,
) -> Result<Page, ApiError> {
    let text = json_text(body)?;
    let envelope: Envelope<'_> = if text.is_empty() {
        Envelope::default()
    } else {
        parse_object(text)?
    };
    let list = list(&envelope)?;
    let mut page = Page {
        next: find_next_link(&envelope, linked).map_err(DecodeError::from)?,
        total: announced(&envelope),
        bytes: body.len(),
        ..Page::default()
    };
    if let Some(list) = list {
        page.read_list(list, reading)?;
    }
    // As with one customer's collection: beside an empty list a mere remark is no fault; in the
    // place of a list it is. Beside items a server that fails while it writes them says so, and
    // what came is not all.
    let is_cut_off = envelope
        .error
        .is_some_and(|error| error.get().starts_with('{'));
    if (page.received == 0 || is_cut_off)
        && let Some(fault) = ApiFault::in_envelope(&envelope, secret)
        && (list.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(DecodeError::Fault(fault).into());
    }
    Ok(page)
}

impl Page {
    fn read_list(&mut self, list: Json<'_>, reading: &Reading) -> Result<(), ApiError> {
        let flow = for_each(list, |item| {
            self.received += 1;
            let number = reading.before + self.received;
            match owner_of(item.get()) {
                Ok(customer) if reading.wanted.binary_search(&customer).is_ok() => {
                    self.items.push(SpooledItem {
                        customer,
                        number,
                        item: item.get().into(),
                    });
                }
                Ok(_) => self.unwanted += 1,
                Err(unusable) => self.strays.push(rejection(number, item.get(), &unusable)),
            }
            if self.strays.len() > MAX_REJECTIONS {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let flow =
            flow.map_err(|_| ApiError::Unexpected("the member Value is not a list".to_owned()))?;
        if flow.is_break() {
            return Err(DecodeError::too_many(&self.strays).into());
        }
        self.fingerprint = BuildHasherDefault::<DefaultHasher>::default().hash_one(list.get());
        Ok(())
    }
}

/// The list of items, under whichever of its names.
fn list<'a>(envelope: &Envelope<'a>) -> Result<Raw<'a>, ApiError> {
    let is_empty = |list: Json<'_>| {
        let inner = list
            .get()
            .strip_prefix('[')
            .and_then(|list| list.strip_suffix(']'));
        inner.is_some_and(|inner| inner.trim().is_empty())
    };
    match (envelope.value, envelope.items) {
        (Some(value), Some(items)) if is_empty(value) => Ok(Some(items)),
        (Some(value), Some(items)) if is_empty(items) || value.get() == items.get() => {
            Ok(Some(value))
        }
        // To take either would leave the other out in silence.
        (Some(_), Some(_)) => Err(ApiError::Unexpected(
            "the members Value and items are two lists".to_owned(),
        )),
        (value, items) => Ok(value.or(items)),
    }
}

#[cfg(test)]
mod tests;
