//! The list of all the partner's customers, page by page, from `GET /v1/customers`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use serde::Deserialize;
use tracing::warn;

use crate::ledger::{Customer, CustomerId, MAX_TEXT_CHARS};
use crate::metrics::ApiDataset;
use crate::partner_center::call::{Answer, Call};
use crate::partner_center::decode::body::{json_text, parse_object};
use crate::partner_center::decode::fault::ApiFault;
use crate::partner_center::decode::json::{Json, for_each};
use crate::partner_center::decode::next::{NextLink, PageRequest, find_next_link};
use crate::partner_center::decode::wire::{self, CompanyProfile, Envelope, Raw};
use crate::partner_center::decode::{self, DecodeError};
use crate::partner_center::endpoints::pager::{Limits, NextStep, PageSummary, Pager};
use crate::partner_center::error::ApiError;
use crate::partner_center::session::Session;
use crate::retry::RetryError;
use crate::shutdown::Shutdown;

/// The first segment of the path, after the configured base.
const VERSION: &str = "v1";

/// Customers on one page: the most that the server gives.
const PAGE_SIZE: u32 = 500;

/// Pages of the list. No partner has a million customers, and each page is a call.
const MAX_PAGES: u32 = 2_000;

/// Entries on one page, which are in memory together. A server without paging sends the whole list
/// as one page.
const MAX_PAGE_ENTRIES: u64 = 1_000_000;

/// All pages together may have this many times `partner_center.max_response_bytes`, the limit of
/// one page. Without the bound an endless list would fill memory.
const MAX_BODIES: u64 = 16;

/// One page of the list.
struct CustomersPage {
    customers: Vec<Customer>,
    next: Option<NextLink>,
    /// Number of entries according to the API: on this page or on all, which is not documented.
    announced: Option<u64>,
    /// Number of entries, those without a usable id included.
    entries: u64,
    bytes: usize,
}

impl Session {
    /// Every customer of the partner, each once.
    ///
    /// # Errors
    /// When a page cannot be fetched, leads to another host, or repeats an earlier one, or when no
    /// entry names a customer: half a list would silently leave customers out.
    pub async fn fetch_customers(
        &self,
        shutdown: &Shutdown,
    ) -> Result<Vec<Customer>, RetryError<ApiError>> {
        let client = &self.client;
        let mut request = PageRequest::new(format!(
            "{}/{VERSION}/customers?size={PAGE_SIZE}",
            client.base
        ));
        let limits = Limits {
            pages: MAX_PAGES,
            bytes: client.max_response_bytes.saturating_mul(MAX_BODIES),
        };
        let mut pager = Pager::new(&client.base, VERSION, &request, limits);
        let mut customers = Vec::new();
        let mut seen = HashSet::new();
        let (mut announced, mut entries, mut unusable) = (0, 0, 0);
        loop {
            let call = Call::new(request, None, ApiDataset::Customers);
            let read = |answer: &Answer| {
                read_page(&answer.body, answer.next.as_ref(), answer.token.secret())
            };
            let (page, _permit) = self.call(&call, shutdown, read).await?;
            entries += page.entries;
            unusable += page.entries - page.customers.len() as u64;
            let (before, is_blank) = (seen.len(), page.customers.is_empty());
            let new = page.customers.into_iter().filter(|c| seen.insert(c.id));
            customers.extend(new);
            announced = announced.max(page.announced.unwrap_or_default());
            let step = pager.next(PageSummary {
                items: page.entries,
                // The last page may repeat customers if the list changed while it was read.
                is_repeated: seen.len() == before && !is_blank && page.next.is_some(),
                bytes: page.bytes,
                next: page.next.as_ref(),
                announced: page.announced,
            });
            match step.map_err(|error| error.of("the customers' list"))? {
                NextStep::Fetch(next) => request = next,
                NextStep::End | NextStep::Discard => break,
            }
        }
        let listed = customers.len();
        if unusable > 0 {
            warn!(
                entries,
                unusable,
                "The customers' list has {unusable} entries without a usable id, of {entries}"
            );
        }
        if listed == 0 && entries > 0 {
            let what = format!("of the customers' list none of {entries} entries has a usable id");
            return Err(ApiError::Unexpected(what).into());
        }
        if announced > listed as u64 {
            warn!(
                announced,
                listed, "The customers' list announced {announced} and named {listed}"
            );
        }
        Ok(customers)
    }
}

/// `secret` is masked in the message of a fault.
fn read_page(
    body: &[u8],
    linked: Option<&NextLink>,
    secret: &str,
) -> Result<CustomersPage, ApiError> {
    let text = json_text(body)?;
    let page: Envelope<'_> = parse_object(text)?;
    // A fault without a list must not pass for an empty list.
    if page.items.is_none()
        && let Some(fault) = ApiFault::in_envelope(&page, secret)
    {
        return Err(DecodeError::Fault(fault).into());
    }
    let (mut customers, mut entries) = (Vec::new(), 0);
    if let Some(items) = page.items {
        let flow = for_each(items, |item| {
            entries += 1;
            customers.extend(read_customer(item));
            if entries > MAX_PAGE_ENTRIES {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let flow = flow.map_err(|_| DecodeError::ItemsNotAList)?;
        if flow.is_break() {
            let what =
                format!("the customers' list has over {MAX_PAGE_ENTRIES} entries on one page");
            return Err(ApiError::Unexpected(what));
        }
    }
    let next = find_next_link(&page, linked).map_err(DecodeError::from)?;
    Ok(CustomersPage {
        customers,
        next,
        announced: decode::announced(&page),
        entries,
        bytes: body.len(),
    })
}

fn read_customer(item: Json<'_>) -> Option<Customer> {
    let customer: wire::CustomerEntry<'_> = read(Some(item))?;
    let profile: CompanyProfile<'_> = read(customer.company_profile).unwrap_or_default();
    let id: String = read(customer.id).or_else(|| read(profile.tenant_id))?;
    let storable = |text: &String| text.chars().count() <= MAX_TEXT_CHARS && !text.contains('\0');
    Some(Customer {
        name: read(profile.company_name).filter(storable),
        domain: read(profile.domain).filter(storable),
        ..Customer::from(id.parse::<CustomerId>().ok()?)
    })
}

/// A member of the right type, or nothing.
fn read<'a, T: Deserialize<'a>>(value: Raw<'a>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_gives_its_customers_and_the_link_to_the_next() {
        let page = read_page(
            r#"{"totalCount":3,"items":[
                {"id":"4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04",
                 "companyProfile":{"companyName":"Contoso","domain":"contoso.example"}},
                {"companyProfile":{"tenantId":"11111111-70f4-4e1e-9ff1-b2bfce8d9f04"}},
                {"id":"no guid"}],
              "links":{"next":{"uri":"/customers?size=500",
                               "headers":[{"key":"MS-ContinuationToken","value":"t1"}]}}}"#
                .as_bytes(),
            None,
            "s3cret",
        )
        .unwrap();
        let names: Vec<_> = page.customers.iter().map(|c| c.name.as_deref()).collect();
        assert_eq!(names, [Some("Contoso"), None]);
        let next = page.next.unwrap();
        assert_eq!(next.uri.as_deref(), Some("/customers?size=500"));
        assert_eq!((page.entries, page.announced), (3, Some(3)));
        assert_eq!(
            next.headers,
            [("MS-ContinuationToken".to_owned(), "t1".to_owned())]
        );
    }
}
