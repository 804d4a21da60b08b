//! Reads one page of a partner-wide collection into the items of wanted customers. Pure.

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
use crate::partner_center::decode::{
    DecodeError, MAX_REJECTIONS, announced, fingerprint, owner_of, rejection,
};

/// One page of a partner-wide collection.
#[derive(Debug, Default, PartialEq)]
pub(super) struct PartnerWidePage {
    /// The items of wanted customers.
    pub(super) items: Vec<SpooledItem<Box<str>>>,
    /// Items that name no customer.
    pub(super) unattributed: Vec<Rejection>,
    /// The number of items on the page.
    pub(super) received: u64,
    /// The number of items of customers that are not wanted.
    pub(super) unwanted: u64,
    pub(super) next: Option<NextLink>,
    /// The number of items in all pages, according to the API.
    pub(super) announced: Option<u64>,
    /// A hash of the items, by which a repeated page is recognised.
    pub(super) fingerprint: u64,
    /// The length of the body.
    pub(super) bytes: usize,
    /// 200, or 204 for an empty answer.
    pub(super) http_status: u16,
}

/// Which items of a page are read, and how they are numbered.
#[derive(Debug, Clone)]
pub(super) struct PageScope {
    /// The customers whose items are kept, sorted.
    pub(super) wanted: Arc<[CustomerId]>,
    /// The number of items on earlier pages, from which the numbering continues.
    pub(super) prior_items: u64,
}

/// Reads a page. `linked` is the next page according to the answer's headers. `secret` is masked in
/// the message of a fault.
pub(super) fn read_page(
    body: &[u8],
    scope: &PageScope,
    linked: Option<&NextLink>,
    secret: &str,
) -> Result<PartnerWidePage, ApiError> {
    let text = json_text(body)?;
    let envelope: Envelope<'_> = if text.is_empty() {
        Envelope::default()
    } else {
        parse_object(text)?
    };
    let list = list(&envelope)?;
    let mut page = PartnerWidePage {
        next: find_next_link(&envelope, linked).map_err(DecodeError::from)?,
        announced: announced(&envelope),
        bytes: body.len(),
        ..PartnerWidePage::default()
    };
    if let Some(list) = list {
        page.read_list(list, scope)?;
    }
    // As with one customer's collection, a message beside an empty list is not a fault; without a
    // list it is. An error object beside items means that the server failed while it sent them.
    let is_incomplete = envelope
        .error
        .is_some_and(|error| error.get().starts_with('{'));
    if (page.received == 0 || is_incomplete)
        && let Some(fault) = ApiFault::in_envelope(&envelope, secret)
        && (list.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(DecodeError::Fault(fault).into());
    }
    Ok(page)
}

impl PartnerWidePage {
    fn read_list(&mut self, list: Json<'_>, scope: &PageScope) -> Result<(), ApiError> {
        let flow = for_each(list, |item| {
            self.received += 1;
            let number = scope.prior_items + self.received;
            match owner_of(item.get()) {
                Ok(customer) if scope.wanted.binary_search(&customer).is_ok() => {
                    self.items.push(SpooledItem {
                        customer,
                        number,
                        json: item.get().into(),
                    });
                }
                Ok(_) => self.unwanted += 1,
                Err(error) => self
                    .unattributed
                    .push(rejection(number, item.get(), &error)),
            }
            if self.unattributed.len() > MAX_REJECTIONS {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let flow =
            flow.map_err(|_| ApiError::Unexpected("the member Value is not a list".to_owned()))?;
        if flow.is_break() {
            return Err(DecodeError::too_many(&self.unattributed).into());
        }
        self.fingerprint = fingerprint(list);
        Ok(())
    }
}

/// The list of items, which has two names.
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
        // Taking one of them would drop the items of the other silently.
        (Some(_), Some(_)) => Err(ApiError::Unexpected(
            "the members Value and items are two lists".to_owned(),
        )),
        (value, items) => Ok(value.or(items)),
    }
}

#[cfg(test)]
mod tests;
