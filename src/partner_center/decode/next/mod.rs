//! Finds the link to the next page: in the body under any of the names in use, or in the answer's
//! headers.
//!
//! Half of a list must not be taken for the whole. An answer that says that there is more, but not
//! in a way that can be followed, is therefore an error.

mod page_url;

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde_json::Value;

use crate::partner_center::decode::json::Json;
use crate::partner_center::decode::wire::{Envelope, Raw};
use page_url::next_url;

/// Bytes of a link. Honest ones are shorter, and an HTTP client refuses addresses over 64 KiB.
const MAX_LINK_BYTES: usize = 16 * 1024;

/// The request header for a continuation token.
const CONTINUATION: &str = "ms-continuationtoken";

/// The answer headers in which continuation tokens have been seen.
const CONTINUATION_HEADERS: [&str; 2] = [CONTINUATION, "x-ms-continuation"];

/// Headers that a link may not set, because the client or the connection sets them.
const RESERVED_HEADERS: [&str; 7] = [
    "authorization",
    "accept",
    "x-locale",
    "host",
    "content-length",
    "transfer-encoding",
    "connection",
];

/// Why the next page cannot be requested although there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum NextLinkError {
    #[error("the next link is not a text")]
    NotText,
    #[error("the next link is over {MAX_LINK_BYTES} bytes long")]
    TooLong,
    #[error("the body says that there is more and not where")]
    NoTarget,
    #[error("goes on at another host, which is not given our token")]
    ForeignHost,
}

/// The link to the next page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::partner_center) struct NextLink {
    /// As sent by the API, never blank; `None` if there is only a continuation token.
    pub(in crate::partner_center) uri: Option<String>,
    /// Headers that the request for the page must have.
    pub(in crate::partner_center) headers: Vec<(String, String)>,
}

/// A request for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::partner_center) struct PageRequest {
    pub(in crate::partner_center) url: String,
    pub(in crate::partner_center) headers: HeaderMap,
}

impl PageRequest {
    /// A request without headers of its own.
    pub(in crate::partner_center) fn new(url: String) -> Self {
        Self {
            url,
            headers: HeaderMap::new(),
        }
    }

    /// A hash, by which a repeated request is recognised.
    pub(in crate::partner_center) fn fingerprint(&self) -> u64 {
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()));
        let mut headers: Vec<_> = headers.collect();
        headers.sort_unstable();
        BuildHasherDefault::<DefaultHasher>::default().hash_one((&self.url, headers))
    }
}

impl NextLink {
    /// The request for the page, at the configured origin. `current` is the URL of the page that
    /// holds the link.
    pub(in crate::partner_center) fn request(
        &self,
        base: &str,
        version: &str,
        current: &str,
    ) -> Result<PageRequest, NextLinkError> {
        let url = match &self.uri {
            // The API uses a continuation token only with this parameter.
            None if current.contains("seekOperation=") => current.to_owned(),
            None if current.contains('?') => format!("{current}&seekOperation=Next"),
            None => format!("{current}?seekOperation=Next"),
            Some(uri) if uri.trim_start().starts_with('?') => {
                let path = current.split('?').next().unwrap_or(current);
                format!("{path}{}", uri.trim())
            }
            Some(uri) => next_url(base, version, uri).ok_or(NextLinkError::ForeignHost)?,
        };
        let headers = self.headers.iter().filter_map(|(key, value)| {
            let key: HeaderName = key.parse().ok()?;
            let value: HeaderValue = value.parse().ok()?;
            (!RESERVED_HEADERS.contains(&key.as_str())).then_some((key, value))
        });
        Ok(PageRequest {
            url,
            headers: headers.collect(),
        })
    }
}

/// The link to the next page in an answer's headers. `sent` are the headers of the request: a
/// continuation token that is merely echoed is not a link.
pub(in crate::partner_center) fn link_in_headers(
    headers: &HeaderMap,
    sent: &HeaderMap,
) -> Option<NextLink> {
    let linked = headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(linked_next);
    let token = CONTINUATION_HEADERS.iter().find_map(|name| {
        let value = headers.get(*name)?;
        let is_echo = sent.get(CONTINUATION) == Some(value);
        let text = value.to_str().ok().filter(|text| !text.trim().is_empty())?;
        (!is_echo).then(|| text.to_owned())
    });
    (linked.is_some() || token.is_some()).then(|| NextLink {
        uri: linked,
        headers: token.map(continuation).into_iter().collect(),
    })
}

fn continuation(token: String) -> (String, String) {
    (CONTINUATION.to_owned(), token)
}

/// The target with the relation `next` in a header such as
/// `<https://…>; rel="next", <https://…>; rel="last"`.
fn linked_next(header: &str) -> Option<String> {
    // Commas and semicolons separate only outside of the angle brackets.
    let mut rest = header;
    while let Some((_, from)) = rest.split_once('<') {
        let (uri, after) = from.split_once('>')?;
        let parameters = after.split('<').next().unwrap_or_default();
        let is_next = parameters.split([';', ',']).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
                name.trim().eq_ignore_ascii_case("rel")
                    && relations.any(|relation| relation.eq_ignore_ascii_case("next"))
            })
        });
        if is_next && !uri.trim().is_empty() {
            return Some(uri.to_owned());
        }
        rest = after;
    }
    None
}

/// The link to the next page of a list. `linked` is what [`link_in_headers`] found.
///
/// # Errors
/// When there is a next page and it cannot be requested.
pub(in crate::partner_center) fn find_next_link(
    envelope: &Envelope<'_>,
    linked: Option<&NextLink>,
) -> Result<Option<NextLink>, NextLinkError> {
    let links = [
        envelope.next,
        envelope.next_link,
        envelope.at_next_link,
        envelope.odata_next_link,
        envelope.old_odata_next_link,
        envelope.snake_next_link,
        envelope.next_page,
        envelope.next_page_link,
        envelope.next_url,
        envelope.next_uri,
    ];
    let containers = [
        envelope.links,
        envelope.hal_links,
        envelope.paging,
        envelope.pagination,
    ];
    let tokens = [
        envelope.continuation_token,
        envelope.snake_continuation_token,
        envelope.next_token,
        envelope.next_page_token,
        envelope.skip_token,
    ];
    let flags = [
        envelope.has_more,
        envelope.has_next,
        envelope.has_next_page,
        envelope.has_more_results,
        envelope.more_results,
        envelope.is_truncated,
    ];
    let mut found = None;
    for container in containers.into_iter().flatten() {
        found = found.or(in_container(container)?);
    }
    for link in links.into_iter().flatten() {
        found = found.or(target(&value(link)?)?);
    }
    let mut found = found.or_else(|| linked.cloned());
    for token in tokens.into_iter().flatten() {
        let Some(token) = token_of(token)? else {
            continue;
        };
        let next = found.get_or_insert_default();
        if next.headers.is_empty() {
            next.headers.push(continuation(token));
        }
    }
    let says_more = |flag: Raw<'_>| flag.is_some_and(|flag| flag.get() == "true");
    if found.is_none() && flags.into_iter().any(says_more) {
        return Err(NextLinkError::NoTarget);
    }
    Ok(found)
}

/// The parsed value of a member that may hold a link, unless it is too long to be one.
fn value(json: Json<'_>) -> Result<Value, NextLinkError> {
    if json.get().len() > 4 * MAX_LINK_BYTES {
        return Err(NextLinkError::TooLong);
    }
    // The JSON is known to be valid, so only an unpaired surrogate can be wrong.
    serde_json::from_str(json.get()).map_err(|_| NextLinkError::NotText)
}

/// The link to the next page in a container of links: a member of an object, or the element of a
/// list with the relation `next`.
fn in_container(json: Json<'_>) -> Result<Option<NextLink>, NextLinkError> {
    if !json.get().starts_with(['{', '[']) {
        return Ok(None);
    }
    match value(json)? {
        Value::Object(links) => {
            for (name, link) in &links {
                let name = name.to_ascii_lowercase();
                let is_next = matches!(
                    name.as_str(),
                    "next" | "nextlink" | "nextpage" | "next_page" | "nexturl" | "nexturi"
                );
                if is_next && let Some(next) = target(link)? {
                    return Ok(Some(next));
                }
            }
            Ok(None)
        }
        Value::Array(links) => links
            .iter()
            .find(|link| {
                member(link, &["rel"])
                    .and_then(Value::as_str)
                    .is_some_and(|relation| relation.eq_ignore_ascii_case("next"))
            })
            .map_or(Ok(None), target),
        _ => Ok(None),
    }
}

/// The link that a value holds; `None` if it is empty.
fn target(link: &Value) -> Result<Option<NextLink>, NextLinkError> {
    let (uri, headers) = match link {
        Value::Null | Value::Bool(false) => return Ok(None),
        Value::String(uri) => (uri.as_str(), Vec::new()),
        Value::Object(members) if members.is_empty() => return Ok(None),
        Value::Object(_) => match member(link, &["uri", "href", "url", "link"]) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(uri)) => (uri.as_str(), headers_of(link)),
            Some(_) => return Err(NextLinkError::NotText),
        },
        Value::Bool(true) => return Err(NextLinkError::NoTarget),
        Value::Array(list) if list.is_empty() => return Ok(None),
        Value::Number(_) | Value::Array(_) => return Err(NextLinkError::NotText),
    };
    if uri.len() > MAX_LINK_BYTES {
        return Err(NextLinkError::TooLong);
    }
    if uri.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(NextLink {
        uri: Some(uri.to_owned()),
        headers,
    }))
}

/// The headers of a link: a list of keys and values.
fn headers_of(link: &Value) -> Vec<(String, String)> {
    let headers = member(link, &["headers"]).and_then(Value::as_array);
    let headers = headers.into_iter().flatten().filter_map(|header| {
        let text = |name| member(header, &[name]).and_then(Value::as_str);
        Some((text("key")?.to_owned(), text("value")?.to_owned()))
    });
    headers.collect()
}

fn token_of(json: Json<'_>) -> Result<Option<String>, NextLinkError> {
    match value(json)? {
        Value::String(token) if token.trim().is_empty() => Ok(None),
        Value::String(token) => Ok(Some(token)),
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(NextLinkError::NotText)
        }
    }
}

/// The first of the named members that an object has, without regard to letter case.
fn member<'a>(object: &'a Value, names: &[&str]) -> Option<&'a Value> {
    let members = object.as_object()?;
    names.iter().find_map(|name| {
        members
            .iter()
            .find(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    })
}

#[cfg(test)]
mod tests;
