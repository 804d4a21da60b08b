//! The list of all the partner's customers, page by page, from `GET /v1/customers`.
//! The next page's address has come in many forms without notice; whatever its form, it is asked for
//! at the configured origin, with the headers it names, and a list that runs in circles is an error.

use std::collections::HashSet;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use tracing::warn;

use super::body::{json_text, parse_object};
use super::call::Call;
use super::decode::{NotACollection, items};
use super::fault::Fault;
use super::link::{MAX_LINK_BYTES, next_url};
use super::wire::{self, CompanyProfile, CustomerPage, Json, Link, LinkHeader, Links, Raw};
use super::{ApiError, Client};
use crate::retry::{GaveUp, Stop};
use crate::usage::{Customer, MAX_TEXT_CHARS};

/// What the address begins with, after the configured base.
const VERSION: &str = "v1";

/// The server gives no more on one page.
const PAGE_SIZE: u32 = 500;

/// An empty page that names a next one is odd, but not yet a circle.
const MAX_EMPTY_PAGES: u32 = 10;

/// What a next link may not set: these are ours, or the connection's.
const RESERVED_HEADERS: [&str; 7] = [
    "authorization",
    "accept",
    "x-locale",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
];

/// One page, and where the next one is.
struct Page {
    customers: Vec<Customer>,
    next: Option<Next>,
    /// What the API says it sends: of this page or of all, which its documentation leaves open.
    announced: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Next {
    uri: String,
    headers: Vec<(String, String)>,
}

impl Client {
    /// Every customer of the partner, each once.
    ///
    /// # Errors
    /// When a page cannot be had, leads to another host, or repeats an earlier one: half a list would
    /// silently leave customers out.
    pub async fn fetch_customers(&self, stop: &Stop) -> Result<Vec<Customer>, GaveUp<ApiError>> {
        let mut url = format!("{}/{VERSION}/customers?size={PAGE_SIZE}", self.base);
        let mut headers = HeaderMap::new();
        let mut customers = Vec::new();
        let mut seen = HashSet::new();
        let mut empty_pages = 0;
        let mut announced = 0;
        loop {
            let call = Call::new(url, None, headers);
            let (page, _permit) = self
                .call(&call, stop, |answer| {
                    read_page(&answer.body, answer.token.secret())
                })
                .await?;
            let before = seen.len();
            let empty = page.customers.is_empty();
            let new = page.customers.into_iter().filter(|c| seen.insert(c.id));
            customers.extend(new);
            announced = announced.max(page.announced);
            let Some(next) = page.next else {
                if announced > seen.len() {
                    warn!(
                        announced,
                        listed = seen.len(),
                        "The customers' list announced {announced} and named {}",
                        seen.len()
                    );
                }
                return Ok(customers);
            };
            let failed = |what: &str| GaveUp::Failed {
                error: ApiError::Unexpected(format!("the customers' list {what}")),
                attempts: call.sent(),
            };
            empty_pages = if empty { empty_pages + 1 } else { 0 };
            if (seen.len() == before && !empty) || empty_pages > MAX_EMPTY_PAGES {
                return Err(failed("repeats a page and would never end"));
            }
            if next.uri.len() > MAX_LINK_BYTES {
                return Err(failed("goes on at an address that is far too long"));
            }
            url = next_url(&self.base, VERSION, &next.uri)
                .ok_or_else(|| failed("goes on at another host, which is not given our token"))?;
            headers = next
                .headers
                .iter()
                .filter_map(|(key, value)| {
                    let key: HeaderName = key.parse().ok()?;
                    let value: HeaderValue = value.parse().ok()?;
                    (!RESERVED_HEADERS.contains(&key.as_str())).then_some((key, value))
                })
                .collect();
        }
    }
}

/// `secret` must not come back out of a fault.
fn read_page(body: &[u8], secret: &str) -> Result<Page, ApiError> {
    let text = json_text(body)?;
    let page: CustomerPage<'_> = parse_object(text)?;
    // A fault in the place of the list must not pass for an empty list.
    if page.items.is_none()
        && let Some(fault) = Fault::in_envelope(&parse_object(text)?, secret)
    {
        return Err(NotACollection::Fault(fault).into());
    }
    let mut customers = Vec::new();
    for (index, item) in items(page.items)?.into_iter().enumerate() {
        if let Some(customer) = read_customer(item) {
            customers.push(customer);
        } else {
            warn!(
                item = index + 1,
                "The customers' list has an entry without a usable id"
            );
        }
    }
    let link: Option<Link<'_>> = read::<Links<'_>>(page.links).and_then(|links| read(links.next));
    let next = link.and_then(|link| {
        let mut headers: Vec<(String, String)> = items(link.headers)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|header| read::<LinkHeader<'_>>(Some(header)))
            .filter_map(|header| Some((read(header.key)?, read(header.value)?)))
            .collect();
        if headers.is_empty()
            && let Some(token) = read(page.continuation_token)
        {
            headers.push(("MS-ContinuationToken".to_owned(), token));
        }
        let uri = read(link.uri).filter(|uri: &String| !uri.trim().is_empty())?;
        Some(Next { uri, headers })
    });
    Ok(Page {
        customers,
        next,
        announced: read(page.total_count).unwrap_or_default(),
    })
}

fn read_customer(item: Json<'_>) -> Option<Customer> {
    let customer: wire::Customer<'_> = read(Some(item))?;
    let profile: CompanyProfile<'_> = read(customer.company_profile).unwrap_or_default();
    let id: String = read(customer.id).or_else(|| read(profile.tenant_id))?;
    let storable = |text: &String| text.chars().count() <= MAX_TEXT_CHARS && !text.contains('\0');
    Some(Customer {
        id: id.parse().ok()?,
        name: read(profile.company_name).filter(storable),
        domain: read(profile.domain).filter(storable),
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
    fn a_page_gives_its_customers_and_the_way_to_the_next() {
        let page = read_page(
            r#"{"totalCount":3,"items":[
                {"id":"4D3CF487-70F4-4E1E-9FF1-B2BFCE8D9F04","companyProfile":{"companyName":"Contoso","domain":"contoso.example"}},
                {"companyProfile":{"tenantId":"11111111-70f4-4e1e-9ff1-b2bfce8d9f04"}},
                {"id":"no guid"}],
              "links":{"next":{"uri":"/customers?size=500","headers":[{"key":"MS-ContinuationToken","value":"t1"}]}}}"#
                .as_bytes(),
            "s3cret",
        )
        .unwrap();
        let names: Vec<_> = page.customers.iter().map(|c| c.name.as_deref()).collect();
        assert_eq!(names, [Some("Contoso"), None]);
        let next = page.next.unwrap();
        assert_eq!(next.uri, "/customers?size=500");
        assert_eq!(
            next.headers,
            [("MS-ContinuationToken".to_owned(), "t1".to_owned())]
        );
    }
}
