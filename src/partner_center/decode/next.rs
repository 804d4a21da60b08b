//! Says whether a page has a next one, and where: in the body under any of the names in use, or in
//! the answer's headers.
//!
//! Half a list must not pass for a list. What says that there is more, and not in a way that could
//! be followed, is therefore an error and not the end.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, LINK};
use serde_json::Value;

use crate::partner_center::decode::link::{MAX_LINK_BYTES, next_url};
use crate::partner_center::decode::wire::{Envelope, Json, Raw};

/// What a continuation token is sent back in.
const CONTINUATION: &str = "ms-continuationtoken";

/// Where answers have carried one.
const CONTINUATIONS: [&str; 2] = [CONTINUATION, "x-ms-continuation"];

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

/// There is more, and it cannot be asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::partner_center) enum Unfollowable {
    #[error("the next link is not a text")]
    NotAText,
    #[error("the next link is over {MAX_LINK_BYTES} bytes long")]
    TooLong,
    #[error("the body says that there is more and not where")]
    Nowhere,
    #[error("goes on at another host, which is not given our token")]
    Abroad,
}

/// The way to the next page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::partner_center) struct Next {
    /// As it came, never blank; none where a token is all there is.
    pub(in crate::partner_center) uri: Option<String>,
    /// What has to be sent along.
    pub(in crate::partner_center) headers: Vec<(String, String)>,
}

/// A page, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::partner_center) struct Address {
    pub(in crate::partner_center) url: String,
    pub(in crate::partner_center) headers: HeaderMap,
}

impl Address {
    /// Tells it from other addresses.
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

impl Next {
    /// The page's address at our own origin. `current` is that of the page that names it.
    pub(in crate::partner_center) fn address(
        &self,
        base: &str,
        version: &str,
        current: &str,
    ) -> Result<Address, Unfollowable> {
        let url = match &self.uri {
            // The parameter is what tells the API to go on from a token.
            None if current.contains("seekOperation=") => current.to_owned(),
            None if current.contains('?') => format!("{current}&seekOperation=Next"),
            None => format!("{current}?seekOperation=Next"),
            Some(uri) if uri.trim_start().starts_with('?') => {
                let path = current.split('?').next().unwrap_or(current);
                format!("{path}{}", uri.trim())
            }
            Some(uri) => next_url(base, version, uri).ok_or(Unfollowable::Abroad)?,
        };
        let headers = self.headers.iter().filter_map(|(key, value)| {
            let key: HeaderName = key.parse().ok()?;
            let value: HeaderValue = value.parse().ok()?;
            (!RESERVED_HEADERS.contains(&key.as_str())).then_some((key, value))
        });
        Ok(Address {
            url,
            headers: headers.collect(),
        })
    }
}

/// What an answer's headers say of a next page; none where they say nothing. `sent` are those of
/// the request: a token that is merely echoed leads nowhere new.
pub(in crate::partner_center) fn in_headers(headers: &HeaderMap, sent: &HeaderMap) -> Option<Next> {
    let linked = headers
        .get_all(LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(linked_next);
    let token = CONTINUATIONS.iter().find_map(|name| {
        let value = headers.get(*name)?;
        let is_echo = sent.get(CONTINUATION) == Some(value);
        let text = value.to_str().ok().filter(|text| !text.trim().is_empty())?;
        (!is_echo).then(|| text.to_owned())
    });
    (linked.is_some() || token.is_some()).then(|| Next {
        uri: linked,
        headers: token.map(continuation).into_iter().collect(),
    })
}

fn continuation(token: String) -> (String, String) {
    (CONTINUATION.to_owned(), token)
}

/// The target with the relation `next` in a header such as `<https://…>; rel="next", <https://…>;
/// rel="last"`.
fn linked_next(header: &str) -> Option<String> {
    // A comma or semicolon within the angle brackets is part of the address.
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

/// The way to the next page of a list. `headers` is what [`in_headers`] found.
///
/// # Errors
/// When there is more, in a way that cannot be followed.
pub(in crate::partner_center) fn next_page(
    envelope: &Envelope<'_>,
    headers: Option<&Next>,
) -> Result<Option<Next>, Unfollowable> {
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
    let mut found = found.or_else(|| headers.cloned());
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
        return Err(Unfollowable::Nowhere);
    }
    Ok(found)
}

/// The value of a member that may lead on; a giant is no honest one.
fn value(json: Json<'_>) -> Result<Value, Unfollowable> {
    if json.get().len() > 4 * MAX_LINK_BYTES {
        return Err(Unfollowable::TooLong);
    }
    // What cannot be read is a text with half of a character that takes two.
    serde_json::from_str(json.get()).map_err(|_| Unfollowable::NotAText)
}

/// The link to the next page among a page's links: a member of an object, or an entry of a list
/// with the relation `next`.
fn in_container(json: Json<'_>) -> Result<Option<Next>, Unfollowable> {
    if !json.get().starts_with(['{', '[']) {
        return Ok(None);
    }
    match value(json)? {
        Value::Object(links) => {
            for (name, link) in &links {
                let name = name.to_ascii_lowercase();
                let leads_on = matches!(
                    name.as_str(),
                    "next" | "nextlink" | "nextpage" | "next_page" | "nexturl" | "nexturi"
                );
                if leads_on && let Some(next) = target(link)? {
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

/// What a link's value leads to; none where it is empty.
fn target(link: &Value) -> Result<Option<Next>, Unfollowable> {
    let (uri, headers) = match link {
        Value::Null | Value::Bool(false) => return Ok(None),
        Value::String(uri) => (uri.as_str(), Vec::new()),
        Value::Object(members) if members.is_empty() => return Ok(None),
        Value::Object(_) => match member(link, &["uri", "href", "url", "link"]) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(uri)) => (uri.as_str(), headers_of(link)),
            Some(_) => return Err(Unfollowable::NotAText),
        },
        Value::Bool(true) => return Err(Unfollowable::Nowhere),
        Value::Array(list) if list.is_empty() => return Ok(None),
        Value::Number(_) | Value::Array(_) => return Err(Unfollowable::NotAText),
    };
    if uri.len() > MAX_LINK_BYTES {
        return Err(Unfollowable::TooLong);
    }
    if uri.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(Next {
        uri: Some(uri.to_owned()),
        headers,
    }))
}

/// A list of keys and values.
fn headers_of(link: &Value) -> Vec<(String, String)> {
    let headers = member(link, &["headers"]).and_then(Value::as_array);
    let headers = headers.into_iter().flatten().filter_map(|header| {
        let text = |name| member(header, &[name]).and_then(Value::as_str);
        Some((text("key")?.to_owned(), text("value")?.to_owned()))
    });
    headers.collect()
}

fn token_of(json: Json<'_>) -> Result<Option<String>, Unfollowable> {
    match value(json)? {
        Value::String(token) if token.trim().is_empty() => Ok(None),
        Value::String(token) => Ok(Some(token)),
        Value::Null | Value::Bool(false) => Ok(None),
        Value::Bool(true) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(Unfollowable::NotAText)
        }
    }
}

/// The first of these members that an object has, in whatever letter case.
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
