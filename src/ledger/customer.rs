//! A customer and its id. Ids are also read leniently, as people and their tools write them: in
//! braces, quotes or capitals, without hyphens, as a URN, or as a spreadsheet, a word processor or
//! a chat changes them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::text::{is_invisible, is_quote};

/// GUIDs that documentation and examples use, apart from those whose groups each repeat one digit.
const EXAMPLES: [&str; 5] = [
    "12345678-1234-1234-1234-123456789012",
    "12345678-1234-1234-1234-1234567890ab",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-90ab-cdef-1234-567890abcdef",
    "01234567-89ab-cdef-0123-456789abcdef",
];

/// A customer of a run, with the details from the partner's list of customers and from the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Customer {
    /// The tenant id.
    pub id: CustomerId,
    /// Known if the list of customers was fetched.
    pub name: Option<String>,
    /// Known if the list of customers was fetched.
    pub domain: Option<String>,
    /// What earlier runs have found.
    pub history: CustomerHistory,
}

impl From<CustomerId> for Customer {
    fn from(id: CustomerId) -> Self {
        Self {
            id,
            name: None,
            domain: None,
            history: CustomerHistory::default(),
        }
    }
}

/// The findings of earlier runs about a customer by which the next run is judged. The default, for
/// a new customer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CustomerHistory {
    /// The ledger has its usage of the newest processed date.
    pub had_usage: bool,
    /// The API refused it when it was last asked for.
    pub was_refused: bool,
}

/// A customer's tenant id. Two spellings of one GUID are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CustomerId(Uuid);

/// The text is not a GUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a GUID such as 4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04")]
pub struct NotAGuid;

/// Why a text that a person wrote is not a customer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CustomerIdError {
    /// It is not a GUID in any form.
    #[error(transparent)]
    NotAGuid(#[from] NotAGuid),
    /// It is an example GUID that should have been replaced by a real one.
    #[error("a placeholder and not a customer's id")]
    Placeholder,
}

impl CustomerId {
    /// As Postgres and the log use it.
    #[must_use]
    pub fn as_uuid(self) -> Uuid {
        self.0
    }

    /// Reads an id that a person or a person's tool wrote. The API's own ids are read by `parse`,
    /// which is stricter.
    pub(crate) fn parse_leniently(text: &str) -> Result<Self, CustomerIdError> {
        let id = parse_guid_leniently(text).ok_or(NotAGuid)?;
        if is_example_guid(id) {
            return Err(CustomerIdError::Placeholder);
        }
        Ok(Self(id))
    }
}

impl From<Uuid> for CustomerId {
    fn from(id: Uuid) -> Self {
        Self(id)
    }
}

impl FromStr for CustomerId {
    type Err = NotAGuid;

    fn from_str(text: &str) -> Result<Self, NotAGuid> {
        Uuid::try_parse(text.trim()).map(Self).map_err(|_| NotAGuid)
    }
}

impl fmt::Display for CustomerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The GUID in `text`, if nothing but quotes, brackets, white space and the like surrounds it.
pub(crate) fn parse_guid_leniently(text: &str) -> Option<Uuid> {
    // The fast path: customer lists are long, and nearly all ids are in the standard form.
    if let Ok(id) = Uuid::try_parse(text) {
        return Some(id);
    }
    let plain: String = text
        .chars()
        .filter(|c| !is_invisible(*c) && *c != '\0')
        .map(|c| match c {
            // Hyphens and dashes that word processors substitute for the ASCII hyphen.
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
            c => c,
        })
        .collect();
    let is_wrapping =
        |c: char| c.is_whitespace() || is_quote(c) || matches!(c, ',' | ';' | '(' | ')');
    // ="…" keeps a spreadsheet from converting the cell.
    let plain = plain.trim_matches(is_wrapping).trim_start_matches('=');
    let plain = plain.trim_matches(is_wrapping);
    let urn = "urn:uuid:";
    let plain = match plain.get(..urn.len()) {
        Some(start) if start.eq_ignore_ascii_case(urn) => &plain[urn.len()..],
        _ => plain,
    };
    Uuid::try_parse(plain).ok()
}

/// Whether the id is a placeholder from an example, which no tenant can have.
pub(crate) fn is_example_guid(id: Uuid) -> bool {
    let text = id.to_string();
    let is_one_digit = |group: &str| {
        group
            .bytes()
            .all(|digit| group.starts_with(char::from(digit)))
    };
    text.split('-').all(is_one_digit) || EXAMPLES.contains(&text.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4d3cf487-70f4-4e1e-9ff1-b2bfce8d9f04";

    #[test]
    fn an_id_is_read_however_it_is_written() {
        for text in [
            ID.to_owned(),
            ID.to_uppercase(),
            ID.replace('-', ""),
            ID.replace('-', "\u{2011}"),
            ID.replace('-', "\u{2013}"),
            format!("{{{ID}}}"),
            format!("({ID})"),
            format!("urn:uuid:{ID}"),
            format!("URN:UUID:{}", ID.to_uppercase()),
            format!("\"{ID}\""),
            format!("\u{201c}{{{ID}}}\u{201d}"),
            format!("=\"{ID}\""),
            format!("'{ID}"),
            format!("\u{feff}\u{a0}{ID}\u{200b} ,"),
            format!("\"{ID}\","),
        ] {
            let id = CustomerId::parse_leniently(&text);
            assert_eq!(id.map(|id| id.to_string()).as_deref(), Ok(ID), "{text}");
        }
        let almost = format!("{ID}0");
        for text in [
            "",
            "Contoso",
            &almost,
            &ID[1..],
            "urn:uuid:",
            "\u{e4}\u{e4}\u{e4}\u{e4}\u{e4}",
        ] {
            let id = CustomerId::parse_leniently(text);
            assert_eq!(id, Err(CustomerIdError::NotAGuid(NotAGuid)), "{text}");
        }
    }

    #[test]
    fn placeholders_are_refused_and_similar_ids_are_not() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "11111111-2222-3333-4444-555555555555",
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "12345678-1234-1234-1234-123456789012",
        ] {
            let id = CustomerId::parse_leniently(text);
            assert_eq!(id, Err(CustomerIdError::Placeholder), "{text}");
        }
        for text in [
            "00000000-0000-0000-0000-000000000001",
            "11111111-70f4-4e1e-9ff1-b2bfce8d9f04",
        ] {
            assert!(CustomerId::parse_leniently(text).is_ok(), "{text}");
        }
    }
}
