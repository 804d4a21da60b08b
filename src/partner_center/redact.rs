//! Removes the token from what the API sends back: an answer that echoes the request would carry it
//! into the ledger, where many people can read it. The token is found as it is, with the escapes of
//! JSON or of URLs, and within Base64 of a longer text. A part of it is removed like the whole.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use memchr::memmem;

/// Replaces the token.
const HIDDEN: &str = "(not shown)";

/// A shorter token is not looked for: it is no secret, and would be found in unrelated text.
const MIN_SECRET_BYTES: usize = 8;

/// The first 24 bytes of a secret are treated like the whole. Fewer would be found by chance.
const PREFIX_BYTES: usize = 24;

/// Text of at least this length that begins like a JSON Web Token is treated as one. A shorter part
/// of a token holds nothing secret.
const MIN_JWT_BYTES: usize = 20;

/// Backslashes that one escape may have; JSON within JSON doubles them. The bound keeps a run of
/// backslashes from taking quadratic time.
const MAX_BACKSLASHES: usize = 8;

/// Where a secret is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::partner_center) enum Within {
    /// In the strings of a JSON document. A number with the same digits must not be changed.
    JsonStrings,
    /// In any text.
    Everything,
}

/// Removes one secret from text. Holds the secret in all its spellings.
pub(in crate::partner_center) struct Redactor {
    spellings: Vec<Vec<u8>>,
    prefixes: Vec<memmem::Finder<'static>>,
}

impl Redactor {
    pub(in crate::partner_center) fn new(secret: &str) -> Self {
        let spellings = if secret.len() < MIN_SECRET_BYTES {
            Vec::new()
        } else {
            spellings(secret)
        };
        let prefix = |spelling: &Vec<u8>| {
            let length = PREFIX_BYTES.min(spelling.len());
            memmem::Finder::new(&spelling[..length]).into_owned()
        };
        Self {
            prefixes: spellings.iter().map(prefix).collect(),
            spellings,
        }
    }

    /// The body without the secret; borrowed if it does not hold it.
    pub(in crate::partner_center) fn redact<'a>(
        &self,
        body: &'a [u8],
        within: Within,
    ) -> Cow<'a, [u8]> {
        // A body with escapes is searched character by character, because they may hide the secret.
        let may_hold = !self.spellings.is_empty()
            && (memchr::memchr2(b'\\', b'%', body).is_some()
                || self
                    .prefixes
                    .iter()
                    .any(|prefix| prefix.find(body).is_some()));
        if may_hold {
            hide(body, &self.spellings, within)
        } else {
            Cow::Borrowed(body)
        }
    }
}

/// The spellings of the secret without escapes: as it is, and in Base64 of either alphabet. Base64
/// of a longer text has the secret in one of three forms, by the number of bytes before it modulo
/// three. The first and last character also depend on the bytes around it and are left out.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![secret.as_bytes().to_vec()];
    for before in 0..3_usize {
        let mut text = vec![0; before];
        text.extend_from_slice(secret.as_bytes());
        let whole = text.len() * 8 / 6;
        let encoded = STANDARD_NO_PAD.encode(&text);
        let own = &encoded.as_bytes()[(before * 8).div_ceil(6)..whole];
        let url_safe: Vec<u8> = own
            .iter()
            .map(|byte| match byte {
                b'+' => b'-',
                b'/' => b'_',
                byte => *byte,
            })
            .collect();
        if url_safe != own {
            spellings.push(url_safe);
        }
        spellings.push(own.to_vec());
    }
    spellings
}

fn hide<'a>(body: &'a [u8], spellings: &[Vec<u8>], within: Within) -> Cow<'a, [u8]> {
    let mut begins = [false; 256];
    for spelling in spellings {
        begins[usize::from(spelling[0])] = true;
    }
    let mut clean: Option<Vec<u8>> = None;
    let (mut at, mut kept, mut in_text) = (0, 0, false);
    while at < body.len() {
        let (byte, length) = unescape(body, at);
        let is_looked_at = in_text || within == Within::Everything;
        if is_looked_at
            && begins[usize::from(byte)]
            && let Some(end) = spellings
                .iter()
                .filter_map(|s| match_end(body, at, s))
                .max()
        {
            let clean = clean.get_or_insert_default();
            clean.extend_from_slice(&body[kept..at]);
            clean.extend_from_slice(HIDDEN.as_bytes());
            (at, kept) = (end, end);
            continue;
        }
        if body[at] == b'"' {
            in_text = !in_text;
        }
        at += step(body, at, length);
    }
    match clean {
        None => Cow::Borrowed(body),
        Some(mut clean) => {
            clean.extend_from_slice(&body[kept..]);
            Cow::Owned(clean)
        }
    }
}

/// The distance to the next place where a secret may begin. What looks like an escape may be none:
/// the `%AB` of `100%AB` before a secret that begins with `B`, or text after an escaped backslash.
fn step(body: &[u8], at: usize, length: usize) -> usize {
    match body[at] {
        b'%' => 1,
        b'\\' => {
            let slashes = backslashes(&body[at..]);
            if slashes.is_multiple_of(2) {
                slashes
            } else {
                length
            }
        }
        _ => length,
    }
}

/// The number of backslashes that a text begins with, up to the bound.
fn backslashes(text: &[u8]) -> usize {
    let most = text.iter().take(MAX_BACKSLASHES);
    most.take_while(|byte| **byte == b'\\').count()
}

/// The end of the secret that begins at `at`, if its prefix is there.
fn match_end(body: &[u8], mut at: usize, spelling: &[u8]) -> Option<usize> {
    let mut count = 0;
    while count < spelling.len() && at < body.len() {
        let (byte, length) = unescape(body, at);
        if byte != spelling[count] {
            break;
        }
        count += 1;
        at += length;
    }
    (count >= PREFIX_BYTES.min(spelling.len())).then_some(at)
}

/// The character at a place, unescaped, and the length of its spelling. Tokens are ASCII, so any
/// other character is given as zero.
fn unescape(body: &[u8], at: usize) -> (u8, usize) {
    let rest = &body[at..];
    let hex = |from: usize, length: usize| {
        let digits = std::str::from_utf8(rest.get(from..from + length)?).ok()?;
        let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok())?
    };
    let ascii = |code: u32| u8::try_from(code).ok().filter(u8::is_ascii).unwrap_or(0);
    match rest[0] {
        b'\\' => {
            let slashes = backslashes(rest);
            match rest.get(slashes) {
                Some(b'u') => match hex(slashes + 1, 4) {
                    Some(code) => (ascii(code), slashes + 5),
                    None => (0, slashes + 1),
                },
                // After an escaped backslash the quotation mark ends the string.
                Some(b'"') if slashes.is_multiple_of(2) => (0, slashes),
                Some(b'\\') | None => (0, slashes),
                Some(byte) => (*byte, slashes + 1),
            }
        }
        b'%' => {
            let is_twice = rest.get(1..3) == Some(&b"25"[..]) && hex(3, 2).is_some();
            let from = if is_twice { 3 } else { 1 };
            hex(from, 2).map_or((b'%', 1), |code| (ascii(code), from + 2))
        }
        byte => (byte, 1),
    }
}

/// `text` without anything that looks like a JSON Web Token, ours or not.
pub(in crate::partner_center) fn redact_web_tokens(text: &str) -> Cow<'_, str> {
    // The beginning of a JSON object, in Base64.
    const JSON_OBJECT: &str = "eyJ";
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let mut clean = String::new();
    let (mut at, mut kept) = (0, 0);
    while let Some(found) = memmem::find(&text.as_bytes()[at..], JSON_OBJECT.as_bytes()) {
        let from = at + found;
        let length = text.as_bytes()[from..]
            .iter()
            .take_while(|byte| is_part(byte));
        at = from + length.count();
        if at - from >= MIN_JWT_BYTES {
            clean.push_str(&text[kept..from]);
            clean.push_str(HIDDEN);
            kept = at;
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[kept..]);
    Cow::Owned(clean)
}
