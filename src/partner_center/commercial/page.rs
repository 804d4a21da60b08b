//! One page of a partner-wide collection, read into the items of wanted customers. Pure.

use std::fmt;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};

use super::super::ApiError;
use super::super::body::{json_text, parse_object};
use super::super::decode::{MAX_REJECTIONS, NotACollection, owner, rejection};
use super::super::fault::Fault;
use super::super::link::MAX_LINK_BYTES;
use super::super::number::parse_count;
use super::super::wire::{CommercialPage, Envelope, Json, Raw};
use super::spool::SpooledItem;
use crate::usage::{CustomerId, Rejection};

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
    /// The next link as it came. Never blank.
    pub(super) next: Option<String>,
    /// Items in all pages, as the API says.
    pub(super) total: Option<u64>,
    /// Tells one page's items from another's.
    pub(super) fingerprint: u64,
    /// 200, or 204 for nothing at all.
    pub(super) status: u16,
}

/// Reads a page that comes after `before` items. `wanted` is sorted, and `secret` must not come back out of a fault.
pub(super) fn read_page(
    body: &[u8],
    wanted: &[CustomerId],
    before: u64,
    secret: &str,
) -> Result<Page, ApiError> {
    let text = json_text(body)?;
    if text.is_empty() {
        return Ok(Page::default());
    }
    let envelope: CommercialPage<'_> = parse_object(text)?;
    let list = list(&envelope)?;
    let mut page = Page {
        next: next_link(&envelope)?,
        total: envelope
            .total_count
            .and_then(|total| parse_count(total.get()).ok())
            .and_then(|total| u64::try_from(total).ok()),
        ..Page::default()
    };
    if let Some(list) = list {
        page.read_list(list, wanted, before)?;
    }
    // As with one customer's collection: beside an empty list a mere remark is no fault; in the place of a list it is.
    // Beside items a server that fails while it writes them says so, and what came is not all.
    let envelope: Envelope<'_> = parse_object(text)?;
    let is_cut_off = envelope
        .error
        .is_some_and(|error| error.get().starts_with('{'));
    if (page.received == 0 || is_cut_off)
        && let Some(fault) = Fault::in_envelope(&envelope, secret)
        && (list.is_none() || (fault.code.is_some() && fault.text.is_some()))
    {
        return Err(NotACollection::Fault(fault).into());
    }
    Ok(page)
}

impl Page {
    fn read_list(
        &mut self,
        list: Json<'_>,
        wanted: &[CustomerId],
        before: u64,
    ) -> Result<(), ApiError> {
        let mut too_many = false;
        for_each(list, |item| {
            self.received += 1;
            let number = before + self.received;
            match owner(item.get()) {
                Ok(customer) if wanted.binary_search(&customer).is_ok() => {
                    self.items.push(SpooledItem {
                        customer,
                        number,
                        item: item.get().into(),
                    });
                }
                Ok(_) => self.unwanted += 1,
                Err(_) if self.strays.len() == MAX_REJECTIONS => too_many = true,
                Err(unusable) => self.strays.push(rejection(number, item.get(), unusable)),
            }
        })
        .map_err(|_| ApiError::Unexpected("the member Value is not a list".to_owned()))?;
        if too_many {
            let first = self.strays.swap_remove(0).detail;
            return Err(NotACollection::TooManyRejections { first }.into());
        }
        self.fingerprint = BuildHasherDefault::<DefaultHasher>::default().hash_one(list.get());
        Ok(())
    }
}

/// The list of items, under whichever of its names.
fn list<'a>(envelope: &CommercialPage<'a>) -> Result<Raw<'a>, ApiError> {
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

/// The address of the next page, under whichever of its names.
fn next_link(envelope: &CommercialPage<'_>) -> Result<Option<String>, ApiError> {
    let links = [
        envelope.next_link,
        envelope.odata_next_link,
        envelope.plain_next_link,
    ];
    for link in links.into_iter().flatten() {
        // To take it for none would cut the collection short in silence.
        let link: String = serde_json::from_str(link.get())
            .map_err(|_| ApiError::Unexpected("the next link is not a text".to_owned()))?;
        if link.len() > MAX_LINK_BYTES {
            let what = format!("the next link is over {MAX_LINK_BYTES} bytes long");
            return Err(ApiError::Unexpected(what));
        }
        if !link.trim().is_empty() {
            return Ok(Some(link));
        }
    }
    Ok(None)
}

/// Shows a list's items one by one: a list of all of them would take more memory than they do where they are small.
fn for_each<'a>(list: Json<'a>, look: impl FnMut(Json<'a>)) -> serde_json::Result<()> {
    struct Items<F>(F);
    impl<'de, F: FnMut(Json<'de>)> Visitor<'de> for Items<F> {
        type Value = ();
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }
        fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element()? {
                (self.0)(item);
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(list.get()).deserialize_seq(Items(look))
}

#[cfg(test)]
mod tests;
