//! Customer ids as people and their tools write them: in braces, quotes or capitals, without
//! hyphens, as a URN, or with what a spreadsheet, a word processor or a chat makes of them.

use uuid::Uuid;

use super::{CustomerId, NotAGuid};
use crate::text::{is_invisible, is_quote};

/// GUIDs that documentation and examples use, besides those of which each group is one digit
/// repeated.
const EXAMPLES: [&str; 5] = [
    "12345678-1234-1234-1234-123456789012",
    "12345678-1234-1234-1234-1234567890ab",
    "12345678-1234-1234-1234-123456789abc",
    "12345678-90ab-cdef-1234-567890abcdef",
    "01234567-89ab-cdef-0123-456789abcdef",
];

/// The text names no customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoCustomer {
    /// It is no GUID in any form.
    #[error(transparent)]
    NotAGuid(#[from] NotAGuid),
    /// It is a GUID that somebody was to put another one in the place of.
    #[error("a placeholder and not a customer's id")]
    Placeholder,
}

impl CustomerId {
    /// Reads an id that a person or a person's tool wrote. The API's own ids are read by `parse`,
    /// which is stricter.
    pub(crate) fn from_written(text: &str) -> Result<Self, NoCustomer> {
        let id = guid(text).ok_or(NotAGuid)?;
        if is_placeholder(id) {
            return Err(NoCustomer::Placeholder);
        }
        Ok(Self::from(id))
    }
}

/// The GUID that is written as `text`, if it is one.
pub(crate) fn guid(text: &str) -> Option<Uuid> {
    // Nearly always it is written plainly, and lists are long.
    if let Ok(id) = Uuid::try_parse(text) {
        return Some(id);
    }
    let plain: String = text
        .chars()
        .filter(|c| !is_invisible(*c) && *c != '\0')
        .map(|c| match c {
            // Hyphens and dashes that word processors put in the place of the plain one.
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => '-',
            c => c,
        })
        .collect();
    let is_around =
        |c: char| c.is_whitespace() || is_quote(c) || matches!(c, ',' | ';' | '(' | ')');
    // A spreadsheet is kept from calculating with it by ="…".
    let plain = plain.trim_matches(is_around).trim_start_matches('=');
    let plain = plain.trim_matches(is_around);
    let urn = "urn:uuid:";
    let plain = match plain.get(..urn.len()) {
        Some(start) if start.eq_ignore_ascii_case(urn) => &plain[urn.len()..],
        _ => plain,
    };
    Uuid::try_parse(plain).ok()
}

/// Whether nobody's tenant can have this id: it stands in examples for one that is to be filled in.
pub(crate) fn is_placeholder(id: Uuid) -> bool {
    let text = id.to_string();
    let is_repeated = |group: &str| {
        group
            .bytes()
            .all(|digit| group.starts_with(char::from(digit)))
    };
    text.split('-').all(is_repeated) || EXAMPLES.contains(&text.as_str())
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
            let id = CustomerId::from_written(&text);
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
            let id = CustomerId::from_written(text);
            assert_eq!(id, Err(NoCustomer::NotAGuid(NotAGuid)), "{text}");
        }
    }

    #[test]
    fn placeholders_are_nobody_and_other_ids_are_somebody() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "11111111-2222-3333-4444-555555555555",
            "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
            "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
            "12345678-1234-1234-1234-123456789012",
        ] {
            let id = CustomerId::from_written(text);
            assert_eq!(id, Err(NoCustomer::Placeholder), "{text}");
        }
        for text in [
            "00000000-0000-0000-0000-000000000001",
            "11111111-70f4-4e1e-9ff1-b2bfce8d9f04",
        ] {
            assert!(CustomerId::from_written(text).is_ok(), "{text}");
        }
    }
}
