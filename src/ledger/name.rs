//! Normalises product and workload names, which are part of a series' identity. The API has been
//! seen to spell one name in several ways: in different letter case, with surrounding white space,
//! or in another Unicode normalisation form.
//!
//! The rule: white space is trimmed and the text is normalised to NFC. Letter case is kept for
//! display and ignored in comparisons. The ledger shows the spelling that it stored first, see
//! `store`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use compact_str::CompactString;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The name of a product or workload. Never blank. Two spellings of one name are equal.
#[derive(Clone)]
pub struct Name(CompactString);

impl Name {
    /// `None` if the text is blank.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let name: CompactString = if text.is_ascii() || is_nfc(text) {
            text.into()
        } else {
            text.nfc().collect()
        };
        (!name.is_empty()).then_some(Self(name))
    }

    /// The spelling, trimmed and in form NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case: equal for all spellings of the name.
    #[must_use]
    pub fn folded(&self) -> String {
        folded(&self.0).collect()
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        // Folding maps each character on its own, so the first pair that differs decides. It is
        // nearly always ASCII, for which no character has to be decoded.
        for (one, other_one) in self.0.bytes().zip(other.0.bytes()) {
            if one == other_one {
                continue;
            }
            if !one.is_ascii() || !other_one.is_ascii() {
                return folded(&self.0).cmp(folded(&other.0));
            }
            let order = one
                .to_ascii_lowercase()
                .cmp(&other_one.to_ascii_lowercase());
            if order.is_ne() {
                return order;
            }
        }
        self.0.len().cmp(&other.0.len())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Most names are ASCII and short enough to be copied without an allocation.
        if self.0.is_ascii() {
            let mut lower = self.0.clone();
            lower.make_ascii_lowercase();
            lower.hash(state);
        } else {
            self.folded().hash(state);
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn spellings_of_one_name_are_equal_and_other_names_are_not() {
        for (one, other) in [
            ("Exchange", "EXCHANGE"),
            ("  Office 365 E3\u{a0}", "office 365 e3"),
            ("B\u{fc}ro", "Bu\u{308}ro"),
            ("\u{c4}pfel", "a\u{308}PFEL"),
        ] {
            assert_eq!(name(one), name(other));
            assert_eq!(name(one).folded(), name(other).folded());
        }
        assert_ne!(name("Office 365 E3"), name("Office 365 E5"));
        assert_ne!(name("Office 365"), name("Office  365"));
        assert!(Name::new(" \t").is_none());
        assert_eq!(name(" Exchange ").as_str(), "Exchange");
    }

    proptest! {
        #[test]
        fn equal_names_have_equal_hashes(
            one in "[A-Ca-c\u{c4}\u{e4}\u{212a}kK@`]{1,20}",
            other in "[A-Ca-c\u{c4}\u{e4}\u{212a}kK@`]{1,20}",
        ) {
            let hash = |name: &Name| {
                let mut state = DefaultHasher::new();
                name.hash(&mut state);
                state.finish()
            };
            for other in [&other, &one.to_uppercase(), &one.to_lowercase()] {
                let (one, other) = (name(&one), name(other));
                prop_assert!(one != other || hash(&one) == hash(&other));
            }
        }

        #[test]
        fn the_order_is_that_of_the_folded_names(
            one in "[A-Ca-c\u{c4}\u{e4} ]{1,4}x",
            other in "[A-Ca-c\u{c4}\u{e4} ]{1,4}x",
        ) {
            let (one, other) = (name(&one), name(&other));
            prop_assert_eq!(one.cmp(&other), one.folded().cmp(&other.folded()));
        }
    }
}
